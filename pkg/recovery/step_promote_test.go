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

// TestPromoteLooksAgain: the proof of sync in the journal permits no promotion when the sites say otherwise by now.
func TestPromoteLooksAgain(t *testing.T) {
	done := func(id recovery.StepID, asked bool) recovery.StepTimes {
		return recovery.StepTimes{ID: id, Started: metav1.NewMicroTime(before.Time), Finished: new(metav1.NewMicroTime(before.Time)), Asked: asked}
	}
	for name, tc := range map[string]struct {
		change func(p *recovery.Pair)
		writes bool
	}{
		"still in sync":             {func(*recovery.Pair) {}, true},
		"not in sync any more":      {func(p *recovery.Pair) { degrade(p.Sites[east].Group, metav1.ConditionTrue) }, false},
		"never seen to have synced": {func(p *recovery.Pair) { p.Sites[east].Group.Status.DemotedAfterSync = false }, false},
		"primary again": {func(p *recovery.Pair) {
			isTo(p.Sites[east].Group, vgrv1.Primary, vgrv1.StatePrimary, met)
		}, false},
		"of another volume": {another, false},
		"asked for primary, not answered yet": {func(p *recovery.Pair) {
			g := p.Sites[east].Group
			g.Spec.ReplicationState, g.Generation = vgrv1.Primary, g.Generation+1
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, facts := ceph(func(*recovery.Pair, *[2]recovery.Environment) {})
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Planned, To: sites[west], Holder: "me", By: "me", ID: "op"}, facts.Traits)
			if stop != nil {
				t.Fatal(stop)
			}
			op.Steps = []recovery.StepTimes{done(recovery.StepRecord, false), done(recovery.StepVerify, false), done(recovery.StepDemote, true), done(recovery.StepSync, false)}
			for i := range p.Sites {
				g := p.Sites[i].Group.DeepCopy()
				if err := (recovery.Write{Operation: op}).Apply(g); err != nil {
					t.Fatal(err)
				}
				p.Sites[i].Read(g)
			}
			g := p.Sites[east].Group
			isTo(g, vgrv1.Secondary, vgrv1.StateSecondary, metav1.Condition{Status: metav1.ConditionTrue, Reason: vgrv1.ReasonDemoted})
			g.Spec.AutoResync, p.Sites[west].Group.Spec.AutoResync = new(false), new(false)
			g.Status.DemotedAfterSync, g.Status.ObservedGeneration = true, g.Generation
			degrade(g, metav1.ConditionFalse)
			tc.change(&p)
			d := recovery.Next(p, op, facts.Traits)
			if writes := d.Write != nil && d.Write.State == vgrv1.Primary; writes != tc.writes {
				t.Errorf("%+v", d)
			}
		})
	}
}

// changedOutside has the backend of a site play another role than the one that it had confirmed.
func changedOutside(g *vgrv1.VolumeGroupReplication, asks vgrv1.ReplicationState, is vgrv1.State) {
	isTo(g, asks, is, metav1.Condition{Status: metav1.ConditionFalse, Reason: vgrv1.ReasonRoleChangedOutside, Message: "its role was changed"})
	g.Status.ConfirmedGeneration, g.Status.ObservedGeneration = g.Generation, g.Generation
	g.Status.ConfirmedRetry = g.Annotations[vgrv1.AnnotationRetry]
}

// TestPromoteAfterChangeOutside: a primary whose storage gave up the role is promoted with a new generation: what
// permitted the promotion before permits no second one, and the same write again changes nothing.
func TestPromoteAfterChangeOutside(t *testing.T) {
	p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
		secondary(p.Sites[east].Group)
		changedOutside(p.Sites[west].Group, vgrv1.Primary, vgrv1.StateSecondary)
	})
	op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Promote, To: sites[west], Force: true, Holder: "me", By: "me", ID: "op"}, facts.Traits)
	if stop != nil {
		t.Fatal(stop)
	}
	op.Steps = []recovery.StepTimes{did(recovery.StepRecord)}
	for i := range p.Sites {
		put(t, &p.Sites[i], op)
	}
	for _, asks := range []vgrv1.ReplicationState{vgrv1.Secondary, vgrv1.Primary} {
		d := recovery.Next(p, op, facts.Traits)
		if d.Write == nil || d.Write.State != asks {
			t.Fatalf("%s: %+v %+v", asks, d, d.Write)
		}
		g := p.Sites[west].Group.DeepCopy()
		if err := d.Write.Apply(g); err != nil {
			t.Fatal(err)
		}
		g.Generation++
		p.Sites[west].Read(g)
		op = d.Write.Operation
		if g.Annotations[vgrv1.AnnotationRetry] != "" {
			t.Errorf("a new generation is asked to be tried again: %q", g.Annotations[vgrv1.AnnotationRetry])
		}
	}
}

// TestResyncAfterChangeOutside: a copy that was promoted in its storage is secondary by its spec, so the write that has it
// follow again changes no spec: the controller is told to try again, and its word from before that is no failure.
func TestResyncAfterChangeOutside(t *testing.T) {
	for name, traits := range map[string]backend.Traits{"promote first": storages["promote first"], "demote, prove, promote": proves} {
		t.Run(name, func(t *testing.T) {
			p, _ := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
				changedOutside(p.Sites[west].Group, vgrv1.Secondary, vgrv1.StateUnknown)
				*p.Sites[west].Group.Spec.AutoResync = false
			})
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Resync, To: sites[west], Holder: "me", By: "me", ID: "op"}, traits)
			if stop != nil {
				t.Fatal(stop)
			}
			op.Steps = []recovery.StepTimes{did(recovery.StepRecord)}
			for i := range p.Sites {
				put(t, &p.Sites[i], op)
			}
			d := recovery.Next(p, op, traits)
			if d.Write == nil || d.Write.Site != sites[west] {
				t.Fatalf("%+v", d)
			}
			if !traits.PromoteFirst {
				return // its resync is a state of its own
			}
			g := p.Sites[west].Group.DeepCopy()
			if err := d.Write.Apply(g); err != nil {
				t.Fatal(err)
			}
			if g.Annotations[vgrv1.AnnotationRetry] == "" {
				t.Error("the controller takes it for what the backend had confirmed")
			}
			p.Sites[west].Read(g)
			if d = recovery.Next(p, d.Write.Operation, traits); d.Stop != nil || d.Write != nil || d.Wait == "" {
				t.Errorf("%+v %+v", d, d.Stop)
			}
			g.Status.ConfirmedRetry = g.Annotations[vgrv1.AnnotationRetry]
			if d = recovery.Next(p, d.Operation, traits); d.Done {
				t.Errorf("%+v", d)
			}
		})
	}
}

func degrade(g *vgrv1.VolumeGroupReplication, status metav1.ConditionStatus) {
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: status, Reason: "VolumeDegraded"})
}
