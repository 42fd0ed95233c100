// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// pairOf builds the overview of one group on two sites that answer, every 5 minutes.
func pairOf(east, west *vgrv1.VolumeGroupReplication) overview.Group {
	class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}
	return overview.Build([]overview.SiteInput{
		{Site: overview.Site{Name: "east", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*east}, Classes: []vgrv1.VolumeGroupReplicationClass{class}},
		{Site: overview.Site{Name: "west", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*west}},
	}, now).Groups[0]
}

func with(g *vgrv1.VolumeGroupReplication, change func(g *vgrv1.VolumeGroupReplication)) *vgrv1.VolumeGroupReplication {
	change(g)
	return g
}

func volumes(state vgrv1.State, names ...string) func(*vgrv1.VolumeGroupReplication) {
	return func(g *vgrv1.VolumeGroupReplication) {
		for _, n := range names {
			g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{Name: n, State: state})
		}
	}
}

func broken(message string) *vgrv1.VolumeGroupReplication {
	d := condition("Degraded", "True", "Error")
	d.Message = message
	return group(vgrv1.Secondary, vgrv1.StateSecondary, 0, condition("Ready", "False", vgrv1.ReasonFailedToResync), d)
}

func refused() *vgrv1.VolumeGroupReplication {
	return group(vgrv1.Primary, vgrv1.StateSecondary, 0, condition("Ready", "False", vgrv1.ReasonPromotionNotConfirmed), condition("Degraded", "True", "VolumeDegraded"))
}

func since(g *vgrv1.VolumeGroupReplication, age time.Duration) *vgrv1.VolumeGroupReplication {
	g.Status.StateSince = new(metav1.NewTime(now.Add(-age)))
	return g
}

