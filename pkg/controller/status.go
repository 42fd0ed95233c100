// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/observed"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// setStatus puts what was observed into the target's status.
func (r *Reconciler) setStatus(s target, res resolution, obs backend.Observation) {
	facts := observed.Facts{Problem: res.problem, Refused: res.refused, Terminating: res.terminating, Sizes: res.sizes}
	if res.backend != nil {
		facts.Backend = res.backend.Name
	}
	volumes := observed.Put(observed.Request{Object: s.obj, State: s.state, Status: s.status}, facts, obs, r.now())
	if res.backend != nil {
		s.setVolumes(obs, volumes)
	}
}

// now has no fractions of a second, as times in the API have none.
func (r *Reconciler) now() metav1.Time { return metav1.NewTime(r.Clock.Now().Truncate(time.Second)) }

// setCondition sets a condition of our own.
func (r *Reconciler) setCondition(st *vgrv1.ReplicationStatus, c metav1.Condition) {
	observed.SetCondition(st, c, r.now())
}

// setRemovalStatus says what a deletion waits for, and returns when to look again.
func (r *Reconciler) setRemovalStatus(s target, removal backend.Removal) time.Duration {
	c := metav1.Condition{
		Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonDeleting,
		Message: removal.Waiting, ObservedGeneration: s.obj.GetGeneration(),
	}
	again := blockedAfter - r.Clock.Since(s.obj.GetDeletionTimestamp().Time)
	if again <= 0 {
		c.Reason, again = vgrv1.ReasonDeletionBlocked, removal.Recheck // else only a change wakes us from here on
	}
	r.setCondition(s.status, c)
	s.status.Message = observed.Limited(removal.Waiting, observed.MaxMessage)
	return again
}

// setReleasedStatus reports that the controller has released a deleted target, which finalizers of others keep.
func (r *Reconciler) setReleasedStatus(s target) {
	r.setCondition(s.status, metav1.Condition{
		Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonDeleting, ObservedGeneration: s.obj.GetGeneration(),
		Message: "the controller has released this object" + state.WaitsFor(", which waits for ", s.obj),
	})
}

// announce tells a change of the verdict as an event.
func (r *Reconciler) announce(s target, old *vgrv1.ReplicationStatus) {
	was := meta.FindStatusCondition(old.Conditions, vgrv1.ConditionReady)
	is := meta.FindStatusCondition(s.status.Conditions, vgrv1.ConditionReady)
	if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return
	}
	kind := corev1.EventTypeWarning
	if is.Status == metav1.ConditionTrue || slices.Contains([]string{vgrv1.ReasonProgressing, vgrv1.ReasonResyncing, vgrv1.ReasonDeleting}, is.Reason) {
		kind = corev1.EventTypeNormal
	}
	r.Events.Eventf(s.obj, nil, kind, is.Reason, "Reconcile", "%s", observed.Limited(is.Message, observed.MaxNote))
}
