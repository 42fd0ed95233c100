// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// roleRequest is what promote, demote and resync want for one group, with all that was seen.
type roleRequest struct {
	state vgrv1.ReplicationState
	here  string
	// peer is empty when no peer is known.
	peer     string
	peerSite overview.Site
	group    overview.Group
	// users are the pods that use the group's PVCs here; usersUnknown is why they are not known.
	users        []string
	usersUnknown string
	force        bool
	acceptSplit  bool
	// confirmsSync is the backend's trait.
	confirmsSync bool
}

// rolePlan is what will be done to one group, or why not.
type rolePlan struct {
	namespace, name string
	from, to        vgrv1.ReplicationState
	notes           []string
	// done is true when the group is there already, confirmed.
	done bool
	// awaitSync is true when both sites must confirm that everything has crossed before anything
	// is written.
	awaitSync bool
	// peer is what is known of the other copy, for backends that act on it.
	peer    vgrv1.PeerFate
	refusal *failure.Failure
}

// planRole decides. It is pure.
func planRole(r roleRequest) rolePlan {
	gs := r.group.On(r.here)
	p := rolePlan{namespace: r.group.Namespace, name: r.group.Name, from: gs.Desired, to: r.state}
	switch {
	case !gs.Exists:
		p.refusal = failure.Refused("kubectl vgr list -n "+p.namespace, "there is no group %s/%s on %s", p.namespace, p.name, r.here)
		return p
	case gs.Deleting:
		p.refusal = failure.Refused("", "group %s/%s is being deleted on %s", p.namespace, p.name, r.here)
		return p
	case r.group.Operation != nil && r.group.Operation.Result == "":
		op := r.group.Operation
		p.refusal = failure.Refused("kubectl vgr history "+p.name+" -n "+p.namespace, "operation %s moves %s from %s to %s, begun by %s; finish it or take it back first", op.ID, p.name, op.From, op.To, op.By)
		return p
	case gs.Desired == r.state && gs.Current && gs.Ready.Status == metav1.ConditionTrue:
		p.done = true
		return p
	}
	switch r.state {
	case vgrv1.Primary:
		p.promote(r)
	case vgrv1.Secondary:
		p.demote(r)
	case vgrv1.Resync:
		p.resync(r, gs)
	}
	return p
}

// promote refuses whatever could make a second primary: the backend forces a promotion by itself
// when the peer is still primary or out of reach.
func (p *rolePlan) promote(r roleRequest) {
	const accept = "--accept-split-brain promotes all the same; only for a site that is lost"
	peer := r.group.On(r.peer)
	if p.peer = vgrv1.PeerDemoted; r.acceptSplit {
		p.peer = vgrv1.PeerLost
	}
	switch {
	case r.peer == "" && !r.acceptSplit:
		p.refusal = failure.Refused("name the peer with --peer-context; "+accept, "no peer is known for %s/%s, so nobody can tell whether it is primary elsewhere", p.namespace, p.name)
	case r.peer == "":
		p.note("the other site was not looked at: if it is primary, both will be")
	case !r.peerSite.Answered && !r.acceptSplit:
		p.refusal = failure.New(failure.CodeUnreachable, accept, "%s cannot be asked whether it is primary: %s", r.peer, r.peerSite.Message)
	case !r.peerSite.Answered:
		p.note(fmt.Sprintf("%s cannot be asked: if it is primary, both will be", r.peer))
	case !peer.Exists:
		p.peer = ""
		p.note(fmt.Sprintf("%s has no such group", r.peer))
	case peer.State == vgrv1.StatePrimary || peer.Desired == vgrv1.Primary:
		p.refusal = failure.Refused(fmt.Sprintf("kubectl vgr demote %s -n %s --context %s", p.name, p.namespace, r.peer),
			"%s is primary on %s (wanted %s, observed %s); two primaries would lose data", p.name, r.peer, peer.Desired, orUnknown(string(peer.State)))
	case r.confirmsSync && peer.Desired == vgrv1.Secondary:
		p.sync(r, peer) // which includes that it is confirmed
	case !peer.Current || peer.Ready.Status != metav1.ConditionTrue:
		p.refusal = failure.Refused(fmt.Sprintf("kubectl vgr status %s -n %s shows when it is", p.name, p.namespace),
			"%s is not confirmed to be secondary on %s yet: %s", p.name, r.peer, peer.Ready.Message)
	default:
		p.note(fmt.Sprintf("%s is secondary on %s, confirmed", p.name, r.peer))
	}
}

