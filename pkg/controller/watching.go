// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

const (
	// fillingPause is how long a pass waits for the caches of a backend before it makes way for other groups, and
	// when it looks again.
	fillingPause = 250 * time.Millisecond
	// fillingPatience is how long caches may take to fill before a group says that its backend cannot be read.
	fillingPatience = 10 * time.Second
	// watchAgain is when to try again what could not be watched.
	retryWatchAfter = 5 * time.Second
)

// errFilling says that the caches of a backend are not filled yet: reading them would show an empty cluster.
var errFilling = errors.New("the caches of the backend are not filled yet")

// watching is how far the watches of one backend are. Each backend has a lock of its own, and nothing that can
// take long happens under it: the trouble of one must not stop the groups of another.
type watching struct {
	mu     sync.Mutex
	since  time.Time // when the watches were first wanted
	done   map[string]bool
	filled bool
}

// watch starts the watches of an installed backend, once, and returns nil when their caches are filled. A *Problem
// as error says what has kept them from that for long.
func (b *Backends) watch(ctx context.Context, now clock.PassiveClock, x Backend) error {
	w := b.watching[x.Name]
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.filled {
		return nil
	}
	if w.since.IsZero() {
		w.since = now.Now()
	}
	informers, err := b.begin(ctx, x, w)
	if err == nil {
		w.mu.Unlock()
		filled := waitFilled(ctx, informers)
		w.mu.Lock()
		if filled {
			w.filled = true
			return nil
		}
		err = errFilling
	}
	if now.Since(w.since) < fillingPatience {
		return err
	}
	return backend.Problemf(vgrv1.ReasonBackendError, "the controller cannot watch the objects of %s: %v", x.Name, b.cause(ctx, x, err))
}

// begin starts what is not started yet. It waits for no cache.
func (b *Backends) begin(ctx context.Context, x Backend, w *watching) ([]cache.Informer, error) {
	var informers []cache.Informer
	for i, what := range x.Watches() {
		for name, keys := range what.Indexes { // a cache takes each index once
			if err := w.once(fmt.Sprintf("index %d %s", i, name), func() error { return b.cluster.GetCache().IndexField(ctx, what.Object, name, keys) }); err != nil {
				return nil, err
			}
		}
		informer, err := b.cluster.GetCache().GetInformer(ctx, what.Object, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, err
		}
		informers = append(informers, informer)
	}
	for i, what := range x.Watches() {
		for kind, c := range b.controllers {
			if err := w.once(fmt.Sprintf("watch %d %s", i, kind), func() error {
				return c.Watch(source.Kind(b.cluster.GetCache(), what.Object, handler.EnqueueRequestsFromMapFunc(b.requests(what, kind))))
			}); err != nil {
				return nil, err
			}
		}
	}
	return informers, nil
}

// once does something unless it was done, which it was not when it failed.
func (w *watching) once(what string, do func() error) error {
	if w.done[what] {
		return nil
	}
	err := do()
	w.done[what] = err == nil
	return err
}

// waitFilled waits a moment for caches to be filled.
func waitFilled(ctx context.Context, informers []cache.Informer) bool {
	ctx, cancel := context.WithTimeout(ctx, fillingPause)
	defer cancel()
	for {
		if !slices.ContainsFunc(informers, func(i cache.Informer) bool { return !i.HasSynced() }) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(fillingPause / 25):
		}
	}
}

// cause returns why a backend cannot be watched. A cache keeps its errors to itself, so the API server is asked.
func (b *Backends) cause(ctx context.Context, x Backend, err error) error {
	ctx, cancel := context.WithTimeout(ctx, retryWatchAfter)
	defer cancel()
	for _, what := range x.Watches() {
		gvk, unknown := apiutil.GVKForObject(what.Object, b.cluster.GetScheme())
		if unknown != nil {
			return unknown
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if failure := b.cluster.GetAPIReader().List(ctx, list, client.Limit(1)); failure != nil {
			return failure
		}
	}
	return err
}
