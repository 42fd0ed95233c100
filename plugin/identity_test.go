// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// etcdCall asks the store of a site.
func (b *bench) etcdCall(site, method string, question map[string]string) []byte {
	b.t.Helper()
	text, err := json.Marshal(question)
	b.must(err)
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.etcd[site].JoinPath("v3/kv", method).String(), bytes.NewReader(text))
	b.must(err)
	resp, err := http.DefaultClient.Do(r)
	b.must(err)
	defer resp.Body.Close()
	var answer struct {
		KVs []struct{ Value []byte }
	}
	b.must(json.NewDecoder(resp.Body).Decode(&answer))
	if len(answer.KVs) == 0 {
		return nil
	}
	return answer.KVs[0].Value
}

// restore copies an object from the store of east to that of west, as etcd's backup brings it.
func (b *bench) restore(key string) {
	b.t.Helper()
	name := base64.StdEncoding.EncodeToString([]byte(key))
	value := b.etcdCall("east", "range", map[string]string{"key": name})
	if value == nil {
		b.t.Fatal(key + " is not in the store of east")
	}
	b.etcdCall("west", "put", map[string]string{"key": name, "value": base64.StdEncoding.EncodeToString(value)})
}

// primary is a group that reports primary.
func (b *bench) primary(c client.Client, name string) {
	b.t.Helper()
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: vgrv1.VolumeGroupReplicationSpec{
		VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
	}}
	b.must(c.Create(b.t.Context(), g))
	g.Status.State, g.Status.ObservedGeneration, g.Status.StateSince = vgrv1.StatePrimary, g.Generation, new(metav1.Now())
	b.must(c.Status().Update(b.t.Context(), g))
}

func TestIdentity(t *testing.T) {
	b := newBench(t)
	t.Run("one cluster twice", b.oneClusterTwice)
	t.Run("restored cluster", b.restoredCluster)
}

// oneClusterTwice: no command takes one cluster with two contexts, or two kubeconfigs with equal names, for two sites.
func (b *bench) oneClusterTwice(t *testing.T) {
	b.primary(b.east, "db")
	both, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	var files []string
	for _, name := range []string{"east", "west"} { // as kubeadm names cluster and user
		c := both.DeepCopy()
		c.Clusters, c.AuthInfos = map[string]*clientcmdapi.Cluster{"kubernetes": both.Clusters[name]}, map[string]*clientcmdapi.AuthInfo{"kubernetes-admin": both.AuthInfos[name]}
		context := both.Contexts[name].DeepCopy()
		context.Cluster, context.AuthInfo = "kubernetes", "kubernetes-admin"
		c.Contexts, c.CurrentContext = map[string]*clientcmdapi.Context{name: context}, name
		files = append(files, filepath.Join(t.TempDir(), name))
		b.must(clientcmd.WriteToFile(*c, files[len(files)-1]))
	}
	twin := []string{"--kubeconfig", b.kubeconfig, "--peer-context", "twin"}
	alike := []string{"--peer-context", "west"}
	for i, args := range [][]string{
		{"list"},
		{"list", "db"},
		{"list", "-o", "json"},
		{"status"},
		{"status", "db", "--exit-code"},
		{"list", "-w"},
		{"status", "-w"},
		{"tui"},
		{"history", "db"},
		{"failover", "db", "--to", "WAY", "--yes"},
		{"failback", "db", "--to", "east", "--yes"},
		{"validate", "db", "--to", "WAY"},
		{"promote", "db", "--yes"},
		{"demote", "db", "--yes"},
		{"resync", "db", "--yes"},
		{"gather", "--dir", filepath.Join(t.TempDir(), "report")},
	} {
		for _, way := range []string{"twin", "west"} {
			t.Run(fmt.Sprint(i, args, way), func(t *testing.T) {
				flags := twin
				t.Setenv("KUBECONFIG", "")
				if way == "west" {
					t.Setenv("KUBECONFIG", strings.Join(files, ":"))
					flags = append([]string{"--kubeconfig", ""}, alike...)
				}
				words := append(slices.Clone(args), flags...)
				for i := range words {
					words[i] = strings.ReplaceAll(words[i], "WAY", way)
				}
				r := b.vgr(words...)
				if want := "contexts east and " + way + " are the same cluster"; r.code != 2 || !strings.Contains(r.errOut, want) || strings.Contains(r.out+r.errOut, "SplitBrain") {
					t.Errorf("exit code %d, want 2 and %q\n%s%s", r.code, want, r.out, r.errOut)
				}
			})
		}
	}
}

// restoredCluster: a cluster that was restored from a backup of the other one has its identity. It is told from one
// cluster with two contexts, and a name in the cluster tells both apart.
func (b *bench) restoredCluster(t *testing.T) {
	b.must(b.east.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
	b.volume(b.east, "data", "rbd.csi.ceph.com", map[string]string{"app": "db"})
	for i := range 20 { // since it was restored: its store is ahead
		b.must(b.west.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("later-", i)}}))
	}
	b.restore("/registry/namespaces/kube-system")
	b.primary(b.east, "old")
	create := []string{"create", "db", "--class", "gold", "-l", "app=db", "--peer-context", "west", "--dry-run=client"}
	move := []string{"failover", "old", "--to", "west", "--peer-context", "west", "--yes"}
	const mend = "Next: kubectl --context west annotate namespace kube-system replication.unified.io/cluster-name=west"
	for _, args := range [][]string{create, move, {"validate", "old", "--to", "west", "--peer-context", "west"}} {
		if r := b.vgr(args...); r.code != 2 || !strings.Contains(r.errOut, "restored from a backup of the other") || !strings.Contains(r.errOut, mend) {
			t.Errorf("%v: exit code %d\n%s", args, r.code, r.errOut)
		}
	}
	name := func(value string) {
		var ns corev1.Namespace
		b.must(b.west.Get(t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
		metav1.SetMetaDataAnnotation(&ns.ObjectMeta, vgrv1.AnnotationClusterName, value)
		b.must(b.west.Update(t.Context(), &ns))
	}
	name("The West")
	if r := b.vgr(create...); r.code == 0 || !strings.Contains(r.errOut, "only lower-case letters, digits and - are allowed") {
		t.Errorf("a name of any form: exit code %d\n%s", r.code, r.errOut)
	}
	name("west")
	if r := b.vgr(create...); r.code != 0 {
		t.Errorf("with a name: exit code %d\n%s", r.code, r.errOut)
	}
	if r := b.vgr(move...); !strings.Contains(r.errOut, "there is no group default/old on west") {
		t.Errorf("with a name: exit code %d\n%s", r.code, r.errOut)
	}
	b.restore("/registry/replication.unified.io/volumegroupreplications/default/old")
	for _, args := range [][]string{{"list"}, {"status"}} {
		if r := b.vgr(append(args, "--peer-context", "west")...); r.code != 0 || !strings.Contains(r.out, "SplitBrain") {
			t.Errorf("%v: exit code %d\n%s%s", args, r.code, r.out, r.errOut)
		}
	}
}
