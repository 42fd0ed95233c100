// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import "github.com/unified-replication/kubectl-vgr/pkg/gitops"

// gitops warns of tools that would revert what the operation changes: the roles, and the replicas of workloads
// that it stops.
func (c *checker) gitops() {
	for i := range c.facts.Sites {
		if m := c.facts.GitOps[i]; !m.None() {
			c.add("gitops", CheckWarning, m.Remedy(), "%s applies the group on %s%s: it sets the role back to what Git has", m, c.facts.Sites[i].Name, lastSet(m))
		}
	}
	if !c.op.Quiesce {
		return
	}
	for _, s := range c.both() {
		if s.Usage == nil || s != c.from && !c.op.Discard {
			continue
		}
		for _, w := range s.Usage.Workloads {
			if m := w.GitOps; !m.None() && w.Replicas > 0 {
				c.add("gitops", CheckWarning, m.Remedy(), "%s applies %s on %s%s: it starts it again", m, w, s.Name, lastSet(m))
			}
		}
	}
}

func lastSet(m gitops.Manager) string {
	if m.Last {
		return " and set spec." + m.Field + " last"
	}
	return ""
}
