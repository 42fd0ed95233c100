// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package manifests embeds the objects that a cluster needs: the CRDs and the controller's RBAC, as
// generated from the API types and the reconcilers, the admission policy, and the controller itself. It is read by
// the plugin's installer, by the lab and by tests, so that all use the same bytes.
package manifests

import "embed"

// FS holds admission/*.yaml, crd/*.yaml, rbac/*.yaml and controller/*.yaml.
//
//go:embed admission/*.yaml crd/*.yaml rbac/*.yaml controller/*.yaml
var FS embed.FS
