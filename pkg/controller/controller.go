// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// blockedAfter is how long a backend may take to remove a group before we call it blocked; a
// healthy csi-addons needs less than a second, and polls every ten.
const blockedAfter = 30 * time.Second

// Reconciler reconciles one of our two kinds. Both use the same logic on a target.
type Reconciler struct {
	Client   client.Client
	Backends *Backends
	Events   events.EventRecorder
	Clock    clock.PassiveClock

	kind    backend.OwnerKind
	fetch   func(ctx context.Context, c client.Reader, key client.ObjectKey) (target, error)
	objects func() (client.Object, client.ObjectList)
	// conflicts counts the writes of each target that came too late.
	conflicts workqueue.TypedRateLimiter[reconcile.Request]
}

// ForGroups makes r the reconciler of VolumeGroupReplications.
func (r Reconciler) ForGroups() *Reconciler {
	r.kind, r.conflicts = backend.VolumeGroupReplicationKind, backoff()
	r.objects = func() (client.Object, client.ObjectList) {
		return &vgrv1.VolumeGroupReplication{}, &vgrv1.VolumeGroupReplicationList{}
	}
	r.fetch = func(ctx context.Context, c client.Reader, key client.ObjectKey) (target, error) {
		var g vgrv1.VolumeGroupReplication
		err := c.Get(ctx, key, &g)
		return groupTarget(&g), err
	}
	return &r
}

// ForVolumes makes r the reconciler of VolumeReplications.
func (r Reconciler) ForVolumes() *Reconciler {
	r.kind, r.conflicts = backend.VolumeReplicationKind, backoff()
	r.objects = func() (client.Object, client.ObjectList) {
		return &vgrv1.VolumeReplication{}, &vgrv1.VolumeReplicationList{}
	}
	r.fetch = func(ctx context.Context, c client.Reader, key client.ObjectKey) (target, error) {
		var v vgrv1.VolumeReplication
		err := c.Get(ctx, key, &v)
		return volumeTarget(&v), err
	}
	return &r
}

// cacheLag is how long a cache may take to learn of a write. One that stays behind is asked less and less often.
const (
	cacheLag    = 50 * time.Millisecond
	cacheLagMax = 10 * time.Second
)

func backoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](cacheLag, cacheLagMax)
}

