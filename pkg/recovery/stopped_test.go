// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// put writes a journal to a site, as every user may who may edit the group there.
func put(t *testing.T, s *recovery.Site, op recovery.Operation) {
	t.Helper()
	g := s.Group.DeepCopy()
	text, err := json.Marshal(op)
	if err != nil {
		t.Fatal(err)
	}
	g.Annotations = map[string]string{vgrv1.AnnotationOperation: string(text)}
	s.Read(g)
}

func begun(change func(op *recovery.Operation)) recovery.Operation {
	op := recovery.Operation{
		ID: "old", Kind: recovery.Planned, From: sites[east], To: sites[west], By: "alice", Holder: "alice/1", Revision: 3, Quiesce: true, Start: true,
		Stopped: stopped[:1], Members: map[string]string{"data": "handle"},
	}
	change(&op)
	return op
}

// TestStoppedIsConfirmed: what a journal on one site says was stopped scales nothing unless the journal on the other
// site says so too.
func TestStoppedIsConfirmed(t *testing.T) {
	forged := func(op *recovery.Operation) {
		op.Revision++
		op.Stopped = []recovery.StoppedWorkload{
			{Cluster: sites[east].Cluster, Kind: "statefulset", Name: "db", Replicas: 300},
			{Cluster: sites[east].Cluster, Kind: "deployment", Name: "miner", Replicas: 300},
		}
	}
	same := func(*recovery.Operation) {}
	machine := recovery.StoppedWorkload{Cluster: sites[east].Cluster, Kind: recovery.VirtualMachine, Name: "vm", Replicas: 1, RunStrategy: "Manual"}
	runs := func(strategy string) func(*recovery.Operation) {
		return func(op *recovery.Operation) {
			op.Stopped = []recovery.StoppedWorkload{machine}
			op.Stopped[0].RunStrategy = strategy
		}
	}
	none := func(op *recovery.Operation) { op.Stopped = nil }
	planned := recovery.Request{Kind: recovery.Planned, To: sites[west], Holder: "me", By: "me", ID: "new"}
	forced := recovery.Request{Kind: recovery.Unplanned, To: sites[west], Accept: recovery.Loss{Unknown: true}, Holder: "me", By: "me", ID: "new"}
	for name, tc := range map[string]struct {
		journals [2]func(op *recovery.Operation)
		lost     bool
		request  recovery.Request
		want     []recovery.StoppedWorkload
	}{
		"both say the same":                      {[2]func(*recovery.Operation){same, same}, false, planned, stopped[:1]},
		"one says more":                          {[2]func(*recovery.Operation){forged, same}, false, planned, stopped[:1]},
		"the other one says more":                {[2]func(*recovery.Operation){same, forged}, false, planned, stopped[:1]},
		"only one says anything":                 {[2]func(*recovery.Operation){forged, none}, false, planned, nil},
		"only one has a journal":                 {[2]func(*recovery.Operation){forged, nil}, false, planned, nil},
		"a VirtualMachine":                       {[2]func(*recovery.Operation){runs("Manual"), runs("Manual")}, false, planned, []recovery.StoppedWorkload{machine}},
		"a VirtualMachine, in two ways":          {[2]func(*recovery.Operation){runs("Manual"), runs("Always")}, false, planned, nil},
		"taken back":                             {[2]func(*recovery.Operation){forged, same}, false, recovery.Request{Abort: true, Holder: "me"}, stopped[:1]},
		"superseded":                             {[2]func(*recovery.Operation){forged, same}, false, forced, stopped[:1]},
		"superseded, and one site has said so":   {[2]func(*recovery.Operation){forged, nil}, false, forced, nil},
		"superseded, the source does not answer": {[2]func(*recovery.Operation){nil, same}, true, forced, stopped[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
				for i, change := range tc.journals {
					if p.Sites[i].Usage = nil; change != nil {
						put(t, &p.Sites[i], begun(change))
					}
				}
				if tc.lost {
					p.Sites[east] = recovery.Site{SiteRef: sites[east], UnreachableReason: "connection refused"}
				}
			})
			op, stop := recovery.Begin(p, tc.request, facts.Traits)
			if stop != nil {
				t.Fatalf("%+v", stop)
			}
			if len(op.Stopped) > 0 || len(tc.want) > 0 {
				if diff := cmp.Diff(tc.want, op.Stopped); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestForgedSync: a journal that says that the sites are in sync promotes nothing: that is proven anew, in the observation
// that the promotion is bound to.
func TestForgedSync(t *testing.T) {
	for name, demoted := range map[string]bool{"the source is primary": false, "the source is demoted, and says nothing of it": true} {
		for _, on := range [][]int{{east}, {west}, {east, west}} {
			p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
				p.Sites[west].Group.Status.Volumes[0].VolumeHandle = "handle"
				for i := range p.Sites {
					*p.Sites[i].Group.Spec.AutoResync = false
				}
				if demoted {
					isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
				}
				for _, i := range on {
					put(t, &p.Sites[i], begun(func(op *recovery.Operation) {
						op.Quiesce, op.Start, op.Stopped = false, false, nil
						at := metav1.NewMicroTime(now)
						for _, id := range []recovery.StepID{recovery.StepRecord, recovery.StepVerify, recovery.StepDemote, recovery.StepSync} {
							op.Steps = append(op.Steps, recovery.StepTimes{ID: id, Started: at, Finished: &at, Asked: id == recovery.StepDemote})
						}
					}))
				}
			})
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Planned, To: sites[west], Holder: "me", By: "me", ID: "new"}, facts.Traits)
			for range 10 {
				if stop != nil {
					break
				}
				d := recovery.Next(p, op, facts.Traits)
				if d.Write == nil {
					break // it waits, or stops
				}
				if d.Write.State == vgrv1.Primary {
					t.Fatalf("%s, on %v: promotes", name, on)
				}
				g := p.Site(d.Write.Site).Group.DeepCopy()
				if err := d.Write.Apply(g); err != nil {
					t.Fatal(err)
				}
				p.Site(d.Write.Site).Read(g)
				op = d.Operation
			}
		}
	}
}
