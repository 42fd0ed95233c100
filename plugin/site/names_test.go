// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestDisplayNames: the contexts that tools make, as short as can be, and never one name for both.
func TestDisplayNames(t *testing.T) {
	const ocpEast, ocpWest = "default/api-ocp-east-example-com:6443/kube:admin", "default/api-ocp-west-example-com:6443/kube:admin"
	at := func(context string) identity { return identity{context: context} }
	for name, test := range map[string]struct {
		a, b         identity
		wantA, wantB string
	}{
		"short":                                 {at("east"), at("west"), "east", "west"},
		"OpenShift":                             {at(ocpEast), at(ocpWest), "ocp-east", "ocp-west"},
		"OpenShift, other namespaces and users": {at(ocpEast), at("openshift-operators/api-ocp-west-example-com:6443/kube:dr"), "ocp-east", "ocp-west"},
		"EKS, two regions":                      {at("arn:aws:eks:eu-west-1:123456789012:cluster/prod"), at("arn:aws:eks:eu-central-1:123456789012:cluster/prod"), "eu-west-1", "eu-central-1"},
		"EKS, two accounts":                     {at("arn:aws:eks:eu-west-1:123456789012:cluster/prod"), at("arn:aws:eks:eu-west-1:210987654321:cluster/dr"), "prod", "dr"},
		"EKS, two clusters and regions":         {at("arn:aws:eks:eu-west-1:123456789012:cluster/east"), at("arn:aws:eks:eu-central-1:123456789012:cluster/west"), "east", "west"},
		"only numbers differ":                   {at("arn:aws:eks:eu-west-1:123456789012:cluster/prod"), at("arn:aws:eks:eu-west-1:210987654321:cluster/prod"), "123456789012", "210987654321"},
		"GKE, two zones":                        {at("gke_shop-prod_europe-west1_main"), at("gke_shop-prod_us-east1_main"), "europe-west1", "us-east1"},
		"GKE, two clusters":                     {at("gke_shop-prod_europe-west1_db-east"), at("gke_shop-prod_us-east1_db-west"), "db-east", "db-west"},
		"kubeadm, renamed":                      {at("kubernetes-admin@kubernetes-east"), at("kubernetes-admin@kubernetes-west"), "kubernetes-east", "kubernetes-west"},
		"kubeadm, two files": {
			identity{context: "kubernetes-admin@kubernetes", server: "https://api.east.example.com:6443"},
			identity{context: "kubernetes-admin@kubernetes", server: "https://api.west.example.com:6443", file: "/home/me/west.conf"},
			"east", "west",
		},
		"k3s, two files": {
			identity{context: "default", server: "https://10.0.0.1:6443"}, identity{context: "default", server: "https://10.1.0.1:6443", file: "/etc/west.yaml"}, "10.0.0.1", "10.1.0.1",
		},
		"k3s, two tunnels": {
			identity{context: "default", server: "https://127.0.0.1:6443"}, identity{context: "default", server: "https://127.0.0.1:7443", file: "/etc/west.yaml"}, "127.0.0.1:6443", "127.0.0.1:7443",
		},
		"k3s, two proxies": {
			identity{context: "default", server: "https://127.0.0.1:6443"}, identity{context: "default", server: "https://127.0.0.1:6443", file: "/etc/west.yaml"}, "kubeconfig", "west.yaml",
		},
		"k3s, the name of the file is too long": {
			identity{context: "default", server: "https://127.0.0.1:6443"}, identity{context: "default", server: "https://127.0.0.1:6443", file: "/etc/kubeconfig-of-the-west.yaml"}, "default@kubeconfig", "default@/etc/kubeconfig-of-the-west.yaml",
		},
		"nothing in common":                          {at("production-cluster-of-the-east"), at("dr"), "production-cluster-o", "dr"},
		"another number of parts":                    {at("a-very-long-name/of-a-cluster"), at("west"), "a-very-long-name/of", "west"},
		"the difference is far behind":               {at(strings.Repeat("cluster", 9) + "-east"), at(strings.Repeat("cluster", 9) + "-west"), "ster-east", "ster-west"},
		"a user's alias":                             {identity{context: ocpEast, alias: "prod"}, at(ocpWest), "prod", "ocp-west"},
		"a user's alias that is the other name":      {identity{context: ocpEast, alias: "ocp-west"}, at(ocpWest), "ocp-west", ocpWest},
		"a user's alias that is the other's context": {identity{context: "east", alias: "west"}, at("west"), "east", "west"},
		"one alias twice":                            {identity{context: "east", alias: "prod"}, identity{context: "west", alias: "Prod"}, "east", "west"},
		"offered":                                    {identity{context: ocpEast, offered: "paris"}, identity{context: ocpWest, offered: "rome"}, "paris", "rome"},
		"offered, and a user's":                      {identity{context: ocpEast, offered: "paris", alias: "p"}, identity{context: ocpWest, offered: "rome"}, "p", "rome"},
		"offered: the other's name":                  {identity{context: ocpEast, offered: "ocp-west"}, at(ocpWest), "ocp-east", "ocp-west"},
		"offered: part of the other's context":       {identity{context: ocpEast, offered: "west"}, at(ocpWest), "ocp-east", "ocp-west"},
		"offered: the other's, and more":             {identity{context: ocpEast, offered: "Ocp-West-2"}, at(ocpWest), "ocp-east", "ocp-west"},
		"offered: names swapped":                     {identity{context: "east", offered: "west"}, identity{context: "west", offered: "east"}, "east", "west"},
		"offered: the other's alias":                 {identity{context: ocpEast, offered: "rome"}, identity{context: ocpWest, alias: "rome"}, "ocp-east", "rome"},
		"offered: one for both":                      {identity{context: ocpEast, offered: "paris"}, identity{context: ocpWest, offered: "paris"}, "ocp-east", "ocp-west"},
		"offered: control characters":                {identity{context: ocpEast, offered: "pa\x1b[31mris"}, at(ocpWest), "ocp-east", "ocp-west"},
		"offered: Cyrillic":                          {identity{context: ocpEast, offered: "раris"}, at(ocpWest), "ocp-east", "ocp-west"},
		"offered: too long":                          {identity{context: ocpEast, offered: "paris-is-the-name-of-it"}, at(ocpWest), "ocp-east", "ocp-west"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := displayNames(test.a, test.b)
			if a != test.wantA || b != test.wantB {
				t.Errorf("%q, %q; want %q, %q", a, b, test.wantA, test.wantB)
			}
			againB, againA := displayNames(test.b, test.a)
			if againA != a || againB != b {
				t.Errorf("the other way round: %q, %q", againA, againB)
			}
		})
	}
}

