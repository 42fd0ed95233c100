// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: reason, ObservedGeneration: 1}
}

func group(desired vgrv1.ReplicationState, state vgrv1.State, age time.Duration, conditions ...metav1.Condition) *vgrv1.VolumeGroupReplication {
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db", Generation: 1}}
	g.Spec.ReplicationState, g.Spec.VolumeGroupReplicationClass = desired, "gold"
	g.Status.State, g.Status.ObservedGeneration, g.Status.Conditions = state, 1, conditions
	g.Status.StateSince = new(metav1.NewTime(now.Add(-24 * time.Hour)))
	if age != 0 {
		g.Status.LastSyncTime = new(metav1.NewTime(now.Add(-age)))
	}
	return g
}

func primary(age time.Duration, more ...metav1.Condition) *vgrv1.VolumeGroupReplication {
	return group(vgrv1.Primary, vgrv1.StatePrimary, age, append(more, condition("Ready", "True", "Promoted"), condition("Degraded", "False", "Healthy"))...)
}

// secondary is what a healthy Ceph secondary under a live primary looks like.
func secondary() *vgrv1.VolumeGroupReplication {
	return group(vgrv1.Secondary, vgrv1.StateSecondary, 0, condition("Ready", "True", "Demoted"), condition("Degraded", "True", "VolumeDegraded"), condition("Resyncing", "True", "ResyncTriggered"))
}

func TestPhase(t *testing.T) {
	stale := primary(time.Minute)
	stale.Generation = 2
	stale.Spec.ReplicationState = vgrv1.Secondary
	going := secondary()
	going.DeletionTimestamp = &metav1.Time{Time: now}
	cases := map[string]struct {
		east, west  *vgrv1.VolumeGroupReplication
		westDown    bool
		westAsked   bool
		onlyEast    bool
		phase       overview.Phase
		level       overview.Level
		lagUnknown  bool
		withoutRate bool
	}{
		"healthy pair":                            {east: primary(4 * time.Minute), west: secondary(), phase: overview.Protected, level: overview.OK},
		"the other way round":                     {east: secondary(), west: primary(4 * time.Minute), phase: overview.Protected, level: overview.OK},
		"twice the schedule":                      {east: primary(11 * time.Minute), west: secondary(), phase: overview.Lagging, level: overview.Warning},
		"three times the schedule":                {east: primary(16 * time.Minute), west: secondary(), phase: overview.Lagging, level: overview.Problem},
		"old, but no schedule is known":           {east: primary(time.Hour), west: secondary(), withoutRate: true, phase: overview.Protected, level: overview.OK},
		"both primary":                            {east: primary(time.Minute), west: primary(time.Minute), phase: overview.SplitBrain, level: overview.Problem, lagUnknown: true},
		"both secondary":                          {east: secondary(), west: secondary(), phase: overview.NoPrimary, level: overview.Problem, lagUnknown: true},
		"both secondary, one on its way":          {east: secondary(), west: group(vgrv1.Primary, vgrv1.StateSecondary, 0, condition("Ready", "False", "Progressing")), phase: overview.Transitioning, level: overview.Warning, lagUnknown: true},
		"not answered the last change":            {east: stale, west: secondary(), phase: overview.Transitioning, level: overview.Warning},
		"promotion failed":                        {east: group(vgrv1.Primary, vgrv1.StateSecondary, 0, condition("Ready", "False", "FailedToPromote")), west: secondary(), phase: overview.Failed, level: overview.Problem, lagUnknown: true},
		"not replicating":                         {east: primary(time.Minute, condition("Replicating", "False", "NotReplicating")), west: secondary(), phase: overview.Degraded, level: overview.Problem},
		"replication unknown":                     {east: primary(time.Minute, condition("Replicating", "Unknown", "Replicating")), west: secondary(), phase: overview.Unknown, level: overview.Warning},
		"no sync yet":                             {east: since(primary(0), time.Minute), west: secondary(), phase: overview.Unknown, level: overview.Warning, lagUnknown: true},
		"the storage vouches for the link":        {east: primary(0, condition("Replicating", "True", vgrv1.ReasonLinkInSync)), west: secondary(), phase: overview.Protected, level: overview.OK, lagUnknown: true},
		"peer down":                               {east: primary(time.Minute), westDown: true, phase: overview.Unreachable, level: overview.Problem},
		"peer being asked":                        {east: primary(time.Minute), westAsked: true, phase: overview.Unknown, level: overview.Warning},
		"peer down and we failed":                 {east: group(vgrv1.Primary, vgrv1.StateUnknown, 0, condition("Ready", "False", "FailedToPromote")), westDown: true, phase: overview.Failed, level: overview.Problem, lagUnknown: true},
		"no peer known":                           {east: primary(time.Minute), onlyEast: true, phase: overview.Unpaired, level: overview.Warning},
		"not on the peer":                         {east: primary(time.Minute), phase: overview.Unpaired, level: overview.Warning},
		"resync":                                  {east: primary(time.Minute), west: group(vgrv1.Resync, vgrv1.StateSecondary, 0, condition("Ready", "False", "Resyncing"), condition("Resyncing", "True", "ResyncTriggered")), phase: overview.Resyncing, level: overview.Warning},
		"being deleted":                           {east: primary(time.Minute), west: going, phase: overview.Transitioning, level: overview.Warning},
		"nobody has said anything":                {east: group(vgrv1.Primary, "", 0), west: group(vgrv1.Secondary, "", 0), phase: overview.Transitioning, level: overview.Warning, lagUnknown: true},
		"an error on the secondary is no routine": {east: primary(time.Minute), west: group(vgrv1.Secondary, vgrv1.StateSecondary, 0, condition("Ready", "True", "Demoted"), condition("Degraded", "True", "Error")), phase: overview.Degraded, level: overview.Problem},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}}
			if !tc.withoutRate {
				class.Spec.Parameters = map[string]string{"schedulingInterval": "5m"}
			}
			east := overview.SiteInput{Site: overview.Site{Name: "east", Answered: true}, Classes: []vgrv1.VolumeGroupReplicationClass{class}}
			west := overview.SiteInput{Site: overview.Site{Name: "west", Answered: !tc.westDown}}
			if tc.westAsked {
				west.Answered, west.Problem = false, overview.SiteAsking
			}
			if tc.east != nil {
				east.Groups = append(east.Groups, *tc.east)
			}
			if tc.west != nil {
				west.Groups = append(west.Groups, *tc.west)
			}
			sites := []overview.SiteInput{east, west}
			if tc.onlyEast {
				sites = sites[:1]
			}
			g := overview.Build(sites, now).Groups[0]
			if g.Verdict.Phase != tc.phase || g.Verdict.Level != tc.level {
				t.Errorf("got %s/%s (%s), want %s/%s", g.Verdict.Phase, g.Verdict.Level, g.Verdict.Message, tc.phase, tc.level)
			}
			if (g.LagSeconds == nil) != tc.lagUnknown {
				t.Errorf("lag %v, want unknown %v", g.LagSeconds, tc.lagUnknown)
			}
		})
	}
}

