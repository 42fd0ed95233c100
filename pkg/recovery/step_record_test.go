// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestResultOnOneSite: the groups are deleted in the middle of an operation. The first result lets its group go, and the
// process is killed then: the same command ends the operation with what the other site's journal says.
func TestResultOnOneSite(t *testing.T) {
	scenarios := map[string]func(backend.Traits) world{
		"planned":  func(t backend.Traits) world { w := newWorld(t, recovery.Planned, 0); w.app = false; return w },
		"aborted":  func(t backend.Traits) world { w := newWorld(t, recovery.Planned, 0); w.app = false; return w },
		"failback": newSplitWorld,
	}
	for storage, traits := range storages {
		for scenario, start := range scenarios {
			for deleted, sites := range map[string][]int{"both": {east, west}, "east": {east}, "west": {west}} {
				if scenario == "aborted" && traits.HandsOver {
					continue // what was handed over is not undone
				}
				t.Run(storage+"/"+scenario+"/"+deleted+" deleted", func(t *testing.T) {
					w := start(traits)
					w.snapshots = storage == bySnapshot
					r := w.request("A")
					w.begin(0, r)
					for range 60 {
						if scenario == "aborted" && w.groups[east].Spec.ReplicationState == vgrv1.Secondary {
							break
						}
						if p := w.tools[0].pending; p != nil && (p.Operation.Result != "" || p.State == vgrv1.Primary && scenario == "aborted") {
							break
						}
						w.advance()
					}
					for _, at := range sites {
						w.delete(at)
					}
					if scenario == "aborted" {
						w.tools[0].die()
						r = w.request("B")
						r.Abort = true
						w.begin(0, r)
					} else { // its write is of the groups as they were
						w.tools[0].pending = nil
						w.step(0)
					}
					for range 60 {
						if p := w.tools[0].pending; p != nil && p.Operation.Result != "" {
							break
						}
						w.advance()
					}
					if w.tools[0].pending == nil {
						t.Fatalf("no result: %+v", w.tools[0])
					}
					gone := east
					if w.tools[0].pending.Site.Name == "west" {
						gone = west
					}
					result := w.tools[0].pending.Operation.Result
					w.send(0)
					if w.groups[gone].DeletionTimestamp == nil {
						t.Skip("the site whose group stays has the result first")
					}
					w.tools[0].die()
					r.Holder = "C"
					alone(t, &w, r, gone, result)
				})
			}
		}
	}
}

// alone runs a command while one site has no group any more.
func alone(t *testing.T, w *world, r recovery.Request, gone int, result recovery.Result) {
	t.Helper()
	observe := func(usage bool) recovery.Pair {
		p := w.observe(usage)
		p.Sites[gone].Read(nil)
		return p
	}
	op, stop := recovery.Begin(observe(true), r, w.traits)
	if stop != nil {
		t.Fatalf("%+v", stop)
	}
	for range 20 {
		d := recovery.Next(observe(true), op, w.traits)
		op = d.Operation
		switch {
		case d.Done:
			if last, err := recovery.Journal(w.groups[1-gone]); err != nil || last.Result != result {
				t.Errorf("it has ended as %+v %v, want %s", last, err, result)
			}
			return
		case d.Stop != nil:
			t.Fatalf("%+v", d.Stop)
		case d.Write != nil && d.Write.Site == sites[gone]:
			t.Fatalf("it writes to a group that is gone: %+v", d.Write)
		case d.Write != nil:
			old := w.groups[1-gone]
			g := old.DeepCopy()
			if err := d.Write.Apply(g); err != nil {
				t.Fatal(err)
			}
			if g.Spec.ReplicationState != old.Spec.ReplicationState {
				t.Fatalf("it changes a role: %+v", d.Write)
			}
			if *g.Spec.AutoResync != *old.Spec.AutoResync {
				g.Generation++
			}
			w.change(1-gone, g)
			w.report(1 - gone)
		}
	}
	t.Errorf("after 20 rounds at %+v", op)
}

// advance lets the first tool and everything else act once.
func (w *world) advance() {
	if w.tools[0].pending != nil {
		w.send(0)
	}
	w.round()
	w.step(0)
}

// delete has a group be deleted, which its controller holds for the operation in flight.
func (w *world) delete(site int) {
	g := w.groups[site].DeepCopy()
	g.DeletionTimestamp, g.Finalizers = &before, []string{vgrv1.Finalizer}
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDeletionHeld, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonOperationInFlight, Message: "held"})
	w.change(site, g)
}
