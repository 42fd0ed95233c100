// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Reason is why an operation does not begin, or cannot continue.
type Reason string

// Reasons.
const (
	// Refused: a check said no, and this run has changed nothing.
	Refused Reason = "refused"
	// Failed: it cannot continue by itself.
	Failed Reason = "failed"
	// Unreachable: a site that is needed does not answer.
	Unreachable Reason = "unreachable"
	// TakenOver: another tool runs an operation on the group now.
	TakenOver Reason = "takenOver"
	// Nothing: what was asked for is so already.
	Nothing Reason = "nothing"
)

// Stop says why, and what to do next.
type Stop struct {
	Reason  Reason
	Message string
	Next    string
}

func stopf(r Reason, next, format string, args ...any) *Stop {
	return &Stop{Reason: r, Next: next, Message: fmt.Sprintf(format, args...)}
}

// Write is one change of the group on one site.
type Write struct {
	Site SiteRef
	// ResourceVersion is what was observed; the write must fail when the group has changed since.
	ResourceVersion string
	// State is the new spec.replicationState; empty leaves it.
	State vgrv1.ReplicationState
	// AutoResync is the new spec.autoResync; nil leaves it.
	AutoResync *bool
	// Peer is what is known of the other copy, for backends that act on it.
	Peer vgrv1.PeerState
	// PeerHandles are the peer's volumes, for backends that have to be told; nil leaves them.
	PeerHandles map[string]string
	// RequestSync asks for an update of the copy, under this name; empty for none.
	RequestSync string
	// RequestSnapshot asks for a snapshot of all volumes, under this name; empty for none.
	RequestSnapshot string
	// PeerSnapshots are the peer's snapshots that the update ends at; nil for the present. They are
	// forgotten with the next State, unless KeepSnapshots is set, and when the operation is over.
	PeerSnapshots map[string]string
	KeepSnapshots bool
	// Scale is for workloads; nothing of the group is changed then.
	Scale []Scale
	// Operation is the journal as it is to be written.
	Operation Operation
}

// Apply makes the change to an object, which must be the one that was observed.
func (w Write) Apply(g *vgrv1.VolumeGroupReplication) error {
	generation := g.Generation
	if w.State != "" && w.State != g.Spec.ReplicationState || w.AutoResync != nil && !ptr.Equal(w.AutoResync, g.Spec.AutoResync) {
		generation++ // the API server counts changes of the spec
	}
	w.clearStale(g)
	if w.State != "" {
		g.Spec.ReplicationState = w.State
	}
	if w.AutoResync != nil {
		g.Spec.AutoResync = w.AutoResync
	}
	if err := w.annotate(g); err != nil {
		return err
	}
	if w.confirms() {
		g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, generation)
	}
	if err := archive(g, w.Operation); err != nil {
		return err
	}
	data, err := json.Marshal(w.Operation)
	g.Annotations[vgrv1.AnnotationOperation] = string(data)
	return err
}

// clearStale takes off what an earlier write told and asked for, which must not count again.
func (w Write) clearStale(g *vgrv1.VolumeGroupReplication) {
	stale := w.confirms() && !state.IsBound(g)
	over := w.Operation.Result != "" // or a promotion would go back to what is left of it
	for annotation, gone := range map[string]bool{
		vgrv1.AnnotationPeer:            stale || w.State != "",
		vgrv1.AnnotationPeerHandles:     stale,
		vgrv1.AnnotationPeerSnapshots:   over || w.RequestSync != "" || !w.KeepSnapshots && (stale || w.State != ""),
		vgrv1.AnnotationSnapshotRequest: over || w.State != "",
	} {
		if gone {
			delete(g.Annotations, annotation)
		}
	}
}

