// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// TestLostClusterOfEachGroup: what one group says of a lost site counts for that group only.
func TestLostClusterOfEachGroup(t *testing.T) {
	group := func(name, peer string) vgrv1.VolumeGroupReplication {
		return vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Annotations: map[string]string{vgrv1.AnnotationPeerClusterUID: peer}}}
	}
	inputs := []overview.SiteInput{
		{Site: overview.Site{Answered: true}, Groups: []vgrv1.VolumeGroupReplication{group("db", "west"), group("forged", "nowhere"), group("itself", "east")}},
		{},
	}
	for name, want := range map[string]string{"forged": "nowhere", "db": "west", "itself": "", "missing": ""} {
		if got := Cluster(inputs, [2]string{"east", ""}, 1, "ns", name); got != want {
			t.Errorf("%s: the lost cluster is %q, not %q", name, got, want)
		}
	}
	if got := Cluster(inputs, [2]string{"east", "asked"}, 1, "ns", "forged"); got != "asked" {
		t.Errorf("the cluster's own word is overruled by %q", got)
	}
}
