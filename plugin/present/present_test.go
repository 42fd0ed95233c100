// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

var now = time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)

func ago(d time.Duration) *metav1.Time { return new(metav1.NewTime(now.Add(-d))) }

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: 1, LastTransitionTime: *ago(time.Hour)}
}

func group(name string, desired vgrv1.ReplicationState, state vgrv1.State, sync *metav1.Time, conditions ...metav1.Condition) vgrv1.VolumeGroupReplication {
	g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: name, Generation: 1}}
	g.Spec.ReplicationState, g.Spec.VolumeGroupReplicationClass = desired, "gold"
	g.Status.State, g.Status.ObservedGeneration, g.Status.Conditions = state, 1, conditions
	g.Status.Backend, g.Status.LastSyncTime, g.Status.StateSince = "csi-addons", sync, ago(24*time.Hour)
	g.Status.Message = "VolumeReplication vr-1: volume is marked " + string(desired)
	health := vgrv1.HealthHealthy
	if state == vgrv1.StateSecondary {
		health = vgrv1.HealthDegraded
	}
	for _, pvc := range []string{name + "-data", name + "-logs"} {
		g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{
			Name: pvc, VolumeHandle: "0001-0009-rook-ceph-0000000000000002-" + pvc, State: state, Health: health, LastSyncTime: sync, Message: "",
		})
	}
	return g
}

func primary(name string, age time.Duration) vgrv1.VolumeGroupReplication {
	return group(name, vgrv1.Primary, vgrv1.StatePrimary, ago(age),
		condition("Ready", "True", "Promoted", "the backend reports primary"), condition("Degraded", "False", "Healthy", "volume group is healthy"))
}

func secondary(name string) vgrv1.VolumeGroupReplication {
	return group(name, vgrv1.Secondary, vgrv1.StateSecondary, nil,
		condition("Ready", "True", "Demoted", "the backend reports secondary"), condition("Degraded", "True", "VolumeDegraded", "volume group is degraded"))
}

// differing gives a group other PVCs; data-9 has a size of its own, and its copy an error.
func differing(name string, g vgrv1.VolumeGroupReplication, size int64, pvcs ...string) vgrv1.VolumeGroupReplication {
	like := g.Status.Volumes[0]
	g.Status.Volumes = nil
	for _, pvc := range pvcs {
		v := like
		v.Name, v.VolumeName, v.VolumeHandle, v.CapacityBytes = name+"-"+pvc, "pv-"+pvc, "0001-"+pvc, new(int64(10<<30))
		v.BackendRef = &vgrv1.BackendReference{APIVersion: "replication.storage.openshift.io/v1alpha1", Kind: "VolumeReplication", Name: "vr-" + pvc + "-" + string(g.Spec.ReplicationState)}
		if v.LastSyncTime != nil {
			v.LastSyncBytes, v.LastSyncDuration = new(int64(12<<10)), &metav1.Duration{Duration: time.Second}
		}
		if pvc == "data-9" {
			v.CapacityBytes = new(size << 30)
			if g.Spec.ReplicationState == vgrv1.Secondary {
				v.Health, v.Message = vgrv1.HealthError, "image is in error state"
			}
		}
		g.Status.Volumes = append(g.Status.Volumes, v)
	}
	return g
}