// TestLastSyncOfTheCopy: of a backend that tells a primary nothing, the last synchronisation is the one
// that the copy knows of, and says nothing about a lag. Of others the copy's is not read.
func TestLastSyncOfTheCopy(t *testing.T) {
	copied := group(vgrv1.Secondary, vgrv1.StateSecondary, time.Minute, condition("Ready", "True", "Demoted"))
	for reason, shown := range map[string]bool{vgrv1.ReasonNotReported: true, "Replicating": false} {
		east := overview.SiteInput{Site: overview.Site{Name: "east", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*primary(0, condition("Replicating", "Unknown", reason))}}
		west := overview.SiteInput{Site: overview.Site{Name: "west", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*copied}}
		g := overview.Build([]overview.SiteInput{east, west}, now).Groups[0]
		if (g.LastSyncTime != nil) != shown || g.LagSeconds != nil || g.Verdict.Phase != overview.Unknown {
			t.Errorf("%s: last sync %v, lag %v, %s", reason, g.LastSyncTime, g.LagSeconds, g.Verdict.Phase)
		}
	}
}

// TestGivenUp: a site that returns after an unplanned failover is shown with the command that takes it back.
func TestGivenUp(t *testing.T) {
	for name, east := range map[string]*vgrv1.VolumeGroupReplication{
		"as primary":    primary(time.Minute),
		"with an error": group(vgrv1.Primary, vgrv1.StateSecondary, 0, condition("Ready", "False", "Progressing"), condition("Degraded", "True", "Error")),
	} {
		west := primary(time.Minute)
		op := recovery.Operation{ID: "1", Kind: recovery.Unplanned, Revision: 1, Result: recovery.Done, From: recovery.SiteRef{Name: "east"}, To: recovery.SiteRef{Name: "west"}}
		if err := (recovery.Write{Operation: op}).Apply(west); err != nil {
			t.Fatal(err)
		}
		g := overview.Build([]overview.SiteInput{
			{Site: overview.Site{Name: "east", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*east}},
			{Site: overview.Site{Name: "west", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*west}},
		}, now).Groups[0]
		if !strings.Contains(g.Verdict.Next, "--to east --discard-site east") {
			t.Errorf("%s: %+v", name, g.Verdict)
		}
	}
}

