// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"
	"strings"
)

// StoppedWorkload is a workload that an operation stops, with the replicas that it had.
type StoppedWorkload struct {
	Cluster  string `json:"cluster"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Replicas int32  `json:"replicas"`
	// RunStrategy is the one that a VirtualMachine had.
	RunStrategy string `json:"runStrategy,omitempty"`
}

// String implements fmt.Stringer.
func (w StoppedWorkload) String() string {
	if w.Kind == VirtualMachine {
		return fmt.Sprintf("%s/%s (%s)", w.Kind, w.Name, w.RunStrategy)
	}
	return fmt.Sprintf("%s/%s (%d)", w.Kind, w.Name, w.Replicas)
}

// workloads takes in what is to be stopped. An operation that was begun without can be continued with.
func (op *Operation) workloads(from, to *Site, r Request) {
	op.Quiesce, op.Start = op.Quiesce || r.Quiesce, op.Start || r.Start
	if !op.Quiesce || op.asked(StepPromote) {
		return
	}
	op.toStop(from)
	if op.Discard {
		op.toStop(to)
	}
}

// stopped finds a workload that the operation stops; the operation may be nil. A site whose cluster is not known is
// not one that a journal names.
func (op *Operation) stopped(cluster string, w Workload) *StoppedWorkload {
	if op == nil || cluster == "" {
		return nil
	}
	i := slices.IndexFunc(op.Stopped, func(x StoppedWorkload) bool {
		return x.Cluster == cluster && x.Kind == w.Kind && x.Name == w.Name
	})
	if i < 0 {
		return nil
	}
	return &op.Stopped[i]
}

// toStop takes the workloads that run on a site into the operation, with what they have now.
func (op *Operation) toStop(s *Site) {
	if s.Usage == nil || s.Cluster == "" {
		return
	}
	for _, w := range s.Usage.Workloads {
		if w.Replicas > 0 && op.stopped(s.Cluster, w) == nil {
			op.Stopped = append(op.Stopped, StoppedWorkload{Cluster: s.Cluster, Kind: w.Kind, Name: w.Name, Replicas: w.Replicas, RunStrategy: w.RunStrategy})
		}
	}
}

// confirmStopped keeps of the workloads that a journal says were stopped those that the journal on the other
// site names as well, with the smaller number of replicas and the same run strategy: who may edit the group on one site must not scale
// anything on the other. A site that does not answer says nothing against it.
func (op *Operation) confirmStopped(p *Pair) {
	for i := range p.Sites {
		if p.Sites[i].Group == nil {
			continue
		}
		j := p.Sites[i].Journal
		op.Stopped = slices.DeleteFunc(op.Stopped, func(w StoppedWorkload) bool {
			x := j.stopped(w.Cluster, Workload{Kind: w.Kind, Name: w.Name})
			return x == nil || x.RunStrategy != w.RunStrategy
		})
		for k := range op.Stopped {
			w := &op.Stopped[k]
			w.Replicas = min(w.Replicas, j.stopped(w.Cluster, Workload{Kind: w.Kind, Name: w.Name}).Replicas)
		}
	}
}

// stoppedOn returns the workloads that the operation stops on a site.
func (op *Operation) stoppedOn(cluster string) []StoppedWorkload {
	return slices.DeleteFunc(slices.Clone(op.Stopped), func(w StoppedWorkload) bool { return cluster == "" || w.Cluster != cluster })
}

// toStart returns the workloads to start on a site: what ran on the source, and what ran on the site
// itself before it was lost. A source that takes its role back gets what it had.
func (op *Operation) toStart() []StoppedWorkload {
	out := op.stoppedOn(op.From.Cluster)
	if op.Aborting {
		return out
	}
	for _, w := range op.stoppedOn(op.To.Cluster) {
		if !slices.ContainsFunc(out, func(x StoppedWorkload) bool { return x.Kind == w.Kind && x.Name == w.Name }) {
			out = append(out, w)
		}
	}
	return out
}

// stops returns the words of a step that stops workloads.
func (op *Operation) stops(at SiteRef) string {
	all := op.stoppedOn(at.Cluster)
	if len(all) == 0 {
		return "nothing that could be stopped uses the PVCs; wait until nothing does"
	}
	return split(all, "scale to 0: ", "halt: ")
}

// starts returns the words of a step that starts workloads.
func (op *Operation) starts() string {
	all := op.toStart()
	if len(all) == 0 {
		return "nothing was stopped"
	}
	return split(all, "scale up where it exists: ", "start where it exists: ")
}

// split names the workloads that are scaled, and after them the VirtualMachines.
func split(all []StoppedWorkload, scaled, run string) string {
	virtual := func(w StoppedWorkload) bool { return w.Kind == VirtualMachine }
	var out []string
	if pods := slices.DeleteFunc(slices.Clone(all), virtual); len(pods) > 0 {
		out = append(out, scaled+join(pods))
	}
	if machines := slices.DeleteFunc(slices.Clone(all), func(w StoppedWorkload) bool { return !virtual(w) }); len(machines) > 0 {
		out = append(out, run+join(machines))
	}
	return strings.Join(out, "; ")
}

// behind returns a site whose journal does not say yet what will have been stopped; nil without one.
func (n *next) behind() *Site {
	for _, site := range n.reached() {
		for _, w := range n.op.Stopped {
			if x := site.Journal.stopped(w.Cluster, Workload{Kind: w.Kind, Name: w.Name}); x == nil || x.Replicas != w.Replicas || x.RunStrategy != w.RunStrategy {
				return site
			}
		}
	}
	return nil
}