func TestStates(t *testing.T) {
	given := func(g *vgrv1.VolumeGroupReplication) *vgrv1.VolumeGroupReplication {
		op := recovery.Operation{ID: "1", Kind: recovery.Unplanned, Revision: 1, Result: recovery.Done, From: recovery.SiteRef{Name: "west"}, To: recovery.SiteRef{Name: "east"}}
		if err := (recovery.Write{Operation: op}).Apply(g); err != nil {
			t.Fatal(err)
		}
		return g
	}
	deleted := func(finalizers ...string) *vgrv1.VolumeGroupReplication {
		return with(secondary(), func(g *vgrv1.VolumeGroupReplication) {
			g.DeletionTimestamp, g.Finalizers = &metav1.Time{Time: now}, finalizers
		})
	}
	apart := func(since time.Duration) *vgrv1.VolumeGroupReplication {
		return with(group(vgrv1.Secondary, vgrv1.StateUnknown, 0, condition("Ready", "False", vgrv1.ReasonProgressing)), func(g *vgrv1.VolumeGroupReplication) {
			volumes(vgrv1.StateSecondary, "a")(g)
			volumes(vgrv1.StatePrimary, "b")(g)
			g.Status.StateSince = new(metav1.NewTime(now.Add(-since)))
		})
	}
	outside := func(is vgrv1.State) *vgrv1.VolumeGroupReplication {
		return group(vgrv1.Primary, is, 0, condition("Ready", "False", vgrv1.ReasonRoleChangedOutside))
	}
	unbound := func(age time.Duration) *vgrv1.VolumeGroupReplication {
		c := condition("Ready", "False", vgrv1.ReasonVolumeNotBound)
		c.LastTransitionTime = metav1.NewTime(now.Add(-age))
		return group(vgrv1.Primary, "", 0, c)
	}
	array := condition("Replicating", "True", vgrv1.ReasonLinkInSync)
	cases := map[string]struct {
		east, west *vgrv1.VolumeGroupReplication
		phase      overview.Phase
		level      overview.Level
		message    string // what it has
		next       string
	}{
		"the backend calls the copy split":                {primary(time.Minute), broken("Unavailable desc = image is in split-brain"), overview.SplitBrain, overview.Problem, "the copy on west has diverged", "kubectl vgr reprotect db -n prod --discard-site west"},
		"a site that was given up is back, with an error": {given(primary(time.Minute)), broken("image is in error state"), overview.SplitBrain, overview.Problem, "diverged", "--to west --discard-site west"},
		"Ceph's copy replays nothing":                     {primary(time.Minute), broken("volume failed to resync: failed to get last sync info: no snapshot details: last sync time not found"), overview.Failed, overview.Problem, "whose rbd-mirror does not run, and of one in split brain", "see that rbd-mirror runs on west; if you can lose the writes that only west has: kubectl vgr reprotect db -n prod --discard-site west"},
		"Ceph's copy is told nothing of yet":              {primary(time.Minute), since(broken("no snapshot details"), time.Second), overview.Failed, overview.Problem, "FailedToResync: ", ""},
		"the copy has an error":                           {primary(time.Minute), broken("daemon is gone"), overview.Failed, overview.Problem, "FailedToResync", ""},
		"Git asks for a second primary":                   {primary(time.Minute), refused(), overview.Guarded, overview.Warning, "Git or another tool asks for primary on west; the controller refuses", "kubectl vgr demote db -n prod --context west"},
		"Git asks for a second primary, and it lags":      {primary(16 * time.Minute), refused(), overview.Lagging, overview.Problem, "", ""},
		"Git asks for the first primary":                  {secondary(), refused(), overview.NoPrimary, overview.Problem, "Git or another tool asks for primary on west", "kubectl vgr promote db -n prod --context west"},
		"members differ":                                  {with(primary(time.Minute), volumes(vgrv1.StatePrimary, "a", "b", "c")), with(secondary(), volumes(vgrv1.StateSecondary, "b", "d")), overview.PartlyProtected, overview.Problem, "only east has a, c; only west has d", "kubectl vgr create db"},
		"copies with other names": {
			with(with(primary(time.Minute), volumes(vgrv1.StatePrimary, "a")), handle("0001-1")), with(with(secondary(), volumes(vgrv1.StateSecondary, "a-dr")), handle("0001-1")),
			overview.PartlyProtected, overview.Problem, "only east has a; only west has a-dr", "which labels do not change: kubectl vgr validate db -n prod shows what to do",
		},
		"the same members in another order":       {with(primary(time.Minute), volumes(vgrv1.StatePrimary, "a", "b")), with(secondary(), volumes(vgrv1.StateSecondary, "b", "a")), overview.Protected, overview.OK, "", ""},
		"a time of an older controller":           {with(primary(time.Minute), func(g *vgrv1.VolumeGroupReplication) { g.Status.StateSince = nil }), secondary(), overview.Unknown, overview.Warning, "the controller on east is older", "kubectl vgr install --context east"},
		"a time from before the role":             {since(primary(2*time.Minute), time.Minute), secondary(), overview.Unknown, overview.Warning, "no completed synchronisation yet", ""},
		"a time to come":                          {primary(-2 * time.Hour), secondary(), overview.Unknown, overview.Warning, "the clocks differ by 2h0m0s", "set the clocks"},
		"clocks that differ a little":             {primary(-2 * time.Second), secondary(), overview.Protected, overview.OK, "", ""},
		"the epoch":                               {since(with(primary(time.Minute), func(g *vgrv1.VolumeGroupReplication) { g.Status.LastSyncTime = new(metav1.Unix(0, 0)) }), time.Minute), secondary(), overview.Unknown, overview.Warning, "no completed synchronisation yet", ""},
		"no synchronisation in two schedules":     {since(primary(0), 11*time.Minute), secondary(), overview.Lagging, overview.Warning, "has been primary for 11m0s and has reported no synchronisation since", ""},
		"no synchronisation in three schedules":   {since(primary(0), 16*time.Minute), secondary(), overview.Lagging, overview.Problem, "no synchronisation since", ""},
		"deleted, and another tool keeps it":      {primary(time.Minute), deleted("example.com/backup"), overview.Terminating, overview.Problem, "example.com/backup", "take it off"},
		"deleted, and the controller is at it":    {primary(time.Minute), deleted(vgrv1.Finalizer, "example.com/backup"), overview.Transitioning, overview.Warning, "has not released it", ""},
		"the array says that its link is down":    {primary(0, array), group(vgrv1.Secondary, vgrv1.StateSecondary, 0, condition("Ready", "True", "Demoted"), condition("Degraded", "True", vgrv1.ReasonLinkNotInSync)), overview.Degraded, overview.Problem, "west reports: LinkNotInSync", ""},
		"the array's group is in error":           {primary(0, array), group(vgrv1.Secondary, vgrv1.StateSecondary, 0, condition("Ready", "True", "Demoted"), condition("Degraded", "True", vgrv1.ReasonGroupError)), overview.Degraded, overview.Problem, "west reports: GroupError", ""},
		"a volume was promoted by hand":           {with(primary(time.Minute), volumes(vgrv1.StatePrimary, "a", "b")), apart(2 * time.Minute), overview.SplitBrain, overview.Problem, "PVC b is primary on west", "kubectl vgr reprotect db -n prod --discard-site west"},
		"volumes change their role one by one":    {with(primary(time.Minute), volumes(vgrv1.StatePrimary, "a", "b")), apart(10 * time.Second), overview.Transitioning, overview.Warning, "", ""},
		"the backend has refused to replicate":    {group(vgrv1.Primary, vgrv1.StateUnknown, 0, condition("Ready", "False", "Progressing"), condition("Validated", "False", "FailedPrecondition")), secondary(), overview.Failed, overview.Problem, "Validated is False): FailedPrecondition", ""},
		"the storage was moved with its own tool": {group(vgrv1.Secondary, vgrv1.StatePrimary, 0, array, condition("Ready", "False", vgrv1.ReasonRoleChangedOutside)), outside(vgrv1.StateSecondary), overview.Failed, overview.Problem, "east reports RoleChangedOutside", "kubectl vgr promote db -n prod --context east"},
		"moved, and the spec says so":             {primary(time.Minute), outside(vgrv1.StateSecondary), overview.Guarded, overview.Warning, "the spec of west asks for primary, and its storage gave up the role", "kubectl vgr demote db -n prod --context west"},
		"the storage gave up the role":            {secondary(), outside(vgrv1.StateSecondary), overview.NoPrimary, overview.Problem, "the storage of west gave up the role", "kubectl vgr promote db -n prod --context west"},
		"a part of the copy was made primary":     {primary(time.Minute), group(vgrv1.Secondary, vgrv1.StateUnknown, 0, condition("Ready", "False", vgrv1.ReasonRoleChangedOutside)), overview.Failed, overview.Problem, "west reports RoleChangedOutside", "kubectl vgr reprotect db -n prod --discard-site west"},
		"a PVC was resized":                       {with(primary(time.Minute), bytes(2<<30)), with(secondary(), bytes(1<<30)), overview.Protected, overview.OK, "PVC data was resized: it has 2Gi on east, its copy on west has 1Gi", ""},
		"a PVC was resized, of Trident":           {with(primary(0, condition("Replicating", "Unknown", vgrv1.ReasonNotReported)), bytes(2<<30)), with(secondary(), bytes(1<<30)), overview.Unknown, overview.Warning, "PVC data was resized: it has 2Gi on east, its copy on west has 1Gi", ""},
		"a PVC was resized, and the copy lags":    {with(primary(16*time.Minute), bytes(2<<30)), with(secondary(), bytes(1<<30)), overview.Lagging, overview.Problem, "PVC data was resized", ""},
		"a driver without a status":               {primary(time.Minute, condition("Replicating", "Unknown", vgrv1.ReasonStatusNotReported)), secondary(), overview.Protected, overview.OK, "by the age of its last synchronisation: the driver does not report whether it replicates", ""},
		"a driver without a status, lagging":      {primary(12*time.Minute, condition("Replicating", "Unknown", vgrv1.ReasonStatusNotReported)), secondary(), overview.Lagging, overview.Warning, "the last synchronisation of east is 12m0s old", ""},
		"a PVC is not bound yet":                  {unbound(10 * time.Second), secondary(), overview.Transitioning, overview.Warning, "east is on its way to primary", ""},
		"a PVC stays unbound":                     {unbound(2 * time.Minute), secondary(), overview.Failed, overview.Problem, "east reports VolumeNotBound", ""},
		"it refused once, and works":              {primary(time.Minute, condition("Validated", "False", "FailedPrecondition")), secondary(), overview.Protected, overview.OK, "Validated is False", ""},
		"moved with its own tool, and nothing follows": {
			group(vgrv1.Secondary, vgrv1.StatePrimary, 0, condition("Ready", "False", vgrv1.ReasonProgressing)), with(outside(vgrv1.StateSecondary), func(g *vgrv1.VolumeGroupReplication) {
				g.Status.Conditions = append(g.Status.Conditions, condition("Degraded", "True", "Error"))
			}),
			overview.Degraded, overview.Problem, "the copy on west has an error", "kubectl vgr promote db -n prod --context east keeps the role there; then, if you can lose the writes that only west has: kubectl vgr reprotect db -n prod --discard-site west",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := pairOf(tc.east, tc.west).Verdict
			if v.Phase != tc.phase || v.Level != tc.level || !strings.Contains(v.Message, tc.message) || !strings.Contains(v.Next, tc.next) {
				t.Errorf("%s %s: %s\nNext: %s", v.Level, v.Phase, v.Message, v.Next)
			}
		})
	}
}

