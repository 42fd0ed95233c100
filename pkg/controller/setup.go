// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// concurrency is how many groups are reconciled at once: a pass waits for API writes only.
const concurrency = 16

// SetupWithManager registers the reconciler and what wakes it: the target itself, its class,
// its PVCs and their volumes, rivals for its PVCs, CRDs that come and go, and backend objects.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if r.Client == nil || r.Backends == nil || r.Events == nil || r.Clock == nil || r.fetch == nil {
		return errors.New("client, backends, events, clock and kind must be set")
	}
	obj, _ := r.objects()
	class := client.Object(&vgrv1.VolumeGroupReplicationClass{})
	if r.kind == backend.VolumeReplicationKind {
		class = &vgrv1.VolumeReplicationClass{}
	}
	c, err := ctrl.NewControllerManagedBy(mgr).
		For(obj, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, finalizersChanged()))).
		Watches(class, r.enqueue(func(s target, o client.Object) bool { return s.className == o.GetName() }), builder.WithPredicates(notListed())).
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(r.ofClaim), builder.WithPredicates(notListed(), claimChanged())).
		Watches(&corev1.PersistentVolume{}, handler.EnqueueRequestsFromMapFunc(r.ofVolume), builder.WithPredicates(notListed(), volumeChanged())).
		Watches(&vgrv1.VolumeGroupReplication{}, handler.EnqueueRequestsFromMapFunc(r.ofRival), builder.WithPredicates(rivalChanged())).
		Watches(&vgrv1.VolumeReplication{}, handler.EnqueueRequestsFromMapFunc(r.ofRival), builder.WithPredicates(rivalChanged())).
		Watches(&apiextensionsv1.CustomResourceDefinition{}, r.enqueue(func(target, client.Object) bool { return true }), builder.WithPredicates(notListed(), r.backendCRD())).
		WithOptions(ctrlcontroller.Options{MaxConcurrentReconciles: concurrency}).
		Build(r)
	if err != nil {
		return err
	}
	r.Backends.serve(r.kind, c, r.ofClaimNamed)
	return nil
}

// enqueue maps an object to the targets that it concerns. Namespaced objects concern their own
// namespace only.
func (r *Reconciler) enqueue(concerns func(s target, obj client.Object) bool) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return r.requests(ctx, obj.GetNamespace(), func(s target) bool { return concerns(s, obj) })
	})
}

func (r *Reconciler) requests(ctx context.Context, namespace string, concerns func(s target) bool, of ...client.ListOption) []reconcile.Request {
	_, list := r.objects()
	// The cache's own objects are only read here.
	if err := r.Client.List(ctx, list, append(of, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)...); err != nil {
		return nil // the cache is stopping
	}
	var out []reconcile.Request
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		s := asTarget(o)
		if concerns(s) {
			out = append(out, reconcile.Request{NamespacedName: s.owner.NamespacedName})
		}
		return nil
	})
	return out
}

func asTarget(obj runtime.Object) target {
	switch o := obj.(type) {
	case *vgrv1.VolumeGroupReplication:
		return groupTarget(o)
	case *vgrv1.VolumeReplication:
		return volumeTarget(o)
	default:
		panic("a list of other objects than it was made for")
	}
}

// ofClaim finds the targets that a PVC belongs to.
func (r *Reconciler) ofClaim(ctx context.Context, pvc client.Object) []reconcile.Request {
	_, list := r.objects()
	found, err := claimants(ctx, r.Client, list, pvc)
	if err != nil {
		return nil // the cache is stopping
	}
	var out []reconcile.Request
	for _, s := range found {
		out = append(out, reconcile.Request{NamespacedName: s.owner.NamespacedName})
	}
	return out
}

// ofClaimNamed finds the same by the name of a PVC, which need not be there any more.
func (r *Reconciler) ofClaimNamed(ctx context.Context, name client.ObjectKey) []reconcile.Request {
	var pvc corev1.PersistentVolumeClaim
	if err := r.Client.Get(ctx, name, &pvc); apierrors.IsNotFound(err) {
		pvc.Namespace, pvc.Name = name.Namespace, name.Name
	} else if err != nil {
		return nil // the cache is stopping
	}
	return r.ofClaim(ctx, &pvc)
}