// scenarios are what people see, good and bad.
func scenarios() map[string]overview.Overview {
	class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}
	site := func(name string, groups ...vgrv1.VolumeGroupReplication) overview.SiteInput {
		return overview.SiteInput{Site: overview.Site{Name: name, Answered: true}, Groups: groups, Classes: []vgrv1.VolumeGroupReplicationClass{class}}
	}
	dead := overview.SiteInput{Site: overview.Site{Name: "west", Problem: overview.SiteUnreachable, Message: "no answer within 10s"}}
	east := dead
	east.Name = "east"
	failing := group("orders", vgrv1.Primary, vgrv1.StateSecondary, nil,
		condition("Ready", "False", "FailedToPromote", "volume group failed to promote: rpc error: code = Internal desc = the disk is on fire, and so is the one beside it"))
	failing.Status.Volumes[0].Health, failing.Status.Volumes[0].Message = vgrv1.HealthError, "the disk is on fire"
	hostile := primary("evil", time.Minute)
	hostile.Status.Message = "line one\nline two \x1b[2J\x1b]0;title\x07 \u202egnorw\u202c end"
	hostile.Status.Conditions[0].Status, hostile.Status.Conditions[0].Reason, hostile.Status.Conditions[0].Message = "False", "BackendError", hostile.Status.Message
	wide := primary("データベース", time.Minute)
	quiet := group("orders", vgrv1.Primary, vgrv1.StatePrimary, nil, condition("Ready", "True", "Promoted", "the backend reports primary"),
		condition("Replicating", "Unknown", vgrv1.ReasonNotReported, "Trident shows neither what its schedule transfers nor whether it can"))
	blind := site("west", secondary("orders"))
	blind.Controller = &overview.Controller{RenewedAt: ago(5 * time.Minute)}
	return map[string]overview.Overview{
		"healthy":     overview.Build([]overview.SiteInput{site("east", primary("orders", 4*time.Minute)), site("west", secondary("orders"))}, now),
		"lagging":     overview.Build([]overview.SiteInput{site("east", primary("orders", 16*time.Minute)), site("west", secondary("orders"))}, now),
		"split-brain": overview.Build([]overview.SiteInput{site("east", primary("orders", time.Minute)), site("west", primary("orders", time.Minute))}, now),
		"failing":     overview.Build([]overview.SiteInput{site("east", secondary("orders")), site("west", failing)}, now),
		"west-dead":   overview.Build([]overview.SiteInput{site("east", primary("orders", time.Minute)), dead}, now),
		"east-dead":   overview.Build([]overview.SiteInput{east, site("west", secondary("orders"))}, now),
		"no-primary":  overview.Build([]overview.SiteInput{site("east", secondary("orders")), site("west", secondary("orders"))}, now),
		"unmeasured":  overview.Build([]overview.SiteInput{site("east", quiet), site("west", secondary("orders"))}, now),
		"blind":       overview.Build([]overview.SiteInput{site("east", primary("orders", time.Minute)), blind}, now),
		"differing":   overview.Build([]overview.SiteInput{site("east", differing("orders", primary("orders", 4*time.Minute), 10, "data-1", "data-2", "data-9", "data-10")), site("west", differing("orders", secondary("orders"), 8, "data-1", "data-2", "data-9"))}, now),
		"hostile":     overview.Build([]overview.SiteInput{site("east", hostile, wide), site("west", secondary("evil"))}, now),
	}
}

func styles() map[string]present.Style {
	return map[string]present.Style{
		"wide-colour": {Color: true, Unicode: true},
		"80-plain":    {Unicode: true, Width: 80},
		"80-ascii":    {Width: 80},
		"120-plain":   {Unicode: true, Width: 120},
	}
}

func TestScreens(t *testing.T) {
	for name, o := range scenarios() {
		for style, s := range styles() {
			t.Run(name+"/"+style, func(t *testing.T) {
				var b bytes.Buffer
				present.Notes(&b, o, s)
				if err := present.Table(&b, o, s, true, s.Width == 0); err != nil {
					t.Fatal(err)
				}
				b.WriteString("\n")
				if err := present.Status(&b, o, s, s.Width == 0); err != nil {
					t.Fatal(err)
				}
				golden.Compare(t, name+"."+style+".golden", b.String())
				fits(t, b.String(), s)
			})
		}
	}
}

// fits checks what must hold for every screen.
func fits(t *testing.T, text string, s present.Style) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if s.Width > 0 && ansi.StringWidth(line) > s.Width {
			t.Errorf("%d columns, want at most %d: %q", ansi.StringWidth(line), s.Width, line)
		}
		for _, r := range ansi.Strip(line) {
			if r < ' ' || r == 0x7f || r == '\u202e' {
				t.Errorf("control character %q in %q", r, line)
			}
			if !s.Unicode && r > 0x7e && !strings.ContainsRune("データベース", r) {
				t.Errorf("%q is not ASCII in %q", r, line)
			}
		}
		if !s.Color && strings.Contains(line, "\x1b") {
			t.Errorf("colour although none was wanted: %q", line)
		}
	}
}

