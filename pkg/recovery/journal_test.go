// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"math"
	"slices"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestReplaced: an operation that another one replaces is kept in the history, as what it was.
func TestReplaced(t *testing.T) {
	g := &vgrv1.VolumeGroupReplication{}
	first := recovery.Operation{ID: "a", Kind: recovery.Planned, From: sites[east], To: sites[west], Revision: 1}
	second, third := first, first
	second.ID, third.ID = "b", "c"
	second.Result = recovery.Done
	for _, op := range []recovery.Operation{first, second, third} {
		if err := (recovery.Write{Operation: op}).Apply(g); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, op := range recovery.History(g) {
		got = append(got, op.ID+" "+string(op.Result))
	}
	if want := []string{"b done", "a superseded"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if op, err := recovery.Journal(g); err != nil || op.ID != "c" {
		t.Errorf("got %v, %v", op, err)
	}
}

// TestStepUnderTwoNames: an older plugin continued an operation, and wrote a step under its own name.
func TestStepUnderTwoNames(t *testing.T) {
	g := &vgrv1.VolumeGroupReplication{}
	g.Annotations = map[string]string{vgrv1.AnnotationOperation: `{"id":"a","kind":"failback","revision":2,"from":{"name":"west","cluster":"w"},"to":{"name":"east","cluster":"e"},` +
		`"steps":[{"id":"stop-target","started":"2026-01-01T10:00:00.000000Z"},{"id":"halt","asked":true,"started":"2026-01-01T10:01:00.000000Z","finished":"2026-01-01T10:02:00.000000Z"}]}`}
	op, err := recovery.Journal(g)
	if err != nil || len(op.Steps) != 1 || op.Steps[0].ID != recovery.StepStopTarget || !op.Steps[0].Asked || op.Steps[0].Finished == nil {
		t.Errorf("got %+v, %v", op, err)
	}
}

// TestImpossibleRevision: a revision that no group reaches leaves none for the next operation, so such a journal is
// one that cannot be read.
func TestImpossibleRevision(t *testing.T) {
	for _, revision := range []int64{math.MaxInt64, math.MinInt64, -1, 1<<40 + 1} {
		p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
			put(t, &p.Sites[east], begun(func(op *recovery.Operation) { op.Revision = revision }))
		})
		op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Planned, To: sites[west], Holder: "me", ID: "new"}, facts.Traits)
		if stop == nil {
			t.Errorf("revision %d: began %+v", revision, op)
		}
	}
}

// TestAbortIsToldEverywhere: an abort that was told on one site only is told on the other by the same command.
func TestAbortIsToldEverywhere(t *testing.T) {
	p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
		put(t, &p.Sites[east], begun(func(*recovery.Operation) {}))
		put(t, &p.Sites[west], begun(func(op *recovery.Operation) {
			op.Revision, op.Aborting, op.Result = 4, true, recovery.Aborted
		}))
	})
	op, stop := recovery.Begin(p, recovery.Request{Abort: true, Holder: "me"}, facts.Traits)
	if stop != nil {
		t.Fatalf("%+v", stop)
	}
	if d := recovery.Next(p, op, facts.Traits); d.Write == nil || d.Write.Site != sites[east] || d.Write.Operation.Result != recovery.Aborted {
		t.Errorf("%+v", d)
	}
}
