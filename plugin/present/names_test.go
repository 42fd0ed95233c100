// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"slices"
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

func TestSiteHeads(t *testing.T) {
	for _, test := range []struct {
		name        string
		sites, want []string
	}{
		{"short", []string{"east", "west"}, []string{"east", "west"}},
		{"one site", []string{"default/api-ocp-east-example-com:6443/kube:admin"}, []string{"default/api-ocp-east-example-com:6443/kube:admin"}},
		{"OpenShift", []string{"default/api-ocp-east-example-com:6443/kube:admin", "default/api-ocp-west-example-com:6443/kube:admin"}, []string{"ocp-east", "ocp-west"}},
		{
			"OpenShift, other namespaces and users",
			[]string{"default/api-ocp-east-example-com:6443/kube:admin", "openshift-operators/api-ocp-west-example-com:6443/kube:dr"},
			[]string{"ocp-east", "ocp-west"},
		},
		{
			"EKS, two regions",
			[]string{"arn:aws:eks:eu-west-1:123456789012:cluster/prod", "arn:aws:eks:eu-central-1:123456789012:cluster/prod"},
			[]string{"eu-west-1", "eu-central-1"},
		},
		{
			"EKS, two accounts",
			[]string{"arn:aws:eks:eu-west-1:123456789012:cluster/prod", "arn:aws:eks:eu-west-1:210987654321:cluster/dr"},
			[]string{"prod", "dr"},
		},
		{"GKE", []string{"gke_shop-prod_europe-west1_main", "gke_shop-prod_us-east1_main"}, []string{"europe-west1", "us-east1"}},
		{"kubeadm, renamed", []string{"kubernetes-admin@kubernetes-east", "kubernetes-admin@kubernetes-west"}, []string{"kubernetes-east", "kubernetes-west"}},
		{"nothing in common", []string{"production-cluster-of-the-east", "dr"}, []string{"production-cluster-of-the-east", "dr"}},
		{"another number of parts", []string{"a-very-long-name/of-a-cluster", "west"}, []string{"a-very-long-name/of-a-cluster", "west"}},
		{
			"only numbers differ",
			[]string{"arn:aws:eks:eu-west-1:123456789012:cluster/prod", "arn:aws:eks:eu-west-1:210987654321:cluster/prod"},
			[]string{"123456789012", "210987654321"},
		},
		{"one is the end of the other", []string{"cluster-in-the-far-far-east", "the-other-cluster-in-the-far-far-east"}, []string{"cluster", "the-other-cluster"}},
	} {
		var sites []overview.Site
		for _, s := range test.sites {
			sites = append(sites, overview.Site{Name: s})
		}
		got := present.SiteHeads(sites)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if len(got) == 2 && got[0] == got[1] {
			t.Errorf("%s: both sites are %q", test.name, got[0])
		}
	}
}
