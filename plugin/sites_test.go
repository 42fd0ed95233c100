// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

const (
	ocpEast = "default/api-ocp-east-example-com:6443/kube:admin"
	ocpWest = "default/api-ocp-west-example-com:6443/kube:admin"
)

// TestSites: what sites are called, by their users' kubeconfigs and aliases.
func TestSites(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	east, west := b.cluster(b.east), b.cluster(b.west)
	b.annotate(b.east, vgrv1.AnnotationPeerClusterUID, west)
	b.annotate(b.west, vgrv1.AnnotationPeerClusterUID, east)
	plain := b.kubeconfig
	b.renamed(map[string]string{"east": ocpEast, "west": ocpWest})

	t.Run("short names", func(t *testing.T) { b.with(t).shortNames() })
	t.Run("aliases", func(t *testing.T) { b.with(t).aliases() })
	t.Run("offered", func(t *testing.T) { b.with(t).offered(east, west) })
	t.Run("an alias of another cluster", func(t *testing.T) { b.with(t).otherCluster(east) })
	t.Run("journal", func(t *testing.T) { b.with(t).otherNames(east, west) })
	b.kubeconfig = plain
	t.Run("two files", func(t *testing.T) { b.with(t).twoFiles() })
}

func (b *bench) cluster(c client.Client) string {
	b.t.Helper()
	var ns corev1.Namespace
	b.must(c.Get(b.t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
	return string(ns.UID)
}

func (b *bench) annotate(c client.Client, key, value string) {
	b.t.Helper()
	var g vgrv1.VolumeGroupReplication
	b.must(c.Get(b.t.Context(), client.ObjectKey{Namespace: "default", Name: "orders"}, &g))
	before := g.DeepCopy()
	metav1.SetMetaDataAnnotation(&g.ObjectMeta, key, value)
	b.must(c.Patch(b.t.Context(), &g, client.MergeFrom(before)))
}

// renamed has the bench use a kubeconfig with other names of contexts, and a home of its own.
func (b *bench) renamed(names map[string]string) {
	b.t.Helper()
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	for from, to := range names {
		config.Contexts[to] = config.Contexts[from]
		delete(config.Contexts, from)
		if config.CurrentContext == from {
			config.CurrentContext = to
		}
	}
	b.kubeconfig, b.home = filepath.Join(b.t.TempDir(), "renamed"), b.t.TempDir()
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
}

// called returns the sites as list shows them.
func (b *bench) called(args ...string) (names, contexts string, o overview.Overview) {
	b.t.Helper()
	r := b.vgr(append([]string{"list", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(r.out), &o); err != nil {
		b.t.Fatalf("%v\n%s%s", err, r.out, r.errOut)
	}
	var ns, cs []string
	for _, s := range o.Sites {
		ns, cs = append(ns, s.Name), append(cs, s.Context)
	}
	return strings.Join(ns, " "), strings.Join(cs, " "), o
}

func (b *bench) areCalled(want string, args ...string) {
	b.t.Helper()
	if names, _, _ := b.called(args...); names != want {
		b.t.Errorf("the sites are %s, want %s", names, want)
	}
}

func (b *bench) has(r result, code int, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if r.code != code || !strings.Contains(r.out+r.errOut, text) {
			b.t.Errorf("exit code %d, want %d, and %q:\n%s%s", r.code, code, text, r.out, r.errOut)
		}
	}
}

func (b *bench) shortNames() {
	names, contexts, _ := b.called()
	if names != "ocp-east ocp-west" || contexts != ocpEast+" "+ocpWest {
		b.t.Errorf("%s, %s", names, contexts)
	}
	b.has(b.vgr("list"), 0, "OCP-EAST", "OCP-WEST")
	for _, to := range []string{"ocp-west", ocpWest} {
		r := b.vgr("failover", "orders", "--to", to, "--dry-run=client")
		b.has(r, 2, "ocp-west")
		if rest := strings.ReplaceAll(r.out+r.errOut, "--context "+ocpEast, ""); strings.Contains(strings.ReplaceAll(rest, "--context "+ocpWest, ""), "kube:admin") {
			b.t.Errorf("a whole context outside of a command:\n%s%s", r.out, r.errOut)
		}
	}
	b.has(b.vgr("failover", "orders", "--to", "north", "--dry-run=client"), 1, "neither of the two sites", "Next: --to ocp-east, or --to ocp-west")
	b.areCalled("ocp-west ocp-east", "--context", "ocp-west") // of the usual pair, the other one first
	b.has(b.vgr("__complete", "failover", "orders", "--to", ""), 0, "ocp-east\nocp-west\n")
	b.has(b.vgr("site", "list"), 0, "ocp-east\n", "  context         "+ocpEast, "  cluster UID     "+b.cluster(b.west), "reachable")
	b.has(b.vgr("site", "list", "-o", "json"), 0, `"context": "`+ocpWest+`"`, `"reachable": true`)
}

func (b *bench) aliases() {
	b.has(b.vgr("site", "alias", "paris"), 0, ocpEast+" is named paris")
	b.areCalled("paris ocp-west")
	b.areCalled("paris ocp-west", "--context", "paris")
	b.areCalled("ocp-west paris", "--context", ocpWest)
	for _, to := range []string{"paris", "ocp-east", ocpEast} {
		b.has(b.vgr("failover", "orders", "--to", to, "--dry-run=client"), 0, "paris is primary already")
	}
	b.has(b.vgr("site", "alias", "Paris", "--context", ocpWest), 1, "paris is the name of another cluster", "alias paris --context "+ocpWest+" --remove")
	b.has(b.vgr("site", "alias", "twin"), 1, "is a context of the kubeconfig already")
	b.has(b.vgr("site", "alias", "not a name"), 1, "letters, digits")
	b.has(b.vgr("site", "alias", "paris", "--context", "dead"), 6, "cannot identify the cluster")
	b.has(b.vgr("site", "list", "--context", ocpEast, "--peer-context", "dead"), 0, "known, and not asked by commands without", ocpWest)
	if r := b.vgr("site", "list", "--context", ocpEast, "--peer-context", ocpWest); strings.Contains(r.out, "known, and not") {
		b.t.Errorf("the pair is listed twice:\n%s", r.out)
	}
	b.has(b.vgr("site", "alias", "ocp-west"), 0) // what the other site would be called
	b.areCalled("ocp-west " + ocpWest)
	b.has(b.vgr("failover", "orders", "--to", "ocp-west", "--dry-run=client"), 1, "both sites have that name", "--to "+ocpEast)
	b.has(b.vgr("site", "alias", "ocp-west", "--remove"), 0, "removed")
	b.has(b.vgr("site", "alias", "ocp-west", "--remove"), 1, "you have named no site ocp-west")
	b.areCalled("ocp-east ocp-west")
	info, err := os.Stat(filepath.Join(b.home, ".config", "kubectl-vgr", "sites.json"))
	b.must(err)
	if info.Mode().Perm() != 0o600 {
		b.t.Errorf("others may read the names: %s", info.Mode())
	}
}

func (b *bench) offered(east, west string) {
	offer := func(text string) {
		b.annotate(b.east, vgrv1.AnnotationSiteNames, text)
		b.has(b.vgr("site", "list"), 0)
	}
	offer(`{"` + east + `":"paris","` + west + `":"rome"}`)
	b.areCalled("paris rome")
	for name, text := range map[string]string{
		"swapped":        `{"` + east + `":"ocp-west","` + west + `":"ocp-east"}`,
		"part":           `{"` + east + `":"west"}`,
		"another's UID":  `{"0":"paris"}`,
		"a third's name": `{"` + east + `":"twin"}`,
		"control":        `{"` + east + `":"pa\u001bris"}`,
		"not JSON":       `paris`,
		"withdrawn":      "",
	} {
		b.t.Run(name, func(t *testing.T) {
			offer(text)
			b.with(t).areCalled("ocp-east ocp-west")
		})
	}
	offer(`{"` + east + `":"paris","` + west + `":"rome"}`)
	b.has(b.vgr("site", "alias", "mine"), 0)
	b.areCalled("mine rome")
	b.has(b.vgr("site", "alias", "mine", "--remove"), 0)
	offer("")
}

// otherCluster: another cluster answers where the named one did.
func (b *bench) otherCluster(east string) {
	b.has(b.vgr("site", "alias", "paris"), 0)
	file := filepath.Join(b.home, ".config", "kubectl-vgr", "sites.json")
	data, err := os.ReadFile(file)
	b.must(err)
	b.must(os.WriteFile(file, []byte(strings.ReplaceAll(string(data), east, "another")), 0o600))
	_, _, o := b.called()
	if s := o.Sites[0]; s.Answered || s.Problem != overview.SiteNotAsked || !strings.Contains(s.Message, "is not the one that you have named paris") {
		b.t.Errorf("%+v", s)
	}
	b.has(b.vgr("site", "list"), 0, "it is not the cluster that you have named paris: kubectl vgr site alias paris --context "+ocpEast)
	b.has(b.vgr("site", "alias", "paris", "--remove"), 0)
	b.areCalled("ocp-east ocp-west")
}

// otherNames: an operation that was begun under other names of the sites is told of by those of now.
func (b *bench) otherNames(east, west string) {
	for name, called := range map[string][2]string{"the contexts": {ocpEast, ocpWest}, "another's aliases": {"paris", "rome"}} {
		b.t.Run(name, func(t *testing.T) {
			b := b.with(t)
			op := recovery.Operation{ID: "abc", Kind: recovery.Planned, By: "me", Revision: 1, From: recovery.SiteRef{Name: called[0], Cluster: east}, To: recovery.SiteRef{Name: called[1], Cluster: west}}
			text, err := json.Marshal(op)
			b.must(err)
			b.annotate(b.east, vgrv1.AnnotationOperation, string(text))
			b.has(b.vgr("validate", "orders"), 0, "planned failover abc from ocp-east to ocp-west is in flight", "kubectl vgr failover orders -n default --to ocp-west continues it")
			b.has(b.vgr("history", "orders"), 0, "ocp-west")
			_, _, o := b.called()
			if op := o.Groups[0].Operation; op.From != "ocp-east" || op.To != "ocp-west" {
				b.t.Errorf("from %s to %s", op.From, op.To)
			}
		})
	}
	b.annotate(b.east, vgrv1.AnnotationOperation, "")
}

// twoFiles: k3s calls the context of each cluster default, in a file of its own.
func (b *bench) twoFiles() {
	both, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	dir := b.t.TempDir()
	file := func(name string) string {
		config := clientcmdapi.NewConfig()
		config.Clusters["default"], config.AuthInfos["default"] = both.Clusters[name], both.AuthInfos[name]
		config.Contexts["default"], config.CurrentContext = &clientcmdapi.Context{Cluster: "default", AuthInfo: "default"}, "default"
		path := filepath.Join(dir, name+".yaml")
		b.must(clientcmd.WriteToFile(*config, path))
		return path
	}
	east, west := file("east"), file("west")
	host := func(name string) string {
		return strings.Trim(strings.TrimPrefix(both.Clusters[name].Server, "https:"), "/")
	}
	b.kubeconfig, b.home = east, b.t.TempDir()
	pair := host("east") + " " + host("west")
	b.areCalled("default")
	b.areCalled(pair, "--peer-kubeconfig", west)
	b.areCalled(pair) // remembered, with its file
	b.areCalled(host("west")+" "+host("east"), "--context", host("west"))
	b.has(b.vgr("failover", "orders", "--to", "default", "--dry-run=client"), 1, "both sites have that context", "--to "+host("west"))
	b.has(b.vgr("failover", "orders", "--to", host("west"), "--dry-run=client"), 2, host("west"))
	b.has(b.vgr("site", "alias", "west", "--context", host("west")), 0, "default is named west")
	b.areCalled(host("east") + " west")
	b.home = b.t.TempDir()
	b.env = map[string]string{"KUBECTL_VGR_PEER_KUBECONFIG": west}
	b.areCalled(pair)
	b.areCalled(pair, "--peer-context", "default")
	b.has(b.vgr("list", "--peer-context", "west"), 1, `there is no context "west" in the kubeconfig `+west)
	b.env = nil
	b.home = b.t.TempDir()
	b.areCalled(pair, "--peer-kubeconfig", west, "--peer-context", "default")
	r := b.vgr("failover", "orders", "--to", host("west"), "--peer-kubeconfig", west, "--peer-context", "default", "--dry-run=client")
	b.has(r, 2, "--peer-kubeconfig "+west+" --peer-context default") // what is printed names the same sites
	b.has(b.vgr("list", "--peer-kubeconfig", filepath.Join(dir, "missing")), 1, "there is no file", "Next: check --peer-kubeconfig")
}
