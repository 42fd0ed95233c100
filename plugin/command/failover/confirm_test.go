// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
)

// TestConfirm: who gives up writes types whose, of one group and of many; everything else asks for a name or a number.
func TestConfirm(t *testing.T) {
	east, west := recovery.SiteRef{Name: "east"}, recovery.SiteRef{Name: "west"}
	planned := recovery.Operation{Kind: recovery.Planned, From: east, To: west}
	unplanned := recovery.Operation{Kind: recovery.Unplanned, From: east, To: west}
	for name, tc := range map[string]struct {
		ops  []recovery.Operation
		want string
	}{
		"planned":                 {[]recovery.Operation{planned}, "a"},
		"planned, many":           {[]recovery.Operation{planned, planned}, "2"},
		"unplanned":               {[]recovery.Operation{unplanned}, "lose data of east"},
		"unplanned, one of many":  {[]recovery.Operation{planned, unplanned}, "lose data of east"},
		"failback that discards":  {[]recovery.Operation{{Kind: recovery.Failback, Discard: true, From: west, To: east}}, "lose data of east"},
		"failback without a loss": {[]recovery.Operation{{Kind: recovery.Failback, From: west, To: east}}, "a"},
		"resync":                  {[]recovery.Operation{{Kind: recovery.Resync, Discard: true, From: west, To: east}}, "lose data of east"},
		"promotion in a split":    {[]recovery.Operation{{Kind: recovery.Promote, Force: true, From: east, To: west}}, "lose data of east"},
		"promotion":               {[]recovery.Operation{{Kind: recovery.Promote, From: east, To: west}}, "a"},
		"failback, taken back":    {[]recovery.Operation{{Kind: recovery.Failback, Discard: true, Aborting: true, From: west, To: east}}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			var jobs []*operate.Job
			var names []string
			for i, op := range tc.ops {
				names = append(names, string(rune('a'+i)))
				jobs = append(jobs, &operate.Job{Name: names[i], Operation: op})
			}
			asked := ""
			e := &cli.Env{Screen: &cli.Screen{Confirm: func(want string) bool { asked = want; return true }}}
			if err := (&operation{}).confirm(e, jobs, names); err != nil || asked != tc.want {
				t.Errorf("asks for %q, want %q (%v)", asked, tc.want, err)
			}
		})
	}
}
