// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package preflight asks both sites what an operation needs to know before it begins.
package preflight

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/consumers"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Observation is what both sites have answered before an operation: the groups, and all that the checks need.
type Observation struct {
	Sites        [2]*site.Site
	Clusters     [2]string
	Inputs       []overview.SiteInput
	View         overview.Overview
	environments [2]recovery.Environment
	// inside is what the namespaces of the groups have, and what the user may do there.
	inside [2]map[string]inside
	// managed is who writes the groups, as far as the site has told.
	managed [2]map[client.ObjectKey]managers
	// unconnected are the drivers that a site's backend does not reach, and why.
	unconnected [2]map[string]string
	// handles are those of the copies by the names of the PVCs, of groups whose handles differ between the sites.
	handles [2]map[types.NamespacedName]map[string]string
	Clocks  operate.Clocks
	// native says how groups that are not of kubectl vgr were read; nil when they were not.
	native *collect.Native
}

// inside is what one namespace of a site has.
type inside struct {
	// denied are the permissions that the user lacks for an operation; unasked says why that is not known. native is the same
	// for groups that are not of kubectl vgr, by their kinds.
	denied  []string
	unasked string
	native  map[string]lack
	// machines are those that the user lacks to stop VirtualMachines.
	machines []string
	// follows are those that the user lacks to name the volumes that others follow, by the backend.
	follows map[string][]string
	usage   *consumers.Snapshot
}

// lack are permissions that the user lacks, or why that is not known.
type lack struct {
	denied  []string
	unasked string
}

// Native says how groups that are not of kubectl vgr were read; nil when there are none.
func (s *Observation) Native() *collect.Native {
	if !slices.ContainsFunc(s.View.Groups, func(g overview.Group) bool { return g.ManagedBy != "" }) {
		return nil
	}
	return s.native
}

// Read asks both sites at once, and about workloads if they are to be stopped. A
// site that does not answer is part of what was found.
func Read(ctx context.Context, e *cli.Env, q collect.Query, scaling bool) (*Observation, error) {
	p, err := e.Pair(ctx)
	if err != nil {
		return nil, err
	}
	if p.Peer == nil {
		return nil, clierror.Refused("name the other site with --peer-context", "no peer is known")
	}
	s := &Observation{Sites: [2]*site.Site{p.Here, p.Peer}, Clocks: operate.Clocks{Local: e.Clock}, native: q.Native}
	var asked sync.WaitGroup
	asked.Go(func() { s.Inputs = collect.Sites(ctx, p.All(), q) })
	for i, at := range s.Sites {
		asked.Go(func() { s.Clusters[i], _ = at.UID(ctx) }) // the checks say what that means
		if q.Namespace != "" {
			asked.Go(func() { s.inside[i] = readInside(ctx, at, []string{q.Namespace}, e.Profiles, scaling) })
		}
		asked.Go(func() {
			v := Leader(ctx, at)
			if v.unasked {
				s.environments[i].ControllerUnasked = v.Message
			} else {
				s.environments[i].Controller, s.environments[i].NoController = v.Version, v.Message
			}
		})
		asked.Go(func() { s.managed[i] = managed(ctx, at, q) })
	}
	asked.Wait()
	if q.Namespace == "" { // the groups say which namespaces there are
		for i, at := range s.Sites {
			if s.Inputs[i].Answered {
				asked.Go(func() { s.inside[i] = readInside(ctx, at, s.namespaces(), e.Profiles, scaling) })
			}
		}
		asked.Wait()
	}
	if err := cli.Ended(ctx, "", "not all sites were waited for"); err != nil {
		return nil, err
	}
	if s.Clusters[0] != "" && s.Clusters[0] == s.Clusters[1] {
		return nil, p.Alike(ctx, s.Clusters[0])
	}
	s.connections(ctx, e)
	s.copies(ctx, e)
	s.View = overview.Build(s.Inputs, e.Clock.Now())
	s.lacking(ctx, scaling)
	seen := e.Memory(p.All())
	seen.Refresh(&s.View)
	seen.Save()
	return s, nil
}

