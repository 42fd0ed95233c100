// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// snapshotVersion is the API of volume group snapshots as of external-snapshotter v8.4, the first that
// Trident's drivers work with.
var snapshotVersion = schema.GroupVersion{Group: "groupsnapshot.storage.k8s.io", Version: "v1beta2"}

// GroupSnapshot is a VolumeGroupSnapshot, with the fields that we use.
type GroupSnapshot struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	Spec              GroupSnapshotSpec    `json:"spec"`
	Status            *GroupSnapshotStatus `json:"status,omitempty"`
}

// GroupSnapshotSpec says of which PVCs it is.
type GroupSnapshotSpec struct {
	Source struct {
		Selector *metav1.LabelSelector `json:"selector,omitempty"`
	} `json:"source"`
	ClassName string `json:"volumeGroupSnapshotClassName,omitempty"`
}

// GroupSnapshotStatus is how far it is.
type GroupSnapshotStatus struct {
	ContentName string `json:"boundVolumeGroupSnapshotContentName,omitempty"`
	Ready       *bool  `json:"readyToUse,omitempty"`
	Error       *struct {
		Message string `json:"message,omitempty"`
	} `json:"error,omitempty"`
}

// GroupSnapshotContent is a VolumeGroupSnapshotContent, with the fields that we use.
type GroupSnapshotContent struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	Status            *struct {
		Snapshots []struct {
			VolumeHandle   string `json:"volumeHandle"`
			SnapshotHandle string `json:"snapshotHandle"`
		} `json:"volumeSnapshotInfoList,omitempty"`
	} `json:"status,omitempty"`
}

