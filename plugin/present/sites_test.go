// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// TestSiteNames draws a healthy and a half silent pair with the contexts that tools make, on narrow and wide screens.
func TestSiteNames(t *testing.T) {
	for name, contexts := range map[string][2]string{
		"openshift": {"default/api-ocp-east-example-com:6443/kube:admin", "default/api-ocp-west-example-com:6443/kube:admin"},
		"eks":       {"arn:aws:eks:eu-west-1:123456789012:cluster/prod", "arn:aws:eks:eu-central-1:123456789012:cluster/prod"},
		"gke":       {"gke_shop-prod_europe-west1-b_main", "gke_shop-prod_us-east1-c_main"},
		"kubeadm":   {"kubernetes-admin@kubernetes", "kubernetes-admin@kubernetes"},
		"k3s":       {"default", "default"},
	} {
		sites := named(t, contexts)
		for _, width := range []int{80, 100, 120, 200} {
			t.Run(fmt.Sprint(name, "/", width), func(t *testing.T) {
				s := present.Style{Unicode: true, Width: width}
				text := drawn(t, sites, s)
				golden.Compare(t, fmt.Sprintf("sites.%s.%d.golden", name, width), text)
				fits(t, text, s)
				for _, at := range sites {
					if n := strings.Count(text, at.Name); n < 4 {
						t.Errorf("%s is there %d times", at.Name, n)
					}
				}
			})
		}
	}
}

// named returns two sites as a command knows them from the kubeconfig: from two files where the contexts have one name.
func named(t *testing.T, contexts [2]string) [2]overview.Site {
	t.Helper()
	file := func(name string, contexts ...string) string {
		config := clientcmdapi.NewConfig()
		for i, c := range contexts {
			config.Clusters[c] = &clientcmdapi.Cluster{Server: fmt.Sprintf("https://api.%s.example.com:6443", []string{"east", "west"}[i])}
			if name == "west" {
				config.Clusters[c].Server = "https://api.west.example.com:6443"
			}
			config.Contexts[c] = &clientcmdapi.Context{Cluster: c}
		}
		config.CurrentContext = contexts[0]
		path := filepath.Join(t.TempDir(), name)
		if err := clientcmd.WriteToFile(*config, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := &site.Connector{Flags: genericclioptions.NewConfigFlags(true), Env: func(string) string { return "" }, Clock: clock.RealClock{}, PeerContext: contexts[1]}
	if contexts[0] == contexts[1] {
		*c.Flags.KubeConfig, c.PeerKubeconfig = file("east", contexts[0]), file("west", contexts[1])
	} else {
		*c.Flags.KubeConfig = file("both", contexts[:]...)
	}
	names := c.Pair()
	if len(names) != 2 {
		t.Fatalf("the sites are %q", names)
	}
	var sites [2]overview.Site
	for i := range sites {
		sites[i] = overview.Site{Name: names[i], Context: contexts[i], Flag: recovery.ShellQuote(contexts[i]), Answered: true}
	}
	return sites
}

// drawn is list and status, both of a pair that answers and of one whose first site is silent, and the checks of a plan.
func drawn(t *testing.T, sites [2]overview.Site, s present.Style) string {
	t.Helper()
	var b bytes.Buffer
	class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}
	draw := func(east, west overview.SiteInput, seen *overview.Remembered) {
		o := overview.Build([]overview.SiteInput{east, west}, now)
		o.Groups[0].Sites[0].Remembered = seen
		present.Notes(&b, o, s)
		if err := present.Table(&b, o, s, true, false); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n")
		if err := present.Status(&b, o, s, s.Width == 0); err != nil {
			t.Fatal(err)
		}
	}
	classes := []vgrv1.VolumeGroupReplicationClass{class}
	east := overview.SiteInput{Site: sites[0], Classes: classes, Groups: []vgrv1.VolumeGroupReplication{primary("orders", 4*time.Minute)}}
	west := overview.SiteInput{Site: sites[1], Classes: classes, Groups: []vgrv1.VolumeGroupReplication{secondary("orders")}}
	draw(east, west, nil)
	b.WriteString("\n")
	silent := overview.SiteInput{Site: sites[0]}
	silent.Answered, silent.Problem, silent.Message = false, overview.SiteUnreachable, "no answer within 10s"
	draw(silent, west, &overview.Remembered{SeenAt: *ago(3 * time.Minute), State: vgrv1.StatePrimary, LastSyncTime: ago(4 * time.Minute), Volumes: 1})
	op := recovery.Operation{ID: "k3x9q", Kind: recovery.Planned, By: "me@here", From: recovery.SiteRef{Name: sites[0].Name}, To: recovery.SiteRef{Name: sites[1].Name}}
	fmt.Fprintf(&b, "\n%s\n  %s\n", op.Title(), op.ResumeCommand("production", "orders"))
	for i, step := range recovery.Steps(op, backend.Traits{ConfirmsSync: true}) {
		at := step.Site.Name
		if at == "" {
			at = sites[0].Name + ", " + sites[1].Name
		}
		fmt.Fprintln(&b, s.Hang(fmt.Sprintf("  %d. %-13s", i+1, step.ID), at+": "+step.Does))
	}
	return b.String()
}
