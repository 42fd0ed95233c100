// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// managers are who writes a group beside us: what applies it from Git, and who wrote its journal.
type managers struct {
	gitops gitops.Manager
	writer recovery.Writer
}

// managed asks a site who writes its groups.
func managed(ctx context.Context, s *site.Site, q collect.Query) map[client.ObjectKey]managers {
	groups, err := collect.Managed(ctx, s, q)
	if err != nil {
		return nil // the list of the groups says why
	}
	out := map[client.ObjectKey]managers{}
	for i := range groups {
		g := &groups[i]
		out[client.ObjectKeyFromObject(g)] = managers{gitops.Of(g, gitops.Role), recovery.WriterOf(g, string(site.FieldManager))}
	}
	return out
}

// managers returns who writes a group on a site; without an answer of the site, by the marks of the group.
func (s *Observation) managers(i int, g *vgrv1.VolumeGroupReplication) managers {
	if m, told := s.managed[i][client.ObjectKeyFromObject(g)]; told {
		return m
	}
	return managers{gitops: gitops.Of(g, gitops.Role)}
}

// ShowGitOps warns of a tool that applies a group, which may have been read with all that the server knows of it.
func ShowGitOps(e *cli.Env, s *site.Site, g *vgrv1.VolumeGroupReplication) {
	if m := gitops.Of(g, gitops.Role); !m.None() {
		style := e.ErrStyle()
		fmt.Fprintln(e.ErrOut, style.Hang("  warning  ", present.Clean(fmt.Sprintf("gitops: %s applies the group on %s: after a failover it sets the role back to what Git has", m, s.Name))))
		fmt.Fprintln(e.ErrOut, style.Hang("           ", present.Clean(m.Remedy())))
	}
}
