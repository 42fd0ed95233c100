// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
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

func degrade(g *vgrv1.VolumeGroupReplication, status metav1.ConditionStatus) {
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: status, Reason: "VolumeDegraded"})
}