// annotate writes what is known of the peer, and what is asked of the backend.
func (w Write) annotate(g *vgrv1.VolumeGroupReplication) error {
	if g.Annotations == nil {
		g.Annotations = map[string]string{}
	}
	told := map[string]string{vgrv1.AnnotationSyncRequest: w.RequestSync, vgrv1.AnnotationSnapshotRequest: w.RequestSnapshot}
	if w.Peer != "" {
		told[vgrv1.AnnotationPeer] = fmt.Sprintf("%s/%s-%d", w.Peer, w.Operation.ID, w.Operation.Revision)
	}
	for annotation, byPVC := range map[string]map[string]string{vgrv1.AnnotationPeerHandles: w.PeerHandles, vgrv1.AnnotationPeerSnapshots: w.PeerSnapshots} {
		if len(byPVC) == 0 {
			continue
		}
		text, err := json.Marshal(byPVC)
		if err != nil {
			return err
		}
		told[annotation] = string(text)
	}
	for annotation, text := range told {
		if text != "" {
			g.Annotations[annotation] = text
		}
	}
	return nil
}

// confirms reports whether the write says anything of the peer. That counts for the generation that the
// write makes, and for no later one.
func (w Write) confirms() bool {
	return w.State != "" || w.Peer != "" || len(w.PeerHandles) > 0 || len(w.PeerSnapshots) > 0
}

// archive moves the group's last operation to its history when another one begins.
func archive(g *vgrv1.VolumeGroupReplication, next Operation) error {
	last, err := Journal(g)
	if err != nil || last == nil || last.ID == next.ID {
		return err
	}
	last.Members = nil
	if last.InFlight() {
		last.Result = Superseded
	}
	ops := append([]Operation{*last}, History(g)...)
	data, err := json.Marshal(ops[:min(len(ops), historyLength)])
	g.Annotations[vgrv1.AnnotationHistory] = string(data)
	return err
}

// Decision is what to do now. Exactly one of Write, Wait, Stop and Done is set.
type Decision struct {
	// Operation is the journal as it is known now; the next call of Next takes it.
	Operation Operation
	// Step is where the operation is.
	Step Step
	// Write is to be sent.
	Write *Write
	// Wait says what is waited for: the next observation decides.
	Wait string
	// Failing is true when the last word of the backend was a failure. It may still heal.
	Failing bool
	// Missing is true when what is waited for is a site that does not answer.
	Missing bool
	// Look is true when the next decision needs to know what uses the PVCs now.
	Look bool
	Stop *Stop
	Done bool
}

// Next decides from an observation what an operation does next. It never waits and never reads a cluster.
func Next(p Pair, op Operation, t backend.Traits) Decision {
	n := next{op: op.clone(), traits: t, from: p.Site(op.From), to: p.Site(op.To)}
	if n.from == nil || n.to == nil || n.from == n.to {
		return n.stop(Step{}, stopf(Failed, "name the sites of the operation with --context and --peer-context", "%s is not about these two clusters", op.String()))
	}
	newest, err := Newest(p)
	if err != nil {
		return n.stop(Step{}, stopf(Failed, discardCommand(&p), "%s", err))
	}
	if s := n.adopt(newest); s != nil {
		return n.stop(Step{}, s)
	}
	n.known = n.op.clone()
	if s := n.abortable(); s != nil {
		return n.stop(Step{}, s)
	}
	for _, s := range Steps(n.op, t) {
		ended := n.op.Result != "" // by any tool; the result has still to be written on every site
		if s.ID != StepFinish && (ended || s.ID != StepRecord && n.op.finished(s.ID)) {
			continue
		}
		if d := n.execute(s); d != nil {
			return *d
		}
	}
	return Decision{Operation: n.op, Done: true}
}

// next is one decision in the making.
type next struct {
	op       Operation // as it will be
	known    Operation // as it was seen
	traits   backend.Traits
	from, to *Site
}

// adopt takes over what the journals on the sites say, and stops when another tool runs an operation
// on the group now.
func (n *next) adopt(newest *Operation) *Stop {
	for _, site := range []*Site{n.to, n.from} {
		switch j := site.Journal; {
		case j == nil:
		case j.ID == n.op.ID:
			n.op.merge(j)
		case site.leaving():
		case site.owed(j) && !slices.Contains(n.op.AutoResync, site.Cluster): // this operation replaces that journal
			n.op.AutoResync = append(n.op.AutoResync, site.Cluster)
		}
	}
	switch {
	case !newest.newer(&n.op):
		return nil
	case newest.ID == n.op.ID && (newest.Holder == n.op.Holder || newest.Result != ""):
		n.op.Revision = newest.Revision
		return nil
	case newest.ID == n.op.ID:
		return stopf(TakenOver, "", "%s is driven by %s now", n.op.String(), newest.Holder)
	default:
		return stopf(TakenOver, "", "%s was begun by %s meanwhile", newest.String(), newest.Holder)
	}
}

