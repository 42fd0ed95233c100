// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// row is what the table shows of a PVC, in short.
func row(r overview.Row) string {
	text := []string{r.PVC}
	for _, on := range r.On {
		switch {
		case on.Missing:
			text = append(text, "missing")
		case on.Volume == nil:
			text = append(text, "unknown")
		case on.Clashes:
			text = append(text, "clashes")
		case on.Follows:
			text = append(text, "follows")
		case on.Leftover:
			text = append(text, "left over")
		default:
			text = append(text, string(on.Volume.State))
		}
	}
	if r.Trouble {
		text = append(text, "!")
	}
	return strings.Join(append(text, r.Notes...), "|")
}

// TestRows: each PVC is there once, and what differs between the sites stands out.
func TestRows(t *testing.T) {
	change := func(g *vgrv1.VolumeGroupReplication, pvc string, f func(*vgrv1.VolumeStatus)) *vgrv1.VolumeGroupReplication {
		for i := range g.Status.Volumes {
			if g.Status.Volumes[i].Health = vgrv1.HealthDegraded; g.Status.Volumes[i].State == vgrv1.StatePrimary {
				g.Status.Volumes[i].Health = vgrv1.HealthHealthy
			}
			if g.Status.Volumes[i].Name == pvc {
				f(&g.Status.Volumes[i])
			}
		}
		return g
	}
	healthy := func(g *vgrv1.VolumeGroupReplication) *vgrv1.VolumeGroupReplication { return change(g, "", nil) }
	leads := func(pvcs ...string) *vgrv1.VolumeGroupReplication {
		return healthy(with(primary(time.Minute), volumes(vgrv1.StatePrimary, pvcs...)))
	}
	copies := func(pvcs ...string) *vgrv1.VolumeGroupReplication {
		return healthy(with(secondary(), volumes(vgrv1.StateSecondary, pvcs...)))
	}
	size := func(n int64) func(*vgrv1.VolumeStatus) {
		return func(v *vgrv1.VolumeStatus) { v.CapacityBytes = new(n << 30) }
	}
	unanswered := copies()
	unanswered.Generation++
	going := func(g *vgrv1.VolumeGroupReplication, more ...metav1.Condition) *vgrv1.VolumeGroupReplication {
		g.DeletionTimestamp, g.Finalizers = &metav1.Time{Time: now}, []string{vgrv1.Finalizer}
		g.Status.Conditions = append(g.Status.Conditions, more...)
		return g
	}
	cases := map[string]struct {
		east, west *vgrv1.VolumeGroupReplication
		want       []string
	}{
		"being deleted":           {leads("a"), going(copies("a")), []string{"a|Primary|left over"}},
		"its deletion is held":    {leads("a"), going(copies("a"), condition(vgrv1.ConditionDeletionHeld, "True", "OperationInFlight")), []string{"a|Primary|follows"}},
		"in natural order":        {leads("d-10", "d-2", "d-1"), copies("d-1", "d-10", "d-2"), []string{"d-1|Primary|follows", "d-2|Primary|follows", "d-10|Primary|follows"}},
		"one is missing, first":   {leads("a", "b"), copies("a"), []string{"b|Primary|missing|!|not in the group on west", "a|Primary|follows"}},
		"the peer is not asked":   {leads("a"), unanswered, []string{"a|Primary|unknown"}},
		"both are primary":        {leads("a"), leads("a"), []string{"a|clashes|clashes|!|primary on east and on west"}},
		"another size":            {change(leads("a"), "a", size(2)), change(copies("a"), "a", size(1)), []string{"a|Primary|follows|!|size 2Gi on east, 1Gi on west"}},
		"the same size":           {change(leads("a"), "a", size(2)), change(copies("a"), "a", size(2)), []string{"a|Primary|follows"}},
		"an error of one":         {leads("a", "b"), change(copies("a", "b"), "b", func(v *vgrv1.VolumeStatus) { v.Health, v.Message = vgrv1.HealthError, "on fire" }), []string{"b|Primary|Secondary|!|west: on fire", "a|Primary|follows"}},
		"what only repeats state": {change(leads("a"), "a", func(v *vgrv1.VolumeStatus) { v.Message = "volume is marked primary" }), copies("a"), []string{"a|Primary|follows"}},
		"one without a role":      {change(leads("a", "b"), "b", func(v *vgrv1.VolumeStatus) { v.State, v.Message = vgrv1.StateUnknown, "not replicated yet" }), copies("a", "b"), []string{"b|Unknown|follows|!|east: not replicated yet", "a|Primary|follows"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := pairOf(tc.east, tc.west)
			var got []string
			for _, r := range g.Rows() {
				got = append(got, row(r))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// TestRowLag: the lag of a PVC is counted as that of its group; what is late comes before what is in time, and is not known
// where the group's is not.
func TestRowLag(t *testing.T) {
	synced := func(at map[string]time.Duration) *vgrv1.VolumeGroupReplication {
		return with(primary(4*time.Minute), func(g *vgrv1.VolumeGroupReplication) {
			for _, pvc := range []string{"d-1", "d-2", "d-9", "d-10"} {
				v := vgrv1.VolumeStatus{Name: pvc, State: vgrv1.StatePrimary, Health: vgrv1.HealthHealthy}
				if age, known := at[pvc]; known {
					v.LastSyncTime = new(metav1.NewTime(now.Add(-age)))
				}
				g.Status.Volumes = append(g.Status.Volumes, v)
			}
		})
	}
	const minute = time.Minute
	ages := map[string]time.Duration{"d-1": 4 * minute, "d-2": 11 * minute, "d-9": 16 * minute, "d-10": 12 * minute}
	for name, tc := range map[string]struct {
		east *vgrv1.VolumeGroupReplication
		west overview.SiteInput
		want string
	}{
		"the latest first":   {synced(ages), side("west", secondary()), "d-9 16m0s problem, d-2 11m0s warning, d-10 12m0s warning, d-1 4m0s ok"},
		"one is not known":   {synced(map[string]time.Duration{"d-2": 11 * minute}), side("west", secondary()), "d-2 11m0s warning, d-1 unknown ok, d-9 unknown ok, d-10 unknown ok"},
		"one in the future":  {synced(map[string]time.Duration{"d-1": -9 * minute}), side("west", secondary()), "d-1 unknown ok, d-2 unknown ok, d-9 unknown ok, d-10 unknown ok"},
		"two primaries":      {synced(ages), side("west", synced(ages)), "d-1 unknown ok, d-2 unknown ok, d-9 unknown ok, d-10 unknown ok"},
		"the copy is silent": {synced(ages), away("west", overview.SiteUnreachable), "d-9 16m0s problem, d-2 11m0s warning, d-10 12m0s warning, d-1 4m0s ok"},
	} {
		t.Run(name, func(t *testing.T) {
			east := side("east", tc.east)
			east.Classes = []vgrv1.VolumeGroupReplicationClass{{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}}
			g := overview.Build([]overview.SiteInput{east, tc.west}, now).Groups[0]
			var got []string
			for _, r := range g.Rows() {
				lag := "unknown"
				if r.LagSeconds != nil {
					lag = (time.Duration(*r.LagSeconds) * time.Second).String()
				}
				got = append(got, fmt.Sprint(r.PVC, " ", lag, " ", r.Late))
			}
			if all := strings.Join(got, ", "); all != tc.want {
				t.Errorf("got %s, want %s", all, tc.want)
			}
		})
	}
}

// TestMatters: what is normal for a copy is not shown; what is not known, is refused or held, is.
func TestMatters(t *testing.T) {
	normal := []metav1.Condition{
		condition("Ready", "True", "Demoted"), condition("Completed", "True", "Demoted"), condition("Validated", "True", "Ok"),
		condition("Degraded", "True", "VolumeDegraded"), condition("Resyncing", "True", "ResyncTriggered"), condition("GroupConsistent", "False", vgrv1.ReasonPerVolume),
	}
	for _, tc := range []struct {
		more metav1.Condition
		want bool
	}{
		{condition("Replicating", "True", "Replicating"), false},
		{condition("Replicating", "Unknown", vgrv1.ReasonNotReported), true},
		{condition("DeletionHeld", "True", vgrv1.ReasonOperationInFlight), true},
		{condition("OfAnotherTool", "True", "Fine"), true},
		{condition("GroupConsistent", "False", vgrv1.ReasonNotConfirmed), true},
		{condition("Degraded", "True", vgrv1.ReasonLinkNotInSync), true},
		{condition("Validated", "False", "FailedPrecondition"), true},
	} {
		all := slices.DeleteFunc(slices.Clone(normal), func(c metav1.Condition) bool { return c.Type == tc.more.Type })
		g := pairOf(primary(time.Minute), group(vgrv1.Secondary, vgrv1.StateSecondary, 0, append(all, tc.more)...))
		got := g.Matters("west")
		if shown := fmt.Sprint(got); len(got) > 1 || (len(got) == 1 && got[0].Type == tc.more.Type) != tc.want {
			t.Errorf("of %s %s %s: %s", tc.more.Type, tc.more.Status, tc.more.Reason, shown)
		}
	}
}

// TestCutOff: what a copy said of its health before its primary was silent is neither good nor bad; an error of it stays one.
func TestCutOff(t *testing.T) {
	copies := func(health vgrv1.Health, message string, more ...metav1.Condition) *vgrv1.VolumeGroupReplication {
		return with(group(vgrv1.Secondary, vgrv1.StateSecondary, 0, append(more, condition("Ready", "True", "Demoted"))...), func(g *vgrv1.VolumeGroupReplication) {
			g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "a", State: vgrv1.StateSecondary, Health: health, Message: message}}
		})
	}
	degraded, resyncs := condition("Degraded", "True", "VolumeDegraded"), condition("Resyncing", "True", "ResyncTriggered")
	for name, tc := range map[string]struct {
		east    overview.SiteInput
		west    *vgrv1.VolumeGroupReplication
		row     string
		matters int
	}{
		"it followed":             {away("east", overview.SiteUnreachable), copies(vgrv1.HealthDegraded, "volume is degraded", degraded, resyncs), "a|unknown|left over", 0},
		"it was healthy":          {away("east", overview.SiteUnreachable), copies(vgrv1.HealthHealthy, ""), "a|unknown|left over", 0},
		"it has an error":         {away("east", overview.SiteUnreachable), copies(vgrv1.HealthError, "on fire", condition("Degraded", "True", "Error")), "a|unknown|Secondary|!|west: on fire", 1},
		"its link is down":        {away("east", overview.SiteUnreachable), copies(vgrv1.HealthDegraded, "link down", condition("Degraded", "True", vgrv1.ReasonLinkNotInSync)), "a|unknown|Secondary|west: link down", 1},
		"the peer is not primary": {side("east", secondary()), copies(vgrv1.HealthDegraded, "volume is degraded", degraded, resyncs), "a|missing|Secondary|!|not in the group on east|west: volume is degraded", 2},
	} {
		t.Run(name, func(t *testing.T) {
			g := overview.Build([]overview.SiteInput{tc.east, side("west", tc.west)}, now).Groups[0]
			if got := row(g.Rows()[0]); got != tc.row {
				t.Errorf("got %q, want %q", got, tc.row)
			}
			if got := g.Matters("west"); len(got) != tc.matters {
				t.Errorf("%v", got)
			}
		})
	}
}
