// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"

	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
)

// Usage is what uses a group's PVCs on one site, and what could.
type Usage struct {
	Users     []User
	Workloads []Workload
	// Unknown is why it could not be found out; empty when it was.
	Unknown string
}

// User is a pod that uses a PVC, or a node that its volume is attached to.
type User struct {
	// Kind is "pod" or "node".
	Kind, Name string
	Claim      string
	// Attachment is the VolumeAttachment by which a node has the volume.
	Attachment string
	// Workload is what made the pod, such as "statefulset/db"; empty when that is no such
	// workload, or not known.
	Workload string
}

// String implements fmt.Stringer.
func (u User) String() string {
	if u.Kind == "node" {
		return fmt.Sprintf("node/%s (%s is attached by volumeattachment/%s)", u.Name, u.Claim, u.Attachment)
	}
	return fmt.Sprintf("%s/%s (%s)", u.Kind, u.Name, u.Claim)
}

// VirtualMachine is the kind of a workload that is KubeVirt's.
const VirtualMachine = "virtualmachine"

// Workload is a Deployment, StatefulSet or VirtualMachine whose pods use PVCs of the group. It may have none now.
type Workload struct {
	// Kind is "deployment", "statefulset" or VirtualMachine.
	Kind, Name string
	// Claims are the PVCs of the group that it uses.
	Claims []string
	// Replicas is what its spec asks for; one for a VirtualMachine that is not halted.
	Replicas int32
	// RunStrategy is a VirtualMachine's.
	RunStrategy string
	// Owner manages it, and would undo what others change; empty without one.
	Owner string
	// GitOps is the tool that applies it.
	GitOps          gitops.Manager
	ResourceVersion string
}

// String implements fmt.Stringer.
func (w Workload) String() string { return w.Kind + "/" + w.Name }

// users returns those that are known.
func (s *Site) users() []User {
	if s.Usage == nil {
		return nil
	}
	return s.Usage.Users
}

func join[T fmt.Stringer](all []T) string {
	var words []string
	for _, x := range all {
		words = append(words, x.String())
	}
	return list(words)
}

// managed returns the workloads of a site that another controller would start again.
func (u *Usage) managed() []string {
	var out []string
	for _, w := range u.Workloads {
		if w.Owner != "" && w.Replicas > 0 {
			out = append(out, fmt.Sprintf("%s (by %s)", w, w.Owner))
		}
	}
	return out
}

// stoppable reports whether a user goes when the workloads are stopped. A node releases a volume
// when its pods are gone.
func (u *Usage) stoppable(x User) bool {
	return slices.ContainsFunc(u.Workloads, func(w Workload) bool {
		return w.String() == x.Workload || x.Kind == "node" && w.Replicas > 0 && slices.Contains(w.Claims, x.Claim)
	})
}
