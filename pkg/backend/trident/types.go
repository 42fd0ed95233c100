// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// groupVersion is Trident's API as of v26.06. The types here have the fields that we use. Trident's
// own module cannot be imported by its tags.
var groupVersion = schema.GroupVersion{Group: "trident.netapp.io", Version: "v1"}

const mirrorKind = "TridentMirrorRelationship"

// Mirror is a TridentMirrorRelationship: what one PVC is in a SnapMirror relationship.
type Mirror struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	Spec              MirrorSpec   `json:"spec"`
	Status            MirrorStatus `json:"status,omitzero"`
}

// MirrorSpec is what the volume is to be.
type MirrorSpec struct {
	// State is promoted, established or reestablished.
	State               string `json:"state,omitempty"`
	ReplicationPolicy   string `json:"replicationPolicy,omitempty"`
	ReplicationSchedule string `json:"replicationSchedule,omitempty"`
	// VolumeMappings has exactly one element; Trident takes no more.
	VolumeMappings []VolumeMapping `json:"volumeMappings"`
}

// VolumeMapping names the local volume, and the one that it follows.
type VolumeMapping struct {
	LocalPVCName string `json:"localPVCName"`
	// RemoteVolumeHandle is "SVM:volume" as the peer's Mirror reports it; it can never be changed.
	RemoteVolumeHandle string `json:"remoteVolumeHandle,omitempty"`
	// PromotedSnapshotHandle is the snapshot that a promotion goes back to.
	PromotedSnapshotHandle string `json:"promotedSnapshotHandle,omitempty"`
}

// MirrorStatus has exactly one condition once Trident has reconciled the Mirror.
type MirrorStatus struct {
	Conditions []MirrorCondition `json:"conditions,omitempty"`
}

// MirrorCondition is what Trident last saw. It is written when State changes, and only then.
type MirrorCondition struct {
	State               string `json:"state"`
	Message             string `json:"message,omitempty"`
	LastTransitionTime  string `json:"lastTransitionTime,omitempty"`
	LocalPVCName        string `json:"localPVCName,omitempty"`
	LocalVolumeHandle   string `json:"localVolumeHandle,omitempty"`
	RemoteVolumeHandle  string `json:"remoteVolumeHandle,omitempty"`
	ReplicationPolicy   string `json:"replicationPolicy,omitempty"`
	ReplicationSchedule string `json:"replicationSchedule,omitempty"`
	// ObservedGeneration is that of the spec when State last changed.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// Update states.
const (
	succeeded    = "Succeeded"
	failedUpdate = "Failed"
)

const updateKind = "TridentActionMirrorUpdate"

// Update is a TridentActionMirrorUpdate: one transfer to a volume that follows. Trident acts on a new
// object once, and on no other.
type Update struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	Spec              UpdateSpec   `json:"spec"`
	Status            UpdateStatus `json:"status,omitzero"`
}

// UpdateSpec names the Mirror.
type UpdateSpec struct {
	MirrorName string `json:"tridentMirrorRelationshipName"`
	// SnapshotHandle is the snapshot to transfer; empty for the present.
	SnapshotHandle string `json:"snapshotHandle,omitempty"`
}

// UpdateStatus is how the transfer goes.
type UpdateStatus struct {
	State   string `json:"state,omitempty"`
	Message string `json:"message,omitempty"`
}

// UpdateList is a list of them.
type UpdateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Update `json:"items"`
}

// MirrorList is a list of them.
type MirrorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Mirror `json:"items"`
}

// AddToScheme registers the Trident kinds that the adapter uses.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypeWithName(groupVersion.WithKind(mirrorKind), &Mirror{})
	s.AddKnownTypeWithName(groupVersion.WithKind(mirrorKind+"List"), &MirrorList{})
	s.AddKnownTypeWithName(groupVersion.WithKind(updateKind), &Update{})
	s.AddKnownTypeWithName(groupVersion.WithKind(updateKind+"List"), &UpdateList{})
	metav1.AddToGroupVersion(s, groupVersion)
	addSnapshotsToScheme(s)
	return nil
}

// said returns Trident's last word; the zero value before it has looked.
func (m *Mirror) said() MirrorCondition {
	if len(m.Status.Conditions) == 0 {
		return MirrorCondition{}
	}
	return m.Status.Conditions[0]
}

// mapping returns the one volume of the Mirror; the zero value when it has none.
func (m *Mirror) mapping() VolumeMapping {
	if len(m.Spec.VolumeMappings) == 0 {
		return VolumeMapping{}
	}
	return m.Spec.VolumeMappings[0]
}

// DeepCopy copies everything.
func (m *Mirror) DeepCopy() *Mirror {
	out := *m
	out.ObjectMeta = *m.ObjectMeta.DeepCopy()
	out.Spec.VolumeMappings = append([]VolumeMapping(nil), m.Spec.VolumeMappings...)
	out.Status.Conditions = append([]MirrorCondition(nil), m.Status.Conditions...)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (m *Mirror) DeepCopyObject() runtime.Object { return m.DeepCopy() }

// DeepCopyObject implements runtime.Object.
func (l *MirrorList) DeepCopyObject() runtime.Object {
	out := &MirrorList{TypeMeta: l.TypeMeta}
	l.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopy())
	}
	return out
}

// DeepCopy copies everything.
func (u *Update) DeepCopy() *Update {
	out := *u
	out.ObjectMeta = *u.ObjectMeta.DeepCopy()
	return &out
}

// DeepCopyObject implements runtime.Object.
func (u *Update) DeepCopyObject() runtime.Object { return u.DeepCopy() }

// DeepCopyObject implements runtime.Object.
func (l *UpdateList) DeepCopyObject() runtime.Object {
	out := &UpdateList{TypeMeta: l.TypeMeta}
	l.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopy())
	}
	return out
}
