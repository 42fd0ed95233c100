// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// group is one that has answered generation 3.
func group(desired vgrv1.ReplicationState, observed vgrv1.State, ready metav1.ConditionStatus, reason string) *vgrv1.VolumeGroupReplication {
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{UID: "uid", Generation: 3}}
	g.Spec.ReplicationState = desired
	g.Status.State, g.Status.ObservedGeneration = observed, 3
	g.Status.Conditions = []metav1.Condition{{Type: vgrv1.ConditionReady, Status: ready, Reason: reason, ObservedGeneration: 3}}
	return g
}

func degraded(g *vgrv1.VolumeGroupReplication, status metav1.ConditionStatus, reason string) *vgrv1.VolumeGroupReplication {
	g.Status.Conditions = append(g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: status, Reason: reason, Message: "image is in error state"})
	return g
}

func TestView(t *testing.T) {
	with := func(g *vgrv1.VolumeGroupReplication, change func(g *vgrv1.VolumeGroupReplication)) *vgrv1.VolumeGroupReplication {
		change(g)
		return g
	}
	secondary := func() *vgrv1.VolumeGroupReplication {
		return group(vgrv1.Secondary, vgrv1.StateSecondary, metav1.ConditionTrue, vgrv1.ReasonDemoted)
	}
	refused := func() *vgrv1.VolumeGroupReplication {
		return group(vgrv1.Primary, vgrv1.StateSecondary, metav1.ConditionFalse, vgrv1.ReasonPromotionNotConfirmed)
	}
	split := func(says string) *vgrv1.VolumeGroupReplication {
		return with(degraded(secondary(), metav1.ConditionTrue, "Error"), func(g *vgrv1.VolumeGroupReplication) { g.Status.Conditions[1].Message = says })
	}
	replicating := func(status metav1.ConditionStatus, reason string) *vgrv1.VolumeGroupReplication {
		g := group(vgrv1.Primary, vgrv1.StatePrimary, metav1.ConditionTrue, vgrv1.ReasonPromoted)
		g.Status.LastSyncTime, g.Status.StateSince = at(2), at(1)
		g.Status.Conditions = append(g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionReplicating, Status: status, Reason: reason})
		return g
	}
	cases := map[string]struct {
		g    *vgrv1.VolumeGroupReplication
		want string // the predicates that hold
	}{
		"nothing":          {nil, ""},
		"new":              {&vgrv1.VolumeGroupReplication{}, ""},
		"primary":          {group(vgrv1.Primary, vgrv1.StatePrimary, metav1.ConditionTrue, vgrv1.ReasonPromoted), "ready current settled primary lead"},
		"resync, running":  {group(vgrv1.Resync, vgrv1.StateSecondary, metav1.ConditionFalse, vgrv1.ReasonResyncing), "ready current"},
		"resync, ended":    {group(vgrv1.Resync, vgrv1.StateSecondary, metav1.ConditionTrue, vgrv1.ReasonResynced), "ready current settled"},
		"demoted, failing": {group(vgrv1.Secondary, vgrv1.StateSecondary, metav1.ConditionFalse, vgrv1.ReasonFailedToResync), "ready current demoted"},
		"demoted and in sync": {
			with(degraded(secondary(), metav1.ConditionFalse, "Healthy"), func(g *vgrv1.VolumeGroupReplication) { g.Status.DemotedAfterSync = true }),
			"ready current settled secondary demoted saysinsync insync",
		},
		"in sync, left over": {degraded(secondary(), metav1.ConditionFalse, "Healthy"), "ready current settled secondary demoted saysinsync"},
		"split":              {split("rpc error: image is in Split-Brain"), "ready current settled secondary demoted broken diverged"},
		"split, in one word": {split("state is SPLIT_BRAIN"), "ready current settled secondary demoted broken diverged"},
		"gone another way":   {split("the volume has diverged"), "ready current settled secondary demoted broken diverged"},
		"an error":           {degraded(secondary(), metav1.ConditionTrue, "Error"), "ready current settled secondary demoted broken"},
		"a healthy copy":     {degraded(secondary(), metav1.ConditionTrue, "VolumeDegraded"), "ready current settled secondary demoted"},
		"guarded":            {refused(), "ready current demoted guarded"},
		"guarded, and not answered by the backend": {with(refused(), func(g *vgrv1.VolumeGroupReplication) { g.Status.ObservedGeneration = 2 }), "ready demoted guarded"},
		"guarded, and told since": {with(refused(), func(g *vgrv1.VolumeGroupReplication) {
			g.Annotations = map[string]string{vgrv1.AnnotationPeer: "demoted/1", vgrv1.AnnotationBoundTo: "uid/3"}
		}), "ready current lead"},
		"guarded before":                          {with(refused(), func(g *vgrv1.VolumeGroupReplication) { g.Generation = 4 }), "lead"},
		"an older spec":                           {with(secondary(), func(g *vgrv1.VolumeGroupReplication) { g.Generation = 4 }), ""},
		"the backend is behind":                   {with(secondary(), func(g *vgrv1.VolumeGroupReplication) { g.Status.ObservedGeneration = 2 }), "ready"},
		"deleted":                                 {with(secondary(), func(g *vgrv1.VolumeGroupReplication) { g.DeletionTimestamp = at(0) }), "ready deleting"},
		"a primary that has an error":             {degraded(group(vgrv1.Primary, vgrv1.StatePrimary, metav1.ConditionTrue, vgrv1.ReasonPromoted), metav1.ConditionTrue, "Error"), "ready current settled primary lead"},
		"a time of an older controller":           {with(group(vgrv1.Primary, vgrv1.StatePrimary, metav1.ConditionTrue, vgrv1.ReasonPromoted), func(g *vgrv1.VolumeGroupReplication) { g.Status.LastSyncTime = at(0) }), "ready current settled primary lead unproven"},
		"a time from before the role":             {with(group(vgrv1.Primary, vgrv1.StatePrimary, metav1.ConditionTrue, vgrv1.ReasonPromoted), func(g *vgrv1.VolumeGroupReplication) { g.Status.LastSyncTime, g.Status.StateSince = at(0), at(1) }), "ready current settled primary lead"},
		"a synchronisation of this role":          {with(group(vgrv1.Primary, vgrv1.StatePrimary, metav1.ConditionTrue, vgrv1.ReasonPromoted), func(g *vgrv1.VolumeGroupReplication) { g.Status.LastSyncTime, g.Status.StateSince = at(2), at(1) }), "ready current settled primary lead replicated"},
		"one that the driver cannot tell more of": {replicating(metav1.ConditionUnknown, vgrv1.ReasonStatusNotReported), "ready current settled primary lead replicated"},
		"one that is confirmed":                   {replicating(metav1.ConditionTrue, "Healthy"), "ready current settled primary lead replicated"},
		"one that the driver does not confirm":    {replicating(metav1.ConditionUnknown, "Unknown"), "ready current settled primary lead"},
		"one, and an error since":                 {replicating(metav1.ConditionFalse, "Degraded"), "ready current settled primary lead"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := state.Of(tc.g)
			var got []string
			for _, p := range []struct {
				name string
				is   bool
			}{
				{"ready", v.Ready() != nil},
				{"current", v.Current()},
				{"settled", v.Settled()},
				{"primary", v.Is(vgrv1.Primary)},
				{"secondary", v.Is(vgrv1.Secondary)},
				{"demoted", v.Demoted()},
				{"guarded", v.Guarded()},
				{"lead", v.AskedToLead()},
				{"saysinsync", v.SaysInSync()},
				{"insync", v.InSync()},
				{"broken", v.Broken() != ""},
				{"diverged", v.Diverged() != ""},
				{"deleting", v.Deleting()},
				{"replicated", v.Replicated()},
				{"unproven", v.Unproven()},
			} {
				if p.is {
					got = append(got, p.name)
				}
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %q, want %q", s, tc.want)
			}
		})
	}
}

