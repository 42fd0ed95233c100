// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
)

// TestNoGroups: what a silent site has is not known, so nothing is said of it.
func TestNoGroups(t *testing.T) {
	east, west := overview.Site{Name: "east", Answered: true}, overview.Site{Name: "west", Answered: true}
	silent := overview.Site{Name: "west", Problem: overview.SiteUnreachable}
	for _, tc := range []struct {
		sites     []overview.Site
		namespace string
		want      string
	}{
		{[]overview.Site{east, west}, "shop", "No groups in namespace shop.\nNext: kubectl vgr create NAME --class CLASS -l SELECTOR creates one; -A shows all\n"},
		{[]overview.Site{east, silent}, "shop", "No groups on east in namespace shop.\n"},
		{[]overview.Site{east, silent}, "", "No groups on east in any namespace.\n"},
	} {
		var b strings.Builder
		if noGroups(&b, collect.Query{Namespace: tc.namespace}, tc.sites); b.String() != tc.want {
			t.Errorf("%v: %q, want %q", tc.sites, b.String(), tc.want)
		}
	}
}
