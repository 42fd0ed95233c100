// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

func (j judged) unpaired() *Verdict {
	if len(j.sites) < 2 {
		return &Verdict{
			Level: Warning, Phase: Unpaired, Message: "no peer site is known, so only " + j.sites[0].Name + " is shown",
			Next: "name the other site with --peer-context",
		}
	}
	if j.ManagedBy != "" {
		return j.nativeUnpaired()
	}
	for i, s := range j.Sites {
		if s.Exists {
			continue
		}
		v := &Verdict{Level: Warning, Phase: Unpaired, Message: "there is no such group on " + s.Site}
		if j.sites[i].NativeOnly {
			v.Message += ": the CRDs of replication.unified.io are not installed"
			v.Next = fmt.Sprintf("kubectl vgr install --context %s", j.flag(s.Site))
			return v
		}
		v.Next = j.missing(i)
		return v
	}
	return nil
}

// missing says how a group comes back to a site that has none, whose namespace may be gone too.
func (j judged) missing(i int) string {
	there := len(j.Sites) - 1 - i // of two
	g := j.copies[there]
	if g == nil || g.Spec.Selector == nil {
		return ""
	}
	create := func(here, peer string) string {
		return j.command("create", fmt.Sprintf(" --class %s -l %s --context %s --peer-context %s", recovery.ShellQuote(g.Spec.VolumeGroupReplicationClass),
			recovery.ShellQuote(metav1.FormatLabelSelector(g.Spec.Selector)), j.flag(here), j.flag(peer)))
	}
	lost, left := j.Sites[i].Site, j.Sites[there].Site
	if g.Status.State == vgrv1.StateSecondary {
		return fmt.Sprintf("if the PVCs of the primary are on %s: %s; if they are lost: %s", lost, create(lost, left),
			j.command("failover", fmt.Sprintf(" --to %s --unplanned --accept-data-loss unknown", recovery.ShellQuote(left))))
	}
	return create(left, lost) + " makes the copies and the group there again"
}
