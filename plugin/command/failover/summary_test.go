// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// TestInterruption: who stops many groups is told of all, in commands that can be pasted.
func TestInterruption(t *testing.T) {
	east, west := recovery.SiteRef{Name: "east", Cluster: "e"}, recovery.SiteRef{Name: "west", Cluster: "w"}
	ends := func(name, left string, notStarted bool, steps ...recovery.StepTimes) ending {
		o := ending{namespace: "apps", name: name, left: left, notStarted: notStarted}
		o.op = &recovery.Operation{ID: name, Kind: recovery.Planned, From: east, To: west, Steps: steps}
		switch {
		case left != "":
			o.err = clierror.New(clierror.CodeInterrupted, "one", "apps/%s: interrupted; %s", name, left)
		case notStarted:
			o.err = clierror.Refused("", "apps/%s: not started", name)
		}
		return o
	}
	promoting := recovery.StepTimes{ID: recovery.StepPromote, Asked: true}
	refused := ends("full", "", false)
	refused.err, refused.op = clierror.Refused("mend", "apps/full: refused"), nil
	for name, tc := range map[string]struct {
		all        []ending
		says, next string
		result     string
	}{
		"all kinds": {
			[]ending{
				ends("done", "", false), ends("api", "no site is primary", false), ends("queue", "no site is primary", false),
				ends("db", "west was asked to be primary and has not confirmed it", false, promoting), ends("early", "nothing was changed", true), ends("web", "", true), refused,
			},
			"6 of 7 groups are not done; no site is primary for apps/api, apps/queue",
			"kubectl vgr failover api queue db early web -n apps --to west\nkubectl vgr failover api queue -n apps --abort", "interrupted",
		},
		"one alone": {[]ending{ends("api", "no site is primary", false)}, "apps/api: interrupted; no site is primary", "one", "interrupted"},
		"none":      {[]ending{ends("web", "", true), ends("early", "nothing was changed", true)}, "2 of 2 groups are not done", "kubectl vgr failover web early -n apps --to west", "not started"},
	} {
		t.Run(name, func(t *testing.T) {
			err := worstEnding(tc.all)
			f, ok := err.(*clierror.Error) //nolint:errorlint // it is never wrapped
			if !ok || f.Message != tc.says || f.Next != tc.next || f.Code != clierror.CodeInterrupted {
				t.Errorf("got %#v", err)
			}
			for _, o := range tc.all {
				if o.name == "api" || o.name == "web" {
					if got := o.result(); got != tc.result {
						t.Errorf("%s is %s, want %s", o.name, got, tc.result)
					}
					break
				}
			}
		})
	}
}
