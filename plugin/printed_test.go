// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestPrintedCommands runs what commands print as the next step, where it was printed: it must be about the same two sites.
func TestPrintedCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
	}
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	printed := regexp.MustCompile(`kubectl vgr ((?:failover|status|demote|promote|list) [^;]*?)(?: moves | shows |$)`)
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"flags":                        {nil, []string{"promote", "orders", "--context", "west", "--peer-context", "east", "--yes"}},
		"a flag names the peer":        {nil, []string{"resync", "orders", "--peer-context", "west", "--yes"}},
		"the environment":              {map[string]string{"KUBECTL_VGR_CONTEXT": "west", "KUBECTL_VGR_PEER_CONTEXT": "east"}, []string{"promote", "orders", "--yes"}},
		"the environment, and a flag":  {map[string]string{"KUBECTL_VGR_CONTEXT": "east", "KUBECTL_VGR_PEER_CONTEXT": "west"}, []string{"promote", "orders", "--context", "west", "--yes"}},
		"the current context, swapped": {map[string]string{"KUBECTL_VGR_PEER_CONTEXT": "west"}, []string{"promote", "orders", "--context", "west", "--yes"}},
		"no such group":                {nil, []string{"promote", "nothing", "--context", "west", "--peer-context", "east", "--yes"}},
		"of a site that is lost":       {nil, []string{"promote", "orders", "--context", "west", "--peer-context", "dead", "--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			b.env = tc.env
			defer func() { b.env = nil }()
			r := b.vgr(tc.args...)
			var found []string
			for line := range strings.Lines(r.errOut) {
				if strings.HasPrefix(strings.TrimSpace(line), "Next:") {
					for _, m := range printed.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
						found = append(found, m[1])
					}
				}
			}
			if len(found) == 0 {
				t.Fatalf("no command is printed:\n%s", r.errOut)
			}
			for _, command := range found {
				args := strings.Fields(command)
				if args[0] != "status" && args[0] != "list" {
					args = append(args, "--dry-run=client")
				}
				again := b.vgr(args...)
				if again.code == 1 || strings.Contains(again.errOut, "no peer is known") {
					t.Errorf("kubectl vgr %s: exit code %d\n%s", command, again.code, again.errOut)
				}
			}
		})
	}
}

