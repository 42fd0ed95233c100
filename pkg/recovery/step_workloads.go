// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"cmp"
	"fmt"
)

// Scale changes how many replicas a workload has, or whether a VirtualMachine runs.
type Scale struct {
	Kind, Name string
	Replicas   int32
	// RunStrategy is what a VirtualMachine gets that is started.
	RunStrategy string
	// ResourceVersion is what was observed; the write must fail when the workload has changed since.
	ResourceVersion string
}

// Strategy returns the spec.runStrategy that a VirtualMachine gets.
func (s Scale) Strategy() string {
	if s.Replicas == 0 {
		return "Halted"
	}
	return cmp.Or(s.RunStrategy, "Always")
}

// String implements fmt.Stringer.
func (s Scale) String() string {
	if s.Kind == VirtualMachine {
		return fmt.Sprintf("set spec.runStrategy of %s/%s to %s", s.Kind, s.Name, s.Strategy())
	}
	return fmt.Sprintf("scale %s/%s to %d", s.Kind, s.Name, s.Replicas)
}

// look waits until the users of the PVCs are read again.
func (n *next) look(s Step, failing bool, format string, args ...any) *Decision {
	return &Decision{Operation: n.op, Step: s, Wait: fmt.Sprintf(format, args...), Failing: failing, Look: true}
}

// unknownUsage waits while it is not known what uses the PVCs on a site.
func (n *next) unknownUsage(s Step, site *Site) *Decision {
	switch {
	case site.Usage == nil:
		return n.look(s, false, "checks what uses the PVCs on %s", site.Name)
	case site.Usage.Unknown != "":
		return n.look(s, true, "it is not known what uses the PVCs on %s: %s", site.Name, site.Usage.Unknown)
	default:
		return nil
	}
}

// quiesce stops what the plan named, and waits until nothing uses the PVCs. How many replicas there
// were is in the journal before.
func (n *next) quiesce(s Step, site *Site) *Decision {
	n.op.start(s.ID, site.Cluster, false, site.Now)
	if d := n.unknownUsage(s, site); d != nil {
		return d
	}
	var stop []Scale
	for _, w := range site.Usage.Workloads {
		if w.Replicas == 0 {
			continue
		}
		planned, back := n.op.stopped(site.Cluster, w), n.op.AbortCommand(site.Group.Namespace, site.Group.Name)
		switch {
		case w.Owner != "":
			return n.fail(s, either("stop it there", back), "%s on %s is managed by %s, which would start it again", w, site.Name, w.Owner)
		case planned == nil:
			return n.fail(s, either("run the same command again with --quiesce, which names it", back), "%s uses the PVCs on %s, and the plan did not name it", w, site.Name)
		case planned.Replicas != w.Replicas || planned.RunStrategy != w.RunStrategy:
			planned.Replicas, planned.RunStrategy = w.Replicas, w.RunStrategy
		}
		stop = append(stop, Scale{Kind: w.Kind, Name: w.Name, Replicas: 0, ResourceVersion: w.ResourceVersion})
	}
	if len(stop) > 0 {
		if behind := n.behind(); behind != nil {
			return n.send(s, n.write(behind))
		}
		return n.scale(s, site, stop)
	}
	if users := site.Usage.Users; len(users) > 0 {
		return n.look(s, false, "waits until nothing uses the PVCs on %s: %s", site.Name, join(users))
	}
	n.op.finish(s.ID, site.Now)
	return nil
}

// either returns a step, and a command in its place where there is one.
func either(step, command string) string {
	if command == "" {
		return step
	}
	return step + "; or " + command
}

// startWorkloads starts what was stopped, where it exists and does not run already. Whether its
// pods get well is not the operation's business: it ends.
func (n *next) startWorkloads(s Step, site *Site) *Decision {
	n.op.start(s.ID, site.Cluster, false, site.Now)
	if len(n.op.toStart()) > 0 {
		if d := n.unknownUsage(s, site); d != nil {
			return d
		}
	}
	var start []Scale
	for _, want := range n.op.toStart() {
		for _, w := range site.Usage.Workloads {
			if w.Kind == want.Kind && w.Name == want.Name && w.Replicas == 0 && want.Replicas > 0 {
				start = append(start, Scale{Kind: w.Kind, Name: w.Name, Replicas: want.Replicas, RunStrategy: want.RunStrategy, ResourceVersion: w.ResourceVersion})
			}
		}
	}
	if len(start) > 0 {
		return n.scale(s, site, start)
	}
	n.op.finish(s.ID, site.Now)
	return nil
}

func (n *next) scale(s Step, site *Site, all []Scale) *Decision {
	return &Decision{Operation: n.op, Step: s, Write: &Write{Site: site.SiteRef, Scale: all}}
}
