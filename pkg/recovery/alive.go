// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"slices"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Doubts returns what speaks against a planned failover from a source whose API answers: the storage behind it may be
// dead all the same, and then nothing ever proves that the target has all writes. Empty when no trouble is reported.
func Doubts(f Facts, op Operation) []string {
	op.Kind = Planned
	c := checker{facts: f, op: op, from: f.Site(op.From), to: f.Site(op.To)}
	c.groups()
	c.obstacles()
	if c.from.Group != nil {
		c.roles()
	}
	if c.from.state() == vgrv1.StatePrimary {
		c.health()
		c.synchronised()
	}
	switch loss, _ := LossOf(c.from, c.to); {
	case loss.Unknown: // some backends never tell a time
	case f.Schedule == 0:
		c.add("lag", CheckWarning, "", "the last synchronisation is %s old, and the schedule is not known", loss.Age.Round(time.Second))
	default:
		c.lag()
	}
	c.drivers()
	c.controllers()
	var doubts []string
	for _, found := range c.checks {
		if c.delays(found) && !slices.Contains(doubts, found.Evidence) {
			doubts = append(doubts, found.Evidence)
		}
	}
	return doubts
}

// delays reports whether a check says that a planned failover is refused, or may have to wait for the storage.
func (c *checker) delays(found Check) bool {
	switch {
	case found.Severity == CheckProblem:
		return true
	case found.Severity != CheckWarning:
		return false
	case found.ID == "health": // where the storage confirms nothing, it need not report this either
		r := c.from.view().Condition(vgrv1.ConditionReplicating)
		return c.facts.Traits.ConfirmsSync && (r == nil || r.Reason != vgrv1.ReasonStatusNotReported)
	case found.ID == "sync": // of a doubt, health says the same
		return c.from.view().Doubt() == ""
	default:
		return found.ID == "lag"
	}
}
