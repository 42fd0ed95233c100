// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package proto is the wire contract of the csi-addons sidecar, generated from the two .proto
// files beside it. It holds no behaviour: see package driver.
package proto

//go:generate go run ./generate
