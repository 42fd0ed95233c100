// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// How many tests are under way at the same time is decided here and not by -parallel, which would count those that wait for a lab.
const (
	// scenesAtOnce is how many tests share the shared lab.
	scenesAtOnce = 4
	// labsToBreak is how many labs there are for tests that break something.
	labsToBreak = 4
	// ownLabs is how many tests have a new lab at the same time.
	ownLabs = 2
)

// labs are where tests run.
type labs struct {
	bin string
	// shared is for tests that touch only their own namespace.
	shared *world
	places chan struct{}
	// sharing is how many tests are on the shared lab; the lock is held while it changes.
	sharing int
	changes sync.Mutex
	// toBreak are lent to one test at a time, and started when they are first needed: nil until then.
	toBreak chan *world
	// other has room for more labs, each of which one test has from its beginning to its end.
	other chan struct{}
	// starting keeps labs from starting at the same time, which takes all of the processors.
	starting sync.Mutex
	scenes   atomic.Int32
}

var worlds *labs

func newLabs(ctx context.Context, bin string) (*labs, error) {
	l := &labs{bin: bin, places: make(chan struct{}, scenesAtOnce), toBreak: make(chan *world, labsToBreak), other: make(chan struct{}, ownLabs)}
	for range labsToBreak {
		l.toBreak <- nil
	}
	var err error
	l.shared, err = l.start(ctx, 0)
	return l, err
}

func (l *labs) start(ctx context.Context, interval time.Duration) (*world, error) {
	l.starting.Lock()
	defer l.starting.Unlock()
	return startWorld(ctx, l.bin, interval)
}

// close ends all labs, after a last look at each. Nothing that our controllers wrote in them may have been refused.
func (l *labs) close(look func(*world) error) error {
	errs := []error{look(l.shared), l.shared.refused(), l.shared.lab.Close()}
	for range labsToBreak {
		if w := <-l.toBreak; w != nil {
			errs = append(errs, look(w), w.refused(), w.lab.Close())
		}
	}
	return errors.Join(errs...)
}

// ownWorld is a lab that the test has for itself, from its beginning to its end.
func ownWorld(t *testing.T) *world {
	t.Helper()
	return ownWorldAt(t, 0)
}

func ownWorldAt(t *testing.T, interval time.Duration) *world {
	t.Helper()
	return ownLab(t, func(ctx context.Context) (*world, error) { return startWorld(ctx, worlds.bin, interval) })
}

// bareWorld is a lab with the vendors' controllers and nothing of ours, which the test has for itself.
func bareWorld(t *testing.T) *world {
	t.Helper()
	return ownLab(t, func(ctx context.Context) (*world, error) {
		return startLab(ctx, worlds.bin, lab.Options{Bare: true, Dell: true, StatusInterval: 2 * time.Second, Log: os.Stderr})
	})
}

func ownLab(t *testing.T, start func(context.Context) (*world, error)) *world {
	t.Helper()
	began := time.Now()
	worlds.other <- struct{}{}
	waited(t, began)
	t.Cleanup(func() { <-worlds.other })
	worlds.starting.Lock()
	w, err := start(t.Context())
	worlds.starting.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// scene is one test's namespace.
type scene struct {
	*world
	t  *testing.T
	ns string
	// user runs the plugin; an administrator when empty.
	user string
}

// newScene makes a namespace on the lab that is shared. What breaks more than its own objects takes newSceneAlone. No test
// may have two scenes of either kind, or all could wait for each other.
func newScene(t *testing.T) *scene {
	t.Helper()
	began := time.Now()
	worlds.places <- struct{}{}
	waited(t, began)
	t.Cleanup(func() { <-worlds.places })
	return newSharedScene(t)
}

// newPatientScene is newScene for a test that only waits, for longer than all others: it begins at once.
func newPatientScene(t *testing.T) *scene {
	t.Helper()
	return newSharedScene(t)
}

func newSharedScene(t *testing.T) *scene {
	t.Helper()
	worlds.enter()
	t.Cleanup(func() {
		if err := worlds.leave(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return newSceneOn(t, worlds.shared)
}

func (l *labs) enter() {
	l.changes.Lock()
	defer l.changes.Unlock()
	l.sharing++
}

// leave mends the shared lab after its last test: a volume that is attached counts as broken too, and is another test's.
func (l *labs) leave(ctx context.Context) error {
	l.changes.Lock()
	defer l.changes.Unlock()
	if l.sharing--; l.sharing > 0 {
		return nil
	}
	return l.shared.lab.ClearFaults(ctx)
}

// newSceneAlone makes a namespace on a lab where no other test is until this one has ended.
func newSceneAlone(t *testing.T) *scene {
	t.Helper()
	began := time.Now()
	w := <-worlds.toBreak
	waited(t, began)
	t.Cleanup(func() {
		if t.Failed() && w != nil { // what is left broken is unknown
			if err := errors.Join(w.refused(), w.lab.Close()); err != nil {
				t.Error(err)
			}
			w = nil
		}
		worlds.toBreak <- w
	})
	if w == nil {
		var err error
		if w, err = worlds.start(context.WithoutCancel(t.Context()), 0); err != nil {
			t.Fatal(err)
		}
	}
	return newSceneIn(t, w)
}

// waited tells how much of a test's time is not its own.
func waited(t *testing.T, began time.Time) {
	t.Helper()
	t.Logf("waited %s for its lab", time.Since(began).Round(time.Second))
}

// newSceneIn makes a namespace on both sites of a lab that the test has for itself, and mends it when the test ends.
func newSceneIn(t *testing.T, w *world) *scene {
	t.Helper()
	t.Cleanup(func() {
		if err := w.lab.ClearFaults(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return newSceneOn(t, w)
}

func newSceneOn(t *testing.T, w *world) *scene {
	t.Helper()
	s := &scene{world: w, t: t, ns: fmt.Sprintf("test-%d", worlds.scenes.Add(1))}
	for _, site := range []string{lab.East, lab.West} {
		s.create(site, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}})
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.tail(lab.Controller)
			s.tail(lab.CSIAddons)
		}
	})
	return s
}
