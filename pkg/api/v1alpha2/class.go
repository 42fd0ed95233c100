// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Parameters that mean the same for every backend. What a backend knows beyond them is listed
// in the documentation of that backend; an unknown key is reported, never ignored.
const (
	// ParameterConsistencyGroup is "enabled" (the backend's own group) or "disabled" (each volume on its own). The
	// default is the backend's, and for csi-addons the driver's: Ceph mirrors no groups.
	ParameterConsistencyGroup = "consistencyGroup"
	// ParameterGroupSnapshots is "true" to use volume group snapshots for consistency (Trident), or "false".
	ParameterGroupSnapshots = "groupSnapshots"
	// ParameterGroupConsistency is "crash" or "application".
	ParameterGroupConsistency = "groupConsistency"
	// ParameterSchedulingInterval is how often data is replicated: digits and one of m, h, d, and for
	// some backends other durations too. See state.Interval.
	ParameterSchedulingInterval = "schedulingInterval"
	// ParameterBackend names the backend, for a driver that none is known to serve, or another one by default.
	ParameterBackend = "backend"
)

// ClassSpec says which CSI driver replicates, and how. Both fields are immutable: the backend's
// own classes are.
// +kubebuilder:validation:XValidation:rule="has(self.parameters) == has(oldSelf.parameters)",message="parameters are immutable: create a new class"
type ClassSpec struct {
	// provisioner is the name of the CSI driver, such as rbd.csi.ceph.com. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="provisioner is immutable: create a new class"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$')",message="provisioner must be the name of a CSI driver, such as rbd.csi.ceph.com"
	Provisioner string `json:"provisioner"`

	// parameters configure the replication; see the documentation of each backend. Immutable.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="parameters are immutable: create a new class"
	Parameters map[string]string `json:"parameters,omitempty"`
}

// VolumeGroupReplicationClass says how groups of volumes are replicated.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:resource:scope=Cluster,shortName=vgrc;volgrouprepclass
// +kubebuilder:printcolumn:name="Provisioner",type=string,JSONPath=`.spec.provisioner`
// +kubebuilder:printcolumn:name="Interval",type=string,JSONPath=`.spec.parameters.schedulingInterval`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type VolumeGroupReplicationClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ClassSpec `json:"spec"`
}

// VolumeGroupReplicationClassList is a list of VolumeGroupReplicationClasses.
// +kubebuilder:object:root=true
type VolumeGroupReplicationClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VolumeGroupReplicationClass `json:"items"`
}

// VolumeReplicationClass says how single volumes are replicated.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:resource:scope=Cluster,shortName=vrc;volrepclass
// +kubebuilder:printcolumn:name="Provisioner",type=string,JSONPath=`.spec.provisioner`
// +kubebuilder:printcolumn:name="Interval",type=string,JSONPath=`.spec.parameters.schedulingInterval`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type VolumeReplicationClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ClassSpec `json:"spec"`
}

// VolumeReplicationClassList is a list of VolumeReplicationClasses.
// +kubebuilder:object:root=true
type VolumeReplicationClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VolumeReplicationClass `json:"items"`
}
