// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// VolumeReplicationSpec is what the user wants for one volume.
type VolumeReplicationSpec struct {
	// volumeReplicationClass is the name of the VolumeReplicationClass. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="volumeReplicationClass is immutable: create a new replication to use another class"
	VolumeReplicationClass string `json:"volumeReplicationClass"`

	// pvcName is the name of the PVC, in the namespace of the replication. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="pvcName is immutable: create a new replication for another PVC"
	PVCName string `json:"pvcName"`

	// replicationState is the desired state: primary, secondary or resync.
	// +required
	ReplicationState ReplicationState `json:"replicationState"`

	// autoResync lets the backend discard the unreplicated writes of a secondary on its own
	// when it finds a split brain. Off by default.
	// +optional
	AutoResync *bool `json:"autoResync,omitempty"`
}

// VolumeReplicationStatus is what the backend last said about the volume.
type VolumeReplicationStatus struct {
	ReplicationStatus `json:",inline"`

	// volumeHandle is the CSI volume handle.
	// +optional
	VolumeHandle string `json:"volumeHandle,omitempty"`
}

// VolumeReplication replicates one PVC to a peer cluster.
//
// Its short names are those of the specification; kubernetes-csi-addons uses "vr" too, so
// scripts should say volumereplications.replication.unified.io.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:storageversion
// +kubebuilder:resource:scope=Namespaced,shortName=vr;volrep
// +kubebuilder:printcolumn:name="Desired",type=string,JSONPath=`.spec.replicationState`,description="The state that was asked for"
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`,description="The state that the backend reports"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="The desired state is reached and confirmed"
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.volumeReplicationClass`
// +kubebuilder:printcolumn:name="PVC",type=string,JSONPath=`.spec.pvcName`
// +kubebuilder:printcolumn:name="Last Sync",type=date,JSONPath=`.status.lastSyncTime`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="name must be at most 63 characters: it is used as a label value on backend objects"
type VolumeReplication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec VolumeReplicationSpec `json:"spec"`
	// +optional
	Status VolumeReplicationStatus `json:"status,omitempty"`
}

// VolumeReplicationList is a list of VolumeReplications.
// +kubebuilder:object:root=true
type VolumeReplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VolumeReplication `json:"items"`
}
