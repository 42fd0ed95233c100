// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// snapshot asks for one moment of all volumes, when nothing writes any more.
func (n *next) snapshot(s Step) *Decision {
	if d := n.quiet(s); d != nil {
		return d
	}
	request := n.op.snapshotRequest()
	if n.op.asked(s.ID) {
		if n.from.snapshots(request) == nil {
			return n.missing(s, n.from, "a snapshot")
		}
		n.op.finish(s.ID, n.from.Now)
		return nil
	}
	n.op.start(s.ID, n.from.Cluster, true, n.from.Now)
	w := n.write(n.from)
	w.RequestSnapshot = n.op.snapshotRequest()
	return n.send(s, w)
}

// missing waits for what was asked of a site.
func (n *next) missing(s Step, site *Site, what string) *Decision {
	wait := site.Name + " has not reported " + what + " yet"
	if r := site.ready(); r != nil && r.Status != metav1.ConditionTrue {
		wait += ": " + site.says()
	}
	return &Decision{Operation: n.op, Step: s, Wait: wait}
}

// update asks a backend that does not fence for the last update, when nothing writes any more.
func (n *next) update(s Step) *Decision {
	if d := n.quiet(s); d != nil {
		return d
	}
	if n.to.guarded() { // a backend that is not asked to be secondary fetches nothing
		w := n.write(n.to)
		w.State, w.KeepSnapshots = vgrv1.Secondary, true
		return n.send(s, w)
	}
	if r := n.op.record(s.ID); n.op.asked(s.ID) {
		if n.to.Group.Status.LastSyncRequest != n.op.syncRequest(r.Attempt) {
			return n.missing(s, n.to, "the last update")
		}
		n.op.finish(s.ID, n.to.Now)
		return nil
	}
	var snapshots map[string]string
	if n.op.Snapshot {
		if snapshots = n.from.snapshots(n.op.snapshotRequest()); snapshots == nil {
			return n.catchUp(s, n.from)
		}
	}
	n.op.start(s.ID, n.to.Cluster, true, n.to.Now)
	w := n.write(n.to)
	w.PeerSnapshots = snapshots
	w.RequestSync = n.op.syncRequest(n.op.record(s.ID).Attempt)
	return n.send(s, w)
}

// quiet waits until nothing uses the volumes on a source that its backend does not fence. What was
// fetched before is then not the last any more.
func (n *next) quiet(s Step) *Decision {
	wait := n.unknownUsage(s, n.from)
	switch {
	case wait != nil && n.from.Usage == nil:
		return wait
	case wait == nil && len(n.from.users()) == 0:
		return nil
	case wait == nil:
		wait = n.look(s, true, "stop what uses the PVCs on %s: %s", n.from.Name, join(n.from.users()))
	}
	if n.op.asked(StepUpdate) || n.op.asked(StepSnapshot) { // in the journal too, or a crash would forget that it has to be repeated
		n.op.resetStep(StepSnapshot, n.to.Now)
		n.op.resetStep(StepUpdate, n.to.Now)
		return n.send(s, n.write(n.to))
	}
	wait.Operation = n.op
	return wait
}
