// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestEndpoint: clusters that have one address behind two proxies, or under two names, are two; users of one cluster share it.
func TestEndpoint(t *testing.T) {
	config := clientcmdapi.NewConfig()
	for name, cluster := range map[string]*clientcmdapi.Cluster{
		"plain":  {Server: "https://10.0.0.1:6443"},
		"east":   {Server: "https://10.0.0.1:6443", ProxyURL: "http://bastion-east:3128"},
		"west":   {Server: "https://10.0.0.1:6443", ProxyURL: "http://bastion-west:3128"},
		"served": {Server: "https://10.0.0.1:6443", TLSServerName: "east.example.com"},
	} {
		config.Clusters[name] = cluster
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name}
	}
	config.Contexts["admin"] = &clientcmdapi.Context{Cluster: "east", Namespace: "prod"}
	config.CurrentContext = "east"
	c := &Connector{Flags: genericclioptions.NewConfigFlags(true), Env: func(string) string { return "" }, Clock: clock.RealClock{}}
	*c.Flags.KubeConfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, *c.Flags.KubeConfig); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, name := range []string{"plain", "east", "west", "served"} {
		at, err := c.in("", name)
		if err != nil {
			t.Fatal(err)
		}
		endpoint := c.site(at).Endpoint()
		if other, known := seen[endpoint]; known {
			t.Errorf("%s and %s are both %s", name, other, endpoint)
		}
		seen[endpoint] = name
	}
	if s, err := c.Here(); err != nil || seen[s.Endpoint()] != "east" {
		t.Errorf("%v: %v", s, err)
	}
	if at, err := c.in("", "admin"); err != nil || seen[c.site(at).Endpoint()] != "east" {
		t.Errorf("%v: %v", at, err)
	}
}

// TestClusterID: a cluster that was given a name is that which was remembered with the name.
func TestClusterID(t *testing.T) {
	ns := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "1"}}
	if got := clusterID(&ns); got != "1" {
		t.Error(got)
	}
	ns.Annotations = map[string]string{vgrv1.AnnotationClusterName: "west"}
	if got := clusterID(&ns); got != "1/west" {
		t.Error(got)
	}
}
