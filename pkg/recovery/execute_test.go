// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestStops: what changes behind the back of an operation stops it before the promotion.
func TestStops(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(w *world)
		want   string
		// early: before the last look. No write to one site can be bound to what the other one has.
		early bool
	}{
		"a PVC joins": {func(w *world) {
			g := w.groups[west].DeepCopy()
			addMember(g, "logs")
			w.change(west, g)
		}, "the members on west are not those of the start: then data, now data, logs; nothing was promoted", false},
		"the source is asked to be primary": {func(w *world) {
			g := w.groups[east].DeepCopy()
			g.Spec.ReplicationState = vgrv1.Primary
			w.change(east, g)
		}, "another tool asked for primary", true},
		"the group goes": {func(w *world) {
			g := w.groups[west].DeepCopy()
			g.DeletionTimestamp = &before
			w.change(west, g)
		}, "the group is being deleted on west", false},
		"another operation begins": {func(w *world) {
			g := w.groups[west].DeepCopy()
			op := recovery.Operation{ID: "other", Kind: recovery.Unplanned, From: sites[east], To: sites[west], Holder: "bob/1", Revision: 99}
			if err := (recovery.Write{Operation: op}).Apply(g); err != nil {
				t.Fatal(err)
			}
			w.change(west, g)
		}, "unplanned failover other from east to west was begun by bob/1 meanwhile", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
			w.begin(0, w.request("A"))
			for range 60 {
				if p := w.tools[0].pending; p != nil && p.State == vgrv1.Primary {
					break
				}
				if w.tools[0].pending != nil {
					w.send(0)
				}
				w.round()
				w.step(0)
			}
			tc.change(&w) // right before the write
			if tc.early {
				w.tools[0].pending = nil
				w.step(0)
			} else {
				w.send(0)
			}
			if w.groups[west].Spec.ReplicationState == vgrv1.Primary {
				t.Fatal("west was promoted")
			}
			if w.tools[0].running {
				w.step(0)
			}
			if !strings.Contains(w.tools[0].end, tc.want) {
				t.Errorf("it ended with %q, want %q", w.tools[0].end, tc.want)
			}
		})
	}
}

// TestDeletedInFlight: on a group whose controller keeps it for the operation, that operation is finished or aborted,
// and the storage is never left without a primary; another one does not begin once it has ended.
func TestDeletedInFlight(t *testing.T) {
	for name, tc := range map[string]struct {
		abort   bool
		primary int
	}{"resumed": {false, west}, "aborted": {true, east}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
			w.app = false
			w.begin(0, w.request("A"))
			for range 60 {
				if p := w.tools[0].pending; p != nil && p.State == vgrv1.Primary {
					break
				}
				if w.tools[0].pending != nil {
					w.send(0)
				}
				w.round()
				w.step(0)
			}
			w.tools[0].die()
			w.delete(east)
			w.delete(west)
			r := w.request("B")
			r.Abort = tc.abort
			if end := w.run(r); end != "done" {
				t.Errorf("it ended with %q", end)
			}
			if !w.primary[tc.primary] || w.primary[1-tc.primary] {
				t.Errorf("primary: %v", w.primary)
			}
			for _, g := range w.groups {
				if op, err := recovery.Journal(g); err != nil || op.InFlight() {
					t.Errorf("%+v, %v: the deletion would be held for ever", op, err)
				}
			}
			r = w.request("C")
			r.To = sites[1-tc.primary]
			if _, stop := recovery.Begin(w.observeAll(), r, w.traits); stop == nil || !strings.Contains(stop.Message, "is being deleted on") {
				t.Errorf("another operation begins: %+v", stop)
			}
		})
	}
}

// TestOldPicture: a site that is seen as it was before the last write is waited for. It is not taken
// for one that another tool has changed back.
func TestOldPicture(t *testing.T) {
	w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
	w.settle()
	w.begin(0, w.request("A"))
	var before *vgrv1.VolumeGroupReplication
	for range 60 {
		if w.tools[0].pending != nil {
			if w.tools[0].pending.State == vgrv1.Secondary {
				before = w.groups[east]
			}
			w.send(0)
		}
		w.step(0)
		if before != nil {
			break
		}
	}
	w.step(0) // sees its own write
	now := w.groups[east]
	w.groups[east] = before
	w.step(0)
	if t0 := w.tools[0]; !t0.running || t0.pending != nil {
		t.Errorf("an old picture ended with %q and %+v", t0.end, t0.pending)
	}
	w.groups[east] = now
	if end := w.tools[0].end; end != "" {
		t.Errorf("it ended with %q", end)
	}
}
