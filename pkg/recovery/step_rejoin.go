// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// clockError is how wrong the clock of a cluster is known at most, and a little more.
const clockError = 2 * time.Second

// demoteStalePrimary has an old primary give up its role. Where the primary brings it back, it is only asked
// to, so that it does not act by itself.
func (n *next) demoteStalePrimary(s Step) *Decision {
	if n.traits.PromoteFirst {
		return n.replicateFrom(s, n.to, n.from)
	}
	if !n.traits.HandsOver {
		return n.become(s, n.to, vgrv1.Secondary, "", n.to.demoted())
	}
	return n.become(s, n.to, vgrv1.Secondary, vgrv1.PeerLost, n.to.desired() == vgrv1.Secondary)
}

// discard makes a copy that went its own way follow again. While its peer is primary it cannot say
// that it has all; the primary can say that a synchronisation has come through.
func (n *next) discard(s Step) *Decision {
	if n.traits.HandsOver {
		return n.takeBack(s)
	}
	if n.to.desired() == vgrv1.Resync && n.op.asked(s.ID) {
		last, r := n.from.Group.Status.LastSyncTime, n.op.record(s.ID)
		ready := n.to.ready()
		runs := n.to.current() && (ready.Status == metav1.ConditionTrue || ready.Reason == vgrv1.ReasonResyncing)
		if runs && last != nil && last.After(r.Started.Add(clockError)) {
			n.op.finish(s.ID, n.from.Now)
			return nil
		}
		if runs {
			return &Decision{Operation: n.op, Step: s, Wait: n.from.Name + " reports no synchronisation yet that came after the resync began"}
		}
		d := n.wait(s, n.to)
		if d.Wait != "" && ready != nil && ready.Reason == vgrv1.ReasonFailedToResync { // the storage says so on the normal way too
			d.Wait = n.to.Name + " is not resynchronised yet, and its storage tries again: " + ready.Message
		}
		return d
	}
	if n.op.asked(s.ID) {
		return n.become(s, n.to, vgrv1.Resync, "", false)
	}
	if !n.from.is(vgrv1.Primary) {
		return n.fail(s, "", "%s is not primary any more, so there is nothing to resync from: %s", n.from.Name, n.from.says())
	}
	n.op.start(s.ID, n.to.Cluster, true, n.from.Now) // by the clock that will say when it has synchronised
	w := n.write(n.to)
	w.State = vgrv1.Resync
	return n.send(s, w)
}

// takeBack has the primary resynchronise a copy that has diverged.
func (n *next) takeBack(s Step) *Decision {
	switch {
	case n.op.asked(s.ID) && n.to.follows():
		n.op.finish(s.ID, n.to.Now)
		return nil
	case n.op.asked(s.ID):
		return n.wait(s, n.to)
	case !n.from.is(vgrv1.Primary):
		return n.fail(s, "", "%s is not primary any more, so there is nothing to follow: %s", n.from.Name, n.from.says())
	}
	n.op.start(s.ID, n.from.Cluster, true, n.from.Now)
	w := n.write(n.from)
	w.State, w.Peer = vgrv1.Primary, vgrv1.PeerDiscarded
	return n.send(s, w)
}

// reprotect has the old source follow.
func (n *next) reprotect(s Step) *Decision {
	if n.traits.PromoteFirst {
		return n.replicateFrom(s, n.from, n.to)
	}
	n.op.start(s.ID, n.to.Cluster, false, n.to.Now)
	if n.to.is(vgrv1.Primary) && n.to.replicates() {
		n.op.finish(s.ID, n.to.Now)
		return nil
	}
	if n.to.is(vgrv1.Primary) && n.to.Journal != nil && n.to.Journal.asked(StepPromote) && state.Peer(n.to.Group) == "" {
		// What it was told is bound to an earlier write, or by an older plugin to none, so it does not protect itself.
		if d := n.mayPromote(s); d != nil {
			return d
		}
		w := n.write(n.to)
		w.State, w.Peer = vgrv1.Primary, vgrv1.PeerDemoted
		return n.send(s, w)
	}
	return &Decision{Operation: n.op, Step: s, Wait: n.to.Name + " does not replicate yet: " + n.to.says()}
}

// replicateFrom has a copy replicate from a peer that is seen to be primary, where that takes all it has.
// What it is told of the peer goes with the write.
func (n *next) replicateFrom(s Step, copied, primary *Site) *Decision {
	proven := copied.follows()
	// What it was told may be bound to an earlier write, or by an older plugin to none: then it does not follow.
	unbound := !n.stale(copied, s.ID) && copied.desired() == vgrv1.Secondary && state.Peer(copied.Group) != vgrv1.PeerPrimary
	if (!n.op.asked(s.ID) || unbound || copied.strays() && !n.stale(copied, s.ID)) && !proven {
		if !primary.is(vgrv1.Primary) {
			return n.fail(s, "", "%s is not primary any more, so there is nothing to follow: %s", primary.Name, primary.says())
		}
		if wait := n.unknownUsage(s, copied); wait != nil {
			return wait
		}
		if users := copied.users(); len(users) > 0 { // it would be overwritten under them
			return n.look(s, true, "stop what uses the PVCs on %s: %s", copied.Name, join(users))
		}
		n.op.start(s.ID, copied.Cluster, true, copied.Now)
		w := n.write(copied) // also where that state was asked for before, when the peer was lost
		w.State, w.Peer, w.PeerHandles = vgrv1.Secondary, vgrv1.PeerPrimary, primary.replicationHandles()
		return n.send(s, w)
	}
	return n.become(s, copied, vgrv1.Secondary, vgrv1.PeerPrimary, proven)
}