// connections asks the sites that answer which drivers their backends do not reach. Who may not see that is told nothing.
func (s *Observation) connections(ctx context.Context, e *cli.Env) {
	var asked sync.WaitGroup
	for i, in := range s.Inputs {
		c, err := s.Sites[i].Client()
		if !in.Answered || err != nil {
			continue
		}
		s.unconnected[i] = map[string]string{}
		asked.Go(func() {
			for _, class := range in.Classes {
				profile, ok := e.Profiles.ForClass(backend.ClassOf(&class))
				if _, known := s.unconnected[i][class.Spec.Provisioner]; known || !ok || profile.Unconnected == nil {
					continue
				}
				s.unconnected[i][class.Spec.Provisioner], _ = profile.Unconnected(ctx, c, class.Spec.Provisioner)
			}
		})
	}
	asked.Wait()
}

// Facts returns the input of the checks for one group.
func (s *Observation) Facts(e *cli.Env, g overview.Group) recovery.Facts {
	f := recovery.Facts{Pair: operate.Pair(s.Inputs, s.Sites, s.Clusters, &s.Clocks, g.Namespace, g.Name), Environments: s.environments}
	if g.ScheduleSeconds != nil {
		f.Schedule = time.Duration(*g.ScheduleSeconds) * time.Second
	}
	if profile, ok := e.Profiles.Named(g.Backend); ok {
		f.Backend, f.Traits = profile.Name, profile.Traits
		for i := range f.Environments {
			f.Environments[i].Unfollowed = s.inside[i][g.Namespace].follows[profile.Name]
		}
	}
	for i := range f.Environments {
		in := s.inside[i][g.Namespace]
		f.Environments[i].Denied, f.Environments[i].Unasked = in.denied, in.unasked
		if n := g.Object(); n != nil {
			f.Environments[i].Denied, f.Environments[i].Unasked = in.native[n.Kind].denied, in.native[n.Kind].unasked
		}
		f.Environments[i].CopyHandles = s.handles[i][types.NamespacedName{Namespace: g.Namespace, Name: g.Name}]
	}
	for i, in := range s.Inputs {
		if !in.Answered {
			continue
		}
		for _, class := range in.Classes {
			if class.Name == g.Class {
				f.Environments[i].Unconnected = s.unconnected[i][class.Spec.Provisioner]
			}
		}
		if group := f.Sites[i].Group; group != nil {
			in := s.inside[i][g.Namespace]
			f.Sites[i].Usage = in.usage.Of(group)
			if slices.ContainsFunc(f.Sites[i].Usage.Workloads, func(w recovery.Workload) bool { return w.Kind == recovery.VirtualMachine }) {
				f.Environments[i].Denied = slices.Concat(f.Environments[i].Denied, in.machines)
			}
			m := s.managers(i, group)
			f.GitOps[i], f.Writers[i] = m.gitops, m.writer
		}
	}
	return f
}

// namespaces returns those of the groups.
func (s *Observation) namespaces() []string {
	var out []string
	for _, in := range s.Inputs {
		for i := range in.Groups {
			out = append(out, in.Groups[i].Namespace)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

// atATime is how many namespaces of a site are asked about at a time.
const atATime = 10

// readInside asks a site what its namespaces have.
func readInside(ctx context.Context, at *site.Site, namespaces []string, profiles backend.Profiles, scaling bool) map[string]inside {
	all := make([]inside, len(namespaces))
	var usage map[string]*consumers.Snapshot
	var asked sync.WaitGroup
	asked.Go(func() { usage = consumers.Read(ctx, at, namespaces, scaling) })
	turns := make(chan struct{}, atATime)
	for i, namespace := range namespaces {
		asked.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			var both sync.WaitGroup
			both.Go(func() { all[i].denied, all[i].unasked = denied(ctx, at, namespace, wanted(scaling)) })
			both.Go(func() { all[i].follows = unfollowed(ctx, at, namespace, profiles) })
			both.Wait()
		})
	}
	asked.Wait()
	for i, namespace := range namespaces {
		if scaling && usage[namespace].Machines() {
			asked.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				all[i].machines, _ = denied(ctx, at, namespace, run)
			})
		}
	}
	asked.Wait()
	out := map[string]inside{}
	for i, namespace := range namespaces {
		all[i].usage = usage[namespace]
		out[namespace] = all[i]
	}
	return out
}

