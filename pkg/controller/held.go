// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/observed"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// holdsDeletion says why a deleted group is kept and served: without it, an operation in flight could neither be
// finished nor aborted, and no site might be primary. Empty when nothing holds it. What it says always names a way
// out that needs neither the other site nor a journal that can be read.
func (s target) holdsDeletion() string {
	g, ok := s.obj.(*vgrv1.VolumeGroupReplication)
	if !ok || !controllerutil.ContainsFinalizer(g, vgrv1.Finalizer) {
		return ""
	}
	discard := recovery.DiscardCommand(g.Namespace, g.Name)
	op, err := recovery.Journal(g)
	switch {
	case err != nil:
		return fmt.Sprintf("the deletion waits: %v, so whether an operation is in flight is not known; %s", err, discard)
	case !op.InFlight():
		return ""
	}
	ways := "resume it: " + op.ResumeCommand(g.Namespace, g.Name)
	if abort := op.AbortCommand(g.Namespace, g.Name); abort != "" {
		ways += "; or abort it: " + abort
	}
	return fmt.Sprintf("the deletion waits: %s is in flight; %s; if neither is possible: %s", op, ways, discard)
}

// setHeld says in the status that a deletion is held, and once in an event; an empty text takes it back.
func (r *Reconciler) setHeld(s target, why string) {
	if why == "" {
		meta.RemoveStatusCondition(&s.status.Conditions, vgrv1.ConditionDeletionHeld)
		return
	}
	if !meta.IsStatusConditionTrue(s.status.Conditions, vgrv1.ConditionDeletionHeld) {
		r.Events.Eventf(s.obj, nil, corev1.EventTypeWarning, vgrv1.ReasonOperationInFlight, "Delete", "%s", observed.Limited(why, observed.MaxNote))
	}
	r.setCondition(s.status, metav1.Condition{
		Type: vgrv1.ConditionDeletionHeld, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonOperationInFlight, Message: why,
		ObservedGeneration: s.obj.GetGeneration(),
	})
}