// Reconcile makes the backend ask for what the target asks for, and writes down its answer.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, req)
	switch {
	case errors.Is(err, errFilling):
		return ctrl.Result{RequeueAfter: fillingPause}, nil
	case apierrors.IsConflict(err): // our cache is behind, often behind our own last write
		return ctrl.Result{RequeueAfter: r.conflicts.When(req)}, nil
	}
	r.conflicts.Forget(req)
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, req reconcile.Request) (ctrl.Result, error) {
	s, err := r.fetch(ctx, r.Client, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	held := ""
	if !s.obj.GetDeletionTimestamp().IsZero() {
		if held = s.holdsDeletion(); held == "" {
			return r.remove(ctx, s)
		}
	} else if err := r.addFinalizer(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	before := s.obj.DeepCopyObject().(client.Object)
	res, err := r.resolve(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	obs, err := r.applyAndObserve(ctx, &res)
	if apierrors.IsConflict(err) {
		return ctrl.Result{}, err // our cache was behind; nothing to report
	}
	r.setStatus(s, res, obs)
	r.setHeld(s, held)
	return ctrl.Result{RequeueAfter: obs.Recheck}, errors.Join(err, r.writeStatus(ctx, before, s))
}

// addFinalizer comes before the first backend object, so that none can be forgotten.
func (r *Reconciler) addFinalizer(ctx context.Context, s target) error {
	before := s.obj.DeepCopyObject().(client.Object)
	if !controllerutil.AddFinalizer(s.obj, vgrv1.Finalizer) {
		return nil
	}
	return r.Client.Patch(ctx, s.obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// applyAndObserve applies the request and observes. A refusal of the backend becomes the problem; an error of
// the API server becomes one too, and is returned so that it is tried again.
func (r *Reconciler) applyAndObserve(ctx context.Context, res *resolution) (backend.Observation, error) {
	if res.backend == nil {
		return backend.Observation{Recheck: res.recheck}, nil
	}
	refusal, err := split(res.backend.Apply(ctx, res.group))
	if refusal != nil {
		res.note(refusal)
	}
	if err != nil {
		res.note(backend.Problemf(vgrv1.ReasonBackendError, "cannot write to the backend's API: %v", err))
	}
	obs, observeErr := res.backend.Observe(ctx, res.group)
	return obs, errors.Join(err, observeErr)
}

// split separates a refusal from the errors that it was joined with: those are to be tried again.
func split(err error) (*backend.Problem, error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var refusal *backend.Problem
		var rest []error
		for _, e := range joined.Unwrap() {
			p, r := split(e)
			if rest = append(rest, r); refusal == nil {
				refusal = p
			}
		}
		return refusal, errors.Join(rest...)
	}
	if refusal := (*backend.Problem)(nil); errors.As(err, &refusal) {
		return refusal, nil
	}
	return nil, err
}

// remove releases a deleted target, or ends its replication, as its deletion policy says.
func (r *Reconciler) remove(ctx context.Context, s target) (ctrl.Result, error) {
	before := s.obj.DeepCopyObject().(client.Object)
	if !controllerutil.ContainsFinalizer(s.obj, vgrv1.Finalizer) {
		r.setHeld(s, "")
		r.setReleasedStatus(s)
		return ctrl.Result{}, r.writeStatus(ctx, before, s)
	}
	r.setHeld(s, "")
	retain := s.obj.GetAnnotations()[vgrv1.AnnotationDeletionPolicy] != vgrv1.DeletionPolicyDelete
	for _, b := range r.Backends.all {
		removal, err := r.removeFrom(ctx, b, s, retain)
		if !removal.Done {
			again := r.setRemovalStatus(s, removal)
			if err := errors.Join(err, r.writeStatus(ctx, before, s)); err != nil {
				return ctrl.Result{}, err
			}
			return ctrl.Result{RequeueAfter: again}, nil
		}
	}
	if retain && s.status.BackendRef != nil {
		r.Events.Eventf(s.obj, nil, corev1.EventTypeNormal, "Retained", "Delete",
			"replication continues: %s %s is left in place", s.status.BackendRef.Kind, s.status.BackendRef.Name)
	}
	controllerutil.RemoveFinalizer(s.obj, vgrv1.Finalizer)
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Patch(ctx, s.obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}

// removeFrom has one backend release a target. A backend reads what it has left from the API server; its watches
// only wake us when that goes.
func (r *Reconciler) removeFrom(ctx context.Context, b Backend, s target, retain bool) (backend.Removal, error) {
	removal, err := b.Remove(ctx, s.owner, retain)
	switch {
	case apierrors.IsForbidden(err) && b.Name != s.status.Backend:
		return backend.Removal{Done: true}, nil // what the controller may not see it has not made either
	case err != nil:
		return backend.Removal{Waiting: fmt.Sprintf("%s cannot be asked to end the replication: %v", b.Name, err)}, err
	case removal.Done:
		return removal, nil
	}
	if err := r.Backends.watch(ctx, r.Clock, b); err != nil {
		removal.Recheck = fillingPatience // nothing wakes us
	}
	return removal, nil
}

// writeStatus writes the status if it changed, and an event if the verdict did.
func (r *Reconciler) writeStatus(ctx context.Context, before client.Object, s target) error {
	old := statusOf(before)
	if equality.Semantic.DeepEqual(before, s.obj) {
		return nil
	}
	err := r.Client.Status().Patch(ctx, s.obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	r.announce(s, old)
	return nil
}

func statusOf(obj client.Object) *vgrv1.ReplicationStatus {
	switch o := obj.(type) {
	case *vgrv1.VolumeGroupReplication:
		return &o.Status.ReplicationStatus
	case *vgrv1.VolumeReplication:
		return &o.Status.ReplicationStatus
	default:
		panic(fmt.Sprintf("no status in %T", obj)) // a programming error: we reconcile two kinds
	}
}
