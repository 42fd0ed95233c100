// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/native"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Native says which groups of others are wanted. They are read where a site does not have the API of our groups: where all
// sites have it, that would be a dozen lists more for each of them.
type Native struct {
	Profiles backend.Profiles
	// GroupBy are the labels whose values make groups of volumes, the first that a volume has.
	GroupBy []string
	// ManagedBy selects groups by who manages them, ours as vgr, and has those of others read on every site; empty for all.
	ManagedBy string
	// Every is how often they are read while they are followed; 0 for now and then.
	Every time.Duration
}

// EveryManager selects the groups of all tools, and ours the groups of kubectl vgr.
const (
	EveryManager = "all"
	ours         = "vgr"
)

// lacks reports whether a site does not have the API of our groups.
func lacks(in overview.SiteInput) bool { return in.Problem == overview.SiteNotInstalled }

// wanted reports whether groups of others are to be read.
func (n *Native) wanted(streams []*stream) bool {
	return n != nil && (n.always() || slices.ContainsFunc(streams, func(s *stream) bool {
		if !s.failed() {
			return false
		}
		in := answered(s.site, s.err)
		return lacks(in) || in.Problem == overview.SiteForbidden
	}))
}

// always reports whether groups of others are read on every site.
func (n *Native) always() bool {
	return len(n.GroupBy) > 0 || n.ManagedBy != "" && n.ManagedBy != ours
}

// withoutOurs reports whether only groups of others are wanted.
func (n *Native) withoutOurs() bool {
	return n.ManagedBy != "" && n.ManagedBy != EveryManager && n.ManagedBy != ours
}

// serves reports whether a site has the API of our groups.
func serves(ctx context.Context, s *site.Site) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	return s.Serves(ctx, vgrv1.GroupVersion)
}

// rest returns all that the sites say. Those that have failed are not asked again.
func rest(ctx context.Context, sites []*site.Site, q Query, streams []*stream) []overview.SiteInput {
	out := make([]overview.SiteInput, len(sites))
	var asked sync.WaitGroup
	for i, s := range streams {
		if s.failed() {
			out[i] = s.give(nil)
			continue
		}
		asked.Go(func() { out[i] = one(ctx, sites[i], q, nil) })
	}
	asked.Wait()
	addNative(ctx, sites, q, out)
	return out
}

// addNative adds the groups of others to what the sites have said, where they are wanted.
func addNative(ctx context.Context, sites []*site.Site, q Query, inputs []overview.SiteInput) {
	n := q.Native
	if n == nil {
		return
	}
	var served sync.WaitGroup
	for i, s := range sites { // who may list nothing of an API is told that, and not that there is none
		if in := &inputs[i]; in.Problem == overview.SiteForbidden {
			served.Go(func() {
				if yes, err := serves(ctx, s); err == nil && !yes {
					in.Problem, in.Message = overview.SiteNotInstalled, notInstalled
				}
			})
		}
	}
	if served.Wait(); !n.always() && !slices.ContainsFunc(inputs, lacks) {
		return
	}
	found := make([]native.Site, len(sites))
	var asked sync.WaitGroup
	for i, s := range sites {
		found[i] = native.Site{Name: s.Name, Ours: inputs[i].Answered, Kubectl: s.Kubectl(), Flag: s.Flag()}
		if inputs[i].Answered || lacks(inputs[i]) {
			asked.Go(func() {
				found[i].Listed = list(ctx, s, q, &inputs[i])
				for _, g := range drivers(ctx, s, q, &inputs[i], found[i].Listed) {
					found[i].Tell(&g)
				}
			})
		}
	}
	asked.Wait()
	for i := range found {
		found[i].Now = metav1.NewTime(sites[i].Now())
	}
	all := native.Find(n.Profiles, found, n.GroupBy...)
	wanted := q.nativeKeys(all)
	for i := range all {
		in := &inputs[i]
		in.Native = all[i].Native
		if n.withoutOurs() {
			in.Groups = nil
		}
		for _, g := range all[i].Groups {
			if wanted[types.NamespacedName{Namespace: g.Namespace, Name: g.Name}] {
				in.Groups = append(in.Groups, g)
			}
		}
		in.Sort()
	}
}