// sync asks for the proof that the demotion has crossed. Before it has, Ceph refuses a promotion,
// csi-addons answers that by force, and the pair is split. Each site only speaks for what it
// knew when it last looked, so both must have said it.
func (p *rolePlan) sync(r roleRequest, peer overview.GroupSite) {
	here := r.group.On(r.here)
	switch {
	case here.Desired == vgrv1.Primary:
		p.note("the promotion was asked for already; waits for its outcome")
	case synced(here) && synced(peer):
		p.note("both sites confirm to be secondary, and that everything has crossed")
	case r.acceptSplit:
		p.note("not every write is confirmed to have crossed: what has not is lost")
	default:
		p.awaitSync = true
		p.note("waits first until both sites confirm to be secondary, and that everything has crossed; after a demotion that takes up to half a minute")
	}
}

// synced says whether a demoted site has confirmed that it and its peer hold the same.
func synced(gs overview.GroupSite) bool {
	degraded := meta.FindStatusCondition(gs.Conditions, vgrv1.ConditionDegraded)
	return gs.State == vgrv1.StateSecondary && gs.Current && degraded != nil && degraded.Status == metav1.ConditionFalse
}

func (p *rolePlan) demote(r roleRequest) {
	if len(r.users) > 0 && !r.force {
		p.refusal = failure.Refused("stop them first; --force leaves it to the storage to refuse", "PVCs of %s are in use on %s by %s", p.name, r.here, strings.Join(r.users, ", "))
		return
	}
	if len(r.users) > 0 {
		p.note("in use by " + strings.Join(r.users, ", ") + "; the storage will refuse while volumes are attached")
	}
	if r.usersUnknown != "" {
		p.note("whether pods use the PVCs is not known: " + r.usersUnknown)
	}
	if peer := r.group.On(r.peer); !peer.Exists || peer.State != vgrv1.StatePrimary {
		p.note("nobody will be primary until a site is promoted")
	}
}

func (p *rolePlan) resync(r roleRequest, gs overview.GroupSite) {
	peer := r.group.On(r.peer)
	switch {
	case gs.State == vgrv1.StatePrimary:
		p.refusal = failure.Refused(fmt.Sprintf("kubectl vgr demote %s -n %s --context %s", p.name, p.namespace, r.here),
			"%s is primary on %s: a resync would discard its data; demote it first if that is wanted", p.name, r.here)
	case r.peer == "" || !r.peerSite.Answered:
		p.refusal = failure.New(failure.CodeUnreachable, "name the peer with --peer-context, or wait until it answers", "the site to resync %s from cannot be asked", p.name)
	case peer.State != vgrv1.StatePrimary:
		p.refusal = failure.Refused("", "%s is not primary on %s (%s): there is nothing to resync from", p.name, r.peer, orUnknown(string(peer.State)))
	default:
		p.note(fmt.Sprintf("what was written on %s and never reached %s is discarded", r.here, r.peer))
	}
}

func (p *rolePlan) note(text string) { p.notes = append(p.notes, text) }

// show prints the plan of one group.
func (p *rolePlan) show(w io.Writer, here string, g overview.Group) {
	fmt.Fprintf(w, "%s: %s volumegroupreplication/%s -n %s\n", present.Clean(here), verb(p.to), present.Clean(p.name), present.Clean(p.namespace))
	if p.done {
		fmt.Fprintf(w, "  is %s already, confirmed by the backend\n", p.to)
		return
	}
	fmt.Fprintf(w, "  spec.replicationState: %s -> %s\n", present.Clean(string(p.from)), p.to)
	var pvcs []string
	for _, v := range g.On(here).Volumes {
		pvcs = append(pvcs, v.Name)
	}
	if len(pvcs) == 0 {
		pvcs = []string{"none known"}
	}
	fmt.Fprintf(w, "  volumes: %s\n", present.Clean(strings.Join(pvcs, ", ")))
	for _, n := range p.notes {
		fmt.Fprintf(w, "  - %s\n", present.Clean(n))
	}
}

func verb(s vgrv1.ReplicationState) string {
	return map[vgrv1.ReplicationState]string{vgrv1.Primary: "promote", vgrv1.Secondary: "demote", vgrv1.Resync: "resync"}[s]
}
