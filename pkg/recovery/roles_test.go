// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

var proves, handsOver = storages["demote, prove, promote"], storages["handover at the source"]

// did is a step of a journal that was asked for and has ended; asks is one that was asked for only.
func did(id recovery.StepID) recovery.StepTimes {
	return recovery.StepTimes{ID: id, Started: metav1.NewMicroTime(before.Time), Finished: new(metav1.NewMicroTime(before.Time)), Asked: true}
}

func asks(id recovery.StepID) recovery.StepTimes {
	return recovery.StepTimes{ID: id, Started: metav1.NewMicroTime(before.Time), Asked: true}
}

// underWay is a healthy pair, east secondary and west secondary, whose journals on both sites are a planned failover
// that has come to some step.
func underWay(t *testing.T, steps []recovery.StepTimes, change func(p *recovery.Pair, op *recovery.Operation)) (recovery.Pair, recovery.Operation) {
	t.Helper()
	p, _ := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
		secondary(p.Sites[east].Group)
		for i := range p.Sites {
			*p.Sites[i].Group.Spec.AutoResync = false
		}
	})
	op := begun(func(op *recovery.Operation) {
		op.Quiesce, op.Start, op.Stopped, op.Members, op.Holder = false, false, nil, nil, "me"
		op.Steps = append([]recovery.StepTimes{did(recovery.StepRecord)}, steps...)
	})
	for _, v := range p.Sites[west].Group.Status.Volumes {
		op.Members = map[string]string{v.Name: v.VolumeHandle}
	}
	change(&p, &op)
	for i := range p.Sites {
		put(t, &p.Sites[i], op)
	}
	return p, op
}

func secondary(g *vgrv1.VolumeGroupReplication) {
	isTo(g, vgrv1.Secondary, vgrv1.StateSecondary, met)
	g.Status.ObservedGeneration = g.Generation
}

func primary(g *vgrv1.VolumeGroupReplication) {
	isTo(g, vgrv1.Primary, vgrv1.StatePrimary, met)
	g.Status.ObservedGeneration = g.Generation
}

