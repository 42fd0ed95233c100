// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/testchoices"
)

// FuzzBuild: whatever the API holds, each group has one verdict, which is not too good.
func FuzzBuild(f *testing.F) {
	add := func(east, west *vgrv1.VolumeGroupReplication, interval string) {
		f.Add(text(f, east), text(f, west), interval, byte(0))
	}
	add(primary(time.Minute), secondary(), "5m")
	add(primary(time.Minute), primary(time.Minute), "1d")
	add(secondary(), secondary(), "")
	add(primary(-time.Hour), group(vgrv1.Secondary, vgrv1.StateUnknown, 0, condition("Ready", "True", "Demoted")), "5m")
	moved := secondary()
	if err := (recovery.Write{Operation: recovery.Operation{ID: "1", Kind: recovery.Planned, Steps: []recovery.StepTimes{{ID: recovery.StepSync}}}}).Apply(moved); err != nil {
		f.Fatal(err)
	}
	add(primary(time.Minute), moved, "5m")
	f.Fuzz(func(t *testing.T, east, west []byte, interval string, flags byte) {
		class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": interval}}}
		in := []overview.SiteInput{
			{Site: overview.Site{Name: "east", Answered: flags&1 == 0}, Classes: []vgrv1.VolumeGroupReplicationClass{class}},
			{Site: overview.Site{Name: "west", Answered: flags&2 == 0, ServerTime: &metav1.Time{}}},
		}
		for i, data := range [][]byte{east, west} {
			if json.Unmarshal(data, &in[i].Groups) != nil {
				return
			}
		}
		sound(t, in[:2-int(flags>>2&1)])
	})
}

func text(f *testing.F, groups ...*vgrv1.VolumeGroupReplication) []byte {
	f.Helper()
	data, err := json.Marshal(groups)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// FuzzVerdict has sites that contradict themselves and each other, in words that the API knows.
func FuzzVerdict(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := testchoices.From(data)
		statuses := []metav1.ConditionStatus{"True", "False", "Unknown", ""}
		of := func() vgrv1.VolumeGroupReplication {
			g := group(testchoices.Of(s, vgrv1.Primary, vgrv1.Secondary, vgrv1.Resync, ""), testchoices.Of(s, vgrv1.StatePrimary, vgrv1.StateSecondary, vgrv1.StateUnknown, ""),
				time.Duration(s.N(20)-4)*time.Minute,
				condition(vgrv1.ConditionReady, testchoices.Of(s, statuses...), testchoices.Of(s, vgrv1.ReasonPromoted, vgrv1.ReasonProgressing, vgrv1.ReasonResyncing, vgrv1.ReasonPromotionNotConfirmed, "Other")))
			for _, kind := range []string{vgrv1.ConditionDegraded, vgrv1.ConditionReplicating} {
				if s.Yes() {
					g.Status.Conditions = append(g.Status.Conditions, condition(kind, testchoices.Of(s, statuses...), testchoices.Of(s, "Error", vgrv1.ReasonLinkInSync, vgrv1.ReasonNotReported)))
				}
			}
			g.Generation = int64(s.N(2) + 1)
			if s.N(4) == 3 {
				g.Status.StateSince = nil
			}
			for _, name := range []string{"a", "b"} {
				if s.N(4) != 3 {
					g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{Name: name, State: testchoices.Of(s, vgrv1.StatePrimary, vgrv1.StateSecondary, vgrv1.StateUnknown), LastSyncTime: g.Status.LastSyncTime})
				}
			}
			if s.N(4) == 3 {
				g.DeletionTimestamp = &metav1.Time{Time: now}
				g.Finalizers = testchoices.Of(s, nil, []string{vgrv1.Finalizer}, []string{"example.com/x"})
			}
			op := recovery.Operation{
				ID: testchoices.Of(s, "", "1", "2"), Kind: testchoices.Of(s, recovery.Planned, recovery.Unplanned, recovery.Failback), Revision: int64(s.N(3)),
				From: recovery.SiteRef{Name: testchoices.Of(s, "east", "west")}, To: recovery.SiteRef{Name: testchoices.Of(s, "west", "east")}, Result: testchoices.Of(s, recovery.Done, "", recovery.Aborted),
			}
			if op.ID != "" {
				if err := (recovery.Write{Operation: op}).Apply(g); err != nil {
					t.Fatal(err)
				}
			}
			return *g
		}
		var in []overview.SiteInput
		for _, name := range []string{"east", "west"}[:2-s.N(16)/15] {
			site := overview.SiteInput{Site: overview.Site{Name: name, Answered: s.N(8) != 7}}
			site.Controller = testchoices.Of(s, nil, &overview.Controller{RenewedAt: new(metav1.NewTime(now))}, &overview.Controller{}, &overview.Controller{Message: "forbidden"})
			if !site.Answered {
				site.Problem = testchoices.Of(s, overview.SiteUnreachable, overview.SiteAsking)
			} else if s.N(8) != 7 {
				site.Groups = []vgrv1.VolumeGroupReplication{of()}
			}
			in = append(in, site)
		}
		sound(t, in)
	})
}

