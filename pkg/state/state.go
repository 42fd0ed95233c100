// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package state has what the status of a group means: which role was observed and since when, which
// synchronisation proves something, and whether what was told of the peer still counts. It is pure; the
// controller, the planner and the views share it, so that they cannot differ.
package state

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Remember takes an observed state and the synchronisation time that the backend reported with it into
// a status. A time that is not newer than the role is dropped: backends keep reporting the one of an
// earlier role for minutes.
func Remember(st *vgrv1.ReplicationStatus, observed vgrv1.State, reported *metav1.Time, now metav1.Time) {
	if observed == "" {
		st.State, st.LastSyncTime = "", nil
		return
	}
	if observed != st.State || st.StateSince == nil {
		switch {
		case observed == vgrv1.StatePrimary:
			st.DemotedAfterSync = false
		case st.State == vgrv1.StatePrimary:
			st.DemotedAfterSync = st.StateSince != nil && Counts(st, st.LastSyncTime) && doubt(st) == nil
		}
		st.StateSince, st.SyncTimeBefore = &now, reported
	}
	st.State = observed
	if observed == vgrv1.StatePrimary || observed == vgrv1.StateSecondary {
		st.LastRole = observed
	}
	if st.LastSyncTime = reported; !Counts(st, reported) {
		st.LastSyncTime = nil
	}
}

// RememberVolumes takes note that volumes of a copy are primary on their own, as a promotion that came half way leaves
// them: what they have taken is nowhere else, so a copy that was in sync is not any more.
func RememberVolumes(st *vgrv1.ReplicationStatus, volumes []vgrv1.VolumeStatus) {
	if st.LastRole == vgrv1.StateSecondary && slices.ContainsFunc(volumes, func(v vgrv1.VolumeStatus) bool { return v.State == vgrv1.StatePrimary }) {
		st.DemotedAfterSync = false
	}
}

// Counts reports whether a synchronisation time belongs to the present state: it is later than the state
// itself, and than what was reported when the state began.
func Counts(st *vgrv1.ReplicationStatus, t *metav1.Time) bool {
	if t == nil || st.StateSince == nil {
		return false
	}
	// Times in the API have no fractions of a second.
	return t.Unix() > st.StateSince.Unix() && (st.SyncTimeBefore == nil || t.Unix() > st.SyncTimeBefore.Unix())
}

// doubt returns what a primary's backend says instead of confirming that it replicates; nil if it does, or never reports
// that. A copy that has diverged shows here only, and not in the time of the last synchronisation, which stays as it was.
func doubt(st *vgrv1.ReplicationStatus) *metav1.Condition {
	c := meta.FindStatusCondition(st.Conditions, vgrv1.ConditionReplicating)
	if c == nil || c.Status == metav1.ConditionTrue || c.Reason == vgrv1.ReasonStatusNotReported {
		return nil
	}
	return c
}

// Bound returns the value of AnnotationBoundTo for a write that makes a generation of an object.
func Bound(obj metav1.Object, generation int64) string {
	return fmt.Sprintf("%s/%d", obj.GetUID(), generation)
}

// IsBound reports whether what an object's annotations tell of the peer came with the write that made its
// present generation.
func IsBound(obj metav1.Object) bool {
	return obj.GetUID() != "" && obj.GetAnnotations()[vgrv1.AnnotationBoundTo] == Bound(obj, obj.GetGeneration())
}

// Peer returns what an object's annotations tell of the peer; empty when that is nothing, or came with an
// earlier write.
func Peer(obj metav1.Object) vgrv1.PeerState {
	if !IsBound(obj) {
		return ""
	}
	fate, _, _ := strings.Cut(obj.GetAnnotations()[vgrv1.AnnotationPeer], "/")
	return vgrv1.PeerState(fate)
}

// MayPromote reports whether a promotion is confirmed for the object's present generation, and that
// generation was not reached before: what was told for one promotion permits no second one.
func MayPromote(obj metav1.Object, st *vgrv1.ReplicationStatus) bool {
	if obj.GetAnnotations()[vgrv1.AnnotationPromotion] == vgrv1.PromotionUnguarded {
		return true
	}
	if st.ConfirmedGeneration >= obj.GetGeneration() {
		return false
	}
	switch Peer(obj) {
	case vgrv1.PeerDemoted, vgrv1.PeerQuiesced, vgrv1.PeerDiscarded, vgrv1.PeerLost:
		return true
	default:
		return false
	}
}