// TestPromoteBesidePrimary: a storage that hands over has no proof of sync to look at; that the source is primary
// again stops the promotion, also where another tool has asked the target for primary before.
func TestPromoteBesidePrimary(t *testing.T) {
	steps := []recovery.StepTimes{did(recovery.StepDemote)}
	asked := append(slices.Clone(steps), asks(recovery.StepPromote))
	for name, tc := range map[string]struct {
		steps  []recovery.StepTimes
		change func(p *recovery.Pair)
		writes bool
	}{
		"demoted":       {steps, func(*recovery.Pair) {}, true},
		"primary again": {steps, func(p *recovery.Pair) { primary(p.Sites[east].Group) }, false},
		"asked for primary": {steps, func(p *recovery.Pair) {
			p.Sites[east].Group.Spec.ReplicationState = vgrv1.Primary
			p.Sites[east].Group.Generation++
		}, false},
		"not demoted yet":                 {steps, func(p *recovery.Pair) { p.Sites[east].Group.Status.State = vgrv1.StatePrimary }, false},
		"demoted, the target is guarded":  {steps, func(p *recovery.Pair) { guarded(p.Sites[west].Group) }, true},
		"primary, the target is guarded":  {steps, func(p *recovery.Pair) { primary(p.Sites[east].Group); guarded(p.Sites[west].Group) }, false},
		"the same, once asked for":        {asked, func(p *recovery.Pair) { primary(p.Sites[east].Group); guarded(p.Sites[west].Group) }, false},
		"demoted, guarded once asked for": {asked, func(p *recovery.Pair) { guarded(p.Sites[west].Group) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, op := underWay(t, tc.steps, func(p *recovery.Pair, op *recovery.Operation) { op.OneWay = true; tc.change(p) })
			d := recovery.Next(p, op, handsOver)
			if writes := d.Write != nil && d.Write.State == vgrv1.Primary && d.Write.Site == sites[west]; writes != tc.writes || d.Write != nil && !writes {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestAskedAgain: what another tool has reverted before the backend acted on it is asked for again by the same
// command; what is under way is not.
func TestAskedAgain(t *testing.T) {
	demote := []recovery.StepID{recovery.StepVerify, recovery.StepDemote, recovery.StepSync}
	for name, tc := range map[string]struct {
		steps  []recovery.StepID
		change func(p *recovery.Pair)
		again  []recovery.StepID
	}{
		"nothing reverted":                                 {demote, func(*recovery.Pair) {}, nil},
		"the demotion":                                     {demote, func(p *recovery.Pair) { primary(p.Sites[east].Group) }, demote},
		"the demotion, not confirmed":                      {demote, func(p *recovery.Pair) { primary(p.Sites[east].Group); p.Sites[east].Group.Generation++ }, nil},
		"the demotion, and the target may lead":            {demote, func(p *recovery.Pair) { primary(p.Sites[east].Group); primary(p.Sites[west].Group) }, nil},
		"the demotion, after the promotion":                {append(slices.Clone(demote), recovery.StepPromote), func(p *recovery.Pair) { primary(p.Sites[east].Group); primary(p.Sites[west].Group) }, nil},
		"the demotion, after a promotion not answered yet": {append(slices.Clone(demote), recovery.StepPromote), func(p *recovery.Pair) { primary(p.Sites[east].Group); p.Sites[west].Group.Generation++ }, nil},
		"the promotion":                                    {append(slices.Clone(demote), recovery.StepPromote), func(*recovery.Pair) {}, []recovery.StepID{recovery.StepPromote}},
		"the promotion, not answered yet":                  {append(slices.Clone(demote), recovery.StepPromote), func(p *recovery.Pair) { p.Sites[west].Group.Generation++ }, nil},
		"that the source follows":                          {[]recovery.StepID{recovery.StepPromote, recovery.StepReprotect}, func(p *recovery.Pair) { primary(p.Sites[west].Group); primary(p.Sites[east].Group) }, []recovery.StepID{recovery.StepReprotect}},
		"that, not answered yet": {[]recovery.StepID{recovery.StepPromote, recovery.StepReprotect}, func(p *recovery.Pair) {
			primary(p.Sites[west].Group)
			primary(p.Sites[east].Group)
			p.Sites[east].Group.Generation++
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []recovery.StepTimes
			for _, id := range tc.steps {
				steps = append(steps, did(id))
			}
			p, _ := underWay(t, steps, func(p *recovery.Pair, _ *recovery.Operation) { tc.change(p) })
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Planned, To: sites[west], Holder: "me", By: "me", ID: "new"}, proves)
			if stop != nil {
				t.Fatalf("%+v", stop)
			}
			var again []recovery.StepID
			for _, s := range op.Steps {
				if !s.Asked {
					again = append(again, s.ID)
				}
			}
			if !slices.Equal(again, tc.again) {
				t.Errorf("asks again for %v, want %v", again, tc.again)
			}
		})
	}
}

// TestRestore: an abort makes the source primary again only where it was demoted, and never beside a target that is
// primary or may become it.
func TestRestore(t *testing.T) {
	demoted := []recovery.StepTimes{did(recovery.StepVerify), did(recovery.StepDemote)}
	for name, tc := range map[string]struct {
		steps    []recovery.StepTimes
		change   func(p *recovery.Pair)
		restores bool
	}{
		"demoted":                      {demoted, func(*recovery.Pair) {}, true},
		"the target is guarded":        {demoted, func(p *recovery.Pair) { guarded(p.Sites[west].Group) }, true},
		"the target is primary":        {demoted, func(p *recovery.Pair) { primary(p.Sites[west].Group) }, false},
		"it is, and is asked to cease": {demoted, func(p *recovery.Pair) { p.Sites[west].Group.Status.State = vgrv1.StatePrimary }, false},
		"the target is asked to lead": {demoted, func(p *recovery.Pair) {
			p.Sites[west].Group.Spec.ReplicationState = vgrv1.Primary
			p.Sites[west].Group.Generation++
		}, false},
		"nothing was demoted": {nil, func(*recovery.Pair) {}, false},
		"nothing was demoted, and the target is asked to lead": {nil, func(p *recovery.Pair) {
			p.Sites[west].Group.Spec.ReplicationState = vgrv1.Primary
			p.Sites[west].Group.Generation++
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, op := underWay(t, tc.steps, func(p *recovery.Pair, op *recovery.Operation) { op.Aborting = true; tc.change(p) })
			d := recovery.Next(p, op, proves)
			if restores := d.Write != nil && d.Write.State == vgrv1.Primary; restores != tc.restores {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestInherits: an operation takes over autoResync that the one before holds back, and nothing that was given back.
func TestInherits(t *testing.T) {
	both := []string{sites[east].Cluster, sites[west].Cluster}
	for name, tc := range map[string]struct {
		results [2]recovery.Result
		lost    bool
		want    []string
	}{
		"given back on both sites":                  {[2]recovery.Result{recovery.Done, recovery.Done}, false, nil},
		"not yet on one":                            {[2]recovery.Result{recovery.Done, ""}, false, both[1:]},
		"on one, and the other one does not answer": {[2]recovery.Result{"", recovery.Done}, true, both[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := underWay(t, nil, func(p *recovery.Pair, op *recovery.Operation) {})
			for i := range p.Sites {
				put(t, &p.Sites[i], begun(func(op *recovery.Operation) {
					if op.AutoResync = both; tc.results[i] != "" {
						op.Result, op.Revision = tc.results[i], 4
					}
				}))
			}
			to := sites[east] // to west, the same operation would tell all sites how it has ended
			if tc.lost {
				to = sites[west]
				p.Sites[east] = recovery.Site{SiteRef: sites[east], UnreachableReason: "connection refused"}
			}
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Unplanned, To: to, Accept: recovery.Loss{Unknown: true}, Holder: "me", ID: "new"}, proves)
			if stop != nil {
				t.Fatalf("%+v", stop)
			}
			if op.ID != "new" || !slices.Equal(op.AutoResync, tc.want) {
				t.Errorf("operation %s holds back %v, want %v", op.ID, op.AutoResync, tc.want)
			}
		})
	}
}

// TestHandsOverAnew: where the spec of a source was changed before it has handed over, its controller refuses to; the
// operation asks again, in a write that says so.
func TestHandsOverAnew(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(g *vgrv1.VolumeGroupReplication)
		writes bool
	}{
		"asked for":                      {func(*vgrv1.VolumeGroupReplication) {}, false},
		"changed by another tool":        {func(g *vgrv1.VolumeGroupReplication) { g.Generation++ }, true},
		"asked for by an older plugin":   {func(g *vgrv1.VolumeGroupReplication) { delete(g.Annotations, vgrv1.AnnotationBoundTo) }, true},
		"changed after the hand-over":    {func(g *vgrv1.VolumeGroupReplication) { g.Generation++; g.Status.State = vgrv1.StateSecondary }, false},
		"not known yet what the role is": {func(g *vgrv1.VolumeGroupReplication) { g.Generation++; g.Status.State = vgrv1.StateUnknown }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, op := underWay(t, []recovery.StepTimes{asks(recovery.StepDemote)}, func(p *recovery.Pair, op *recovery.Operation) { op.OneWay = true })
			g := p.Sites[east].Group
			g.Status.State = vgrv1.StatePrimary
			if g.Annotations == nil {
				g.Annotations = map[string]string{}
			}
			g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, g.Generation)
			tc.change(g)
			d := recovery.Next(p, op, handsOver)
			if writes := d.Write != nil; writes != tc.writes {
				t.Fatalf("%+v", d)
			}
			if d.Write == nil {
				return
			}
			if err := d.Write.Apply(g); err != nil || d.Write.Site != sites[east] || !state.IsBound(g) || g.Spec.ReplicationState != vgrv1.Secondary {
				t.Errorf("%v, %+v: %v", err, d.Write, g.Annotations)
			}
		})
	}
}

// TestSourceKeepsRole: a failover does what a direct demotion was refused for. Of a group that was made anew it does not.
func TestSourceKeepsRole(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		observed int64
		passes   bool
	}{
		"refused":                      {vgrv1.ReasonRoleDiffers, 1, true},
		"not answered yet":             {vgrv1.ReasonProgressing, 1, false},
		"refused to a group made anew": {vgrv1.ReasonRoleDiffers, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
				isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StatePrimary, metav1.Condition{Status: metav1.ConditionFalse, Reason: tc.reason, Message: "the source"})
				p.Sites[east].Group.Status.ObservedGeneration = tc.observed
			})
			facts.Traits = handsOver
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Planned, To: sites[west], Holder: "me", ID: "new"}, handsOver)
			if stop != nil {
				t.Fatalf("%+v", stop)
			}
			passes := true
			for _, c := range recovery.Checks(facts, op) {
				passes = passes && (c.ID != "current" && c.ID != "roles" || c.Severity != recovery.CheckProblem)
			}
			if passes != tc.passes {
				t.Errorf("passes: %v", passes)
			}
		})
	}
}

