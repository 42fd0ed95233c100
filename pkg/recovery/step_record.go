// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// record writes the journal before anything else. From then on, a tool that ran an operation on the group before
// fails with the next write: the group is not what it was any more.
func (n *next) record(s Step) *Decision {
	reached := n.reached()
	if n.op.Aborting && n.op.OneWay { // what must not happen any more happens at the source
		slices.Reverse(reached)
	}
	for _, site := range reached {
		j := site.Journal
		mine := j != nil && j.ID == n.op.ID && j.Holder == n.op.Holder && j.Aborting == n.op.Aborting
		// A backend that resyncs by itself could discard the wrong side in between.
		hold := n.op.Kind != Unplanned && !n.op.Force && !n.op.SpecOnly && !n.op.Aborting && ptr.Deref(site.Group.Spec.AutoResync, false)
		if mine && !hold {
			continue
		}
		w := n.write(site)
		if n.op.record(s.ID) == nil { // not the time of the plan, which the user took time to read
			n.op.Started = metav1.NewMicroTime(n.to.Now)
		}
		n.op.start(s.ID, "", false, n.to.Now)
		if hold {
			w.AutoResync = new(false)
			if !slices.Contains(n.op.AutoResync, site.Cluster) {
				n.op.AutoResync = append(n.op.AutoResync, site.Cluster)
			}
		}
		return n.send(s, w)
	}
	n.op.finish(s.ID, n.to.Now)
	return nil
}

// end writes the result wherever it can be written.
func (n *next) end(s Step) *Decision {
	if d := n.saveSteps(s); d != nil {
		return d
	}
	if n.op.Result == "" {
		n.op.Result = Done
		if n.op.Aborting {
			n.op.Result = Aborted
		}
		n.op.start(s.ID, "", false, n.to.Now)
		n.op.finish(s.ID, n.to.Now)
		n.op.Finished = new(metav1.NewMicroTime(n.to.Now))
	}
	for _, site := range n.ends() {
		if j := site.Journal; j != nil && j.ID == n.op.ID && j.Result != "" {
			continue
		}
		w := n.write(site)
		if slices.Contains(n.op.AutoResync, site.Cluster) && !n.op.keepsHolding() {
			w.AutoResync = new(true)
		}
		return n.sendLast(s, w, site)
	}
	if len(n.op.AutoResync) == 0 || n.op.keepsHolding() {
		return nil
	}
	for _, site := range n.reached() { // the last write has changed what the backend is asked for
		if r := site.ready(); !site.current() && (r == nil || !state.Terminal(r.Reason)) {
			return n.wait(s, site)
		}
	}
	return nil
}

// saveSteps writes what was done to the journal that gets the result last, where the result lets the other site's group go:
// without that group, only this journal says that no step is left.
func (n *next) saveSteps(s Step) *Decision {
	sites := n.ends()
	if n.op.Result != "" || len(sites) < 2 || !sites[0].view().Deleting() {
		return nil
	}
	last := sites[1]
	for _, r := range n.op.Steps {
		if r.Finished != nil && (last.Journal == nil || last.Journal.ID != n.op.ID || !last.Journal.finished(r.ID)) {
			return n.send(s, n.write(last))
		}
	}
	return nil
}

// ends returns the sites on which the result is to be written. One that is being deleted may be gone right after: the
// site that is primary comes last, as without the other one the operation can still be resumed.
func (n *next) ends() []*Site {
	sites := n.reached()
	if !n.op.Aborting && slices.ContainsFunc(sites, func(s *Site) bool { return s.view().Deleting() }) {
		slices.Reverse(sites)
	}
	return sites
}

// sendLast writes the result. A site that is being deleted will not show that it was written.
func (n *next) sendLast(s Step, w *Write, site *Site) *Decision {
	revision := n.op.Revision
	d := n.send(s, w)
	if site.view().Deleting() {
		d.Operation = n.op
		d.Operation.Revision = revision
	}
	return d
}
