// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha2 is the replication.unified.io/v1alpha2 API: replication of one volume
// (VolumeReplication) or of a group of volumes as one unit (VolumeGroupReplication), and the
// classes that say how. It holds types and constants only; what they mean for a storage
// system is decided in pkg/backend.
//
// COMPATIBILITY NOTICE: the kinds follow kubernetes-csi-addons' replication API; every field
// added to it is optional.
//
// +kubebuilder:object:generate=true
// +groupName=replication.unified.io
package v1alpha2