// TestOrphan: csi-addons calls the volumes of a primary healthy also when no peer follows it, or none is left, and may keep
// the synchronisation time of an earlier role. No verdict on it is good.
func TestOrphan(t *testing.T) {
	forced := func(age time.Duration) *vgrv1.VolumeGroupReplication {
		return with(since(primary(age), time.Minute), func(g *vgrv1.VolumeGroupReplication) {
			g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", State: vgrv1.StatePrimary, Health: vgrv1.HealthHealthy, LastSyncTime: g.Status.LastSyncTime}}
		})
	}
	answered := func(g ...vgrv1.VolumeGroupReplication) overview.SiteInput {
		return overview.SiteInput{Site: overview.Site{Name: "west", Answered: true}, Groups: g}
	}
	for name, tc := range map[string]struct {
		peer  overview.SiteInput
		phase overview.Phase
	}{
		"the peer is away":                 {overview.SiteInput{Site: overview.Site{Name: "west", Problem: overview.SiteUnreachable, Message: "connection refused"}}, overview.Unreachable},
		"the peer has no group":            {answered(), overview.Unpaired},
		"the peer is primary too":          {answered(*primary(time.Minute)), overview.SplitBrain},
		"the peer has not answered":        {answered(*group(vgrv1.Secondary, vgrv1.StatePrimary, 0, condition("Ready", "False", vgrv1.ReasonProgressing))), overview.SplitBrain},
		"the peer follows nothing":         {answered(*broken("no snapshot details")), overview.Failed},
		"the peer was demoted before":      {answered(*group(vgrv1.Secondary, vgrv1.StateSecondary, 0, condition("Ready", "True", "Demoted"), condition("Degraded", "False", "Healthy"))), overview.Unknown},
		"the peer says that it replays":    {answered(*secondary()), overview.Unknown},
		"the state of the peer is unknown": {answered(*group(vgrv1.Secondary, vgrv1.StateUnknown, 0, condition("Ready", "False", vgrv1.ReasonFailedToDemote))), overview.Failed},
	} {
		for _, age := range []time.Duration{0, 2 * time.Minute} {
			t.Run(fmt.Sprint(name, age), func(t *testing.T) {
				for i := range tc.peer.Groups {
					tc.peer.Groups[i].Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", State: tc.peer.Groups[i].Status.State}}
				}
				east := overview.SiteInput{Site: overview.Site{Name: "east", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*forced(age)}}
				g := overview.Build([]overview.SiteInput{east, tc.peer}, now).Groups[0]
				if g.Verdict.Phase != tc.phase || g.Verdict.Level == overview.OK {
					t.Errorf("%s %s: %s", g.Verdict.Level, g.Verdict.Phase, g.Verdict.Message)
				}
				if v := g.On("east").Volumes[0]; v.Health != vgrv1.HealthUnknown {
					t.Errorf("its volume is %s", v.Health)
				}
				if g.LagSeconds != nil {
					t.Errorf("a lag of %d s of a primary that has not synchronised", *g.LagSeconds)
				}
			})
		}
	}
}

