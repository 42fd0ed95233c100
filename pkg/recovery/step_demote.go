// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// verify waits until the source has synchronised with the target since it became primary. Until then the
// backend's word that both are in sync may be left over from the hand-over before, and is no proof.
// Nothing but the journal was written yet.
func (n *next) verify(s Step) *Decision {
	if n.op.asked(StepDemote) || !n.from.askedToLead() {
		return nil
	}
	n.op.start(s.ID, n.from.Cluster, false, n.from.Now)
	if n.from.replicated() {
		n.op.finish(s.ID, n.from.Now)
		return nil
	}
	if n.from.Unwatched && n.from.Group.Status.StateSince == nil && n.from.is(vgrv1.Primary) {
		return n.send(s, n.write(n.from)) // which notes since when it is primary
	}
	return &Decision{Operation: n.op, Step: s, Wait: n.from.unreplicated(n.op.schedule(), n.traits)}
}

func (n *next) demote(s Step) *Decision {
	switch {
	case n.op.Kind == Demote:
		if d := n.verified(s); d != nil {
			return d
		}
		return n.become(s, n.from, vgrv1.Secondary, "", n.from.demoted() && !n.from.guarded())
	case n.op.Kind != Unplanned:
		if !n.op.asked(s.ID) && n.to.desired() != vgrv1.Secondary && !n.to.guarded() {
			return n.fail(s, n.authorCommand(n.to), "%s was asked to be %s by another tool; nothing was demoted", n.to.Name, n.to.desired())
		}
		if d := n.verified(s); d != nil {
			return d
		}
		if n.undirected(s) {
			n.op.start(s.ID, n.from.Cluster, true, n.from.Now)
			w := n.write(n.from)
			w.State = vgrv1.Secondary
			return n.send(s, w)
		}
		return n.become(s, n.from, vgrv1.Secondary, "", n.from.demoted())
	}
	// A lost source is asked to give up if it can be, so that it does not come back as primary.
	if len(n.reached()) < 2 || n.from.desired() != vgrv1.Primary {
		return nil
	}
	if n.op.asked(StepDemote) || n.op.asked(StepPromote) {
		return nil // another tool requested otherwise, or it came back too late
	}
	n.op.start(s.ID, n.from.Cluster, true, n.from.Now)
	n.op.finish(s.ID, n.from.Now)
	w := n.write(n.from)
	w.State, w.Peer = vgrv1.Secondary, vgrv1.PeerLost
	return n.send(s, w)
}

// undirected reports whether a source that would hand over was asked to be secondary by no write of kubectl vgr, or
// its spec was changed since: the controller refuses that.
func (n *next) undirected(s Step) bool {
	return n.traits.HandsOver && n.from.desired() == vgrv1.Secondary && n.from.state() == vgrv1.StatePrimary &&
		!n.stale(n.from, s.ID) && !state.IsBound(n.from.Group)
}

// verified checks the same once more in the observation that the demotion is bound to.
func (n *next) verified(s Step) *Decision {
	if !n.traits.ConfirmsSync || n.op.Force || n.op.SpecOnly || n.op.asked(s.ID) || !n.from.askedToLead() || n.from.replicated() {
		return nil
	}
	n.op.resetStep(StepVerify, n.from.Now)
	return &Decision{Operation: n.op, Step: s, Wait: n.from.unreplicated(n.op.schedule(), n.traits)}
}

// sync waits for the proof that the target has all that was written before the demotion.
func (n *next) sync(s Step) *Decision {
	n.op.start(s.ID, n.from.Cluster, false, n.from.Now)
	if d := n.stillDemoted(s); d != nil {
		return d
	}
	if d := n.inSync(s); d != nil {
		return d
	}
	n.op.finish(s.ID, n.from.Now)
	return nil
}

// inSync waits while a demoted source is not proven to hold the same as the target.
func (n *next) inSync(s Step) *Decision {
	switch {
	case n.from.synced():
		return nil
	case n.from.saysSynced():
		return n.fail(s, rescueCommand(n.from, n.namespace, n.name),
			"%s was not seen to synchronise before it was demoted, so its report of being in sync may be left over from an earlier hand-over and proves nothing", n.from.Name)
	default:
		return &Decision{Operation: n.op, Step: s, Wait: n.from.Name + " has not confirmed that the sites are in sync"}
	}
}
