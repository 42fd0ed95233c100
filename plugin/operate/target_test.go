// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestTarget: a write reaches its site, also when the user may not read what identifies the clusters.
func TestTarget(t *testing.T) {
	for _, clusters := range [][2]string{{"", ""}, {"uid-east", "uid-west"}, {"uid-east", ""}, {"", "uid-west"}} {
		var p recovery.Pair
		for i, name := range []string{"east", "west"} {
			p.Sites[i].SiteRef = recovery.SiteRef{Name: name, Cluster: clusters[i]}
		}
		for i := range p.Sites {
			if at, _ := target(&p, p.Sites[i].SiteRef); at != i {
				t.Errorf("%q: a write for %s goes to site %d", clusters, p.Sites[i].Name, at)
			}
		}
	}
}

// TestStoppedAt: a dry run scales only where a workload is known to have been stopped.
func TestStoppedAt(t *testing.T) {
	for _, tc := range []struct {
		stopped, site string
		want          bool
	}{
		{"uid-east", "uid-east", true}, {"uid-east", "uid-west", false}, {"uid-east", "", false}, {"", "uid-east", false}, {"", "", false},
	} {
		if got := stoppedAt(recovery.StoppedWorkload{Cluster: tc.stopped}, recovery.SiteRef{Name: "east", Cluster: tc.site}); got != tc.want {
			t.Errorf("stopped at %q, site %q: %v", tc.stopped, tc.site, got)
		}
	}
}