// FuzzDisplayNames: two sites never have one name, nor one the context of the other, and the order does not matter.
func FuzzDisplayNames(f *testing.F) {
	f.Add("default/api-ocp-east-example-com:6443/kube:admin", "default/api-ocp-west-example-com:6443/kube:admin", "https://a:1", "https://b:1", "", "", "east", "west")
	f.Add("default", "default", "https://10.0.0.1:6443", "https://10.0.0.1:6443", "/w", "prod", "", "west")
	f.Add("kubernetes-admin@kubernetes", "kubernetes-admin@kubernetes", "https://a.b.c:1", "https://a.d.c:1", "", "", "", "")
	f.Fuzz(func(t *testing.T, contextA, contextB, serverA, serverB, fileB, aliasA, offeredA, offeredB string) {
		if contextA == "" || contextB == "" || strings.EqualFold(contextA, contextB) && fileB == "" || !utf8.ValidString(contextA+contextB+fileB) {
			t.Skip()
		}
		a := identity{context: contextA, server: serverA, offered: offeredA}
		if ValidAlias(aliasA) == nil {
			a.alias = aliasA
		}
		b := identity{context: contextB, server: serverB, file: fileB, offered: offeredB}
		nameA, nameB := displayNames(a, b)
		if nameA == "" || nameB == "" || strings.EqualFold(nameA, nameB) {
			t.Errorf("%+v is %q, %+v is %q", a, nameA, b, nameB)
		}
		if contextA != contextB && (nameA == contextB || nameB == contextA) {
			t.Errorf("%+v is %q, %+v is %q: the other's context", a, nameA, b, nameB)
		}
		if againB, againA := displayNames(b, a); againA != nameA || againB != nameB {
			t.Errorf("%q, %q; the other way round %q, %q", nameA, nameB, againA, againB)
		}
	})
}
