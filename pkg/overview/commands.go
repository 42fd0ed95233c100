// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// command returns a command of ours for the group.
func (j judged) command(verb, more string) string {
	return fmt.Sprintf("kubectl vgr %s %s -n %s%s", verb, j.Name, j.Namespace, more)
}

// each returns a text for each site.
func (j judged) each(between string, text func(site string) string) string {
	var all []string
	for _, s := range j.Sites {
		all = append(all, text(s.Site))
	}
	return strings.Join(all, between)
}

// createAgain returns the command that makes the copies that are missing.
func (j judged) createAgain() string {
	i := 0
	if p, ok := j.Primary(); ok && p.Site != j.Sites[0].Site {
		i = 1
	}
	more := " --context " + j.flag(j.Sites[i].Site)
	if g := j.copies[i]; g != nil && g.Spec.Selector != nil {
		more += " --class " + recovery.ShellQuote(g.Spec.VolumeGroupReplicationClass) + " -l " + recovery.ShellQuote(metav1.FormatLabelSelector(g.Spec.Selector))
	}
	return j.command("create", more)
}

// flag returns what names a site after --context.
func (j judged) flag(site string) string {
	for _, s := range j.sites {
		if s.Name == site && s.Flag != "" {
			return s.Flag
		}
	}
	return recovery.ShellQuote(site)
}

// takeBack returns the command for a site that was given up.
func (j judged) takeBack(site string) string {
	return j.command("failback", fmt.Sprintf(" --to %s --discard-site %s discards the writes that only it has, and moves the role back; ", recovery.ShellQuote(site), recovery.ShellQuote(site))) +
		j.command("reprotect", fmt.Sprintf(" --discard-site %s leaves the role where it is", recovery.ShellQuote(site)))
}
