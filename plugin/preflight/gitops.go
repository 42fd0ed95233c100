// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// applied asks a site which tools apply its groups from Git. Who set a field is in what every other list of groups
// leaves out, so this one has it, and nothing else of them.
func applied(ctx context.Context, s *site.Site, q collect.Query) map[client.ObjectKey]gitops.Manager {
	c, err := s.Client()
	if err != nil {
		return nil
	}
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(vgrv1.GroupVersion.WithKind("VolumeGroupReplicationList"))
	opts := []client.ListOption{client.InNamespace(q.Namespace)}
	if q.Selector != nil {
		opts = append(opts, client.MatchingLabelsSelector{Selector: q.Selector})
	}
	if len(q.Names) == 1 {
		opts = append(opts, client.MatchingFields{"metadata.name": q.Names[0]})
	}
	if c.List(ctx, &list, opts...) != nil {
		return nil // the list of the groups says why
	}
	out := map[client.ObjectKey]gitops.Manager{}
	for i := range list.Items {
		out[client.ObjectKeyFromObject(&list.Items[i])] = gitops.Of(&list.Items[i], gitops.Role)
	}
	return out
}

// appliedBy is the tool that applies a group on a site; without an answer of the site, by the marks of the group.
func (s *Survey) appliedBy(i int, g *vgrv1.VolumeGroupReplication) gitops.Manager {
	if m, told := s.gitops[i][client.ObjectKeyFromObject(g)]; told {
		return m
	}
	return gitops.Of(g, gitops.Role)
}

// ShowGitOps warns of a tool that applies a group, which may have been read with all that the server knows of it.
func ShowGitOps(e *cli.Env, s *site.Site, g *vgrv1.VolumeGroupReplication) {
	if m := gitops.Of(g, gitops.Role); !m.None() {
		style := e.ErrStyle()
		fmt.Fprintln(e.ErrOut, style.Hang("  warning  ", present.Clean(fmt.Sprintf("gitops: %s applies the group on %s: after a failover it sets the role back to what Git has", m, s.Name))))
		fmt.Fprintln(e.ErrOut, style.Hang("           ", present.Clean(m.Remedy())))
	}
}
