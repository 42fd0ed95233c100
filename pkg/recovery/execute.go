// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"slices"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// execute does one step: nil when its proof is there and the next one may follow.
func (n *next) execute(s Step) *Decision {
	if d := n.available(s); d != nil {
		return d
	}
	switch s.ID {
	case StepRecord:
		return n.record(s)
	case StepStopTarget:
		return n.quiesce(s, n.to)
	case StepQuiesce:
		return n.quiesce(s, n.from)
	case StepStart:
		return n.startWorkloads(s, n.at(s))
	case StepDemoteStale:
		return n.demoteStalePrimary(s)
	case StepDiscard:
		return n.discard(s)
	case StepRejoin:
		return n.become(s, n.to, vgrv1.Secondary, "", n.to.is(vgrv1.Secondary) || n.to.guarded())
	case StepVerify:
		return n.verify(s)
	case StepDemote:
		return n.demote(s)
	case StepSnapshot:
		return n.snapshot(s)
	case StepUpdate:
		return n.update(s)
	case StepSync:
		return n.sync(s)
	case StepPromote:
		return n.promote(s)
	case StepReprotect:
		return n.reprotect(s)
	case StepRestore:
		return n.restore(s)
	case StepFinish:
		return n.end(s)
	default:
		return n.fail(s, "", "step %q cannot be carried out", s.ID)
	}
}

// available looks whether the sites that a step needs are there. The source is needed until the
// target has been asked to take over, and for whatever a journal says is still to be done there.
func (n *next) available(s Step) *Decision {
	for _, site := range n.needed(s) {
		away := site.Answered && (site.Group == nil || site.leaving())
		switch {
		case away && n.settled(site): // another run has written its result there, which lets the group go
		case !site.Answered:
			return &Decision{Operation: n.op, Step: s, Wait: site.silence(), Missing: true}
		case site.Group == nil:
			return n.fail(s, n.rescue(site), "the group does not exist on %s any more", site.Name)
		case site.leaving():
			return n.fail(s, n.rescue(site), "the group is being deleted on %s", site.Name)
		}
	}
	return nil
}

// needed returns the sites that a step cannot do without.
func (n *next) needed(s Step) []*Site {
	switch {
	case s.ID == StepFinish:
		return nil
	case n.op.Aborting:
		return []*Site{n.from, n.to}
	case n.op.Kind == Demote:
		return []*Site{n.from}
	case n.op.Kind == Unplanned, n.op.Kind == Promote && n.op.Force:
		return []*Site{n.to}
	case n.op.asked(StepPromote) && slices.Contains([]StepID{StepRecord, StepPromote, StepStart}, s.ID):
		return []*Site{n.to}
	default:
		return []*Site{n.to, n.from}
	}
}

// settled reports whether nothing is left to be done that needs a site: all steps are in the journal, or an abort sees that
// the source has its role.
func (n *next) settled(site *Site) bool {
	restored := n.op.asked(StepRestore) || !n.op.asked(StepDemote) || n.op.SpecOnly
	if n.op.Aborting && site == n.to && restored && n.from.is(vgrv1.Primary) {
		return true
	}
	return !slices.ContainsFunc(Steps(n.op, n.traits), func(s Step) bool {
		return s.ID != StepRecord && s.ID != StepFinish && !n.op.finished(s.ID)
	})
}

// rescue returns the way out when a site's group is gone: the command that makes the source primary again where the target
// is that site, or the one that gives up the operation.
func (n *next) rescue(gone *Site) string {
	if gone == n.to && n.op.asked(StepDemote) && !n.op.asked(StepPromote) && n.from.Answered && n.from.Group != nil {
		return rescueCommand(n.from, n.namespace, n.name)
	}
	return DiscardCommand(n.namespace, n.name)
}

// at returns the site of a step that may happen on either.
func (n *next) at(s Step) *Site {
	if s.Site == n.op.From {
		return n.from
	}
	return n.to
}

// reached returns the sites on which the journal can be written.
func (n *next) reached() []*Site {
	return slices.DeleteFunc([]*Site{n.to, n.from}, func(s *Site) bool {
		return !s.Answered || s.Group == nil || s.leaving() || s.ReadOnly != ""
	})
}

// become asks a site for a state and waits for the proof.
func (n *next) become(s Step, site *Site, role vgrv1.ReplicationState, peer vgrv1.PeerState, proven bool) *Decision {
	switch {
	case proven:
		n.op.start(s.ID, site.Cluster, false, site.Now)
		n.op.finish(s.ID, site.Now)
		return nil
	case n.stale(site, s.ID):
		return n.catchUp(s, site)
	case site.desired() == role && !site.guarded() && (n.op.asked(s.ID) || !site.strays()):
		n.op.start(s.ID, site.Cluster, false, site.Now)
		return n.wait(s, site)
	case role == vgrv1.Primary && site.spent():
		n.op.resetStep(s.ID, site.Now)
		w := n.write(site) // a promotion is permitted for a generation that was not confirmed before
		w.State = vgrv1.Secondary
		return n.send(s, w)
	case n.op.asked(s.ID) && !site.guarded():
		return n.fail(s, n.authorCommand(site)+"; then "+n.op.ResumeCommand(n.namespace, n.name), "%s was asked to be %s, and another tool asked for %s", site.Name, role, site.desired())
	}
	n.op.start(s.ID, site.Cluster, true, site.Now)
	w := n.write(site)
	w.State, w.Peer = role, peer
	return n.send(s, w)
}

// stale reports whether a site is seen as it was before a write of this operation that was seen to
// have happened: an older picture proves nothing.
func (n *next) stale(site *Site, id StepID) bool {
	return n.op.asked(id) && (site.Journal == nil || !site.Journal.asked(id))
}

func (n *next) catchUp(s Step, site *Site) *Decision {
	return &Decision{Operation: n.op, Step: s, Wait: site.Name + " does not show yet what was written last"}
}
