// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"
	"strings"
)

// unattended returns what helps when nodes hold volumes that no pod uses; empty when a pod does. A node that is gone
// detaches nothing, and Kubernetes waits for it.
func unattended(users []User) string {
	for _, u := range users {
		if u.Kind != "node" {
			return ""
		}
	}
	node := ShellQuote(users[0].Name)
	return fmt.Sprintf("no pod uses them: a node that runs detaches by itself; when kubectl get node %s says that it is NotReady or gone, make sure that the machine is off, "+
		"then kubectl taint node %s node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or delete the volumeattachment when the node is gone", node, node)
}

// usersOn checks what uses the PVCs on a site that is to give up its role.
func (c *checker) usersOn(s *Site) {
	if s.Group == nil {
		return
	}
	u := s.Usage
	if u == nil {
		u = &Usage{Unknown: "nothing was checked"}
	}
	remain, managed := u.Users, []string(nil)
	if c.op.Quiesce {
		remain, managed = slices.DeleteFunc(slices.Clone(u.Users), u.stoppable), u.managed()
	}
	switch {
	case len(managed) > 0:
		c.add("users", CheckProblem, "stop it there", "something else manages %s on %s and would start it again", strings.Join(managed, ", "), s.Name)
	case len(remain) > 0:
		remedy, nodesOnly := "stop them on "+s.Name+" first", unattended(remain)
		if nodesOnly != "" {
			remedy = nodesOnly
		}
		if c.op.Kind == Demote {
			remedy += "; --force leaves it to the storage to refuse"
		} else if nodesOnly == "" && !c.op.Quiesce && c.op.Kind != Unplanned {
			remedy += "; --quiesce does that for Deployments, StatefulSets and VirtualMachines"
		}
		severity := c.unlessLost(s)
		if c.op.Force {
			severity = CheckWarning
		}
		unknown := ""
		if c.op.Quiesce && u.Unknown != "" {
			unknown = "; which workloads use the PVCs is not known: " + u.Unknown
		}
		c.add("users", severity, remedy, "the PVCs on %s are in use by %s%s", s.Name, join(remain), unknown)
	case u.Unknown != "":
		severity := CheckWarning
		if c.op.Quiesce || c.facts.Traits.PromoteFirst {
			severity = c.unlessLost(s)
		}
		c.add("users", severity, "allow list on pods and volumeattachments, and with --quiesce on deployments, statefulsets and, where KubeVirt is installed, virtualmachines", "what uses the PVCs on %s is not known: %s", s.Name, u.Unknown)
	case len(u.Users) > 0:
		c.ok("users", "what uses the PVCs on %s will be stopped: %s", s.Name, join(u.Users))
	default:
		c.ok("users", "nothing uses the PVCs on %s", s.Name)
	}
}