// TestVerdictsCommands runs what the verdict of a group says to do next: each command must be one, without a placeholder, and
// about that group. Whether it is refused depends on what a test does not have.
func TestVerdictsCommands(t *testing.T) {
	b := newBench(t)
	east, west := recovery.SiteRef{Name: "east"}, recovery.SiteRef{Name: "west"}
	for site, c := range map[*recovery.SiteRef]client.Client{&east: b.east, &west: b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
		b.group(c, "first", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
		b.led(c, "first")
		var system corev1.Namespace
		b.must(c.Get(t.Context(), keyOf("", "kube-system"), &system))
		site.Cluster = string(system.UID)
	}
	unready := func(reason string) metav1.Condition {
		return metav1.Condition{Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: "said by the test"}
	}
	diverged := metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "Error", Message: "split-brain detected"}
	write := func(c client.Client, name string, change func(g *vgrv1.VolumeGroupReplication)) {
		t.Helper()
		var g vgrv1.VolumeGroupReplication
		b.must(c.Get(t.Context(), keyOf("default", name), &g))
		change(&g)
		b.must(c.Update(t.Context(), &g))
	}
	journal := func(op recovery.Operation) func(name string) {
		return func(name string) {
			for _, c := range []client.Client{b.east, b.west} {
				write(c, name, func(g *vgrv1.VolumeGroupReplication) { b.must(recovery.Write{Operation: op}.Apply(g)) })
			}
		}
	}
	none := func(string) {}
	for name, tc := range map[string]struct {
		east, west  vgrv1.ReplicationState
		eastIs      vgrv1.State
		westIs      vgrv1.State
		onEast      []metav1.Condition
		onWest      []metav1.Condition
		then        func(name string)
		mayNameNone bool // the verdict names no command
	}{
		"split":            {vgrv1.Primary, vgrv1.Primary, vgrv1.StatePrimary, vgrv1.StatePrimary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{ready("Promoted")}, none, false},
		"given-up":         {vgrv1.Primary, vgrv1.Primary, vgrv1.StatePrimary, vgrv1.StatePrimary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{ready("Promoted")}, journal(recovery.Operation{ID: "1", Kind: recovery.Unplanned, Revision: 1, Result: recovery.Done, Accepted: "unknown", From: east, To: west, Steps: []recovery.StepTimes{{ID: recovery.StepPromote, Started: metav1.NowMicro(), Asked: true, Finished: new(metav1.NowMicro())}}}), false},
		"no-primary":       {vgrv1.Secondary, vgrv1.Secondary, vgrv1.StateSecondary, vgrv1.StateSecondary, []metav1.Condition{ready("Demoted")}, []metav1.Condition{ready("Demoted")}, none, false},
		"refused-primary":  {vgrv1.Secondary, vgrv1.Primary, vgrv1.StateSecondary, vgrv1.StateSecondary, []metav1.Condition{ready("Demoted")}, []metav1.Condition{unready(vgrv1.ReasonPromotionNotConfirmed)}, none, false},
		"diverged":         {vgrv1.Primary, vgrv1.Secondary, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{ready("Demoted"), diverged}, none, false},
		"moved-by-another": {vgrv1.Secondary, vgrv1.Secondary, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{ready("Demoted"), diverged}, none, false},
		"resync":           {vgrv1.Primary, vgrv1.Resync, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{unready(vgrv1.ReasonResyncing)}, none, false},
		"guarded":          {vgrv1.Primary, vgrv1.Primary, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{unready(vgrv1.ReasonPromotionNotConfirmed)}, none, true},
		"outside":          {vgrv1.Primary, vgrv1.Primary, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{unready(vgrv1.ReasonRoleChangedOutside)}, none, true},
		"in-flight":        {vgrv1.Primary, vgrv1.Secondary, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{ready("Demoted")}, journal(recovery.Operation{ID: "2", Kind: recovery.Planned, Revision: 1, From: east, To: west}), false},
		"failback-begun":   {vgrv1.Primary, vgrv1.Secondary, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{ready("Demoted")}, journal(recovery.Operation{ID: "3", Kind: recovery.Failback, Discard: true, Revision: 1, From: east, To: west}), false},
		"promotion-begun":  {vgrv1.Secondary, vgrv1.Secondary, vgrv1.StateSecondary, vgrv1.StateSecondary, []metav1.Condition{ready("Demoted")}, []metav1.Condition{ready("Demoted")}, journal(recovery.Operation{ID: "4", Kind: recovery.Promote, Revision: 1, From: east, To: west}), false},
		"copies-are-missing": {vgrv1.Primary, vgrv1.Secondary, vgrv1.StatePrimary, vgrv1.StateSecondary, []metav1.Condition{ready("Promoted")}, []metav1.Condition{ready("Demoted")}, func(name string) {
			var g vgrv1.VolumeGroupReplication
			b.must(b.east.Get(t.Context(), keyOf("default", name), &g))
			g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{Name: "more"})
			b.must(b.east.Status().Update(t.Context(), &g))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b.group(b.east, name, tc.east, tc.eastIs, tc.onEast...)
			b.group(b.west, name, tc.west, tc.westIs, tc.onWest...)
			tc.then(name)
			var o overview.Overview
			b.must(json.Unmarshal([]byte(b.vgr("status", name, "--peer-context", "west", "-o", "json").out), &o))
			if len(o.Groups) != 1 {
				t.Fatalf("%d groups", len(o.Groups))
			}
			v := o.Groups[0].Verdict
			found := commandsOf(v.Next)
			if len(found) == 0 && !tc.mayNameNone {
				t.Errorf("%s, %s: no command in %q", v.Phase, v.Message, v.Next)
			}
			for _, args := range found {
				if !slices.Contains(args, name) && args[0] != "version" {
					t.Errorf("%q does not name the group", args)
				}
				switch args[0] {
				case "version", "status", "validate":
				default:
					args = append(args, "--dry-run=client")
				}
				peer := "west"
				if i := slices.Index(args, "--context"); i > 0 && args[i+1] == peer {
					peer = "east"
				}
				again := b.vgr(append(args, "--peer-context", peer)...)
				if again.code == 1 || again.code == 2 && slices.Contains([]string{"split", "given-up", "diverged"}, name) || strings.Contains(strings.Join(args, " "), "SITE") {
					t.Errorf("kubectl vgr %s: exit code %d\n%s", strings.Join(args, " "), again.code, again.errOut)
				}
			}
		})
	}
}

// TestRefusalsCommands runs each command that a refusal of the planner, or a check, has printed in its own tests: each is one
// that the plugin knows, without a placeholder. Whether it is refused depends on what a test does not have.
func TestRefusalsCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
		b.must(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "production"}}))
	}
	b.groupIn(b.east, "production", "db", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.groupIn(b.west, "production", "db", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	text, err := os.ReadFile(filepath.Join("..", "pkg", "recovery", "testdata", "refusals.golden"))
	b.must(err)
	ran := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		for _, args := range commandsOf(line) {
			command := strings.Join(args, " ")
			if ran[command] || !slices.Contains(args, "db") {
				continue // or prose about a command, such as "kubectl vgr create prepares both sites"
			}
			ran[command] = true
			if args[0] != "status" {
				args = append(args, "--dry-run=client")
			}
			peer := "west"
			if i := slices.Index(args, "--context"); i > 0 && args[i+1] == peer {
				peer = "east"
			}
			if again := b.vgr(append(args, "--peer-context", peer)...); again.code == 1 || strings.Contains(command, "SITE") {
				t.Errorf("kubectl vgr %s: exit code %d\n%s", command, again.code, again.errOut)
			}
		}
	}
	if len(ran) < 10 {
		t.Errorf("only %d commands were found: %v", len(ran), ran)
	}
}

// commandsOf returns the commands in a text, without what it says of them behind.
func commandsOf(text string) (all [][]string) {
	for _, part := range strings.Split(text, "kubectl vgr ")[1:] {
		part, _, _ = strings.Cut(part, ";")
		for _, prose := range []string{" discards the ", " leaves the ", " ends the ", " keeps the ", " updates it", " shows what "} {
			part, _, _ = strings.Cut(part, prose)
		}
		var args []string
		for word := range strings.FieldsSeq(part) {
			args = append(args, strings.Trim(word, "'"))
		}
		all = append(all, args)
	}
	return all
}