// TestUnguarded: status tells where the guard is off.
func TestUnguarded(t *testing.T) {
	west := secondary("orders")
	west.Annotations = map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}
	o := overview.Build([]overview.SiteInput{
		{Site: overview.Site{Name: "east", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{primary("orders", time.Minute)}},
		{Site: overview.Site{Name: "west", Answered: true}, Groups: []vgrv1.VolumeGroupReplication{west}},
	}, now)
	var b bytes.Buffer
	if err := present.Status(&b, o, present.Style{}, false); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "  unguarded on west: the controller obeys every request for primary") || strings.Contains(text, "unguarded on east") {
		t.Errorf("it shows\n%s", text)
	}
}

func TestStyleFor(t *testing.T) {
	utf8 := map[string]string{"LANG": "en_US.UTF-8"}
	cases := map[string]struct {
		mode     string
		env      map[string]string
		terminal bool
		want     present.Style
	}{
		"terminal":                   {mode: "auto", env: utf8, terminal: true, want: present.Style{Color: true, Unicode: true}},
		"pipe":                       {mode: "auto", env: utf8, want: present.Style{Unicode: true}},
		"NO_COLOR":                   {mode: "auto", env: map[string]string{"NO_COLOR": "1", "LANG": "C.utf8"}, terminal: true, want: present.Style{Unicode: true}},
		"NO_COLOR beats force":       {mode: "auto", env: map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, terminal: true, want: present.Style{}},
		"dumb":                       {mode: "auto", env: map[string]string{"TERM": "dumb"}, terminal: true, want: present.Style{}},
		"CLICOLOR_FORCE":             {mode: "auto", env: map[string]string{"CLICOLOR_FORCE": "1"}, want: present.Style{Color: true}},
		"CLICOLOR_FORCE=0":           {mode: "auto", env: map[string]string{"CLICOLOR_FORCE": "0"}, want: present.Style{}},
		"always beats all":           {mode: "always", env: map[string]string{"NO_COLOR": "1"}, want: present.Style{Color: true}},
		"LC_ALL beats LANG":          {mode: "never", env: map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, terminal: true, want: present.Style{}},
		"no locale means only ASCII": {mode: "never", terminal: true, want: present.Style{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := present.StyleFor(tc.mode, func(k string) string { return tc.env[k] }, tc.terminal, 0)
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
	if _, err := present.StyleFor("sometimes", func(string) string { return "" }, true, 0); err == nil {
		t.Error("--color sometimes was accepted")
	}
}

// TestProgressLines: bars of many groups fit the terminal, and say how many there are.
func TestProgressLines(t *testing.T) {
	all := []present.Progress{
		{Group: "production/postgresql-with-a-name-that-goes-on-and-on-and-on", State: present.ProgressRunning, Step: 3, Steps: 5, Name: "sync", Took: 12 * time.Second, Says: "east does not confirm yet that both sites are in sync"},
		{Group: "production/データベース", State: present.ProgressRunning, Step: 1, Steps: 5, Name: "record", Says: "west: write the operation's journal on the group"},
		{Group: "production/evil", State: present.ProgressRunning, Step: 5, Steps: 5, Name: "finish", Took: 90 * time.Minute, Says: "\x1b[2J\nsaid the backend"},
		{Group: "production/a", State: present.ProgressDone},
		{Group: "production/b", State: present.ProgressStopped},
		{Group: "production/c"},
	}
	for style, s := range styles() {
		t.Run(style, func(t *testing.T) {
			var b strings.Builder
			for _, rows := range []int{20, 3} {
				lines := present.ProgressLines(s, all, rows)
				if len(lines) > rows {
					t.Errorf("%d lines, want at most %d", len(lines), rows)
				}
				b.WriteString(strings.Join(lines, "\n") + "\n\n")
			}
			alone := present.ProgressLines(s, all[:1], 1)
			if len(alone) != 1 {
				t.Errorf("a group alone has %d lines", len(alone))
			}
			b.WriteString(strings.Join(alone, "\n") + "\n")
			golden.Compare(t, "progress."+style+".golden", b.String())
			fits(t, b.String(), s)
		})
	}
}
