// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
)

// is a site where a group is as it was asked to be.
func is(site string, state vgrv1.State, change ...func(*overview.GroupSite)) overview.GroupSite {
	gs := overview.GroupSite{Site: site, Exists: true, State: state, Current: true, Ready: overview.Ready{Status: metav1.ConditionTrue}}
	gs.Desired = vgrv1.ReplicationState(strings.ToLower(string(state)))
	for _, c := range change {
		c(&gs)
	}
	return gs
}

func degraded(status metav1.ConditionStatus) func(*overview.GroupSite) {
	return func(gs *overview.GroupSite) {
		gs.Conditions = append(gs.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: status})
	}
}

func wants(state vgrv1.ReplicationState) func(*overview.GroupSite) {
	return func(gs *overview.GroupSite) {
		gs.Desired, gs.Current, gs.Ready = state, false, overview.Ready{Status: metav1.ConditionFalse, Reason: vgrv1.ReasonProgressing}
	}
}

// TestPlanRole: nothing may become primary beside a primary, nor before the demotion of the peer
// has crossed, except where the user accepts it.
func TestPlanRole(t *testing.T) {
	const east, west = "east", "west"
	primary, secondary := vgrv1.StatePrimary, vgrv1.StateSecondary
	cases := map[string]struct {
		state              vgrv1.ReplicationState
		here, there        overview.GroupSite
		noPeer, silentPeer bool
		users              []string
		force, accept      bool
		// code is that of the refusal; 0 when the plan goes ahead.
		code      int
		done      bool
		awaitSync bool
		note      string
	}{
		"promote, both in sync":                    {state: vgrv1.Primary, here: is(east, secondary, degraded("False")), there: is(west, secondary, degraded("False")), note: "everything has crossed"},
		"promote, the peer not in sync":            {state: vgrv1.Primary, here: is(east, secondary, degraded("False")), there: is(west, secondary, degraded("True")), awaitSync: true},
		"promote, this site not in sync":           {state: vgrv1.Primary, here: is(east, secondary, degraded("True")), there: is(west, secondary, degraded("False")), awaitSync: true},
		"promote, nobody has said anything":        {state: vgrv1.Primary, here: is(east, secondary), there: is(west, secondary), awaitSync: true},
		"promote, the peer in trouble with resync": {state: vgrv1.Primary, here: is(east, secondary), there: is(west, secondary, wants(vgrv1.Secondary)), awaitSync: true},
		"promote, not in sync, accepted":           {state: vgrv1.Primary, here: is(east, secondary), there: is(west, secondary), accept: true, note: "what has not is lost"},
		"promote beside a primary":                 {state: vgrv1.Primary, here: is(east, secondary), there: is(west, primary), code: failure.CodeRefused},
		"promote beside a primary, accepted":       {state: vgrv1.Primary, here: is(east, secondary), there: is(west, primary), accept: true, code: failure.CodeRefused},
		"promote beside one on its way up":         {state: vgrv1.Primary, here: is(east, secondary), there: is(west, secondary, wants(vgrv1.Primary)), code: failure.CodeRefused},
		"promote beside one on its way down":       {state: vgrv1.Primary, here: is(east, secondary), there: is(west, primary, wants(vgrv1.Secondary)), code: failure.CodeRefused},
		"promote beside a resync":                  {state: vgrv1.Primary, here: is(east, secondary), there: is(west, secondary, wants(vgrv1.Resync)), code: failure.CodeRefused},
		"promote, peer silent":                     {state: vgrv1.Primary, here: is(east, secondary), silentPeer: true, code: failure.CodeUnreachable},
		"promote, peer silent, accepted":           {state: vgrv1.Primary, here: is(east, secondary), silentPeer: true, accept: true, note: "both will be"},
		"promote, no peer known":                   {state: vgrv1.Primary, here: is(east, secondary), noPeer: true, code: failure.CodeRefused},
		"promote, no peer known, accepted":         {state: vgrv1.Primary, here: is(east, secondary), noPeer: true, accept: true, note: "both will be"},
		"promote, not on the peer":                 {state: vgrv1.Primary, here: is(east, secondary), there: overview.GroupSite{Site: west}, note: "no such group"},
		"promote again while it is under way":      {state: vgrv1.Primary, here: is(east, secondary, wants(vgrv1.Primary)), there: is(west, secondary), note: "asked for already"},
		"promote what is primary":                  {state: vgrv1.Primary, here: is(east, primary), there: is(west, secondary), done: true},
		"demote":                                   {state: vgrv1.Secondary, here: is(east, primary), there: is(west, secondary), note: "nobody will be primary"},
		"demote what pods use":                     {state: vgrv1.Secondary, here: is(east, primary), there: is(west, secondary), users: []string{"pod/db-0"}, code: failure.CodeRefused},
		"demote what pods use, by force":           {state: vgrv1.Secondary, here: is(east, primary), there: is(west, secondary), users: []string{"pod/db-0"}, force: true, note: "in use by pod/db-0"},
		"demote what is secondary":                 {state: vgrv1.Secondary, here: is(east, secondary), there: is(west, primary), done: true},
		"demote what is not there":                 {state: vgrv1.Secondary, here: overview.GroupSite{Site: east}, there: is(west, primary), code: failure.CodeRefused},
		"demote what is being deleted":             {state: vgrv1.Secondary, here: is(east, primary, func(gs *overview.GroupSite) { gs.Deleting = true }), there: is(west, primary), code: failure.CodeRefused},
		"resync":                                   {state: vgrv1.Resync, here: is(east, secondary), there: is(west, primary), note: "is discarded"},
		"resync a primary":                         {state: vgrv1.Resync, here: is(east, primary), there: is(west, primary), code: failure.CodeRefused},
		"resync from a secondary":                  {state: vgrv1.Resync, here: is(east, secondary), there: is(west, secondary), code: failure.CodeRefused},
		"resync, peer silent":                      {state: vgrv1.Resync, here: is(east, secondary), silentPeer: true, code: failure.CodeUnreachable},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := roleRequest{
				state: tc.state, here: east, peer: west, peerSite: overview.Site{Name: west, Answered: !tc.silentPeer},
				group: overview.Group{Namespace: "prod", Name: "db", Sites: []overview.GroupSite{tc.here, tc.there}},
				users: tc.users, force: tc.force, acceptSplit: tc.accept, confirmsSync: true,
			}
			if tc.noPeer {
				r.peer, r.peerSite = "", overview.Site{}
			}
			p := planRole(r)
			code := 0
			if p.refusal != nil {
				code = p.refusal.Code
			}
			if code != tc.code || p.done != tc.done || p.awaitSync != tc.awaitSync {
				t.Errorf("refusal %v, done %v, awaitSync %v", p.refusal, p.done, p.awaitSync)
			}
			if notes := strings.Join(p.notes, "\n"); !strings.Contains(notes, tc.note) {
				t.Errorf("notes are %q, want %q", notes, tc.note)
			}
			if p.refusal != nil && p.refusal.Next == "" && !tc.here.Deleting && tc.state != vgrv1.Resync {
				t.Error("a refusal without a next step")
			}
		})
	}
}
