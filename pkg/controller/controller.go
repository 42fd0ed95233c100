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

// Reconciler reconciles one of our two kinds. Both use the same logic on a subject.
type Reconciler struct {
	Client   client.Client
	Backends *Backends
	Events   events.EventRecorder
	Clock    clock.PassiveClock

	kind    backend.OwnerKind
	fetch   func(ctx context.Context, c client.Reader, key client.ObjectKey) (subject, error)
	objects func() (client.Object, client.ObjectList)
}

// ForGroups makes r the reconciler of VolumeGroupReplications.
func (r Reconciler) ForGroups() *Reconciler {
	r.kind = backend.VolumeGroupReplicationKind
	r.objects = func() (client.Object, client.ObjectList) {
		return &vgrv1.VolumeGroupReplication{}, &vgrv1.VolumeGroupReplicationList{}
	}
	r.fetch = func(ctx context.Context, c client.Reader, key client.ObjectKey) (subject, error) {
		var g vgrv1.VolumeGroupReplication
		err := c.Get(ctx, key, &g)
		return groupSubject(&g), err
	}
	return &r
}

// ForVolumes makes r the reconciler of VolumeReplications.
func (r Reconciler) ForVolumes() *Reconciler {
	r.kind = backend.VolumeReplicationKind
	r.objects = func() (client.Object, client.ObjectList) {
		return &vgrv1.VolumeReplication{}, &vgrv1.VolumeReplicationList{}
	}
	r.fetch = func(ctx context.Context, c client.Reader, key client.ObjectKey) (subject, error) {
		var v vgrv1.VolumeReplication
		err := c.Get(ctx, key, &v)
		return volumeSubject(&v), err
	}
	return &r
}

// cacheLag is how long a cache may take to learn of a write.
const cacheLag = 50 * time.Millisecond

// Reconcile makes the backend ask for what the subject asks for, and writes down its answer.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, req)
	if apierrors.IsConflict(err) { // our cache is behind, often behind our own last write
		return ctrl.Result{RequeueAfter: cacheLag}, nil
	}
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, req reconcile.Request) (ctrl.Result, error) {
	s, err := r.fetch(ctx, r.Client, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !s.obj.GetDeletionTimestamp().IsZero() {
		return r.remove(ctx, s)
	}
	if err := r.addFinalizer(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	before := s.obj.DeepCopyObject().(client.Object)
	res, err := r.resolve(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	obs, err := r.drive(ctx, &res)
	if apierrors.IsConflict(err) {
		return ctrl.Result{}, err // our cache was behind; nothing to report
	}
	r.describe(s, res, obs)
	return ctrl.Result{RequeueAfter: obs.Recheck}, errors.Join(err, r.writeStatus(ctx, before, s))
}

// addFinalizer comes before the first backend object, so that none can be forgotten.
func (r *Reconciler) addFinalizer(ctx context.Context, s subject) error {
	before := s.obj.DeepCopyObject().(client.Object)
	if !controllerutil.AddFinalizer(s.obj, vgrv1.Finalizer) {
		return nil
	}
	return r.Client.Patch(ctx, s.obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// drive applies the wish and observes. A refusal of the backend becomes the problem; an error of
// the API server becomes one too, and is returned so that it is tried again.
func (r *Reconciler) drive(ctx context.Context, res *resolution) (backend.Observation, error) {
	if res.backend == nil {
		return backend.Observation{}, nil
	}
	err := res.backend.Apply(ctx, res.group)
	if refusal := (*backend.Problem)(nil); errors.As(err, &refusal) {
		res.note(refusal)
		err = nil
	} else if err != nil {
		res.note(backend.Problemf(vgrv1.ReasonBackendError, "cannot write to the backend's API: %v", err))
	}
	obs, observeErr := res.backend.Observe(ctx, res.group)
	return obs, errors.Join(err, observeErr)
}

// remove lets go of a deleted subject, or ends its replication, as its deletion policy says.
func (r *Reconciler) remove(ctx context.Context, s subject) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.obj, vgrv1.Finalizer) {
		return ctrl.Result{}, nil
	}
	retain := s.obj.GetAnnotations()[vgrv1.AnnotationDeletionPolicy] != vgrv1.DeletionPolicyDelete
	before := s.obj.DeepCopyObject().(client.Object)
	for _, b := range r.Backends.all {
		removal, err := r.removeFrom(ctx, b, s.owner, retain)
		if err != nil {
			return ctrl.Result{}, err
		}
		if !removal.Done {
			again := r.describeRemoval(s, removal)
			return ctrl.Result{RequeueAfter: again}, r.writeStatus(ctx, before, s)
		}
	}
	if retain && s.status.BackendRef != nil {
		r.Events.Eventf(s.obj, nil, corev1.EventTypeNormal, "Retained", "Delete",
			"replication goes on: %s %s is left in place", s.status.BackendRef.Kind, s.status.BackendRef.Name)
	}
	controllerutil.RemoveFinalizer(s.obj, vgrv1.Finalizer)
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Patch(ctx, s.obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}

func (r *Reconciler) removeFrom(ctx context.Context, b Backend, o backend.Owner, retain bool) (backend.Removal, error) {
	missing, err := r.Backends.missing(ctx, b)
	if err != nil || missing != "" { // without its CRDs nothing of the backend is left
		return backend.Removal{Done: missing != ""}, err
	}
	if err := r.Backends.watch(ctx, b); err != nil {
		return backend.Removal{}, err
	}
	return b.Remove(ctx, o, retain)
}

// writeStatus writes the status if it changed, and an event if the verdict did.
func (r *Reconciler) writeStatus(ctx context.Context, before client.Object, s subject) error {
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