func TestLagByTheClustersClock(t *testing.T) {
	server := metav1.NewTime(now.Add(time.Hour)) // the cluster's clock is ahead of ours
	east := overview.SiteInput{Site: overview.Site{Name: "east", Answered: true, ServerTime: &server}, Groups: []vgrv1.VolumeGroupReplication{*primary(time.Minute)}}
	g := overview.Build([]overview.SiteInput{east}, now).Groups[0]
	if *g.LagSeconds != 3660 {
		t.Errorf("lag %d, want 3660", *g.LagSeconds)
	}
}

// journalled is a pair of sites with n groups that have been moved once.
func journalled(tb testing.TB, n int) []overview.SiteInput {
	tb.Helper()
	in := []overview.SiteInput{{Site: overview.Site{Name: "east", Answered: true}}, {Site: overview.Site{Name: "west", Answered: true}}}
	for i := range n {
		op := recovery.Operation{ID: fmt.Sprint("op-", i), Kind: recovery.Planned, Revision: 1, Members: map[string]string{"data": "handle-1", "logs": "handle-2"}, Result: recovery.Done}
		for _, id := range []recovery.StepID{recovery.StepRecord, recovery.StepDemote, recovery.StepSync, recovery.StepPromote, recovery.StepFinish} {
			op.Steps = append(op.Steps, recovery.StepTimes{ID: id, Started: metav1.NewMicroTime(now), Finished: new(metav1.NewMicroTime(now))})
		}
		for s := range in {
			g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: fmt.Sprint("group-", i), Generation: 1}}
			if err := (recovery.Write{Operation: op}).Apply(&g); err != nil {
				tb.Fatal(err)
			}
			in[s].Groups = append(in[s].Groups, g)
		}
	}
	return in
}

// TestBuilder: an overview does not depend on those before it.
func TestBuilder(t *testing.T) {
	in := journalled(t, 3)
	var b overview.Builder
	for step, change := range []func(){
		func() {},
		func() {},
		func() { // one site hears of a newer operation
			newer := recovery.Operation{ID: "newer", Kind: recovery.Failback, Revision: 2}
			g := in[1].Groups[1].DeepCopy()
			if err := (recovery.Write{Operation: newer}).Apply(g); err != nil {
				t.Fatal(err)
			}
			in[1].Groups[1] = *g
		},
		func() { in[0].Groups[2].Annotations[vgrv1.AnnotationOperation] = "{" },
		func() { in[0].Groups, in[1].Groups = in[0].Groups[:1], in[1].Groups[:1] },
	} {
		change()
		if diff := cmp.Diff(overview.Build(in, now), b.Build(in, now), cmpopts.IgnoreUnexported(overview.Group{})); diff != "" {
			t.Errorf("after step %d (-anew +again):\n%s", step, diff)
		}
	}
}

// BenchmarkBuild builds one overview after another, as a live screen does.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := journalled(b, n)
			var builder overview.Builder
			builder.Build(in, now)
			b.ReportAllocs()
			for b.Loop() {
				builder.Build(in, now)
			}
		})
	}
}

// TestUnpairedNext: what helps depends on which side the group is left on.
func TestUnpairedNext(t *testing.T) {
	const left = "kubectl vgr create db -n prod --class gold -l app=db --context east --peer-context west makes the copies and the group there again"
	const copied = "if the PVCs of the primary are on west: kubectl vgr create db -n prod --class gold -l app=db --context west --peer-context east; " +
		"if they are lost: kubectl vgr failover db -n prod --to east --unplanned --accept-data-loss unknown"
	for name, tc := range map[string]struct {
		east *vgrv1.VolumeGroupReplication
		west overview.Site
		want string
	}{
		"the primary": {primary(time.Minute), overview.Site{Name: "west", Answered: true}, left},
		"the copy":    {secondary(), overview.Site{Name: "west", Answered: true}, copied},
		"no CRDs":     {primary(time.Minute), overview.Site{Name: "west", Answered: true, NativeOnly: true}, "kubectl vgr install --context west"},
	} {
		tc.east.Spec.VolumeGroupReplicationClass, tc.east.Spec.Selector = "gold", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}
		o := overview.Build([]overview.SiteInput{{Site: overview.Site{Name: "east", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{*tc.east}}, {Site: tc.west}}, now)
		if v := o.Groups[0].Verdict; v.Phase != overview.Unpaired || !strings.HasSuffix(v.Next, strings.TrimPrefix(tc.want, "kubectl vgr ")) {
			t.Errorf("%s: %+v\nwant %s", name, v, tc.want)
		}
	}
}
