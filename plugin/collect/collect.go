// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package collect asks the sites for their groups. What goes wrong on a site is part of the
// answer, so that a dead site never hides the living one.
package collect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// firstPage and nextPages bound one answer of the API server, in groups: the first one is to come soon, and
// after it each page costs a round trip.
const (
	firstPage = 500
	nextPages = 2000
)

// Query says which groups are wanted.
type Query struct {
	// Namespace is empty for all.
	Namespace string
	// Names selects groups by name, or by NAMESPACE/NAME where several namespaces are asked; empty for all.
	Names []string
	// Selector selects groups by label; nil for all.
	Selector labels.Selector
	// Native also wants groups that others made; nil for none.
	Native *Native
	// Early also wants, while a site is followed, what it has told before it has told all. It has not answered
	// until then.
	Early bool
}

// Named reports whether a name selects a group.
func Named(name, namespace, group string) bool { return name == group || name == namespace+"/"+group }

// selects reports whether the names of the query select a group.
func (q Query) selects(g *vgrv1.VolumeGroupReplication) bool {
	return len(q.Names) == 0 || slices.ContainsFunc(q.Names, func(n string) bool { return Named(n, g.Namespace, g.Name) })
}

// bare returns the only name that is asked for, which the API server can select by; empty without one.
func (q Query) bare() string {
	if len(q.Names) != 1 {
		return ""
	}
	return q.Names[0][strings.LastIndex(q.Names[0], "/")+1:]
}

// Sites asks all sites at once.
func Sites(ctx context.Context, sites []*site.Site, q Query) []overview.SiteInput {
	out := make([]overview.SiteInput, len(sites))
	var asked sync.WaitGroup
	for i, s := range sites {
		asked.Go(func() { out[i] = one(ctx, s, q, nil) })
	}
	asked.Wait()
	addNative(ctx, sites, q, out)
	return out
}

// one asks one site. What it has told before it has told all goes to early, unless that is nil.
func one(ctx context.Context, s *site.Site, q Query, early func(overview.SiteInput)) overview.SiteInput {
	var groups []vgrv1.VolumeGroupReplication
	var version string
	beside := make(chan environment, 1)
	go func() { beside <- readEnvironment(ctx, s) }()
	err := pages(ctx, s, q, func(p pageOf) error {
		groups, version = append(groups, p.groups...), p.version
		if early != nil && !p.last {
			in := answered(s, nil)
			in.Answered, in.Problem, in.Message = false, overview.SiteAsking, fmt.Sprintf("is being asked; %d so far", len(groups))
			in.Groups = slices.Clone(groups)
			early(in)
		}
		return nil
	})
	in := answered(s, err)
	(<-beside).put(&in)
	if in.Answered {
		in.Groups, in.Version = groups, version
		in.Sort()
	}
	return in
}

// named returns a site of which no more is known than what it is called.
func named(s *site.Site) overview.Site {
	return overview.Site{Name: s.Name, Context: s.Context, Kubeconfig: s.File, Flag: s.Flag(), Kubectl: s.Kubectl()}
}

// answered returns a site that has said all, or failed.
func answered(s *site.Site, err error) overview.SiteInput {
	in := overview.SiteInput{Site: named(s)}
	if t := s.Now(); !t.IsZero() {
		in.ServerTime = new(metav1.NewTime(t))
	}
	if err != nil {
		in.Problem, in.Message = Explain(s, err)
	}
	in.Answered = err == nil
	return in
}

// pageOf is a page of the groups of a site.
type pageOf struct {
	groups []vgrv1.VolumeGroupReplication
	// version is that of the whole list.
	version string
	last    bool
}

// pages gives the groups of a site page by page, in the order of the server: by namespace and name.
func pages(ctx context.Context, s *site.Site, q Query, take func(p pageOf) error) error {
	o := metav1.ListOptions{Limit: firstPage}
	if q.Selector != nil {
		o.LabelSelector = q.Selector.String()
	}
	if name := q.bare(); name != "" {
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
	}
	for {
		list, err := page(ctx, s, q.Namespace, o)
		if err != nil {
			return err
		}
		groups := list.Items[:0]
		for _, g := range list.Items {
			if q.selects(&g) {
				g.ManagedFields = nil
				groups = append(groups, g)
			}
		}
		p := pageOf{groups: groups, version: list.ResourceVersion, last: list.Continue == ""}
		if err := take(p); err != nil || p.last {
			return err
		}
		o.Continue, o.Limit = list.Continue, nextPages
	}
}

func page(ctx context.Context, s *site.Site, namespace string, o metav1.ListOptions) (list vgrv1.VolumeGroupReplicationList, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	err = s.Page(ctx, vgrv1.GroupVersion.WithResource("volumegroupreplications"), namespace, o, &list)
	return list, err
}

// environment are what a site has beside its groups.
type environment struct {
	// classes may be missing; without them only the schedules are unknown.
	classes    []vgrv1.VolumeGroupReplicationClass
	controller *overview.Controller
}

// put puts them into what is said of a site. Of one that did not answer nothing is said of the controller.
func (x environment) put(in *overview.SiteInput) {
	if in.Classes = x.classes; in.Answered {
		in.Controller = x.controller
	}
}

// readEnvironment asks for what a site has beside its groups, at the same time.
func readEnvironment(ctx context.Context, s *site.Site) (out environment) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	var asked sync.WaitGroup
	asked.Go(func() { out.classes, _ = Classes(ctx, s) })
	asked.Go(func() { out.controller = controllerOf(ctx, s) })
	asked.Wait()
	return out
}

// controllerOf reads the Lease of the controller, by one request.
func controllerOf(ctx context.Context, s *site.Site) *overview.Controller {
	var lease coordinationv1.Lease
	err := s.Read(ctx, coordinationv1.SchemeGroupVersion.WithResource("leases"), manifests.Namespace, manifests.Controller, &lease)
	switch {
	case apierrors.IsNotFound(err):
		return &overview.Controller{}
	case err != nil:
		_, message := Explain(s, err)
		return &overview.Controller{Message: "whether the controller lives is not known: " + message}
	case lease.Spec.RenewTime == nil:
		return &overview.Controller{}
	default:
		return &overview.Controller{RenewedAt: new(metav1.NewTime(lease.Spec.RenewTime.Time))}
	}
}

// Classes lists the classes of a site.
func Classes(ctx context.Context, s *site.Site) ([]vgrv1.VolumeGroupReplicationClass, error) {
	var list vgrv1.VolumeGroupReplicationClassList
	err := s.Page(ctx, vgrv1.GroupVersion.WithResource("volumegroupreplicationclasses"), "", metav1.ListOptions{}, &list)
	return list.Items, err
}