// ofRival finds the targets that wait for a PVC which a rival may have let go.
func (r *Reconciler) ofRival(ctx context.Context, rival client.Object) []reconcile.Request {
	other := func(s target) bool { return s.obj.GetUID() != rival.GetUID() }
	return r.requests(ctx, rival.GetNamespace(), other, client.MatchingFields{contestedIndex: "true"})
}

// ofVolume finds the targets of a volume's claim, for a volume that arrives after its claim.
func (r *Reconciler) ofVolume(ctx context.Context, obj client.Object) []reconcile.Request {
	pv, ok := obj.(*corev1.PersistentVolume)
	if !ok || pv.Spec.ClaimRef == nil {
		return nil
	}
	return r.ofClaimNamed(ctx, client.ObjectKey{Namespace: pv.Spec.ClaimRef.Namespace, Name: pv.Spec.ClaimRef.Name})
}

// notListed stops what a watch begins with. Each target is reconciled once when its own watch begins, with full
// caches; the tens of thousands of objects that are there then need not be mapped to it one by one. It is for
// watches that begin before the first pass: one that begins later may tell first of a change behind that pass.
func notListed() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList }}
}

// volumeChanged passes what a group reads of a volume: that it is there, its size, being deleted, or a copy.
func volumeChanged() predicate.Predicate {
	size := func(obj client.Object) int64 {
		if pv, ok := obj.(*corev1.PersistentVolume); ok {
			return pv.Spec.Capacity.Storage().Value()
		}
		return 0
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return size(e.ObjectOld) != size(e.ObjectNew) ||
			endingChanged(e.ObjectOld, e.ObjectNew) ||
			e.ObjectOld.GetAnnotations()[vgrv1.AnnotationCopyOf] != e.ObjectNew.GetAnnotations()[vgrv1.AnnotationCopyOf]
	}}
}

// rivalChanged passes what can settle a contest: a rival that goes, or that loses a PVC.
func rivalChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*vgrv1.VolumeGroupReplication)
			after, ok2 := e.ObjectNew.(*vgrv1.VolumeGroupReplication)
			return ok && ok2 && !slices.Equal(before.Status.PersistentVolumeClaimsRefList, after.Status.PersistentVolumeClaimsRefList)
		},
	}
}

// claimChanged passes the changes of a PVC that matter for membership.
func claimChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*corev1.PersistentVolumeClaim)
		after, ok2 := e.ObjectNew.(*corev1.PersistentVolumeClaim)
		if !ok || !ok2 {
			return true
		}
		return !reflect.DeepEqual(before.Labels, after.Labels) ||
			!reflect.DeepEqual(before.Annotations, after.Annotations) ||
			before.Spec.VolumeName != after.Spec.VolumeName ||
			before.Status.Phase != after.Status.Phase ||
			endingChanged(before, after)
	}}
}

// endingChanged reports whether an object is being deleted now, or waits for other finalizers than before.
func endingChanged(before, after client.Object) bool {
	going := !after.GetDeletionTimestamp().IsZero()
	return going == before.GetDeletionTimestamp().IsZero() || going && !slices.Equal(before.GetFinalizers(), after.GetFinalizers())
}

func finalizersChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !slices.Equal(e.ObjectOld.GetFinalizers(), e.ObjectNew.GetFinalizers())
	}}
}

// backendCRD passes the CRDs that some backend needs.
func (r *Reconciler) backendCRD() predicate.Predicate {
	var names []string
	for _, b := range r.Backends.all {
		names = append(names, b.CRDs()...)
	}
	return predicate.And(
		predicate.NewPredicateFuncs(func(o client.Object) bool { return slices.Contains(names, o.GetName()) }),
		predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*apiextensionsv1.CustomResourceDefinition)
			after, ok2 := e.ObjectNew.(*apiextensionsv1.CustomResourceDefinition)
			return !ok || !ok2 || established(before) != established(after)
		}},
	)
}
