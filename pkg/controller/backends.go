// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

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
	all    []Backend
	cache  cache.Cache
	reader client.Reader

	mu          sync.Mutex
	controllers map[backend.OwnerKind]ctrlcontroller.Controller
	claimants   map[backend.OwnerKind]claimantsOf
	watched     map[string]bool
	indexed     map[string]bool
}

// claimantsOf finds who wants a PVC, or has it.
type claimantsOf func(ctx context.Context, claim client.ObjectKey) []reconcile.Request

// NewBackends makes the set; c is the manager's cache.
func NewBackends(c cache.Cache, all ...Backend) *Backends {
	return &Backends{
		all: all, cache: c, reader: c,
		controllers: map[backend.OwnerKind]ctrlcontroller.Controller{},
		claimants:   map[backend.OwnerKind]claimantsOf{},
		watched:     map[string]bool{},
		indexed:     map[string]bool{},
	}
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
		err := b.reader.Get(ctx, client.ObjectKey{Name: name}, &crd)
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

// watch starts the watches of an installed backend, once, and returns when their caches are
// filled; reading before that would show an empty cluster.
func (b *Backends) watch(ctx context.Context, x Backend) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watched[x.Name] {
		return nil
	}
	for _, w := range x.Watches() {
		if err := b.index(ctx, w); err != nil {
			return err
		}
		if _, err := b.cache.GetInformer(ctx, w.Object); err != nil {
			return err
		}
	}
	var errs []error
	for _, w := range x.Watches() {
		for kind, c := range b.controllers {
			errs = append(errs, c.Watch(source.Kind(b.cache, w.Object, handler.EnqueueRequestsFromMapFunc(b.requests(w, kind)))))
		}
	}
	b.watched[x.Name] = true
	return errors.Join(errs...)
}

// index adds the indexes of a kind to the cache, which takes each of them once.
func (b *Backends) index(ctx context.Context, w backend.Watch) error {
	for name, keys := range w.Indexes {
		key := fmt.Sprintf("%T %s", w.Object, name)
		if b.indexed[key] {
			continue
		}
		if err := b.cache.IndexField(ctx, w.Object, name, keys); err != nil {
			return err
		}
		b.indexed[key] = true
	}
	return nil
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