// sound checks what must hold for every overview.
func sound(t *testing.T, in []overview.SiteInput) {
	t.Helper()
	o := overview.Build(in, now)
	if diff := cmp.Diff(o, overview.Build(in, now), cmpopts.IgnoreUnexported(overview.Group{})); diff != "" {
		t.Errorf("the same is judged in two ways:\n%s", diff)
	}
	if _, err := json.Marshal(o); err != nil {
		t.Errorf("it cannot be printed: %v", err)
	}
	phases := []overview.Phase{
		overview.SplitBrain, overview.NoPrimary, overview.Failed, overview.Degraded, overview.Unreachable, overview.Unpaired,
		overview.Terminating, overview.PartlyProtected, overview.Unknown, overview.Transitioning, overview.Resyncing, overview.Lagging, overview.Guarded, overview.Protected,
	}
	for _, g := range o.Groups {
		v := g.Verdict
		if !slices.Contains(phases, v.Phase) || v.Message == "" || (v.Phase == overview.Protected) != (v.Level == overview.OK) {
			t.Errorf("verdict %+v", v)
		}
		states := map[vgrv1.State]int{}
		for _, s := range g.Sites {
			states[s.State]++
		}
		if v.Phase == overview.Protected && (states[vgrv1.StatePrimary] != 1 || states[vgrv1.StateSecondary] != 1) {
			t.Errorf("protected with %v", states)
		}
		heard := len(g.Sites) == 2
		for i, s := range g.Sites {
			c := o.Sites[i].Controller
			heard = heard && o.Sites[i].Answered && s.Exists && (c == nil || !c.Silent)
		}
		if v.Impact == overview.PrimaryLost && (!heard || states[vgrv1.StateSecondary] != 2) {
			t.Errorf("no site can write, with %v, of sites of which not all is known", states)
		}
		if (v.Impact == overview.Unprotected || v.Impact == overview.Unmeasured) && states[vgrv1.StatePrimary] != 1 {
			t.Errorf("%s with %v", v.Impact, states)
		}
		if v.Phase == overview.Protected && v.Impact != "" {
			t.Errorf("protected, and %s", v.Impact)
		}
		if states[vgrv1.StatePrimary] > 1 && v.Phase != overview.SplitBrain {
			t.Errorf("%s with %v", v.Phase, states)
		}
		for i, s := range g.Sites {
			silent := o.Sites[i].Controller != nil && o.Sites[i].Controller.Silent && o.Sites[i].Answered && s.Exists
			if silent && slices.Index(phases, v.Phase) > slices.Index(phases, overview.Unknown) {
				t.Errorf("%s although the controller of %s is silent", v.Phase, s.Site)
			}
			if s.LastSyncTime != nil && s.LastSyncTime.Sub(now) > time.Minute {
				t.Errorf("a synchronisation at %s, now is %s", s.LastSyncTime, now)
			}
		}
		if confirmed, all := g.Volumes(); v.Phase == overview.Protected && confirmed > all {
			t.Errorf("%d/%d", confirmed, all)
		}
		if g.LagSeconds != nil && *g.LagSeconds < 0 {
			t.Errorf("lag %d", *g.LagSeconds)
		}
		first, err := g.Timeline()
		if second, again := g.Timeline(); (err == nil) != (again == nil) || !cmp.Equal(first, second) {
			t.Errorf("the same history is told in two ways:\n%s", cmp.Diff(first, second))
		}
	}
}
