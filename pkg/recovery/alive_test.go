// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestDoubts: the API of a source may answer although its storage is dead. A planned failover is advised without a
// doubt only where its storage reports no trouble.
func TestDoubts(t *testing.T) {
	sets := func(c metav1.Condition) func(p *recovery.Pair, _ *[2]recovery.Environment) {
		return func(p *recovery.Pair, _ *[2]recovery.Environment) {
			meta.SetStatusCondition(&p.Sites[east].Group.Status.Conditions, c)
		}
	}
	replicating := func(is metav1.ConditionStatus, reason, message string) func(p *recovery.Pair, _ *[2]recovery.Environment) {
		return sets(metav1.Condition{Type: vgrv1.ConditionReplicating, Status: is, Reason: reason, Message: message})
	}
	cases := map[string]struct {
		change func(p *recovery.Pair, a *[2]recovery.Environment)
		want   string // of the only doubt; empty for none
	}{
		"well": {func(*recovery.Pair, *[2]recovery.Environment) {}, ""},
		"the last synchronisation is old": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.LastSyncTime = new(metav1.NewTime(now.Add(-time.Hour)))
		}, "the last synchronisation is 1h0m0s old"},
		"it is late": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.LastSyncTime = new(metav1.NewTime(now.Add(-13 * time.Minute)))
		}, "the last synchronisation is 13m0s old"},
		"no synchronisation of this role": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.StateSince = new(metav1.NewTime(now))
		}, "east has not reported a synchronisation since it became primary"},
		"not replicating":                     {replicating(metav1.ConditionFalse, "NotReplicating", "data: volume is not replicating"), "the controller on east says: data: volume is not replicating"},
		"not known whether it replicates":     {replicating(metav1.ConditionUnknown, "Unknown", "no answer of the cluster"), "the controller on east says: no answer of the cluster"},
		"a driver that never says so is calm": {replicating(metav1.ConditionUnknown, vgrv1.ReasonStatusNotReported, "the driver reports no status"), ""},
		"not known whether it is primary": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			isTo(p.Sites[east].Group, vgrv1.Primary, vgrv1.StateUnknown, metav1.Condition{Status: metav1.ConditionFalse, Reason: "BackendError", Message: "the driver does not answer"})
		}, "east is unknown (BackendError: the driver does not answer)"},
		"csi-addons reaches no driver": {func(_ *recovery.Pair, a *[2]recovery.Environment) { a[east].Unconnected = "no driver" }, "the backend on east does not reach its driver: no driver"},
		"no controller":                {func(_ *recovery.Pair, a *[2]recovery.Environment) { a[east].NoController = "not running" }, "no controller runs on east: not running"},
		"the copy has an error": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			meta.SetStatusCondition(&p.Sites[west].Group.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "Error", Message: "up+error"})
		}, "the copy on west has an error: up+error"},
	}
	op := recovery.Operation{Kind: recovery.Unplanned, From: sites[east], To: sites[west]}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, f := ceph(func(p *recovery.Pair, a *[2]recovery.Environment) {
				replicating(metav1.ConditionTrue, "Replicating", "volume is replicating")(p, a)
				tc.change(p, a)
			})
			doubts := recovery.Doubts(f, op)
			if tc.want == "" && len(doubts) == 0 {
				return
			}
			if len(doubts) != 1 || tc.want == "" || !strings.Contains(doubts[0], tc.want) {
				t.Errorf("the doubts are %q, want only %q", doubts, tc.want)
			}
		})
	}
	_, f := ceph(replicating(metav1.ConditionTrue, "Replicating", "volume is replicating"))
	f.Schedule = 0
	if doubts := recovery.Doubts(f, op); len(doubts) != 1 || !strings.Contains(doubts[0], "the schedule is not known") {
		t.Errorf("without a schedule: %q", doubts)
	}
	// Trident tells no time and no state of its link; that is no doubt.
	_, f = ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) {
		g := p.Sites[east].Group
		g.Status.LastSyncTime = nil
		meta.RemoveStatusCondition(&g.Status.Conditions, vgrv1.ConditionReplicating)
	})
	f.Traits = backend.Traits{}
	if doubts := recovery.Doubts(f, op); len(doubts) > 0 {
		t.Errorf("without a time: %q", doubts)
	}
}
