// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
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
		return n.fail(s, "", "the journal has a step %q that this version does not know", s.ID)
	}
}

// available looks whether the sites that a step needs are there. The source is needed until the
// target has been asked to take over, and for whatever a journal says is still to be done there.
func (n *next) available(s Step) *Decision {
	for _, site := range n.needed(s) {
		switch {
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

// rescue returns the command that makes the source primary again when the target is gone; empty where that is
// not the way out.
func (n *next) rescue(gone *Site) string {
	if gone != n.to || n.op.asked(StepPromote) || !n.op.asked(StepDemote) || !n.from.Answered || n.from.Group == nil {
		return ""
	}
	return rescueCommand(n.from, n.from.Group.Namespace, n.from.Group.Name)
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
		return !s.Answered || s.Group == nil || s.leaving()
	})
}

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

// become asks a site for a state and waits for the proof.
func (n *next) become(s Step, site *Site, role vgrv1.ReplicationState, peer vgrv1.PeerState, proven bool) *Decision {
	switch {
	case proven:
		n.op.start(s.ID, site.Cluster, false, site.Now)
		n.op.finish(s.ID, site.Now)
		return nil
	case site.desired() == role && !site.guarded():
		n.op.start(s.ID, site.Cluster, false, site.Now)
		return n.wait(s, site)
	case n.stale(site, s.ID):
		return n.catchUp(s, site)
	case n.op.asked(s.ID) && !site.guarded():
		return n.fail(s, "find out who it was; then "+n.op.ResumeCommand(site.Group.Namespace, site.Group.Name), "%s was asked to be %s, and another tool asked for %s", site.Name, role, site.desired())
	}
	n.op.start(s.ID, site.Cluster, true, site.Now)
	w := n.write(site)
	w.State, w.Peer = role, peer
	return n.send(s, w)
}

// restore makes the source primary again, as long as the target is not; tooLate has seen that it may not become it.
func (n *next) restore(s Step) *Decision {
	if !n.op.asked(s.ID) && !n.from.is(vgrv1.Primary) && n.to.state() == vgrv1.StatePrimary {
		return n.fail(s, "kubectl vgr status shows both sites", "%s is primary; %s stays as it is", n.to.Name, n.from.Name)
	}
	return n.become(s, n.from, vgrv1.Primary, vgrv1.PeerDemoted, n.from.is(vgrv1.Primary))
}

// stale reports whether a site is seen as it was before a write of this operation that was seen to
// have happened: an older picture proves nothing.
func (n *next) stale(site *Site, id StepID) bool {
	return n.op.asked(id) && (site.Journal == nil || !site.Journal.asked(id))
}

func (n *next) catchUp(s Step, site *Site) *Decision {
	return &Decision{Operation: n.op, Step: s, Wait: site.Name + " does not show yet what was written last"}
}

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
	if (!n.op.asked(s.ID) || unbound) && !proven {
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
		return n.fail(s, "find out who it was; the same command begins anew afterwards", "%s was demoted, and another tool asked for %s again", n.from.Name, n.from.desired())
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
			return n.fail(s, n.op.AbortCommand(n.to.Group.Namespace, n.to.Group.Name), "the members on %s are not those of the start: then %s, now %s; nothing was promoted",
				site.Name, strings.Join(names(n.op.Members), ", "), strings.Join(names(now), ", "))
		}
	}
	return nil
}

// clockError is how wrong the clock of a cluster is known at most, and a little more.
const clockError = 2 * time.Second

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
		return n.wait(s, n.to)
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

// end writes the result wherever it can be written.
func (n *next) end(s Step) *Decision {
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