// TestVolumes: a PVC counts when both sites have it.
func TestVolumes(t *testing.T) {
	g := pairOf(with(primary(time.Minute), volumes(vgrv1.StatePrimary, "a", "b", "c")), with(secondary(), volumes(vgrv1.StateSecondary, "b", "c", "d")))
	if confirmed, all := g.Volumes(); confirmed != 2 || all != 4 {
		t.Errorf("%d/%d", confirmed, all)
	}
}

// TestNoTimeOfAnotherRole: a synchronisation time that proves nothing is shown nowhere.
func TestNoTimeOfAnotherRole(t *testing.T) {
	for name, east := range map[string]*vgrv1.VolumeGroupReplication{
		"older controller": with(primary(time.Minute), func(g *vgrv1.VolumeGroupReplication) { g.Status.StateSince = nil }),
		"earlier role":     since(primary(2*time.Minute), time.Minute),
		"a time to come":   primary(-time.Hour),
	} {
		east.Status.Volumes = []vgrv1.VolumeStatus{{Name: "a", State: vgrv1.StatePrimary, LastSyncTime: east.Status.LastSyncTime}}
		g := pairOf(east, with(secondary(), volumes(vgrv1.StateSecondary, "a")))
		if s := g.On("east"); g.LastSyncTime != nil || g.LagSeconds != nil || s.LastSyncTime != nil || s.Volumes[0].LastSyncTime != nil {
			t.Errorf("%s: %+v", name, g)
		}
		if east.Status.Volumes[0].LastSyncTime == nil {
			t.Errorf("%s: what was read was changed", name)
		}
	}
}

