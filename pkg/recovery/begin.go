// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Request is what a user asks for.
type Request struct {
	Kind Kind
	// To is the site that is to be primary. It may be left out to abort.
	To SiteRef
	// Abort undoes the operation that is in flight.
	Abort bool
	// Accept is the loss that an unplanned failover may bring.
	Accept Loss
	// Quiesce stops what uses the PVCs, and Start starts it on the other site.
	Quiesce, Start bool
	// Discard names the site whose unreplicated writes a failback may discard.
	Discard string
	// DiscardSurvivor allows that to be the site that took over in the last unplanned failover.
	DiscardSurvivor bool
	// UnlessFollows has a resync leave a copy as it is that follows. The user has named the site whose writes are discarded.
	UnlessFollows bool
	// Force promotes without the peer, or demotes although users remain and no synchronisation was reported.
	Force bool
	// Schedule is how often the storage synchronises; 0 when it is not known.
	Schedule time.Duration
	// SourceIsLost is the user's word that a source that could not be asked is lost.
	SourceIsLost bool
	// By is who asks, Holder this process, and ID the name of the operation if one begins.
	By, Holder, ID string
}

// Begin makes the operation that a request asks for, or finds the one in flight that it continues.
// It changes nothing.
func Begin(p Pair, r Request, t backend.Traits) (Operation, *Stop) {
	last, err := Newest(p)
	if err != nil {
		return Operation{}, stopf(Refused, discardCommand(&p), "%s", err)
	}
	if r.Abort {
		return abort(&p, last, r)
	}
	to := p.Site(r.To)
	if to == nil {
		return Operation{}, stopf(Refused, fmt.Sprintf("--to %s or --to %s", p.Sites[0].Name, p.Sites[1].Name), "%s is neither of the two sites", r.To.Name)
	}
	from := p.other(to)
	if stop := unasked(from, to, r); stop != nil && (!last.InFlight() || !last.asked(StepPromote)) {
		return Operation{}, stop
	}
	if op, resumes, stop := continued(&p, last, from, to, r); resumes || stop != nil {
		return op, stop
	}
	if stop := sensible(&p, from, to, r, t); stop != nil {
		return Operation{}, stop
	}
	return begun(&p, last, from, to, r, t), nil
}

// continued returns the operation before, where the request resumes it, or has its result to write on a site.
func continued(p *Pair, last *Operation, from, to *Site, r Request) (op Operation, resumes bool, stop *Stop) {
	switch {
	case last == nil:
		return op, false, nil
	case last.InFlight():
		op, resumes, stop = resume(p, last, to, r)
		if resumes && stop == nil {
			op.workloads(from, to, r)
		}
		return op, resumes, stop
	case p.about(last) && p.Site(last.To) == to && isUnfinalised(p, last):
		op = last.clone()
		op.Holder = r.Holder
		return op, true, nil
	default:
		return op, false, nil
	}
}

// begun returns a new operation.
func begun(p *Pair, last *Operation, from, to *Site, r Request, t backend.Traits) Operation {
	moves := r.Kind == Planned || r.Kind == Failback
	op := Operation{
		ID: r.ID, Kind: r.Kind, From: from.SiteRef, To: to.SiteRef, By: r.By, Holder: r.Holder, Revision: 1,
		Started: metav1.NewMicroTime(to.Now), Members: to.members(), Accepted: r.Accept.String(),
		Discard: r.Kind == Failback && (hasDiverged(from, to) || mayHaveDiverged(p, from, to, r, t)) || r.Kind == Resync, OneWay: t.HandsOver && moves,
		Snapshot: moves && from.groupSnapshots(t), Force: r.Force, SpecOnly: r.Kind == Demote && from.state() == vgrv1.StateSecondary,
	}
	if r.Schedule > 0 {
		op.Schedule = &metav1.Duration{Duration: r.Schedule}
	}
	op.inherit(p, last)
	op.workloads(from, to, r)
	if last != nil {
		op.Revision = last.Revision + 1
	}
	loses := from
	if _, op.LastSync = LossOf(from, to); op.Discard {
		loses, op.LastSync = to, to.Group.Status.LastSyncTime
	}
	if op.Discard || op.Kind == Unplanned {
		op.VolumeSyncs = volumeSyncs(loses, to, op.LastSync)
	}
	return op
}

