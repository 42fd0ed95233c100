// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// TestUnwatched: what is remembered of a role counts for the version that the write made, and for no other.
func TestUnwatched(t *testing.T) {
	t0 := metav1.NewTime(time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC))
	at := func(seconds int) *metav1.Time {
		return new(metav1.NewTime(t0.Add(time.Duration(seconds) * time.Second)))
	}
	confirm := func(g *vgrv1.VolumeGroupReplication, observed vgrv1.State) *vgrv1.VolumeGroupReplication {
		g.Status.State, g.Status.ObservedGeneration = observed, g.Generation
		g.Status.Conditions = []metav1.Condition{
			{Type: "Ready", Status: "True", Reason: "x", ObservedGeneration: g.Generation}, {Type: "Degraded", Status: "False", Reason: "Healthy"},
		}
		return g
	}
	primary := func() *vgrv1.VolumeGroupReplication {
		g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{UID: "u", Generation: 3}, Spec: vgrv1.VolumeGroupReplicationSpec{ReplicationState: vgrv1.Primary}}
		return confirm(g, vgrv1.StatePrimary)
	}
	write := func(u state.Unwatched, g *vgrv1.VolumeGroupReplication, role vgrv1.ReplicationState, now *metav1.Time) *vgrv1.VolumeGroupReplication {
		out := g.DeepCopy()
		out.Spec.ReplicationState = role
		if err := u.Remember(g, out, *now); err != nil {
			t.Fatal(err)
		}
		if out.Spec.ReplicationState != g.Spec.ReplicationState {
			out.Generation++
		}
		return out
	}
	recalled := func(u state.Unwatched, g *vgrv1.VolumeGroupReplication) state.View {
		out := g.DeepCopy()
		u.Recall(out)
		return state.Of(out)
	}
	old, fresh := state.Unwatched{LastSync: at(-10)}, state.Unwatched{LastSync: at(20)}

	begun := write(old, primary(), vgrv1.Primary, at(0))
	for name, tc := range map[string]struct {
		g    *vgrv1.VolumeGroupReplication
		u    state.Unwatched
		want bool
	}{
		"nothing is remembered":             {primary(), fresh, false},
		"the time of before":                {begun, old, false},
		"a synchronisation after":           {begun, fresh, true},
		"one before it was seen":            {begun, state.Unwatched{LastSync: at(-5)}, false},
		"the time that was reported before": {write(state.Unwatched{LastSync: at(20)}, primary(), vgrv1.Primary, at(0)), fresh, false}, // a clock ahead
		"the inner object has changed":      {begun, state.Unwatched{LastSync: at(20), Inner: 1}, false},
		"another tool changed the spec": {func() *vgrv1.VolumeGroupReplication {
			g := begun.DeepCopy()
			g.Generation++
			return confirm(g, vgrv1.StatePrimary)
		}(), fresh, false},
		"made anew":                            {func() *vgrv1.VolumeGroupReplication { g := begun.DeepCopy(); g.UID = "v"; return g }(), fresh, false},
		"asked for, and not confirmed":         {write(old, func() *vgrv1.VolumeGroupReplication { g := primary(); g.Status.ObservedGeneration--; return g }(), vgrv1.Primary, at(0)), fresh, false},
		"a later write keeps since when it is": {write(fresh, begun, vgrv1.Primary, at(60)), fresh, true},
	} {
		if got := recalled(tc.u, tc.g).LastSync() != nil; got != tc.want {
			t.Errorf("%s: synchronised %v", name, got)
		}
	}

	demoted := confirm(write(fresh, begun, vgrv1.Secondary, at(30)), vgrv1.StateSecondary)
	unproven := confirm(write(old, begun, vgrv1.Secondary, at(30)), vgrv1.StateSecondary)
	doubted := begun.DeepCopy()
	doubted.Status.Conditions = append(doubted.Status.Conditions, metav1.Condition{Type: "Replicating", Status: "Unknown", Reason: "Replicating"})
	doubted = confirm(write(fresh, doubted, vgrv1.Secondary, at(30)), vgrv1.StateSecondary)
	inside := write(state.Unwatched{LastSync: at(-10), Inner: 7}, primary(), vgrv1.Primary, at(0))
	inside = confirm(write(state.Unwatched{LastSync: at(20), Inner: 7}, inside, vgrv1.Secondary, at(30)), vgrv1.StateSecondary)
	for name, tc := range map[string]struct {
		g     *vgrv1.VolumeGroupReplication
		inner int64
		want  bool
	}{
		"demoted after a synchronisation": {demoted, 0, true},
		"demoted before one":              {unproven, 0, false},
		"demoted while in doubt":          {doubted, 0, false},
		"another tool asked for a role since": {func() *vgrv1.VolumeGroupReplication {
			g := demoted.DeepCopy()
			g.Generation += 2
			return confirm(g, vgrv1.StateSecondary)
		}(), 0, false},
		"the journal was written since":          {write(state.Unwatched{}, demoted, vgrv1.Secondary, at(40)), 0, true},
		"promoted and demoted again":             {confirm(write(fresh, write(fresh, demoted, vgrv1.Primary, at(40)), vgrv1.Secondary, at(50)), vgrv1.StateSecondary), 0, false},
		"the backend changed the inner object":   {inside, 8, true},
		"it has not yet":                         {inside, 7, false},
		"it was changed by another tool as well": {inside, 10, false},
	} {
		if got := recalled(state.Unwatched{Inner: tc.inner}, tc.g).InSync(); got != tc.want {
			t.Errorf("%s: in sync %v", name, got)
		}
	}
}