// TestRefusalIsOlder: what the controller refused before the write that asks anew does not stop the operation.
func TestRefusalIsOlder(t *testing.T) {
	for name, tc := range map[string]struct {
		observed int64
		stops    bool
	}{
		"refused before":               {1, false},
		"refused to a group made anew": {0, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, op := underWay(t, []recovery.StepTimes{asks(recovery.StepDemote)}, func(_ *recovery.Pair, op *recovery.Operation) { op.OneWay = true })
			g := p.Sites[east].Group
			isTo(g, vgrv1.Secondary, vgrv1.StatePrimary, metav1.Condition{Status: metav1.ConditionFalse, Reason: vgrv1.ReasonRoleDiffers, Message: "the source"})
			g.Status.ObservedGeneration = tc.observed
			g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, g.Generation)
			if d := recovery.Next(p, op, handsOver); (d.Stop != nil) != tc.stops || d.Write != nil {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestDiscardsWhatIsNotKnownToFollow: a site that was given up is back as a secondary and has no error yet. Whether it
// follows is not known until the primary has synchronised, and the user has said that its writes may go.
func TestDiscardsWhatIsNotKnownToFollow(t *testing.T) {
	for name, tc := range map[string]struct {
		sync *metav1.Time
		last recovery.Kind
		want bool
	}{
		"no synchronisation since":         {nil, recovery.Unplanned, true},
		"it has followed since":            {&before, recovery.Unplanned, false},
		"it was not given up":              {nil, recovery.Planned, false},
		"from before the primary was that": {new(metav1.NewTime(now.Add(-24 * time.Hour))), recovery.Unplanned, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
				secondary(p.Sites[east].Group)
				primary(p.Sites[west].Group)
				p.Sites[east].Group.Status.LastSyncTime = nil
				s := &p.Sites[west].Group.Status
				s.LastSyncTime, s.StateSince, s.SyncTimeBefore = tc.sync, new(metav1.NewTime(now.Add(-3*time.Hour))), nil
			})
			op := begun(func(op *recovery.Operation) {
				op.Kind, op.From, op.To, op.Result = tc.last, sites[east], sites[west], recovery.Done
				op.Steps = []recovery.StepTimes{did(recovery.StepRecord), did(recovery.StepPromote)}
			})
			for i := range p.Sites {
				put(t, &p.Sites[i], op)
			}
			got, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Failback, To: sites[east], Discard: sites[east].Name, Holder: "me", ID: "new"}, facts.Traits)
			if stop != nil {
				t.Fatalf("%+v", stop)
			}
			if got.Discard != tc.want {
				t.Errorf("it discards: %t, want %t", got.Discard, tc.want)
			}
		})
	}
}
