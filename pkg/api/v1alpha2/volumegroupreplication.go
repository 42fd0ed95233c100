// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// VolumeGroupReplicationSpec is what the user wants for a group of volumes.
// +kubebuilder:validation:XValidation:rule="has(self.source) == has(oldSelf.source)",message="source cannot be added or removed: delete the group and create it again"
type VolumeGroupReplicationSpec struct {
	// volumeGroupReplicationClass is the name of the VolumeGroupReplicationClass. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="volumeGroupReplicationClass is immutable: create a new group to use another class"
	VolumeGroupReplicationClass string `json:"volumeGroupReplicationClass"`

	// selector selects the PVCs of the group by their labels, in the namespace of the group. Immutable.
	// A PVC that gains or loses the labels joins or leaves the group.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="selector is immutable: label or unlabel PVCs instead, or create a new group"
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="selector must not be empty: an empty selector would take every PVC of the namespace"
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || size(self.matchLabels) <= 32) && (!has(self.matchExpressions) || size(self.matchExpressions) <= 32 && self.matchExpressions.all(e, !has(e.values) || size(e.values) <= 128))",message="selector must have at most 32 labels, 32 expressions and 128 values in each: group PVCs by a label of their own"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="selector operators are In, NotIn, Exists and DoesNotExist"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['Exists', 'DoesNotExist'] ? (!has(e.values) || size(e.values) == 0) : (has(e.values) && size(e.values) > 0))",message="selector operators In and NotIn need values; Exists and DoesNotExist take none"
	Selector *metav1.LabelSelector `json:"selector"`

	// replicationState is the desired state: primary, secondary or resync.
	// +required
	ReplicationState ReplicationState `json:"replicationState"`

	// autoResync lets the backend discard the unreplicated writes of a secondary on its own
	// when it finds a split brain. Off by default.
	// +optional
	AutoResync *bool `json:"autoResync,omitempty"`

	// source names an existing backend group object to adopt instead of creating one: a
	// VolumeGroupReplicationContent (csi-addons) or a DellCSIReplicationGroup (Dell). Immutable.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="source is immutable: delete the group and create it again"
	// +kubebuilder:validation:XValidation:rule="self.kind in ['VolumeGroupReplicationContent', 'DellCSIReplicationGroup']",message="source.kind must be VolumeGroupReplicationContent (csi-addons) or DellCSIReplicationGroup (Dell)"
	// +kubebuilder:validation:XValidation:rule="size(self.name) > 0",message="source.name must name the backend object to adopt"
	Source *corev1.TypedLocalObjectReference `json:"source,omitempty"`
}

// VolumeStatus is what the backend last said about one PVC of a group.
type VolumeStatus struct {
	// name of the PVC.
	Name string `json:"name"`
	// volumeName is the name of the bound PersistentVolume.
	// +optional
	VolumeName string `json:"volumeName,omitempty"`
	// volumeHandle is the CSI volume handle.
	// +optional
	VolumeHandle string `json:"volumeHandle,omitempty"`
	// capacityBytes is the size of the PersistentVolume. A PVC that is resized on one site keeps its old size on the other.
	// +optional
	CapacityBytes *int64 `json:"capacityBytes,omitempty"`
	// replicationHandle is what the peer's backend has to be told to replicate from this volume, where
	// that is not the volumeHandle.
	// +optional
	ReplicationHandle string `json:"replicationHandle,omitempty"`
	// followedHandle is the replicationHandle of the peer's volume that this copy follows, where the backend tells it.
	// +optional
	FollowedHandle string `json:"followedHandle,omitempty"`
	// snapshotHandle is the snapshot that was taken of the volume for lastSnapshotRequest.
	// +optional
	SnapshotHandle string `json:"snapshotHandle,omitempty"`
	// state is the observed state of the volume.
	// +optional
	State State `json:"state,omitempty"`
	// health is the observed health of the volume.
	// +optional
	Health Health `json:"health,omitempty"`
	// lastSyncTime is the end of the last completed synchronisation, by the backend's clock.
	// +optional
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`
	// lastSyncDuration is how long it took.
	// +optional
	LastSyncDuration *metav1.Duration `json:"lastSyncDuration,omitempty"`
	// lastSyncBytes is how many bytes it moved.
	// +optional
	LastSyncBytes *int64 `json:"lastSyncBytes,omitempty"`
	// backendRef is the object that these facts were read from.
	// +optional
	BackendRef *BackendReference `json:"backendRef,omitempty"`
	// message is what the backend says about this volume, if it says anything beyond its state.
	// +optional
	Message string `json:"message,omitempty"`
}

// VolumeGroupReplicationStatus is what the backend last said about the group and its volumes.
type VolumeGroupReplicationStatus struct {
	ReplicationStatus `json:",inline"`

	// groupHandle identifies the group on the storage system, where the backend has such a handle.
	// +optional
	GroupHandle string `json:"groupHandle,omitempty"`

	// volumeCount is the number of entries in persistentVolumeClaimsRefList.
	// +optional
	VolumeCount int32 `json:"volumeCount"`

	// persistentVolumeClaimsRefList lists the PVCs that the backend has in the group.
	// +optional
	// +listType=atomic
	PersistentVolumeClaimsRefList []corev1.LocalObjectReference `json:"persistentVolumeClaimsRefList,omitempty"`

	// volumes has one entry for each PVC that the selector matches or the backend still has.
	// +optional
	// +listType=map
	// +listMapKey=name
	Volumes []VolumeStatus `json:"volumes,omitempty"`
}

// VolumeGroupReplication replicates all PVCs that a selector matches, as one unit, to a peer cluster.
//
// Its short names are those of the specification; kubernetes-csi-addons uses "vgr" too, so
// scripts should say volumegroupreplications.replication.unified.io.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:storageversion
// +kubebuilder:resource:scope=Namespaced,shortName=vgr;volgrouprep
// +kubebuilder:printcolumn:name="Desired",type=string,JSONPath=`.spec.replicationState`,description="The state that was asked for"
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`,description="The state that the backend reports"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="The desired state is reached and confirmed"
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.volumeGroupReplicationClass`
// +kubebuilder:printcolumn:name="PVCs",type=integer,JSONPath=`.status.volumeCount`
// +kubebuilder:printcolumn:name="Last Sync",type=date,JSONPath=`.status.lastSyncTime`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="name must be at most 63 characters: it is used as a label value on backend objects"
type VolumeGroupReplication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec VolumeGroupReplicationSpec `json:"spec"`
	// +optional
	Status VolumeGroupReplicationStatus `json:"status,omitempty"`
}

// VolumeGroupReplicationList is a list of VolumeGroupReplications.
// +kubebuilder:object:root=true
type VolumeGroupReplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VolumeGroupReplication `json:"items"`
}