// TestSilentController: no verdict is better than Unknown when the controller of a site is silent.
func TestSilentController(t *testing.T) {
	for name, tc := range map[string]struct {
		controller *overview.Controller
		east       *vgrv1.VolumeGroupReplication
		phase      overview.Phase
		message    string
	}{
		"alive":            {&overview.Controller{RenewedAt: new(metav1.NewTime(now.Add(-2 * time.Second)))}, primary(time.Minute), overview.Protected, ""},
		"silent":           {&overview.Controller{RenewedAt: new(metav1.NewTime(now.Add(-5 * time.Minute)))}, primary(time.Minute), overview.Unknown, "the controller on east has been silent for 5m; states are from 11:55:00 UTC"},
		"silent and late":  {&overview.Controller{RenewedAt: new(metav1.NewTime(now.Add(-5 * time.Minute)))}, primary(16 * time.Minute), overview.Unknown, "silent for 5m"},
		"silent and split": {&overview.Controller{RenewedAt: new(metav1.NewTime(now.Add(-5 * time.Minute)))}, primary(time.Minute, condition("Replicating", "False", "x")), overview.Degraded, "silent for 5m"},
		"never there":      {&overview.Controller{}, primary(time.Minute), overview.Unknown, "no controller is known to run on east"},
		"not asked":        {&overview.Controller{Message: "forbidden"}, primary(time.Minute), overview.Protected, ""},
		"by a wrong clock": {&overview.Controller{RenewedAt: new(metav1.NewTime(now.Add(time.Hour)))}, primary(time.Minute), overview.Unknown, "the clocks of east differ by 60m"},
	} {
		t.Run(name, func(t *testing.T) {
			o := overview.Build([]overview.SiteInput{
				{Site: overview.Site{Name: "east", Answered: true, Controller: tc.controller}, Groups: []vgrv1.VolumeGroupReplication{*tc.east}},
				{Site: overview.Site{Name: "west", Answered: true, Controller: &overview.Controller{RenewedAt: new(metav1.NewTime(now))}}, Groups: []vgrv1.VolumeGroupReplication{*secondary()}},
			}, now)
			v := o.Groups[0].Verdict
			if v.Phase != tc.phase || !strings.Contains(v.Message, tc.message) {
				t.Errorf("%+v", v)
			}
			if silent := o.Sites[0].Controller.Silent; silent != (tc.message != "") {
				t.Errorf("silent: %v", silent)
			}
			if tc.controller.Silent {
				t.Error("what was read was changed")
			}
		})
	}
}

// handle is the one of the only volume.
func handle(h string) func(*vgrv1.VolumeGroupReplication) {
	return func(g *vgrv1.VolumeGroupReplication) { g.Status.Volumes[0].VolumeHandle = h }
}

// bytes is a size of the only volume.
func bytes(n int64) func(*vgrv1.VolumeGroupReplication) {
	return func(g *vgrv1.VolumeGroupReplication) {
		if len(g.Status.Volumes) == 0 {
			g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data"}}
		}
		g.Status.Volumes[0].Name, g.Status.Volumes[0].CapacityBytes = "data", &n
	}
}

// TestVerdictJSON: scripts of before find the phase where it was, in the words of then.
func TestVerdictJSON(t *testing.T) {
	for phase, headline := range map[overview.Phase]string{overview.Protected: "Protected", overview.Transitioning: "Moving"} {
		text, err := json.Marshal(overview.Verdict{Level: overview.Warning, Phase: phase, Message: "m"})
		want := fmt.Sprintf(`{"level":"warning","phase":%q,"message":"m","headline":%q}`, phase, headline)
		if err != nil || string(text) != want {
			t.Errorf("%s, %v, want %s", text, err, want)
		}
		var back overview.Verdict
		if err := json.Unmarshal(text, &back); err != nil || back.Phase != phase {
			t.Errorf("%+v, %v", back, err)
		}
	}
}
