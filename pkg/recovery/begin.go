// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
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
	// Force promotes without the peer, or demotes although users remain and no synchronisation was reported.
	Force bool
	// Schedule is how often the storage synchronises; 0 when it is not known.
	Schedule time.Duration
	// SourceIsLost is the user's word that a source that could not be asked is lost.
	SourceIsLost bool
	// By is who asks, Holder this process, and ID the name of the operation if one begins.
	By, Holder, ID string
}

// Loss is how far back data may be lost: a time, or a time that cannot be known. The zero value is
// none at all.
type Loss struct {
	Unknown bool
	Age     time.Duration
}

// String implements fmt.Stringer.
func (l Loss) String() string {
	switch {
	case l.Unknown:
		return "unknown"
	case l.Age > 0:
		return l.Age.String()
	default:
		return ""
	}
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
		Discard: r.Kind == Failback && hasDiverged(from, to) || r.Kind == Resync, OneWay: t.HandsOver && moves,
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

// volumeSyncs returns the PVCs that were last synchronised at another time than the group, as the site
// that loses them says, or else the target.
func volumeSyncs(loses, to *Site, last *metav1.Time) []VolumeSync {
	site := loses
	if site.Group == nil {
		site = to
	}
	var out []VolumeSync
	for _, v := range site.Group.Status.Volumes {
		if !v.LastSyncTime.Equal(last) {
			out = append(out, VolumeSync{v.Name, v.LastSyncTime})
		}
	}
	return out
}

// workloads takes in what is to be stopped. An operation that was begun without can be continued with.
func (op *Operation) workloads(from, to *Site, r Request) {
	op.Quiesce, op.Start = op.Quiesce || r.Quiesce, op.Start || r.Start
	if !op.Quiesce || op.asked(StepPromote) {
		return
	}
	op.toStop(from)
	if op.Discard {
		op.toStop(to)
	}
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
		return Operation{}, stopf(Refused, "run the same failover again: it resumes where it stopped; to give it up instead: "+discardCommand(p),
			"%s has not asked %s to be primary, so there is nothing to take back", last.String(), last.To.Name)
	}
	if last.asked(StepPromote) {
		return Operation{}, stopf(Refused, "run the same failover again: it resumes where it stopped",
			"%s was asked to be primary already; the backend may be promoting it already, and that cannot be undone", last.To.Name)
	}
	if last.handedOver() {
		return Operation{}, stopf(Refused, "run the same failover again: it resumes where it stopped", "%s was asked to hand over already, and that cannot be undone", last.From.Name)
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

// foreign refuses to resume an operation between other clusters.
func foreign(p *Pair, last *Operation) *Stop {
	return stopf(Refused, "name the sites of the operation with --context and --peer-context; if there are none: "+discardCommand(p),
		"%s is in flight, and not between %s and %s", last.String(), p.Sites[0].Name, p.Sites[1].Name)
}

// discardCommand returns the way out of a journal that nothing can be made of.
func discardCommand(p *Pair) string { return DiscardCommand(p.Namespace, p.Name) }

// DiscardCommand returns the same for a group.
func DiscardCommand(namespace, name string) string {
	return fmt.Sprintf("kubectl vgr failover %s -n %s --discard-journal shows the journal, and removes it", name, namespace)
}

// resume continues the operation in flight when the request asks for the same.
func resume(p *Pair, last *Operation, to *Site, r Request) (op Operation, resumes bool, stop *Stop) {
	same := p.Site(last.To) == to
	switch {
	case !p.about(last) && (r.Kind != Unplanned || last.asked(StepPromote)):
		return op, false, foreign(p, last)
	case last.Aborting && r.Kind != Unplanned:
		return op, false, stopf(Refused, "end that first: add --abort", "%s is being aborted", last.String())
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
		return op, false, stopf(Refused, "run it again to finish it, or undo it with --abort", "%s is in flight, begun by %s", last.String(), last.By)
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

// acceptable compares the loss that is accepted with the one that is to be expected.
func acceptable(from, to *Site, accept Loss) *Stop {
	loss, last := LossOf(from, to)
	switch {
	case accept.Unknown:
		return nil
	case accept.Age <= 0:
		return stopf(Refused, "add --accept-data-loss "+accepts(loss), "an unplanned failover loses the writes that were not replicated: %s", lossWords(loss, last))
	case loss.Unknown:
		return stopf(Refused, "--accept-data-loss unknown accepts that", "whether the loss is within %s cannot be known: %s", accept.Age, lossWords(loss, last))
	case loss.Age > accept.Age:
		return stopf(Refused, fmt.Sprintf("--accept-data-loss %s accepts that", accepts(loss)), "more than %s would be lost: %s", accept.Age, lossWords(loss, last))
	default:
		return nil
	}
}

// accepts returns a value of --accept-data-loss that is enough, also a minute later.
func accepts(loss Loss) string {
	if loss.Unknown {
		return "unknown"
	}
	return (loss.Age.Round(time.Second) + time.Minute).String()
}

func lossWords(l Loss, last *metav1.Time) string {
	if l.Unknown {
		return "when the last synchronisation was is not known, only the source could say"
	}
	return fmt.Sprintf("what was written after %s, which is %s ago", last.UTC().Format(time.RFC3339), l.Age.Round(time.Second))
}

// unanswered returns a site that is needed to begin and does not answer.
func unanswered(from, to *Site, r Request) *Site {
	switch {
	case !to.Answered && r.Kind != Demote:
		return to
	case !from.Answered && r.Kind != Unplanned && (r.Kind != Promote || !r.Force):
		return from
	default:
		return nil
	}
}

// isUnfinalised reports whether a site still has an operation in its journal as in flight that has ended.
func isUnfinalised(p *Pair, ended *Operation) bool {
	for i := range p.Sites {
		s := &p.Sites[i]
		if s.Journal.InFlight() && s.Journal.ID == ended.ID || s.owed(ended) && !ended.keepsHolding() {
			return true
		}
	}
	return false
}

// unasked refuses to take a source for lost could not be queried: it may be primary.
func unasked(from, to *Site, r Request) *Stop {
	takes := r.Kind == Unplanned || r.Kind == Promote && r.Force
	if !takes || !from.NotAsked || from.Answered || !to.Answered || r.SourceIsLost {
		return nil
	}
	return stopf(Refused, fmt.Sprintf("fix that; or, if you know that %s is lost, add --source-is-lost", from.Name),
		"%s could not be queried, which does not prove that it is down: %s", from.Name, from.UnreachableReason)
}

// present refuses when a site that is needed does not answer.
func present(p *Pair, from, to *Site, r Request) *Stop {
	for _, s := range []*Site{from, to} {
		if s.Alive && !s.Answered && (s != to || r.Kind != Demote) { // not lost, and perhaps primary
			return stopf(Refused, "get access to "+s.Name, "%s is alive and does not show the group: %s", s.Name, s.UnreachableReason)
		}
	}
	if away := unanswered(from, to, r); away != nil {
		next := ""
		switch {
		case away == from && r.Kind == Promote:
			next = fmt.Sprintf("if %s is lost: kubectl vgr promote %s -n %s --context %s --accept-split-brain", from.Name, p.Name, p.Namespace, ShellQuote(to.Name))
		case away == from && r.Kind == Planned:
			loss, _ := LossOf(from, to)
			next = fmt.Sprintf("if %s is lost: kubectl vgr failover %s -n %s --to %s --unplanned --accept-data-loss %s", from.Name, p.Name, p.Namespace, ShellQuote(to.Name), accepts(loss))
		}
		return stopf(Unreachable, next, "%s", away.silence())
	}
	return nil
}

// sensible refuses what makes no sense whatever the checks say.
func sensible(p *Pair, from, to *Site, r Request, t backend.Traits) *Stop {
	if stop := present(p, from, to, r); stop != nil {
		return stop
	}
	op := Operation{Kind: r.Kind, Force: r.Force, From: from.SiteRef, To: to.SiteRef}
	for _, s := range []*Site{from, to} {
		if s.leaving() && !op.doesWithout(s.SiteRef) {
			return stopf(Refused, "create it again first: kubectl vgr create", "the group %s/%s is being deleted on %s", p.Namespace, p.Name, s.Name)
		}
	}
	switch {
	case r.Kind == Demote:
		return demotable(p, from, to, t)
	case to.Group == nil:
		return stopf(Refused, fmt.Sprintf("kubectl vgr list -n %s", p.Namespace), "there is no group %s/%s on %s", p.Namespace, p.Name, to.Name)
	case r.Kind == Resync:
		return resyncable(p, from, to, r)
	case to.is(vgrv1.Primary) && from.state() != vgrv1.StatePrimary && !from.askedToLead():
		return stopf(Nothing, "", "%s is primary already, confirmed by the backend", to.Name)
	case r.Kind == Promote && (!to.askedToLead() || from.askedToLead()):
		return promotable(p, from, to, r, t)
	case r.Kind == Unplanned:
		return acceptable(from, to, r.Accept)
	default:
		return movable(p, from, to, r)
	}
}

// movable refuses a planned failover, or a failback, between sites that are not in the roles for it.
func movable(p *Pair, from, to *Site, r Request) *Stop {
	switch {
	case to.state() == vgrv1.StatePrimary && from.state() != vgrv1.StatePrimary && from.askedToLead():
		return stopf(Refused, fmt.Sprintf("kubectl vgr status %s -n %s shows when it has", p.Name, p.Namespace), "%s is primary, and the controller on %s has not answered a change of its spec: %s", to.Name, from.Name, from.says())
	case to.askedToLead() && !from.askedToLead():
		return stopf(Refused, fmt.Sprintf("kubectl vgr status %s -n %s shows when it is", p.Name, p.Namespace), "%s was asked to be primary already, and has not confirmed it: %s", to.Name, to.says())
	case r.Kind == Planned && hasDiverged(from, to):
		return stopf(Refused, p.takeBackCommand(to, survivor(p)),
			"the copies of %s/%s have diverged: %s", p.Namespace, p.Name, divergedWords(from, to))
	case r.Kind == Failback && hasDiverged(from, to) && !r.DiscardSurvivor && survivor(p) == to:
		return refuseSurvivor(p, from, to)
	case r.Kind == Failback && hasDiverged(from, to) && r.Discard != to.Name:
		return stopf(Refused, fmt.Sprintf("add --discard-site %s if you can lose the writes that never reached %s", to.Name, from.Name),
			"%s", divergedWords(from, to))
	case r.Discard != "" && r.Discard != to.Name:
		return stopf(Refused, "", "--discard-site %s: a failback to %s can only discard what is on %s", r.Discard, to.Name, to.Name)
	default:
		return nil
	}
}

// hasDiverged reports whether the copy on to is not one that follows from.
func hasDiverged(from, to *Site) bool {
	return to.state() == vgrv1.StatePrimary && from.state() == vgrv1.StatePrimary || to.broken() != ""
}

func divergedWords(from, to *Site) string {
	if text := to.broken(); text != "" {
		return fmt.Sprintf("%s does not follow %s: %s", to.Name, from.Name, text)
	}
	return fmt.Sprintf("%s and %s both report primary", from.Name, to.Name)
}

// LossOf returns how much would be lost if the source were lost now, as far as it is known: the time
// since the last synchronisation by the clock of the site that reports it.
func LossOf(from, to *Site) (Loss, *metav1.Time) {
	for _, s := range []*Site{from, to} {
		if s == to && s.state() == vgrv1.StatePrimary {
			continue // that is a time of what it sends, not of what it has received
		}
		if s.Group == nil {
			continue
		}
		last := s.Group.Status.LastSyncTime
		if age, known := state.Age(s.Now, last); known { // not of a time to come, or of none yet
			return Loss{Age: age}, last
		}
	}
	return Loss{Unknown: true}, nil
}
