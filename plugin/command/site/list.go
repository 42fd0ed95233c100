// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	connect "github.com/unified-replication/kubectl-vgr/plugin/site"
)

// listed are the sites that commands are about.
type listed struct {
	metav1.TypeMeta `json:",inline"`
	Sites           []listedSite `json:"sites"`
}

// listedSite is one cluster as it was seen.
type listedSite struct {
	// Name is what the site is called, and Alias the user's own name for it.
	Name       string `json:"name"`
	Alias      string `json:"alias,omitempty"`
	Context    string `json:"context"`
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Server     string `json:"server"`
	// Cluster is the identity of the cluster; empty when the site did not tell it.
	Cluster    string                       `json:"clusterUID,omitempty"`
	Version    string                       `json:"serverVersion,omitempty"`
	Controller *preflight.ControllerVersion `json:"controller,omitempty"`
	Reachable  bool                         `json:"reachable"`
	Problem    overview.SiteProblem         `json:"problem,omitempty"`
	Message    string                       `json:"message,omitempty"`
	// Other is true of a site that commands without flags are not about: it has an alias, or was found as a peer before.
	Other bool `json:"other,omitempty"`

	groups []vgrv1.VolumeGroupReplication
}

// DeepCopyObject implements runtime.Object; printers only read.
func (l *listed) DeepCopyObject() runtime.Object { c := *l; return &c }

// offersRead is how many groups of a site are read for the names that they offer.
const offersRead = 50

func newList(e *cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "Show the names, contexts, clusters and versions of the sites", Args: cobra.NoArgs,
		Long: `Show the names, contexts, clusters and versions of the sites, and whether they answer: first the two that commands are about,
then others that have an alias or that were found as a peer before.

The command changes nothing in a cluster. It reads the names again that groups offer for the two clusters.`,
		Example: "  kubectl vgr site list\n  kubectl vgr site list -o wide --peer-kubeconfig west.yaml",
	}
	out := cli.NewOutput(cmd, "wide")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		ctx := cmd.Context()
		p, err := e.Pair(ctx)
		if err != nil {
			return err
		}
		l := &listed{TypeMeta: metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: "Sites"}}
		sites := make([]*connect.Site, len(p.All()))
		for i, s := range p.All() {
			sites[i] = e.Sites.Unbound(s)
		}
		others := e.Sites.Others(sites...)
		l.Sites = make([]listedSite, len(sites)+len(others))
		var asked sync.WaitGroup
		for i, s := range slices.Concat(sites, others) {
			asked.Go(func() {
				l.Sites[i] = ask(ctx, s)
				l.Sites[i].Other = i >= len(sites)
			})
		}
		asked.Wait()
		if err := cli.Ended(ctx, "", "not all sites were waited for"); err != nil {
			return err
		}
		learn(e, l, sites, others)
		if !out.Human() {
			return out.Print(e, l)
		}
		return l.print(e, out.Format == "wide", p.Peer != nil)
	}
	return cmd
}

// ask reads what a site says of itself. A version that it does not tell is not known; only a site that answers nothing is
// unreachable.
func ask(ctx context.Context, s *connect.Site) listedSite {
	l := listedSite{Name: s.Name, Context: s.Context, Kubeconfig: s.File, Server: s.Endpoint()}
	version, err := s.Version(ctx)
	if err != nil {
		l.Problem, l.Message = collect.Explain(s, err)
		return l
	}
	l.Reachable, l.Version = true, version
	if l.Cluster, err = s.UID(ctx); err != nil {
		_, l.Message = collect.Explain(s, err)
	}
	leader := preflight.Leader(ctx, s)
	l.Controller = &leader
	if c, err := s.Client(); err == nil {
		var groups vgrv1.VolumeGroupReplicationList
		if c.List(ctx, &groups, client.Limit(offersRead)) == nil {
			l.groups = groups.Items
		}
	}
	return l
}

// learn keeps the names that the groups of both sites offer, and shows the names by which the next command knows the sites.
func learn(e *cli.Env, l *listed, sites, others []*connect.Site) {
	clusters := map[string]*connect.Site{}
	var groups []vgrv1.VolumeGroupReplication
	for i := range sites {
		groups = append(groups, l.Sites[i].groups...)
		if l.Sites[i].Cluster != "" {
			clusters[l.Sites[i].Cluster] = sites[i]
		}
	}
	if len(clusters) == len(sites) { // else nothing says that the two are not one
		e.Sites.Learn(groups, clusters)
	}
	e.Sites.Rename(sites...)
	aliases, _ := e.Sites.Aliases()
	for i, s := range slices.Concat(sites, others) {
		at := &l.Sites[i]
		at.Name = s.Name
		of := slices.IndexFunc(aliases, func(a connect.Alias) bool { return a.Endpoint == s.Endpoint() })
		if of < 0 {
			continue
		}
		if at.Cluster != "" && aliases[of].Cluster != at.Cluster {
			at.Name, at.Message = s.Context, fmt.Sprintf("it is not the cluster that you have named %s: kubectl vgr site alias %s --context %s names this one", aliases[of].Name, aliases[of].Name, s.Kubectl())
			continue
		}
		at.Alias = aliases[of].Name
	}
}

// print shows each site in lines of its own, which no screen cuts.
func (l *listed) print(e *cli.Env, wide, paired bool) error {
	style, err := e.Style()
	if err != nil {
		return err
	}
	reached := false
	for i, s := range l.Sites {
		if s.Other && !l.Sites[i-1].Other {
			fmt.Fprintln(e.Out, "\nknown, and not asked by commands without --context and --peer-context:")
		}
		state := "reachable"
		if !s.Reachable {
			state = string(s.Problem) + ": " + s.Message
		}
		reached = reached || s.Reachable
		controller := "unknown"
		if s.Controller != nil {
			controller = cmp.Or(s.Controller.Version, "unknown")
			if s.Controller.Message != "" {
				controller += " (" + s.Controller.Message + ")"
			}
		}
		fmt.Fprintln(e.Out, style.Strong(present.Clean(s.Name)))
		rows := [][2]string{{"state", state}, {"context", s.Context}, {"cluster UID", cmp.Or(s.Cluster, "unknown")}, {"server version", cmp.Or(s.Version, "unknown")}, {"controller", controller}}
		if wide || s.Kubeconfig != "" {
			rows = append(rows, [2]string{"kubeconfig", cmp.Or(s.Kubeconfig, "that of all commands")})
		}
		if wide {
			rows = append(rows, [2]string{"address", s.Server}, [2]string{"alias", cmp.Or(s.Alias, "none of yours")})
		}
		for _, row := range rows {
			fmt.Fprintln(e.Out, style.Hang(fmt.Sprintf("  %-16s", row[0]), present.Clean(row[1])))
		}
		if s.Reachable && s.Message != "" {
			fmt.Fprintln(e.ErrOut, style.Hang("", present.Clean(s.Name+": "+s.Message)))
		}
	}
	if !paired {
		fmt.Fprintln(e.ErrOut, "no peer is known; name the other site with --peer-context")
	}
	if !reached {
		return clierror.New(clierror.CodeUnreachable, "check the network and the kubeconfig", "no site answers")
	}
	return nil
}
