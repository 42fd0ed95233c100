// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// facts reads what the checks need.
func (r *rehearse) facts(ctx context.Context, p *job, f found, g *overview.Group, namespace string) (rehearsal.Facts, error) {
	out := rehearsal.Facts{
		Site: p.at.Name, Kubectl: p.at.Kubectl(), Group: p.group, Secret: r.secret, Namespace: namespace, Backend: g.Backend,
		Command: fmt.Sprintf("kubectl vgr rehearse %s -n %s --on %s", p.key.Name, p.key.Namespace, p.at.Flag()),
	}
	if op := g.Operation; op != nil && op.Result == "" {
		out.Operation = fmt.Sprintf("operation %s (%s to %s)", op.ID, op.Kind, op.To)
	}
	for _, in := range f.inputs {
		if !in.Answered {
			out.Silent = in.Name
		}
	}
	profile, known := p.e.Profiles.Named(out.Backend)
	if out.Driver = r.driver(f, p.group); !known || profile.Rehearsal.Refuses == nil {
		out.Refuses = fmt.Sprintf("the backend %q of the group cannot be rehearsed", cmp.Or(out.Backend, "unknown"))
	} else {
		out.Refuses = profile.Rehearsal.Refuses(out.Driver)
		if profile.Rehearsal.Instead != nil {
			out.Instead = profile.Rehearsal.Instead(out.Driver)
		}
	}
	if out.Refuses != "" || p.group.Status.State != vgrv1.StateSecondary { // refused, whatever else there is
		return out, nil
	}
	found, broken, err := sources(ctx, p.c, p.group)
	if err != nil {
		return out, cli.SiteError(ctx, p.at, "read the volumes of "+p.key.Name, err)
	}
	out.Broken = broken
	for _, s := range found {
		v, err := rehearsal.VolumeOf(s)
		if err != nil {
			out.Broken = append(out.Broken, err.Error())
			continue
		}
		out.Volumes, out.Secrets = append(out.Volumes, v), append(out.Secrets, rehearsal.SecretOf(s.PV))
	}
	runner, err := runnerOf(ctx, p.c, profile.Rehearsal, out.Driver)
	switch {
	case err != nil && errors.As(err, new(apierrors.APIStatus)):
		return out, cli.SiteError(ctx, p.at, "find the Pod of the driver "+out.Driver, err)
	case err != nil:
		out.NoDriver = err.Error()
	default:
		p.runner, out.DriverNamespace = &runner, runner.Namespace
	}
	var ns corev1.Namespace
	switch err := p.c.Get(ctx, client.ObjectKey{Name: out.Namespace}, &ns); {
	case err == nil: // that of a rehearsal which is ended first is free then
		out.Taken = p.ends == nil || ns.Labels[vgrv1.LabelRehearsal] != p.ends.ID
	case !apierrors.IsNotFound(err):
		return out, cli.SiteError(ctx, p.at, "read namespace "+out.Namespace, err)
	}
	out.Denied, out.Unasked = denied(ctx, p.at, wanted(p.key, out.DriverNamespace, out.Namespace, r.check != ""))
	return out, nil
}

// driver is the CSI driver of the group's class.
func (r *rehearse) driver(f found, g *vgrv1.VolumeGroupReplication) string {
	for _, in := range f.inputs {
		for _, class := range in.Classes {
			if class.Name == g.Spec.VolumeGroupReplicationClass {
				return class.Spec.Provisioner
			}
		}
	}
	return ""
}

// wanted are the permissions of a rehearsal.
func wanted(group types.NamespacedName, driver, namespace string, check bool) []authorizationv1.ResourceAttributes {
	all := []authorizationv1.ResourceAttributes{{Verb: "patch", Group: vgrv1.GroupVersion.Group, Resource: "volumegroupreplications", Namespace: group.Namespace}}
	add := func(namespace, group, resource string, verbs ...string) {
		for _, verb := range verbs {
			all = append(all, authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Namespace: namespace})
		}
	}
	add("", "", "namespaces", "create", "delete")
	add("", "", "persistentvolumes", "list", "create", "delete")
	add(driver, "batch", "jobs", "get", "create", "delete")
	add(driver, "", "pods", "list")
	add(namespace, "", "persistentvolumeclaims", "list", "create")
	add(namespace, "networking.k8s.io", "networkpolicies", "get", "create")
	if check {
		add(namespace, "batch", "jobs", "get", "create")
		add(namespace, "", "pods", "list")
	}
	return all
}

// denied asks a site what of that the user may not do.
func denied(ctx context.Context, s *site.Site, wanted []authorizationv1.ResourceAttributes) (names []string, unasked string) {
	c, err := s.Client()
	if err != nil {
		return nil, err.Error()
	}
	no, errs := make([]string, len(wanted)), make([]error, len(wanted))
	var asked sync.WaitGroup
	for i, attributes := range wanted {
		asked.Go(func() {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes}}
			if errs[i] = c.Create(ctx, review); errs[i] == nil && !review.Status.Allowed {
				no[i] = strings.TrimSuffix(fmt.Sprintf("%s %s in namespace %s", attributes.Verb, attributes.Resource, attributes.Namespace), " in namespace ")
			}
		})
	}
	asked.Wait()
	for i := range no {
		if errs[i] != nil {
			_, unasked = collect.Explain(s, errs[i])
		}
		if no[i] != "" {
			names = append(names, no[i])
		}
	}
	return names, unasked
}
