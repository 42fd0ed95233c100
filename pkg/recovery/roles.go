// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// promotable refuses a promotion that could make a second primary, or lose what the peer has.
func promotable(p *Pair, from, to *Site, r Request, t backend.Traits) *Stop {
	const accept = "--accept-split-brain promotes without it; only for a site that is lost"
	demoteThere := fmt.Sprintf("kubectl vgr failover %s -n %s --to %s moves the role and loses nothing", p.Name, p.Namespace, ShellQuote(to.Name))
	switch {
	case from.state() == vgrv1.StatePrimary || from.askedToLead():
		return stopf(Refused, demoteThere, "%s is primary on %s (spec: %s, observed: %s); two primaries lose data", p.Name, from.Name, from.desired(), stateWord(from))
	case r.Force:
		return nil
	case from.Group == nil:
		return stopf(Refused, accept, "there is no group %s/%s on %s, so its role is not known", p.Namespace, p.Name, from.Name)
	case !from.demoted():
		return stopf(Refused, fmt.Sprintf("kubectl vgr status %s -n %s shows when it is", p.Name, p.Namespace), "%s is not confirmed to be secondary on %s: %s", p.Name, from.Name, from.says())
	case to.broken() != "":
		return stopf(Refused, p.takeBackCommand(to, survivor(p)), "%s", to.fault())
	case t.ConfirmsSync && from.saysSynced() && !from.synced():
		return stopf(Refused, rescueCommand(from, p.Namespace, p.Name),
			"%s was not seen to synchronise before it was demoted, so its report of being in sync may be left over from an earlier hand-over and proves nothing", from.Name)
	default:
		return nil
	}
}

// demotable refuses a demotion that the backend cannot do, or that would do more than it says.
func demotable(p *Pair, from, to *Site, t backend.Traits) *Stop {
	failover := fmt.Sprintf("kubectl vgr failover %s -n %s --to %s", p.Name, p.Namespace, ShellQuote(to.Name))
	switch {
	case from.Group == nil:
		return stopf(Refused, fmt.Sprintf("kubectl vgr list -n %s", p.Namespace), "there is no group %s/%s on %s", p.Namespace, p.Name, from.Name)
	case from.demoted() && !from.guarded():
		return stopf(Nothing, "", "%s is secondary already, confirmed by the backend", from.Name)
	case from.state() == vgrv1.StateSecondary: // only its spec is put back
		return nil
	case t.HandsOver:
		return stopf(Refused, failover, "this storage hands the role over to %s when %s gives it up, which cannot be undone; that is a failover", to.Name, from.Name)
	case t.PromoteFirst:
		return stopf(Refused, failover, "this storage cannot demote; a failover promotes %s and has %s follow it", to.Name, from.Name)
	default:
		return nil
	}
}

// resyncable refuses a resync that has nothing to copy from, or that would discard what is to be kept.
func resyncable(p *Pair, from, to *Site, r Request) *Stop {
	switch {
	case !from.is(vgrv1.Primary):
		return stopf(Refused, fmt.Sprintf("kubectl vgr status %s -n %s", p.Name, p.Namespace), "%s is not primary on %s (%s): there is nothing to copy from", p.Name, from.Name, from.says())
	case survivor(p) == to && !r.DiscardSurvivor:
		return refuseSurvivor(p, from, to)
	case r.UnlessFollows && survivor(p) == nil && to.is(vgrv1.Secondary) && to.follows():
		return stopf(Nothing, "", "%s follows %s already", to.Name, from.Name)
	case to.state() == vgrv1.StatePrimary && survivor(p) != from && !r.DiscardSurvivor && !r.UnlessFollows: // the site was not named
		return stopf(Refused, fmt.Sprintf("if you can lose the writes of %s: kubectl vgr reprotect %s -n %s --discard-site %s", to.Name, p.Name, p.Namespace, ShellQuote(to.Name)),
			"%s is primary on %s as well: a resync would discard its data", p.Name, to.Name)
	default:
		return nil
	}
}

// survivor returns the site that took over in the last unplanned failover, as long as the site that was given up
// then has not been brought back; nil without one.
func survivor(p *Pair) *Site {
	ops, err := Timeline(p.Sites[0].Group, p.Sites[1].Group)
	if err != nil {
		return nil
	}
	for _, op := range ops {
		switch {
		case op.Kind == Unplanned && op.asked(StepPromote), op.Kind == Promote && op.Force && op.asked(StepPromote):
			return p.Site(op.To)
		case op.Result == Done && (op.Kind == Planned || op.Kind == Failback || op.Kind == Resync):
			return nil
		}
	}
	return nil
}

func refuseSurvivor(p *Pair, from, to *Site) *Stop {
	return stopf(Refused, p.takeBackCommand(from, to),
		"%s took over in the last unplanned failover, and %s was given up: this would discard what %s has written since; --discard-survivor does it all the same", to.Name, from.Name, to.Name)
}

// owed reports whether an operation has held back autoResync on a site and not given it back there.
func (s *Site) owed(op *Operation) bool {
	if s.Group == nil || !slices.Contains(op.AutoResync, s.Cluster) {
		return false
	}
	return op.InFlight() || op.keepsHolding() || s.Journal == nil || s.Journal.ID != op.ID || s.Journal.Result == ""
}

// keepsHolding reports whether autoResync stays held back when the operation has ended: after a demotion
// no site is primary, and a backend that resyncs by itself then could discard the wrong side.
func (op *Operation) keepsHolding() bool {
	return op.Kind == Demote && op.Result == Done && !op.SpecOnly
}

// inherit takes over what the operation before still owes: autoResync that it holds back, and, where this
// one supersedes it, the workloads that it has stopped.
func (op *Operation) inherit(p *Pair, last *Operation) {
	if last == nil {
		return
	}
	for _, cluster := range last.AutoResync {
		s := p.Site(SiteRef{Cluster: cluster})
		if s == nil || s.Group == nil || s.owed(last) { // one that does not answer may still owe it
			op.AutoResync = append(op.AutoResync, cluster)
		}
	}
	if last.InFlight() {
		op.Stopped, op.Start = slices.Clone(last.Stopped), op.Start || last.Start
		op.confirmStopped(p)
	}
}
