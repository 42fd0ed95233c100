// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Backend is one backend that the controller can drive.
type Backend struct {
	backend.Profile
	backend.Adapter
}

// Backends are the backends of this cluster. A backend's kinds are watched from the first group
// that needs them, so that one that is not installed costs nothing and may be installed later.
type Backends struct {
	all     []Backend
	cluster cluster.Cluster

	controllers map[backend.OwnerKind]ctrlcontroller.Controller
	claimants   map[backend.OwnerKind]claimantsOf
	watching    map[string]*watching
}

// claimantsOf finds who wants a PVC, or has it.
type claimantsOf func(ctx context.Context, claim client.ObjectKey) []reconcile.Request

// NewBackends makes the set; c is the manager.
func NewBackends(c cluster.Cluster, all ...Backend) *Backends {
	b := &Backends{
		all: all, cluster: c,
		controllers: map[backend.OwnerKind]ctrlcontroller.Controller{},
		claimants:   map[backend.OwnerKind]claimantsOf{},
		watching:    map[string]*watching{},
	}
	for _, x := range all {
		b.watching[x.Name] = &watching{done: map[string]bool{}}
	}
	return b
}

// serve makes changes of backend objects wake a controller.
func (b *Backends) serve(kind backend.OwnerKind, c ctrlcontroller.Controller, claimants claimantsOf) {
	b.controllers[kind], b.claimants[kind] = c, claimants
}

// find returns the backend of a class, or else, without a class, the one of that name.
func (b *Backends) find(class backend.Class, name string) (Backend, bool) {
	i := slices.IndexFunc(b.all, func(x Backend) bool {
		return x.Serves(class) || class.Provisioner == "" && name != "" && x.Name == name
	})
	if i < 0 {
		return Backend{}, false
	}
	return b.all[i], true
}

// provisioners lists what all backends serve.
func (b *Backends) provisioners() []string {
	var out []string
	for _, x := range b.all {
		out = append(out, x.Provisioners...)
	}
	return out
}

// missing returns the first CRD of a backend that the cluster does not serve, or "".
func (b *Backends) missing(ctx context.Context, x Backend) (string, error) {
	for _, name := range x.CRDs() {
		var crd apiextensionsv1.CustomResourceDefinition
		err := b.cluster.GetCache().Get(ctx, client.ObjectKey{Name: name}, &crd)
		if apierrors.IsNotFound(err) || err == nil && !established(&crd) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
}

// requests maps a change of a backend object to the owners of one kind.
func (b *Backends) requests(w backend.Watch, kind backend.OwnerKind) handler.MapFunc {
	if w.Claims != nil {
		return func(ctx context.Context, obj client.Object) []reconcile.Request {
			var out []reconcile.Request
			for _, claim := range w.Claims(ctx, obj) {
				out = append(out, b.claimants[kind](ctx, claim)...)
			}
			return out
		}
	}
	owners := w.Owners
	if owners == nil {
		owners = func(_ context.Context, obj client.Object) []backend.Owner { return backend.OwnersOf(obj) }
	}
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		var out []reconcile.Request
		for _, o := range owners(ctx, obj) {
			if o.Kind == kind {
				out = append(out, reconcile.Request{NamespacedName: o.NamespacedName})
			}
		}
		return out
	}
}