// drivers returns the groups of ours on a site that may drive what was listed: those that the query selects, and the others too where
// only they tell what they drive.
func drivers(ctx context.Context, s *site.Site, q Query, in *overview.SiteInput, l backend.Listed) []vgrv1.VolumeGroupReplication {
	unmarked := slices.ContainsFunc(kindsOf(q.Native.Profiles), func(k backend.NativeKind) bool { return k.Unmarked && len(l[k.Resource]) > 0 })
	if all := q.Namespace == "" && len(q.Names) == 0 && q.Selector == nil; all || !unmarked || !in.Answered {
		return in.Groups
	}
	var out []vgrv1.VolumeGroupReplication
	read := func(namespace string) error {
		out = nil
		return pages(ctx, s, Query{Namespace: namespace}, func(p pageOf) error {
			out = append(out, p.groups...)
			return nil
		})
	}
	err := read("")
	if apierrors.IsForbidden(err) && q.Namespace != "" {
		err = read(q.Namespace)
	}
	if err != nil {
		_, message := Explain(s, err)
		in.Unread = append(in.Unread, "which of the groups belong to kubectl vgr is not known: "+message)
		return in.Groups
	}
	return out
}

// nativeKeys returns which groups the query selects: those of which one site's object has the name, the labels and the manager.
func (q Query) nativeKeys(all []native.Groups) map[types.NamespacedName]bool {
	wanted := map[types.NamespacedName]bool{}
	for _, site := range all {
		for i := range site.Groups {
			g := &site.Groups[i]
			key := types.NamespacedName{Namespace: g.Namespace, Name: g.Name}
			n := site.Native[key]
			own := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: n.Name}}
			if q.Namespace != "" && q.Namespace != g.Namespace && q.Namespace != n.Namespace {
				continue
			}
			if !q.selects(g) && !q.selects(&own) || q.Selector != nil && !q.Selector.Matches(labels.Set(g.Labels)) {
				continue
			}
			if by := q.Native.ManagedBy; by == "" || by == EveryManager || by == n.ManagedBy {
				wanted[key] = true
			}
		}
	}
	return wanted
}

// answer is what a site said of a kind.
type answer struct {
	items []json.RawMessage
	// inside is true when only the namespace that was asked for was read.
	inside bool
	err    error
	// elsewhere is why a kind that is not served is not known to be missing; empty when it is.
	elsewhere string
}

// list lists what makes groups of others on a site, each kind at the same time, and writes down what the site lacks.
func list(ctx context.Context, s *site.Site, q Query, in *overview.SiteInput) backend.Listed {
	kinds := kindsOf(q.Native.Profiles)
	answers := make([]answer, len(kinds))
	var versions site.Versions
	var asked sync.WaitGroup
	asked.Go(func() { versions, _ = s.Versions(ctx) }) // without them, what is not served is not there
	for i, k := range kinds {
		asked.Go(func() { answers[i] = ask(ctx, s, q, k) })
	}
	asked.Wait()
	for i, k := range kinds {
		if a := &answers[i]; apierrors.IsNotFound(a.err) {
			a.elsewhere = elsewhere(ctx, s, versions, k.Resource)
		}
	}
	out := backend.Listed{}
	installed := false
	var first error
	for i, k := range kinds {
		a := answers[i]
		if a.inside && (k.Groups || k.Pairs) {
			in.Namespace = q.Namespace
		}
		switch absent := apierrors.IsNotFound(a.err); {
		case a.elsewhere != "":
			installed = installed || k.Groups
			in.Incomplete = in.Incomplete || k.Groups || k.Pairs
			in.Unread = append(in.Unread, a.elsewhere)
		case a.err == nil, absent:
			installed = installed || !absent && k.Groups
			out[k.Resource] = a.items // of a kind that is not served there is nothing
		default:
			_, message := Explain(s, a.err)
			in.Incomplete = in.Incomplete || k.Groups || k.Pairs
			in.Unread = append(in.Unread, fmt.Sprintf("%s cannot be listed: %s", k.Resource.GroupResource(), message))
			if k.Groups && first == nil {
				first = a.err
			}
		}
	}
	if !in.Answered { // else its own groups are known
		conclude(s, q, in, installed, first)
	}
	return out
}

