// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	n := next{op: op.clone(), traits: t, from: p.Site(op.From), to: p.Site(op.To), namespace: p.Namespace, name: p.Name}
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
	if id := n.op.unknownStep(); id != "" && n.op.Result == "" {
		return n.stop(Step{}, stopf(Failed, "run it with the newer version of the plugin that began it, which "+n.op.By+" has; without it: "+discardCommand(&p),
			"the journal has a step %q that this version does not know", id))
	}
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
	// namespace and name are the group's.
	namespace, name string
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
		return stopf(Refused, n.forward(), "%s was asked to hand over already, and that cannot be undone", n.from.Name)
	}
	restores := n.op.asked(StepDemote) || n.op.asked(StepPromote) || n.from.desired() != vgrv1.Primary
	if n.op.Aborting && n.op.Result == "" && restores && n.to.askedToLead() {
		return stopf(Refused, n.forward(),
			"%s was asked to be primary already; the backend may be promoting it already, and that cannot be undone", n.to.Name)
	}
	return nil
}

// forward returns the command that resumes an operation that cannot be aborted.
func (n *next) forward() string {
	op := n.op.clone()
	op.Aborting = false
	return op.ResumeCommand(n.namespace, n.name)
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
			return n.fail(s, n.op.AbortCommand(n.namespace, n.name), "the controller on %s says: %s", site.Name, site.says())
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