// abort marks the operation in flight as to be undone.
func abort(p *Pair, last *Operation, r Request) (Operation, *Stop) {
	if !last.InFlight() {
		if last != nil && last.Result == Aborted && p.about(last) && isUnfinalised(p, last) { // one site has not been told
			op := last.clone()
			op.Holder = r.Holder
			return op, nil
		}
		return Operation{}, stopf(Refused, "", "no operation is in flight, so there is nothing to abort")
	}
	if !p.about(last) {
		return Operation{}, foreign(p, last)
	}
	if last.Kind == Unplanned && !last.asked(StepPromote) {
		return Operation{}, stopf(Refused, last.ResumeCommand(p.Namespace, p.Name)+"\n"+discardCommand(p),
			"%s has not asked %s to be primary, so there is nothing to undo", last.String(), last.To.Name)
	}
	if last.asked(StepPromote) {
		return Operation{}, stopf(Refused, last.ResumeCommand(p.Namespace, p.Name),
			"%s was asked to be primary already; the backend may be promoting it already, and that cannot be undone", last.To.Name)
	}
	if last.handedOver() {
		return Operation{}, stopf(Refused, last.ResumeCommand(p.Namespace, p.Name), "%s was asked to hand over already, and that cannot be undone", last.From.Name)
	}
	op := last.clone()
	op.Holder, op.Aborting = r.Holder, true
	op.Revision++
	op.confirmStopped(p)
	return op, nil
}

// about reports whether an operation is between the two sites.
func (p *Pair) about(op *Operation) bool {
	from, to := p.Site(op.From), p.Site(op.To)
	return from != nil && to != nil && from != to
}

// resume continues the operation in flight when the request asks for the same.
func resume(p *Pair, last *Operation, to *Site, r Request) (op Operation, resumes bool, stop *Stop) {
	same := p.Site(last.To) == to
	switch {
	case !p.about(last) && (r.Kind != Unplanned || last.asked(StepPromote)):
		return op, false, foreign(p, last)
	case last.Aborting && r.Kind != Unplanned:
		return op, false, stopf(Refused, last.ResumeCommand(p.Namespace, p.Name), "%s is being aborted", last.String())
	case same && last.Kind == r.Kind && last.Force == r.Force:
		op = last.clone()
		op.Holder = r.Holder
		op.Revision++
		op.undone(p, to)
		op.confirmStopped(p)
		return op, true, nil
	case r.Kind == Unplanned && (same || !last.asked(StepPromote)):
		return op, false, nil // a new one: this one cannot end any more; or its target is lost, and the source is to be primary again
	default:
		return op, false, stopf(Refused, strings.Join(last.Ways(p.Namespace, p.Name), "\n"), "%s is in flight, begun by %s", last.String(), last.By)
	}
}

// undone takes out of the journal what another tool has reverted before the backend acted on it: the target
// is confirmed to be secondary, or the source to be primary, so that has to be asked for again.
func (op *Operation) undone(p *Pair, to *Site) {
	from := p.other(to)
	if op.asked(StepPromote) && to.desired() != vgrv1.Primary && to.ready() != nil {
		op.resetStep(StepPromote, to.Now)
	}
	if op.asked(StepReprotect) && from.desired() == vgrv1.Primary && from.ready() != nil {
		op.resetStep(StepReprotect, from.Now)
	}
	if op.asked(StepDemote) && !op.asked(StepPromote) && from.is(vgrv1.Primary) && !to.askedToLead() {
		op.resetStep(StepVerify, from.Now)
		op.resetStep(StepDemote, from.Now)
		op.resetStep(StepSync, from.Now)
	}
}