// TestGone: an object that is being deleted says what keeps it.
func TestGone(t *testing.T) {
	g := group(vgrv1.Secondary, vgrv1.StateSecondary, metav1.ConditionTrue, vgrv1.ReasonDemoted)
	g.Finalizers = []string{vgrv1.Finalizer, "example.com/backup"}
	if got := state.Of(g).Gone(); got != "" {
		t.Errorf("not deleted: %q", got)
	}
	g.DeletionTimestamp = at(0)
	if got := state.Of(g).Gone(); !strings.Contains(got, "has not released it") {
		t.Errorf("with ours: %q", got)
	}
	g.Finalizers = g.Finalizers[1:]
	if got := state.Of(g).Gone(); !strings.Contains(got, "example.com/backup") {
		t.Errorf("with another's: %q", got)
	}
}

// TestApart: a volume that was promoted by hand is told apart from its group.
func TestApart(t *testing.T) {
	g := group(vgrv1.Secondary, vgrv1.StateUnknown, metav1.ConditionFalse, vgrv1.ReasonProgressing)
	g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "a", State: vgrv1.StateSecondary}, {Name: "b", State: vgrv1.StatePrimary}, {Name: "c"}}
	if got := state.Of(g).Apart(); len(got) != 1 || got[0].Name != "b" {
		t.Errorf("%+v", got)
	}
	g.Spec.ReplicationState = vgrv1.Primary
	if got := state.Of(g).Apart(); len(got) != 1 || got[0].Name != "a" {
		t.Errorf("%+v", got)
	}
	g.Status.Volumes = g.Status.Volumes[1:]
	if got := state.Of(g).Apart(); got != nil {
		t.Errorf("%+v", got)
	}
}

