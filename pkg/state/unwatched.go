// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Unwatched is what a backend's own object says, of which no controller of ours remembers the role. What is remembered
// stands in an annotation of the object, written with each change: it counts for the generation that the write makes, and
// for no other, so that any other tool's change of the spec ends it.
type Unwatched struct {
	// LastSync is the synchronisation that the backend reports, whatever role it is of.
	LastSync *metav1.Time
	// Inner is the generation of the object that the backend keeps inside this one and acts on; 0 without one.
	Inner int64
}

// memory is what the annotation says.
type memory struct {
	// Object is the UID and the generation that it counts for, and Inner that of the object inside.
	Object string `json:"object"`
	Inner  int64  `json:"inner,omitempty"`
	// Since is when the object was first seen as a confirmed primary, and SyncTimeBefore what it reported then.
	Since          *metav1.Time `json:"since,omitempty"`
	SyncTimeBefore *metav1.Time `json:"syncTimeBefore,omitempty"`
	// DemotedAfterSync is true when the primary had synchronised in the very version that was demoted, and was not in doubt.
	DemotedAfterSync bool `json:"demotedAfterSync,omitempty"`
}

// Recall puts into the status of an object what is remembered of its role, and nothing that is not.
func (u Unwatched) Recall(g *vgrv1.VolumeGroupReplication) {
	st := &g.Status.ReplicationStatus
	st.StateSince, st.SyncTimeBefore, st.LastSyncTime, st.DemotedAfterSync = nil, nil, nil, false
	var m memory
	if json.Unmarshal([]byte(g.Annotations[vgrv1.AnnotationRemembered]), &m) != nil || g.UID == "" || m.Object != Bound(g, g.Generation) || m.Inner != u.Inner {
		return
	}
	switch g.Spec.ReplicationState {
	case vgrv1.Secondary:
		st.DemotedAfterSync = m.DemotedAfterSync
	case vgrv1.Primary:
		st.StateSince, st.SyncTimeBefore = m.Since, m.SyncTimeBefore
		if Counts(st, u.LastSync) {
			st.LastSyncTime = u.LastSync
		}
	case vgrv1.Resync:
	}
}

// Remember writes down what is known of the role in a write that changes an object from one version, which it must be bound
// to, to another.
func (u Unwatched) Remember(before, after *vgrv1.VolumeGroupReplication, now metav1.Time) error {
	seen := before.DeepCopy()
	u.Recall(seen)
	m := memory{Object: Bound(before, before.Generation), Inner: u.Inner}
	if specChanged(before, after) {
		m.Object = Bound(before, before.Generation+1)
		if u.Inner > 0 { // the backend changes it once as well
			m.Inner++
		}
	}
	v, from, to := Of(seen), before.Spec.ReplicationState, after.Spec.ReplicationState
	switch {
	case from == vgrv1.Primary && to == vgrv1.Secondary:
		m.DemotedAfterSync = v.Is(vgrv1.Primary) && v.Replicated()
	case from == vgrv1.Secondary && to == vgrv1.Secondary:
		m.DemotedAfterSync = seen.Status.DemotedAfterSync
	case from == vgrv1.Primary && to == vgrv1.Primary && seen.Status.StateSince != nil:
		m.Since, m.SyncTimeBefore = seen.Status.StateSince, seen.Status.SyncTimeBefore
	case from == vgrv1.Primary && to == vgrv1.Primary && v.Is(vgrv1.Primary):
		m.Since, m.SyncTimeBefore = &now, u.LastSync
	}
	if m.Since == nil && !m.DemotedAfterSync {
		delete(after.Annotations, vgrv1.AnnotationRemembered)
		return nil
	}
	text, err := json.Marshal(m)
	metav1.SetMetaDataAnnotation(&after.ObjectMeta, vgrv1.AnnotationRemembered, string(text))
	return err
}

// specChanged reports whether a write makes a new generation.
func specChanged(before, after *vgrv1.VolumeGroupReplication) bool {
	return before.Spec.ReplicationState != after.Spec.ReplicationState || value(before.Spec.AutoResync) != value(after.Spec.AutoResync)
}

func value(b *bool) bool { return b != nil && *b }