// ask lists a kind of all namespaces, since the other site's object may be in another one, or else of the one that is asked for.
func ask(ctx context.Context, s *site.Site, q Query, k backend.NativeKind) (a answer) {
	a.items, a.err = items(ctx, s, k.Resource, "")
	if apierrors.IsForbidden(a.err) && k.Namespaced && q.Namespace != "" {
		a.inside = true
		a.items, a.err = items(ctx, s, k.Resource, q.Namespace)
	}
	if apierrors.IsForbidden(a.err) { // RBAC knows nothing of what is installed
		served, cancel := context.WithTimeout(ctx, s.Timeout())
		defer cancel()
		if yes, err := s.Serves(served, k.Resource.GroupVersion()); err == nil && !yes {
			a.err = apierrors.NewNotFound(k.Resource.GroupResource(), "")
		}
	}
	return a
}

// elsewhere says in which other versions a site has a kind; empty when it has none.
func elsewhere(ctx context.Context, s *site.Site, versions site.Versions, resource schema.GroupVersionResource) string {
	others, err := s.Others(ctx, versions, resource)
	switch {
	case err != nil:
		_, message := Explain(s, err)
		return fmt.Sprintf("in which versions %s are served is not known: %s", resource.GroupResource(), message)
	case len(others) > 0:
		return fmt.Sprintf("%s are served as %s only, which this version of kubectl vgr does not read", resource.GroupResource(), strings.Join(others, ", "))
	default:
		return ""
	}
}

// conclude puts into a site without the API of our groups what its groups of others say of it: it has answered when a kind of
// groups could be listed; else the first error tells why none could.
func conclude(s *site.Site, q Query, in *overview.SiteInput, installed bool, first error) {
	switch {
	case installed:
		in.Problem, in.Message, in.Answered, in.NativeOnly, in.Controller = "", "", true, true, nil
	case first != nil:
		in.Problem, in.Message = Explain(s, first)
		in.Unread, in.Incomplete = nil, false
	default:
		in.Message += ", and neither are those of " + strings.Join(q.Native.Profiles.Natives(), ", ")
	}
}

// kindsOf returns what the backends read, each kind once.
func kindsOf(profiles backend.Profiles) []backend.NativeKind {
	var out []backend.NativeKind
	known := map[schema.GroupVersionResource]bool{}
	for _, p := range profiles {
		if p.Native == nil {
			continue
		}
		for _, k := range p.Native.Kinds {
			if !known[k.Resource] {
				known[k.Resource] = true
				out = append(out, k)
			}
		}
	}
	return out
}

// items reads all pages of a list.
func items(ctx context.Context, s *site.Site, resource schema.GroupVersionResource, namespace string) ([]json.RawMessage, error) {
	var all []json.RawMessage
	for o := (metav1.ListOptions{Limit: nextPages}); ; {
		page, next, err := itemsPage(ctx, s, resource, namespace, o)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); next == "" {
			return all, nil
		}
		o.Continue = next
	}
}

func itemsPage(ctx context.Context, s *site.Site, resource schema.GroupVersionResource, namespace string, o metav1.ListOptions) ([]json.RawMessage, string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	return s.Items(ctx, resource, namespace, o)
}