// needed are the permissions of an operation, in a group's namespace.
var needed = []authorizationv1.ResourceAttributes{
	{Verb: "patch", Group: vgrv1.GroupVersion.Group, Resource: "volumegroupreplications"},
	{Verb: "watch", Group: vgrv1.GroupVersion.Group, Resource: "volumegroupreplications"},
	{Verb: "create", Group: "coordination.k8s.io", Resource: "leases"},
	{Verb: "update", Group: "coordination.k8s.io", Resource: "leases"},
	{Verb: "delete", Group: "coordination.k8s.io", Resource: "leases"},
	{Verb: "create", Resource: "events"},
}

// scaled are the permissions to stop and start workloads.
var scaled = []authorizationv1.ResourceAttributes{
	{Verb: "update", Group: "apps", Resource: "deployments", Subresource: "scale"},
	{Verb: "update", Group: "apps", Resource: "statefulsets", Subresource: "scale"},
}

// run are those for VirtualMachines, which few namespaces have.
var run = []authorizationv1.ResourceAttributes{
	{Verb: "get", Group: site.VirtualMachine().Group, Resource: "virtualmachines"},
	{Verb: "patch", Group: site.VirtualMachine().Group, Resource: "virtualmachines"},
}

// lacking asks the sites for the permissions that operations on groups that are not of kubectl vgr need.
func (s *Observation) lacking(ctx context.Context, scaling bool) {
	type question struct {
		at              int
		namespace, kind string
	}
	answers := map[question]*lack{}
	for _, g := range s.View.Groups {
		if !g.Movable() {
			continue
		}
		for i, gs := range g.Sites {
			if gs.Native != nil {
				answers[question{i, g.Namespace, gs.Native.Kind}] = &lack{}
			}
		}
	}
	var asked sync.WaitGroup
	turns := make(chan struct{}, atATime)
	for q, l := range answers {
		asked.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			all := []authorizationv1.ResourceAttributes{{Verb: "patch", Group: replication, Resource: strings.ToLower(q.kind) + "s"}}
			for _, a := range wanted(scaling) {
				if a.Group != vgrv1.GroupVersion.Group {
					all = append(all, a)
				}
			}
			l.denied, l.unasked = denied(ctx, s.Sites[q.at], q.namespace, all)
		})
	}
	asked.Wait()
	for q, l := range answers {
		in := s.inside[q.at][q.namespace]
		if in.native == nil {
			in.native = map[string]lack{}
		}
		in.native[q.kind] = *l
		if s.inside[q.at] == nil {
			s.inside[q.at] = map[string]inside{}
		}
		s.inside[q.at][q.namespace] = in
	}
}

// replication is the API of csi-addons' objects.
const replication = "replication.storage.openshift.io"

// wanted are the permissions of an operation, which may scale workloads.
func wanted(scaling bool) []authorizationv1.ResourceAttributes {
	if scaling {
		return slices.Concat(needed, scaled)
	}
	return needed
}

// unfollowed asks a site for the permission to name the volumes that others follow, for each backend that is told them.
func unfollowed(ctx context.Context, s *site.Site, namespace string, profiles backend.Profiles) map[string][]string {
	out := map[string][]string{}
	for _, p := range profiles {
		if p.Follows.Empty() {
			continue
		}
		out[p.Name], _ = denied(ctx, s, namespace, []authorizationv1.ResourceAttributes{{Verb: "patch", Group: p.Follows.Group, Resource: p.Follows.Resource}})
	}
	return out
}

// denied asks a site what of that the user may not do.
func denied(ctx context.Context, s *site.Site, namespace string, needed []authorizationv1.ResourceAttributes) (names []string, unasked string) {
	c, err := s.Client()
	if err != nil {
		return nil, err.Error()
	}
	errs := make([]error, len(needed))
	no := make([]string, len(needed))
	var asked sync.WaitGroup
	for i, attributes := range needed {
		asked.Go(func() {
			attributes.Namespace = namespace
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes}}
			if errs[i] = c.Create(ctx, review); errs[i] == nil && !review.Status.Allowed {
				no[i] = strings.TrimSuffix(attributes.Verb+" "+attributes.Resource+"/"+attributes.Subresource, "/")
			}
		})
	}
	asked.Wait()
	for _, err := range errs {
		if err != nil {
			_, unasked = collect.Explain(s, err)
		}
	}
	return slices.DeleteFunc(no, func(n string) bool { return n == "" }), unasked
}
