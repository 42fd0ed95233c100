// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestJournalUnderOtherNames: an operation is resumed whatever its sites were called when it began, and is told of
// by the names of now.
func TestJournalUnderOtherNames(t *testing.T) {
	const east, west = "default/api-ocp-east-example-com:6443/kube:admin", "default/api-ocp-west-example-com:6443/kube:admin"
	for name, tc := range map[string]struct {
		from, to recovery.SiteRef
		// clusters are what is known now.
		clusters [2]string
		resumes  bool
	}{
		"written under the contexts":                    {recovery.SiteRef{Name: east, Cluster: "e"}, recovery.SiteRef{Name: west, Cluster: "w"}, [2]string{"e", "w"}, true},
		"written under another administrator's aliases": {recovery.SiteRef{Name: "paris", Cluster: "e"}, recovery.SiteRef{Name: "rome", Cluster: "w"}, [2]string{"e", "w"}, true},
		"the clusters are not known now":                {recovery.SiteRef{Name: east, Cluster: "e"}, recovery.SiteRef{Name: west, Cluster: "w"}, [2]string{}, true},
		"one cluster is not known now":                  {recovery.SiteRef{Name: east, Cluster: "e"}, recovery.SiteRef{Name: west, Cluster: "w"}, [2]string{"", "w"}, true},
		"aliases, and the clusters are not known":       {recovery.SiteRef{Name: "paris", Cluster: "e"}, recovery.SiteRef{Name: "rome", Cluster: "w"}, [2]string{}, false},
		"the names of other clusters":                   {recovery.SiteRef{Name: "ocp-east", Cluster: "x"}, recovery.SiteRef{Name: "ocp-west", Cluster: "y"}, [2]string{"e", "w"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := recovery.Pair{Namespace: "prod", Name: "db"}
			p.Sites[0] = recovery.Site{SiteRef: recovery.SiteRef{Name: "ocp-east", Cluster: tc.clusters[0], Context: east}, Answered: true}
			p.Sites[1] = recovery.Site{SiteRef: recovery.SiteRef{Name: "ocp-west", Cluster: tc.clusters[1], Context: west}, Answered: true}
			p.Sites[0].Journal = &recovery.Operation{ID: "1", Kind: recovery.Planned, From: tc.from, To: tc.to, Revision: 1}
			op, stop := recovery.Begin(p, recovery.Request{Kind: recovery.Planned, To: p.Sites[1].SiteRef, Holder: "me"}, backend.Traits{})
			if !tc.resumes {
				if stop == nil || !strings.Contains(stop.Message, "not between ocp-east and ocp-west") {
					t.Errorf("%+v, %+v", op, stop)
				}
				return
			}
			if stop != nil || op.ID != "1" || op.From.Name != "ocp-east" || op.To.Name != "ocp-west" || op.To.Cluster != "w" {
				t.Errorf("%+v, %+v", op, stop)
			}
			if got := op.ResumeCommand("prod", "db"); got != "kubectl vgr failover db -n prod --to ocp-west" {
				t.Error(got)
			}
		})
	}
	equal := recovery.Pair{Sites: [2]recovery.Site{{SiteRef: recovery.SiteRef{Name: "10.0.0.1", Context: "default"}}, {SiteRef: recovery.SiteRef{Name: "10.1.0.1", Context: "default"}}}}
	if s := equal.Site(recovery.SiteRef{Name: "default", Cluster: "w"}); s != nil {
		t.Errorf("a context that both sites have is taken for %s", s.Name)
	}
	promote := recovery.Operation{Kind: recovery.Promote, To: recovery.SiteRef{Name: "ocp-west", Flag: west}}
	if got := promote.ResumeCommand("prod", "db"); got != "kubectl vgr promote db -n prod --context "+west {
		t.Error(got)
	}
}
