// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// guard warns of a group that every writer may promote.
func (c *checker) guard() {
	if c.from.Unwatched || c.to.Unwatched {
		c.add("guard", CheckWarning, "kubectl vgr migrate brings the volumes into a group that a controller guards",
			"no controller of kubectl vgr guards these objects: nothing refuses another tool that asks a second site to be primary")
		return
	}
	for _, s := range c.both() {
		if s.Group != nil && s.Group.Annotations[vgrv1.AnnotationPromotion] == vgrv1.PromotionUnguarded {
			c.add("guard", CheckWarning, "remove the annotation "+vgrv1.AnnotationPromotion+" on "+s.Name,
				"the group is unguarded on %s: the controller obeys every request for primary, whatever %s is", s.Name, c.facts.Other(s.SiteRef).Name)
		}
	}
}

// keeps reports whether a source that would hand over keeps its role, as another tool has asked it to be secondary. The
// write of an operation is obeyed. A group that was made anew as secondary never hands over.
func (c *checker) keeps(s *Site) bool {
	return c.facts.Traits.HandsOver && s == c.from && s.desired() == vgrv1.Secondary && s.state() == vgrv1.StatePrimary &&
		s.Group.Status.ObservedGeneration > 0 && s.view().ReadyReason() == vgrv1.ReasonRoleDiffers
}

// terminating tells of volumes that are being deleted. The role does not go to them, unless they are what is left.
func (c *checker) terminating() {
	for _, s := range c.both() {
		if s.view().ReadyReason() != vgrv1.ReasonVolumeTerminating {
			continue
		}
		level := CheckProblem
		if s != c.to || c.op.Kind == Demote || c.op.Kind == Unplanned || c.op.Force {
			level = CheckWarning
		}
		c.add("terminating", level, fmt.Sprintf("kubectl --context %s -n %s get pvc -o yaml shows what holds them", s.kubectl(), ShellQuote(c.facts.Namespace)), "the controller on %s says: %s", s.Name, s.says())
	}
}