// TestAge: no age is made up of a time that proves none.
func TestAge(t *testing.T) {
	now := at(100).Time
	for name, tc := range map[string]struct {
		t     *metav1.Time
		age   time.Duration
		known bool
		ahead time.Duration
	}{
		"no time":               {nil, 0, false, 0},
		"the epoch":             {new(metav1.Unix(0, 0)), 0, false, 0},
		"a while ago":           {at(40), time.Minute, true, 0},
		"clocks differ a bit":   {at(103), 0, true, 0},
		"clocks differ by hour": {at(3700), 0, false, time.Hour},
	} {
		age, known := state.Age(now, tc.t)
		if ahead := state.Ahead(now, tc.t); age != tc.age || known != tc.known || ahead != tc.ahead {
			t.Errorf("%s: %s, %v, ahead %s", name, age, known, ahead)
		}
	}
}

func TestLag(t *testing.T) {
	const delay = state.ReportDelay
	for age, want := range map[time.Duration]state.Lateness{
		136 * time.Second:     state.InTime, // a healthy pair of real Ceph clusters
		2*time.Minute + delay: state.InTime, 2*time.Minute + delay + 1: state.Late, 3*time.Minute + delay: state.Late, 3*time.Minute + delay + 1: state.TooLate,
	} {
		if got := state.Lag(age, time.Minute); got != want {
			t.Errorf("%s: %v", age, got)
		}
	}
	if state.Lag(time.Hour, 0) != state.InTime {
		t.Error("late without a schedule")
	}
}

func TestInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "300s": 5 * time.Minute, "1h30m": 90 * time.Minute, "1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "24h": 24 * time.Hour,
		"1.5h": 90 * time.Minute, "1s": time.Second, "": 0, "5": 0, "0m": 0, "0d": 0, "-5m": 0, "+5m": 0, "1d-1h": 0, "500ms": 0, "d": 0, "1dd": 0, "1h1d": 0, "5 m": 0,
		"99999999999d": 0, "35583d": 35583 * 24 * time.Hour, "35584d": 0, "2562047h": 0,
	} {
		if got, ok := state.Interval(text); got != want || ok != (want > 0) {
			t.Errorf("%q: %s, %v; want %s", text, got, ok, want)
		}
	}
}
