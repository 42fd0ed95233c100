// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

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
			next = fmt.Sprintf("if %s is lost: kubectl vgr promote %s -n %s --context %s --accept-split-brain", from.Name, p.Name, p.Namespace, to.flag())
		case away == from && r.Kind == Planned:
			next = fmt.Sprintf("if %s is lost: %s", from.Name, p.unplannedCommand(from, to))
		}
		return stopf(Unreachable, next, "%s", away.silence())
	}
	return nil
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

// unasked refuses to take a source for lost could not be queried: it may be primary.
func unasked(from, to *Site, r Request) *Stop {
	takes := r.Kind == Unplanned || r.Kind == Promote && r.Force
	if !takes || !from.NotAsked || from.Answered || !to.Answered || r.SourceIsLost {
		return nil
	}
	return stopf(Refused, fmt.Sprintf("fix that; or, if you know that %s is lost, add --source-is-lost", from.Name),
		"%s could not be queried, which does not prove that it is down: %s", from.Name, from.UnreachableReason)
}

// movable refuses a planned failover, or a failback, between sites that are not in the roles for it.
func movable(p *Pair, from, to *Site, r Request) *Stop {
	switch {
	case to.state() == vgrv1.StatePrimary && from.state() != vgrv1.StatePrimary && from.askedToLead():
		return stopf(Refused, fmt.Sprintf("kubectl vgr status %s -n %s shows when it has", p.Name, p.Namespace), "%s is primary, and the controller on %s has not answered a change of its spec: %s", to.Name, from.Name, from.says())
	case to.askedToLead() && !from.askedToLead():
		return stopf(Refused, fmt.Sprintf("kubectl vgr status %s -n %s shows when it is", p.Name, p.Namespace), "%s was asked to be primary already, and has not confirmed it: %s", to.Name, to.says())
	case r.Kind == Planned && hasDiverged(from, to) && to.view().Stalled() != "":
		return stopf(Refused, fmt.Sprintf("see that rbd-mirror runs on %s and repeat this half a minute later; in split brain, %s", to.Name, p.takeBackCommand(to, survivor(p))),
			"%s; %s", divergedWords(from, to), to.view().Stalled())
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

// mayHaveDiverged reports whether the user discards what to has, and nothing shows that to, which was given up, follows:
// storage that has not yet compared the copies reports no error.
func mayHaveDiverged(p *Pair, from, to *Site, r Request, t backend.Traits) bool {
	return t.ConfirmsSync && r.Discard == to.Name && survivor(p) == from && from.view().LastSync() == nil
}

func divergedWords(from, to *Site) string {
	if text := to.broken(); text != "" {
		return fmt.Sprintf("%s does not follow %s: %s", to.Name, from.Name, text)
	}
	return fmt.Sprintf("%s and %s both report primary", from.Name, to.Name)
}

// foreign refuses to resume an operation between other clusters.
func foreign(p *Pair, last *Operation) *Stop {
	return stopf(Refused, "name the sites of the operation with --context and --peer-context; if there are none: "+discardCommand(p),
		"%s is in flight, and not between %s and %s", last.String(), p.Sites[0].Name, p.Sites[1].Name)
}
