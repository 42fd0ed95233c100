// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestReady: where the source does not answer, the question is what an unplanned failover would lose.
func TestReady(t *testing.T) {
	lost := func(p *recovery.Pair) {
		p.Sites[east] = recovery.Site{SiteRef: sites[east], UnreachableReason: "connection refused"}
	}
	journal := func(p *recovery.Pair, kind recovery.Kind, steps ...recovery.StepTimes) {
		p.Sites[west].Journal = &recovery.Operation{ID: "old", Kind: kind, From: sites[east], To: sites[west], By: "alice", Revision: 3, Accepted: "10m", Steps: steps}
	}
	const unknown = "kubectl vgr failover db -n production --to west --unplanned --accept-data-loss unknown"
	for name, tc := range map[string]struct {
		change func(p *recovery.Pair)
		to     int
		// planned and unplanned report whether each is possible, and command begins the second one.
		planned, unplanned bool
		command            string
		// says is in a check of the unplanned failover.
		says string
	}{
		"both answer":        {change: func(*recovery.Pair) {}, to: west, planned: true},
		"the target is lost": {change: lost, to: east},
		"the source is lost": {change: lost, to: west, unplanned: true, command: unknown, says: "east does not answer: connection refused"},
		"it told its last synchronisation": {change: func(p *recovery.Pair) {
			lost(p)
			p.Sites[west].Group.Status.LastSyncTime = &before
		}, to: west, unplanned: true, command: "--accept-data-loss 2m0s"},
		"the source is lost, and was not asked": {change: func(p *recovery.Pair) { lost(p); p.Sites[east].NotAsked = true }, to: west, says: "which does not prove that it is down"},
		"its API lives":                         {change: func(p *recovery.Pair) { lost(p); p.Sites[east].Alive = true }, to: west, says: "east is alive and does not show the group"},
		"the target is primary already": {change: func(p *recovery.Pair) {
			lost(p)
			p.Sites[west].Group.Spec.ReplicationState = vgrv1.Primary
			p.Sites[west].Group.Status.State = vgrv1.StatePrimary
		}, to: west},
		"there is no copy":            {change: func(p *recovery.Pair) { lost(p); p.Sites[west].Group = nil }, to: west},
		"a planned one was in flight": {change: func(p *recovery.Pair) { lost(p); journal(p, recovery.Planned) }, to: west, planned: true, unplanned: true, command: unknown},
		"a planned one was about to end": {change: func(p *recovery.Pair) {
			lost(p)
			journal(p, recovery.Planned, recovery.StepTimes{ID: recovery.StepPromote, Asked: true})
		}, to: west, planned: true},
		"an unplanned one is in flight": {
			change: func(p *recovery.Pair) { lost(p); journal(p, recovery.Unplanned) }, to: west, unplanned: true,
			command: "kubectl vgr failover db -n production --to west --unplanned --accept-data-loss 10m", says: "is in flight, begun by alice",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, facts := ceph(func(p *recovery.Pair, _ *[2]recovery.Environment) { tc.change(p) })
			got := recovery.Ready(facts, sites[tc.to], false)
			if planned := len(recovery.Problems(got.Checks)) == 0; planned != tc.planned {
				t.Errorf("a planned failover is possible: %t, want %t: %+v", planned, tc.planned, recovery.Problems(got.Checks))
			}
			u := got.Unplanned
			if (u != nil && u.Command != "") != tc.unplanned {
				t.Fatalf("an unplanned failover: %+v", u)
			}
			if u == nil {
				return
			}
			said := ""
			for _, c := range u.Checks {
				said += c.Evidence + "\n"
			}
			if !strings.Contains(u.Command, tc.command) || !strings.Contains(said, tc.says) || u.Loss == "" {
				t.Errorf("command %q, loss %q, checks:\n%s", u.Command, u.Loss, said)
			}
		})
	}
}