// abortable stops an abort, before it has written anything, when the target was asked to be primary.
// The journal goes to the target first: no promotion comes after that. Where a demotion is what
// cannot be undone, an abort is written to the source first.
func (n *next) abortable() *Stop {
	if n.op.Aborting && n.op.Result == "" && n.op.handedOver() {
		return stopf(Refused, "run the same failover again: it resumes where it stopped", "%s was asked to hand over already, and that cannot be undone", n.from.Name)
	}
	restores := n.op.asked(StepDemote) || n.op.asked(StepPromote) || n.from.desired() != vgrv1.Primary
	if n.op.Aborting && n.op.Result == "" && restores && n.to.askedToLead() {
		return stopf(Refused, "run the same failover again: it resumes where it stopped",
			"%s was asked to be primary already; the backend may be promoting it already, and that cannot be undone", n.to.Name)
	}
	return nil
}

func (n *next) write(site *Site) *Write {
	return &Write{Site: site.SiteRef, ResourceVersion: site.Group.ResourceVersion}
}

// send puts the journal into the write. What it says is so only when the write is seen to have
// happened; until then the operation is what was known before.
func (n *next) send(s Step, w *Write) *Decision {
	n.op.Revision++
	w.Operation = n.op
	return &Decision{Operation: n.known, Step: s, Write: w}
}

func (n *next) wait(s Step, site *Site) *Decision {
	d := &Decision{Operation: n.op, Step: s, Wait: site.Name + ": " + site.says()}
	if r := site.ready(); r != nil && r.Status != metav1.ConditionTrue && !site.confirmed(r) {
		if state.Terminal(r.Reason) {
			return n.fail(s, n.op.AbortCommand(site.Group.Namespace, site.Group.Name), "%s: %s", site.Name, site.says())
		}
		d.Failing = r.Reason != vgrv1.ReasonProgressing && r.Reason != vgrv1.ReasonResyncing
	}
	return d
}

func (n *next) stop(s Step, why *Stop) Decision {
	return Decision{Operation: n.op, Step: s, Stop: why}
}

func (n *next) fail(s Step, next, format string, args ...any) *Decision {
	d := n.stop(s, stopf(Failed, next, format, args...))
	return &d
}

// ResumeCommand returns the command that continues the operation.
func (op *Operation) ResumeCommand(namespace, name string) string {
	verb, more, to := "failover", "", ShellQuote(op.To.Name)
	switch {
	case op.Aborting:
		more = " --abort"
	case op.Kind == Unplanned:
		more = fmt.Sprintf(" --to %s --unplanned --accept-data-loss %s", to, ShellQuote(op.Accepted))
	case op.Kind == Failback:
		verb, more = "failback", " --to "+to
		if op.Discard {
			more += " --discard-site " + to
		}
	case op.Kind == Promote && op.Force:
		verb, more = "promote", " --context "+to+" --accept-split-brain"
	case op.Kind == Promote, op.Kind == Resync:
		verb, more = string(op.Kind), " --context "+to
	case op.Kind == Demote:
		verb, more = "demote", " --context "+ShellQuote(op.From.Name)
		if op.Force {
			more += " --force"
		}
	default:
		more = " --to " + to
	}
	return fmt.Sprintf("kubectl vgr %s %s -n %s%s", verb, name, namespace, more)
}

// ShellQuote returns a text as one word of a shell command: what a journal says is to be typed by an administrator.
func ShellQuote(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+="
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// AbortCommand takes the operation back; empty when that is not possible any more.
func (op *Operation) AbortCommand(namespace, name string) string {
	if op.ID == "" || op.Kind == Unplanned || op.SpecOnly || op.asked(StepPromote) || op.handedOver() || op.Aborting {
		return ""
	}
	return fmt.Sprintf("kubectl vgr failover %s -n %s --abort", name, namespace)
}
