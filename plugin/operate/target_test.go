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