// GroupSnapshotList is a list of them.
type GroupSnapshotList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []GroupSnapshot `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (s *GroupSnapshot) DeepCopyObject() runtime.Object {
	out := *s
	s.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Source.Selector = s.Spec.Source.Selector.DeepCopy()
	if s.Status != nil {
		status := *s.Status
		out.Status = &status
	}
	return &out
}

// DeepCopyObject implements runtime.Object.
func (c *GroupSnapshotContent) DeepCopyObject() runtime.Object {
	out := *c
	c.DeepCopyInto(&out.ObjectMeta)
	if c.Status != nil {
		status := *c.Status
		status.Snapshots = append(status.Snapshots[:0:0], c.Status.Snapshots...)
		out.Status = &status
	}
	return &out
}

// DeepCopyObject implements runtime.Object.
func (l *GroupSnapshotList) DeepCopyObject() runtime.Object {
	out := &GroupSnapshotList{TypeMeta: l.TypeMeta}
	l.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		if s, ok := l.Items[i].DeepCopyObject().(*GroupSnapshot); ok {
			out.Items = append(out.Items, *s)
		}
	}
	return out
}

func addSnapshotsToScheme(s *runtime.Scheme) {
	s.AddKnownTypeWithName(snapshotVersion.WithKind("VolumeGroupSnapshot"), &GroupSnapshot{})
	s.AddKnownTypeWithName(snapshotVersion.WithKind("VolumeGroupSnapshotList"), &GroupSnapshotList{})
	s.AddKnownTypeWithName(snapshotVersion.WithKind("VolumeGroupSnapshotContent"), &GroupSnapshotContent{})
	metav1.AddToGroupVersion(s, snapshotVersion)
}

// groupSnapshot is a snapshot of all volumes of a group, as far as it is there.
type groupSnapshot struct {
	object *GroupSnapshot
	// handles are the snapshots by the handles of their volumes; nil before it is ready.
	handles map[string]string
	// absent explains why there is none and cannot be one.
	absent string
}

// usesGroupSnapshots reports whether a planned failover of the group goes through a snapshot of all volumes.
func usesGroupSnapshots(g backend.Group) bool {
	return !g.Single() && g.Class.Parameters[vgrv1.ParameterGroupSnapshots] == "true"
}

// snapshotWanted reports whether one was asked for.
func snapshotWanted(g backend.Group) bool {
	return usesGroupSnapshots(g) && g.State == vgrv1.Primary && g.SnapshotRequest != ""
}

// newGroupSnapshot returns what to ask for.
func newGroupSnapshot(g backend.Group) *GroupSnapshot {
	s := &GroupSnapshot{
		TypeMeta: metav1.TypeMeta{APIVersion: snapshotVersion.String(), Kind: "VolumeGroupSnapshot"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: g.Owner.Namespace, Name: named(g.Owner.Name, g.SnapshotRequest+"\x00"+g.RequestID), Labels: g.Owner.Labels(),
			Annotations: map[string]string{vgrv1.AnnotationSnapshotRequest: g.SnapshotRequest},
		},
	}
	s.Spec.Source.Selector, s.Spec.ClassName = g.Selector, g.Class.Parameters[groupSnapshotClass]
	return s
}

// readGroupSnapshot asks the API server itself: there is nothing to be cached for the few seconds of a
// failover, and the kind need not exist.
func (a *Adapter) readGroupSnapshot(ctx context.Context, g backend.Group) (groupSnapshot, error) {
	if !snapshotWanted(g) {
		return groupSnapshot{}, nil
	}
	s := newGroupSnapshot(g)
	err := a.live.Get(ctx, client.ObjectKeyFromObject(s), s)
	switch {
	case meta.IsNoMatchError(err):
		return groupSnapshot{absent: fmt.Sprintf("this cluster has no %s VolumeGroupSnapshot, which the class asks for", snapshotVersion)}, nil
	case apierrors.IsNotFound(err):
		return groupSnapshot{}, nil
	case err != nil:
		return groupSnapshot{}, err
	}
	m := groupSnapshot{object: s}
	if s.Status == nil || s.Status.Ready == nil || !*s.Status.Ready || s.Status.ContentName == "" {
		return m, nil
	}
	var content GroupSnapshotContent
	if err := a.live.Get(ctx, client.ObjectKey{Name: s.Status.ContentName}, &content); err != nil {
		return m, err
	}
	m.handles = map[string]string{}
	if content.Status != nil {
		for _, x := range content.Status.Snapshots {
			m.handles[x.VolumeHandle] = x.SnapshotHandle
		}
	}
	return m, nil
}

// capture asks for a snapshot where one is wanted, and deletes our earlier ones once it is there.
func (a *Adapter) capture(ctx context.Context, g backend.Group, volumes []volume, m groupSnapshot) error {
	if !snapshotWanted(g) || m.absent != "" {
		return nil
	}
	for _, v := range volumes {
		if !reached(g, v) {
			return nil
		}
	}
	if m.object == nil {
		return client.IgnoreAlreadyExists(a.client.Create(ctx, newGroupSnapshot(g)))
	}
	if m.handles == nil {
		return nil
	}
	var all GroupSnapshotList
	if err := a.live.List(ctx, &all, client.InNamespace(g.Owner.Namespace), client.MatchingLabels(g.Owner.Labels())); err != nil {
		return err
	}
	for i := range all.Items {
		if s := &all.Items[i]; s.Name != m.object.Name {
			if err := a.client.Delete(ctx, s); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
	}
	return nil
}

// observeGroupSnapshot says what became of a snapshot that was asked for. It is pure.
func observeGroupSnapshot(g backend.Group, volumes []volume, m groupSnapshot, obs *backend.Observation) {
	if !snapshotWanted(g) {
		return
	}
	const soon = time.Second
	problem := func(format string, args ...any) {
		if obs.Problem == nil {
			obs.Problem = backend.Problemf(vgrv1.ReasonBackendError, format, args...)
		}
	}
	switch {
	case m.absent != "":
		problem("%s", m.absent)
	case m.object == nil:
		obs.Recheck = soon
	case m.handles == nil:
		obs.Recheck = soon
		if s := m.object.Status; s != nil && s.Error != nil {
			problem("VolumeGroupSnapshot %s: %s", m.object.Name, cmp.Or(s.Error.Message, "an error without a message"))
		}
	default:
		for _, v := range volumes {
			if m.handles[v.member.Handle] == "" {
				problem("VolumeGroupSnapshot %s has no snapshot of PVC %s", m.object.Name, v.member.PVC)
				return
			}
		}
		for i, v := range volumes {
			obs.Volumes[i].SnapshotHandle = m.handles[v.member.Handle]
		}
		obs.SnapshotRequest = g.SnapshotRequest
	}
}

// arrived reports whether a snapshot of the peer has come through to a volume.
func arrived(v volume, handle string) bool {
	for _, u := range v.updates {
		if u.Status.State == succeeded && u.Spec.SnapshotHandle == handle {
			return true
		}
	}
	return false
}

// atOneSnapshot reports whether all volumes were promoted at snapshots that were told.
func atOneSnapshot(g backend.Group, volumes []volume) bool {
	for _, v := range volumes {
		if m := v.mirror(); m == nil || m.Spec.State != promoted || m.mapping().PromotedSnapshotHandle == "" {
			return false
		}
	}
	return usesGroupSnapshots(g) && len(volumes) > 0
}
