// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// TestTwice: one object seen by two contexts is one cluster, and no split brain; the copy in a restored cluster is another.
func TestTwice(t *testing.T) {
	site := func(name, uid, version string) overview.SiteInput {
		g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "db", UID: types.UID(uid), ResourceVersion: version}}
		return overview.SiteInput{Site: overview.Site{Name: name, Answered: true}, Groups: []vgrv1.VolumeGroupReplication{g}}
	}
	for name, tc := range map[string]struct {
		west overview.SiteInput
		want bool
	}{
		"the same object":     {site("west", "u", "5"), true},
		"another object":      {site("west", "v", "5"), false},
		"a restored one":      {site("west", "u", "9"), false},
		"the peer has no one": {overview.SiteInput{Site: overview.Site{Name: "west", Answered: true}}, false},
	} {
		if got := overview.Build([]overview.SiteInput{site("east", "u", "5"), tc.west}, now).Twice(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
