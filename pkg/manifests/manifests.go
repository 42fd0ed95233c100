// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package manifests embeds the objects that a cluster needs before it can run the controller:
// the CRDs and the controller's RBAC, as generated from the API types and the reconcilers. It
// is read by the plugin's installer, by the lab and by tests, so that all use the same bytes.
package manifests

import "embed"

// FS holds crd/*.yaml and rbac/*.yaml.
//
//go:embed crd/*.yaml rbac/*.yaml
var FS embed.FS
