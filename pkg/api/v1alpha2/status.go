// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReplicationState is the state that a user asks for.
// +kubebuilder:validation:Enum=primary;secondary;resync
type ReplicationState string

// Desired states.
const (
	// Primary asks for writable volumes that are replicated to the peer.
	Primary ReplicationState = "primary"
	// Secondary asks for volumes that only receive from the peer.
	Secondary ReplicationState = "secondary"
	// Resync asks for a secondary whose own unreplicated writes are discarded for the peer's data.
	Resync ReplicationState = "resync"
)

// State is the state that a backend reports.
// +kubebuilder:validation:Enum=Primary;Secondary;Unknown
type State string

// Observed states; empty before the first observation.
const (
	StatePrimary   State = "Primary"
	StateSecondary State = "Secondary"
	StateUnknown   State = "Unknown"
)

// Health is what a backend reports about one volume.
// +kubebuilder:validation:Enum=Healthy;Resyncing;Degraded;Error;Unknown
type Health string

// Health values.
const (
	HealthHealthy   Health = "Healthy"
	HealthResyncing Health = "Resyncing"
	HealthDegraded  Health = "Degraded"
	HealthError     Health = "Error"
	HealthUnknown   Health = "Unknown"
)

// BackendReference names the backend object that was observed, in the namespace of the
// referring object or cluster-wide.
type BackendReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// ReplicationStatus is what the backend last said. Nothing in it is copied from a spec.
type ReplicationStatus struct {
	// conditions of the replication; see the Condition constants.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchMergeKey=type
	// +patchStrategy=merge
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// state is the observed state: Primary, Secondary or Unknown; empty before the first observation.
	// +optional
	State State `json:"state,omitempty"`

	// stateSince is when the controller first observed the present state, by its own clock.
	// +optional
	StateSince *metav1.Time `json:"stateSince,omitempty"`

	// lastRole is the last observed state that was Primary or Secondary. It outlives Unknown.
	// +optional
	LastRole State `json:"lastRole,omitempty"`

	// syncTimeBefore is the lastSyncTime that the backend reported when the present state began. It may be
	// left over from an earlier role, so lastSyncTime is set only once the backend reports a later one.
	// +optional
	SyncTimeBefore *metav1.Time `json:"syncTimeBefore,omitempty"`

	// demotedAfterSync is true when this site, before it was demoted, was seen to synchronise as primary.
	// Without that, the backend's word that both sites are in sync may be left over from an earlier
	// hand-over and proves nothing.
	// +optional
	DemotedAfterSync bool `json:"demotedAfterSync,omitempty"`

	// confirmedGeneration is the last generation of the spec whose desired state the backend has
	// confirmed. What was told for that generation permits no further promotion.
	// +optional
	ConfirmedGeneration int64 `json:"confirmedGeneration,omitempty"`

	// confirmedRetry is the value of the annotation retry when the backend confirmed confirmedGeneration.
	// +optional
	ConfirmedRetry string `json:"confirmedRetry,omitempty"`

	// message says in one line what the backend said last, and which object it came from.
	// +optional
	Message string `json:"message,omitempty"`

	// backend is the name of the backend that serves this object, such as "csi-addons".
	// +optional
	Backend string `json:"backend,omitempty"`

	// backendRef is the backend object that represents the whole, if there is one.
	// +optional
	BackendRef *BackendReference `json:"backendRef,omitempty"`

	// lastSyncTime is the end of the last completed synchronisation, by the backend's clock. It is absent
	// when the backend does not know it, as a secondary usually does not, and until the backend reports one
	// that is newer than the present state.
	// +optional
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`

	// lastSyncDuration is how long the last completed synchronisation took.
	// +optional
	LastSyncDuration *metav1.Duration `json:"lastSyncDuration,omitempty"`

	// lastSyncBytes is how many bytes the last completed synchronisation moved.
	// +optional
	LastSyncBytes *int64 `json:"lastSyncBytes,omitempty"`

	// lastCompletionTime is when the backend last finished a pass over this object without an
	// error. It moves on a primary and stands still on a settled secondary.
	// +optional
	LastCompletionTime *metav1.Time `json:"lastCompletionTime,omitempty"`

	// lastSyncRequest is the value of the annotation sync-request that was last fulfilled: all that
	// had been written on the primary when it was set is in this copy.
	// +optional
	LastSyncRequest string `json:"lastSyncRequest,omitempty"`

	// lastSnapshotRequest is the value of the annotation snapshot-request that was last fulfilled: the
	// volumes name the snapshots, which are all of one moment after it was set.
	// +optional
	LastSnapshotRequest string `json:"lastSnapshotRequest,omitempty"`

	// observedGeneration is the generation of the spec that the backend's answer refers to.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}
