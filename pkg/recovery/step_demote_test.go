// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestDemotions: where a demotion hands the role over, or is none, it is refused with the command to use.
func TestDemotions(t *testing.T) {
	for name, traits := range storages {
		w := newWorld(traits, recovery.Planned, 0)
		_, stop := recovery.Begin(w.observe(true), recovery.Request{Kind: recovery.Demote, To: sites[west], ID: "1", Holder: "me"}, traits)
		switch {
		case traits.ConfirmsSync && stop != nil:
			t.Errorf("%s: %s", name, stop.Message)
		case !traits.ConfirmsSync && (stop == nil || stop.Next != "kubectl vgr failover db -n production --to west"):
			t.Errorf("%s: %+v", name, stop)
		}
	}
}

// TestDoubtedSource: a source that has synchronised, and whose storage does not confirm any more that it does, is not
// demoted: its copy may have diverged, and would then be promoted.
func TestDoubtedSource(t *testing.T) {
	for name, tc := range map[string]struct {
		status metav1.ConditionStatus
		reason string
		waits  bool
	}{
		"confirmed":                     {metav1.ConditionTrue, "Healthy", false},
		"a driver that reports no more": {metav1.ConditionUnknown, vgrv1.ReasonStatusNotReported, false},
		"not known":                     {metav1.ConditionUnknown, "Unknown", true},
	} {
		t.Run(name, func(t *testing.T) {
			p, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
				meta.SetStatusCondition(&p.Sites[east].Group.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionReplicating, Status: tc.status, Reason: tc.reason, Message: "no snapshot details"})
			})
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Planned, To: sites[west], ID: "1", Holder: "me"}, facts.Traits)
			if stop != nil {
				t.Fatal(stop.Message)
			}
			d := recovery.Next(p, op, facts.Traits)
			for range sites { // the journal on each
				site := p.Site(d.Write.Site)
				site.Journal, site.Group.Spec.AutoResync = &d.Write.Operation, new(false)
				d = recovery.Next(p, d.Operation, facts.Traits)
			}
			if waits := d.Write == nil && d.Step.ID == recovery.StepVerify; waits != tc.waits || tc.waits && !strings.Contains(d.Wait, "no snapshot details") {
				t.Errorf("%+v", d)
			}
			warned := false
			for _, c := range recovery.Checks(facts, op) {
				warned = warned || c.ID == "sync" && c.Severity == recovery.CheckWarning && strings.Contains(c.Evidence, "does not confirm")
			}
			if warned != tc.waits {
				t.Errorf("the plan warns: %t", warned)
			}
		})
	}
}
