// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// promote checks everything once more in the observation that the write is bound to.
func (n *next) promote(s Step) *Decision {
	begun := !n.to.guarded() && (n.op.asked(s.ID) || n.to.desired() == vgrv1.Primary)
	if !begun {
		if d := n.mayPromote(s); d != nil {
			return d
		}
	}
	peer := vgrv1.PeerDemoted
	switch {
	case n.op.Kind == Unplanned, n.op.Force:
		peer = vgrv1.PeerLost
	case n.traits.PromoteFirst && n.op.Kind != Promote:
		peer = vgrv1.PeerQuiesced
	}
	if n.traits.HandsOver && peer == vgrv1.PeerDemoted && !n.op.asked(s.ID) && n.to.askedToLead() && state.Peer(n.to.Group) != peer {
		// The storage has made it primary, and its spec asked for that before: it was not told of the hand-over.
		if d := n.mayPromote(s); d != nil {
			return d
		}
		n.op.start(s.ID, n.to.Cluster, true, n.to.Now)
		w := n.write(n.to)
		w.State, w.Peer = vgrv1.Primary, peer
		return n.send(s, w)
	}
	d := n.become(s, n.to, vgrv1.Primary, peer, n.to.is(vgrv1.Primary))
	if d != nil && d.Write != nil {
		d.Write.KeepSnapshots = n.op.Snapshot
	}
	return d
}

func (n *next) mayPromote(s Step) *Decision {
	if d := n.sameMembers(s); d != nil {
		return d
	}
	switch {
	case n.op.Kind == Unplanned, n.op.Force:
		return nil
	case n.traits.PromoteFirst && n.op.Kind != Promote:
		return n.quiet(s)
	}
	if d := n.stillDemoted(s); d != nil {
		return d
	}
	if n.traits.ConfirmsSync {
		return n.inSync(s)
	}
	return nil
}

// stillDemoted stops when the source has become something else since it was demoted.
func (n *next) stillDemoted(s Step) *Decision {
	switch {
	case n.stale(n.from, StepDemote):
		return n.catchUp(s, n.from)
	case n.from.demoted():
		return nil
	case n.from.desired() == vgrv1.Primary && n.from.ready() == nil: // the controller says next whether it obeys
		return n.wait(s, n.from)
	case n.from.desired() != vgrv1.Secondary:
		return n.fail(s, n.authorCommand(n.from)+"; then "+n.op.ResumeCommand(n.namespace, n.name), "%s was demoted, and another tool requested %s again", n.from.Name, n.from.desired())
	default:
		return n.wait(s, n.from)
	}
}

func (n *next) sameMembers(s Step) *Decision {
	for _, site := range n.reached() {
		if site == n.from && (n.op.Kind == Unplanned || n.op.Force) {
			continue // what a source says that is given up stops nothing
		}
		now := site.members()
		same := slices.Equal(names(now), names(n.op.Members))
		if site == n.to {
			same = maps.Equal(now, n.op.Members)
		}
		if !same {
			return n.fail(s, n.op.AbortCommand(n.namespace, n.name), "the members on %s are not those of the start: then %s, now %s; nothing was promoted",
				site.Name, strings.Join(names(n.op.Members), ", "), strings.Join(names(now), ", "))
		}
	}
	if text := n.to.followsAnother(n.from); text != "" && n.op.Kind != Unplanned && !n.op.Force {
		return n.fail(s, n.op.AbortCommand(n.namespace, n.name), "%s; nothing was promoted", text)
	}
	return nil
}

// restore makes the source primary again, as long as the target is not; tooLate has seen that it may not become it.
func (n *next) restore(s Step) *Decision {
	if !n.op.asked(s.ID) && !n.from.is(vgrv1.Primary) && n.to.state() == vgrv1.StatePrimary {
		return n.fail(s, fmt.Sprintf("kubectl vgr status %s -n %s shows both sites", n.name, n.namespace), "%s is primary; %s stays as it is", n.to.Name, n.from.Name)
	}
	return n.become(s, n.from, vgrv1.Primary, vgrv1.PeerDemoted, n.from.is(vgrv1.Primary))
}
