// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Selection is which groups a command is about.
type Selection struct {
	selector      string
	all           bool
	allNamespaces bool
	// From is the site that the groups are primary on; empty for any.
	From string
}

// AddFlags adds -l and --all, and -A where the command works on all namespaces.
func (s *Selection) AddFlags(cmd *cobra.Command, namespaces bool) {
	cmd.Flags().StringVarP(&s.selector, "selector", "l", "", "groups with these labels")
	if namespaces {
		cmd.Flags().BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "groups of all namespaces")
	} else {
		cmd.Flags().BoolVar(&s.all, "all", false, "all groups of the namespace")
	}
}

// AddEvacuation adds what selects the groups of a site, also of all namespaces.
func (s *Selection) AddEvacuation(e *Env, cmd *cobra.Command) {
	s.AddNamespaces(cmd)
	cmd.Flags().StringVar(&s.From, "from", "", "groups that are primary on this site, by its name or context")
	_ = cmd.RegisterFlagCompletionFunc("from", CompleteSites(e))
}

// AddNamespaces adds -A to a command that changes groups, beside what selects them.
func (s *Selection) AddNamespaces(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "with --all or -l: groups of all namespaces")
}

// Query needs names, -l or --all when the command changes something.
func (s *Selection) Query(e *Env, args []string, changes bool) (collect.Query, error) {
	q, err := e.Names(args, s.allNamespaces)
	if err != nil {
		return q, err
	}
	if s.selector != "" {
		parsed, err := labels.Parse(s.selector)
		if err != nil {
			return q, clierror.New(clierror.CodeError, "use KEY=VALUE[,KEY=VALUE…]", "malformed selector %q: %v", s.selector, err)
		}
		q.Selector = parsed
	}
	given := 0
	for _, yes := range []bool{len(args) > 0, s.selector != "", s.all} {
		if yes {
			given++
		}
	}
	switch {
	case s.From != "" && len(args) > 0:
		return q, clierror.New(clierror.CodeError, "use one of them", "names and --from cannot be used together")
	case changes && s.From == "" && given == 0, changes && given > 1:
		return q, clierror.New(clierror.CodeError, "kubectl vgr list shows the groups", "name groups, or use -l or --all (one of them)")
	case changes && s.allNamespaces && len(args) > 0:
		return q, clierror.New(clierror.CodeError, "name the namespaces: NAMESPACE/NAME", "names and -A cannot be used together")
	case !changes && len(args) > 0 && s.selector != "":
		return q, clierror.New(clierror.CodeError, "use one of them", "names and -l cannot be used together")
	}
	return q, nil
}

// Named refuses names that no site that answered knows.
func (e *Env) Named(ctx context.Context, o overview.Overview, q collect.Query, sites []*site.Site) error {
	var unknown []string
	for _, name := range q.Names {
		if !slices.ContainsFunc(o.Groups, func(g overview.Group) bool { return named(name, &g) }) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return e.nothing(ctx, o, q, sites, unknown)
}

// named reports whether a name is that of a group, or of an object of it that another tool manages.
func named(name string, g *overview.Group) bool {
	return collect.Named(name, g.Namespace, g.Name) || slices.ContainsFunc(g.Sites, func(s overview.GroupSite) bool {
		return s.Native != nil && collect.Named(name, s.Native.Namespace, s.Native.Name)
	})
}

// Selected returns named, and refuses a selection without groups: what was done to none of them would look like success.
func (e *Env) Selected(ctx context.Context, o overview.Overview, q collect.Query, sites []*site.Site) error {
	if err := e.Named(ctx, o, q, sites); err != nil || len(o.Groups) > 0 {
		return err
	}
	return e.nothing(ctx, o, q, sites, nil)
}

// nothing returns the error of a selection that no group fits, with the namespaces that are perhaps meant.
func (e *Env) nothing(ctx context.Context, o overview.Overview, q collect.Query, sites []*site.Site, unknown []string) error {
	if err := e.OfOthers(ctx, o.Sites, q, sites); err != nil {
		return err
	}
	for _, s := range o.Sites {
		if !s.Answered {
			return Silent(overview.SiteInput{Site: s})
		}
	}
	what, where := "no group", "namespace "+q.Namespace
	if len(unknown) > 0 {
		what += " " + strings.Join(unknown, ", ")
	}
	switch {
	case q.Namespace == "" && qualified(unknown):
		where = "the namespaces named"
	case q.Namespace == "":
		where = "any namespace"
	}
	if q.Selector != nil && !q.Selector.Empty() {
		where += " with labels " + q.Selector.String()
	}
	return clierror.Refused(e.perhaps(ctx, q, sites, unknown), "%s in %s", what, where)
}

// qualified reports whether names say their namespaces.
func qualified(names []string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return !strings.Contains(n, "/") })
}

const (
	// askedFor bounds the groups that a mistake is compared with.
	askedFor = 500
	// mostNamed bounds the namespaces of one line.
	mostNamed = 10
)

// perhaps names the namespaces that have such groups, or else any.
func (e *Env) perhaps(ctx context.Context, q collect.Query, sites []*site.Site, unknown []string) string {
	found := make([]metav1.PartialObjectMetadataList, len(sites))
	var asked sync.WaitGroup
	for i, s := range sites {
		asked.Go(func() { // without an answer there is only less to say
			_ = s.Page(ctx, vgrv1.GroupVersion.WithResource("volumegroupreplications"), "", metav1.ListOptions{Limit: askedFor}, &found[i])
		})
	}
	asked.Wait()
	var like, all []string
	for _, list := range found {
		for i := range list.Items {
			g := &list.Items[i]
			all = append(all, g.Namespace)
			fits := q.Selector == nil || q.Selector.Matches(labels.Set(g.Labels))
			if fits && (len(unknown) == 0 || slices.ContainsFunc(unknown, func(n string) bool { return n[strings.LastIndex(n, "/")+1:] == g.Name })) {
				like = append(like, g.Namespace)
			}
		}
	}
	what := "groups"
	if len(unknown) > 0 || q.Selector != nil && !q.Selector.Empty() {
		what = "such groups"
	}
	switch {
	case len(like) > 0:
		return what + " are in " + namespaces(like) + ": choose one with -n"
	case len(all) == 0 || q.Namespace == "":
		return "kubectl vgr list -A --context " + sites[0].Flag()
	case slices.Contains(all, q.Namespace):
		return fmt.Sprintf("kubectl vgr list -n %s --context %s", q.Namespace, sites[0].Flag())
	default:
		return "groups are in " + namespaces(all) + ": choose one with -n"
	}
}

func namespaces(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	word, more := "namespaces ", ""
	if len(names) == 1 {
		word = "namespace "
	}
	if n := len(names) - mostNamed; n > 0 {
		names, more = names[:mostNamed], fmt.Sprintf(" and %d more", n)
	}
	return word + strings.Join(names, ", ") + more
}
