// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate_test

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// array is the storage of one group: who is primary, and whether the copies went different ways.
type array struct {
	mu       sync.Mutex
	primary  [2]bool
	split    bool
	accepted bool
	// twice is set when a site became primary beside another one, and no request had accepted that.
	twice bool
	kick  [2]chan struct{}
}

// ask asks the storage of a site for a role, and reports whether that changed anything.
func (a *array) ask(i int, want vgrv1.ReplicationState) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, split := a.primary, a.split
	switch want {
	case vgrv1.Primary:
		if a.primary[i] = true; a.primary[1-i] && !before[i] {
			a.split, a.twice = true, a.twice || !a.accepted
		}
	case vgrv1.Resync:
		if a.primary[i] = false; a.primary[1-i] {
			a.split = false
		}
	default:
		a.primary[i] = false
	}
	return a.primary != before || a.split != split
}

func (a *array) look() (primary [2]bool, split bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.primary, a.split
}

func (a *array) poke(i int) {
	select {
	case a.kick[i] <- struct{}{}:
	default:
	}
}

// arrays stand in for the controllers of both sites and their storage. They are strict: they write a status only of what
// they have seen, and promote nothing that was a copy unless the write says what is known of the peer.
type arrays struct {
	clients [2]client.WithWatch
	clock   quick
	mu      sync.Mutex
	all     map[string]*array
	acting  sync.WaitGroup
	// begin begins to act for a site.
	begin func(i int, namespace string, a *array)
}

func newArrays(clients [2]client.WithWatch, c quick) *arrays {
	return &arrays{clients: clients, clock: c, all: map[string]*array{}}
}

func (as *arrays) add(namespace string) *array {
	a := &array{kick: [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}}
	as.mu.Lock()
	as.all[namespace] = a
	as.mu.Unlock()
	for i := range as.clients {
		as.begin(i, namespace, a)
	}
	return a
}

// run watches both sites until the context ends.
func (as *arrays) run(ctx context.Context) (ended func()) {
	as.begin = func(i int, namespace string, a *array) { as.acting.Go(func() { as.act(ctx, i, namespace, a) }) }
	for i, c := range as.clients {
		as.acting.Go(func() {
			for ctx.Err() == nil {
				w, err := c.Watch(ctx, &vgrv1.VolumeGroupReplicationList{})
				if err != nil {
					continue
				}
				for event := range w.ResultChan() {
					if g, ok := event.Object.(*vgrv1.VolumeGroupReplication); ok {
						as.mu.Lock()
						a := as.all[g.Namespace]
						as.mu.Unlock()
						if a != nil {
							a.poke(i)
						}
					}
				}
			}
		})
	}
	return as.acting.Wait
}

func (as *arrays) act(ctx context.Context, i int, namespace string, a *array) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.kick[i]:
		}
		var g vgrv1.VolumeGroupReplication
		if as.clients[i].Get(ctx, client.ObjectKey{Namespace: namespace, Name: group}, &g) != nil {
			continue
		}
		if released(&g) {
			if as.clients[i].Update(ctx, &g) != nil {
				a.poke(i) // another client wrote
			}
			continue
		}
		before := g.DeepCopy()
		if as.reconcile(i, &g, a) {
			a.poke(1 - i)
		}
		if equality.Semantic.DeepEqual(before.Status, g.Status) {
			continue
		}
		if err := as.clients[i].Status().Update(ctx, &g); err != nil {
			a.poke(i) // another client wrote
		}
	}
}

// released lets a deleted group go that no operation in flight holds, and reports whether it has.
func released(g *vgrv1.VolumeGroupReplication) bool {
	if op, err := recovery.Journal(g); g.DeletionTimestamp == nil || err != nil || op.InFlight() {
		return false
	}
	return controllerutil.RemoveFinalizer(g, vgrv1.Finalizer)
}

func (as *arrays) reconcile(i int, g *vgrv1.VolumeGroupReplication, a *array) (changed bool) {
	st, want := &g.Status, g.Spec.ReplicationState
	primary, _ := a.look()
	ready := metav1.Condition{Type: vgrv1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: g.Generation}
	ready.Reason = map[vgrv1.ReplicationState]string{vgrv1.Primary: vgrv1.ReasonPromoted, vgrv1.Secondary: vgrv1.ReasonDemoted, vgrv1.Resync: vgrv1.ReasonResynced}[want]
	if want == vgrv1.Primary && !primary[i] && st.LastRole == vgrv1.StateSecondary && !state.MayPromote(g, &st.ReplicationStatus) {
		ready.Status, ready.Reason = metav1.ConditionFalse, vgrv1.ReasonPromotionNotConfirmed
	} else {
		changed = a.ask(i, want)
		st.ConfirmedGeneration = g.Generation
	}
	primary, split := a.look()
	now := metav1.NewTime(as.clock.Now().Truncate(time.Second))
	observed, reported := vgrv1.StateSecondary, (*metav1.Time)(nil)
	if primary[i] {
		observed, reported = vgrv1.StatePrimary, st.LastSyncTime
		if st.State == vgrv1.StatePrimary && !split && (changed || st.LastSyncTime == nil || now.After(st.LastSyncTime.Time)) {
			reported = new(metav1.NewTime(now.Add(20 * time.Second))) // later than the role, and than what was asked for a moment ago
		}
	}
	state.Remember(&st.ReplicationStatus, observed, reported, now)
	st.ObservedGeneration, st.Backend = g.Generation, "stand-in"
	st.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: "data"}}
	st.Volumes = []vgrv1.VolumeStatus{{Name: "data", VolumeName: "pv-data", VolumeHandle: "handle"}}
	degraded := metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionFalse, Reason: "Healthy", ObservedGeneration: g.Generation}
	switch {
	case split && !primary[i]:
		degraded.Status, degraded.Reason, degraded.Message = metav1.ConditionTrue, "Error", "split brain"
	case primary[1-i]: // only two copies that stand still can be compared
		degraded.Status, degraded.Reason = metav1.ConditionTrue, "VolumeDegraded"
	}
	ready.Message = "said by the stand-in"
	if g.DeletionTimestamp != nil {
		meta.SetStatusCondition(&st.Conditions, metav1.Condition{
			Type: vgrv1.ConditionDeletionHeld, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonOperationInFlight, ObservedGeneration: g.Generation,
			Message: "said by the stand-in",
		})
	}
	meta.SetStatusCondition(&st.Conditions, ready)
	meta.SetStatusCondition(&st.Conditions, degraded)
	return changed
}
