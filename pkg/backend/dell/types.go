// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// groupVersion is the API of csm-replication v1.14.0, its last public release. The types here have
// the fields that we use; writes are merge patches, so the others stay.
var groupVersion = schema.GroupVersion{Group: "replication.storage.dell.com", Version: "v1"}

const replicationGroupKind = "DellCSIReplicationGroup"

// ReplicationGroup is a DellCSIReplicationGroup: a group of the array as one cluster sees it.
type ReplicationGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	Spec              ReplicationGroupSpec   `json:"spec,omitzero"`
	Status            ReplicationGroupStatus `json:"status,omitzero"`
}

// ReplicationGroupSpec has one field that is not the sidecar's alone: Action, which it clears.
type ReplicationGroupSpec struct {
	DriverName      string `json:"driverName"`
	Action          string `json:"action"`
	RemoteClusterID string `json:"remoteClusterId"`
	// ProtectionGroupID names the group on the array, and RemoteProtectionGroupID its other half on the other array.
	ProtectionGroupID       string `json:"protectionGroupId"`
	RemoteProtectionGroupID string `json:"remoteProtectionGroupId"`
}

// ReplicationGroupStatus is what the sidecar reports.
type ReplicationGroupStatus struct {
	State                string     `json:"state,omitempty"`
	ReplicationLinkState LinkState  `json:"replicationLinkState,omitzero"`
	LastAction           LastAction `json:"lastAction,omitzero"`
}

// LinkState is the replication session as the array of this site sees it.
type LinkState struct {
	State    string `json:"state,omitempty"`
	IsSource bool   `json:"isSource"`
	// LastSuccessfulUpdate is when the array was last asked with success.
	LastSuccessfulUpdate *metav1.Time `json:"lastSuccessfulUpdate,omitempty"`
	ErrorMessage         string       `json:"errorMessage,omitempty"`
}

// LastAction is how the last action ended, or how it fails so far.
type LastAction struct {
	Condition    string       `json:"condition,omitempty"`
	Time         *metav1.Time `json:"time,omitempty"`
	ErrorMessage string       `json:"errorMessage,omitempty"`
}

// ReplicationGroupList is a list of them.
type ReplicationGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ReplicationGroup `json:"items"`
}

// AddToScheme registers the Dell kinds that the adapter uses.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypeWithName(groupVersion.WithKind(replicationGroupKind), &ReplicationGroup{})
	s.AddKnownTypeWithName(groupVersion.WithKind(replicationGroupKind+"List"), &ReplicationGroupList{})
	metav1.AddToGroupVersion(s, groupVersion)
	return nil
}

// DeepCopy copies everything.
func (g *ReplicationGroup) DeepCopy() *ReplicationGroup {
	out := *g
	out.ObjectMeta = *g.ObjectMeta.DeepCopy()
	out.Status.ReplicationLinkState.LastSuccessfulUpdate = g.Status.ReplicationLinkState.LastSuccessfulUpdate.DeepCopy()
	out.Status.LastAction.Time = g.Status.LastAction.Time.DeepCopy()
	return &out
}

// DeepCopyObject implements runtime.Object.
func (g *ReplicationGroup) DeepCopyObject() runtime.Object { return g.DeepCopy() }

// DeepCopyObject implements runtime.Object.
func (l *ReplicationGroupList) DeepCopyObject() runtime.Object {
	out := &ReplicationGroupList{TypeMeta: l.TypeMeta}
	l.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopy())
	}
	return out
}
