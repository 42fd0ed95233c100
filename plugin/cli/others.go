// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Others selects groups that other tools manage.
type Others struct{ groupBy, managedBy string }

// AddFlags adds what selects them.
func (o *Others) AddFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.managedBy, "managed-by", "", "groups that this tool manages: vgr, csi-addons, dell, ramen, trident, trident-protect, or all of them; without it groups of other tools are read only where the CRDs of kubectl vgr are not installed")
	cmd.Flags().StringVar(&o.groupBy, "group-by", "", "make one group of the volumes of other tools in a namespace that have the same value of this label; auto takes the first that a volume has of "+strings.Join(applicationLabels(), ", ")+". Without it each object is a group")
	_ = cmd.RegisterFlagCompletionFunc("managed-by", cobra.FixedCompletions([]string{collect.EveryManager, "csi-addons", "dell", "ramen", "trident", "trident-protect", "vgr"}, cobra.ShellCompDirectiveNoFileComp))
}

// Put has a query select them.
func (o *Others) Put(e *Env, q *collect.Query) {
	q.Native = &collect.Native{Profiles: e.Profiles, ManagedBy: o.managedBy}
	switch o.groupBy {
	case "":
	case auto:
		q.Native.GroupBy = applicationLabels()
		fmt.Fprintf(e.ErrOut, "Volumes are grouped by the first label that they or their PVCs have of: %s\n", strings.Join(q.Native.GroupBy, ", "))
	default:
		q.Native.GroupBy = []string{o.groupBy}
	}
}

// auto is the value of --group-by for the labels by which applications are told apart.
const auto = "auto"

// applicationLabels are those, the best first: Helm and operators set them.
func applicationLabels() []string {
	return []string{"app.kubernetes.io/instance", "app.kubernetes.io/part-of", "app.kubernetes.io/name", "app"}
}

// OfOthers refuses to change a group that another tool manages. It is asked when no site has a group of ours of that name; nil
// when there is none of others either.
func (e *Env) OfOthers(ctx context.Context, known []overview.Site, q collect.Query, sites []*site.Site) error {
	if len(q.Names) == 0 || q.Native != nil {
		return nil
	}
	var asked []*site.Site
	for i, s := range known {
		if s.Answered || s.Problem == overview.SiteNotInstalled || s.Problem == overview.SiteForbidden {
			asked = append(asked, sites[i])
		}
	}
	if len(asked) == 0 {
		return nil
	}
	q.Native = &collect.Native{Profiles: e.Profiles, ManagedBy: collect.EveryManager}
	o := overview.Build(collect.Sites(ctx, asked, q), e.Clock.Now())
	for i := range o.Groups {
		if why, next := o.Groups[i].Refusal(); why != "" {
			return clierror.Refused(next, "%s", why)
		}
	}
	return nil
}
