// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import "fmt"

// Readiness is whether a group could be moved now.
type Readiness struct {
	// Checks are those of a planned failover.
	Checks []Check
	// Unplanned is what is left where the source does not answer and the target does; nil otherwise.
	Unplanned *Unsourced
}

// Unsourced is an unplanned failover that has not begun.
type Unsourced struct {
	Checks []Check `json:"checks"`
	// Loss is what would be lost.
	Loss string `json:"loss"`
	// Command begins it, accepting that loss; empty where a check refuses it.
	Command string `json:"command,omitempty"`
}

// Ready returns whether a planned failover would begin, or without its source an unplanned one.
func Ready(f Facts, to SiteRef, quiesce bool) Readiness {
	const id = "validate"
	target := f.Site(to)
	source := f.other(target)
	r := Readiness{Checks: wouldBegin(f, source, Request{Kind: Planned, To: to, Quiesce: quiesce, ID: id, Schedule: f.Schedule})}
	if source.Answered || !target.Answered || target.Group == nil {
		return r
	}
	last, err := Newest(f.Pair)
	if err == nil && last.InFlight() && last.asked(StepPromote) && f.Site(last.To) == target {
		return r // the same command ends it, and nothing more is lost
	}
	request := Request{Kind: Unplanned, To: to, Accept: Loss{Unknown: true}, ID: id, Schedule: f.Schedule}
	if _, stop := Begin(f.Pair, request, f.Traits); stop != nil && stop.Reason == Nothing {
		return r
	}
	u := &Unsourced{Loss: lostWords(source, target), Checks: wouldBegin(f, source, request)}
	if len(Problems(u.Checks)) == 0 {
		u.Command = f.unplannedCommand(source, target)
		if err == nil && last.InFlight() && last.Kind == Unplanned && f.Site(last.To) == target {
			u.Command = last.ResumeCommand(f.Namespace, f.Name)
		}
	}
	r.Unplanned = u
	return r
}

// wouldBegin returns whether what is requested would begin, and its checks.
func wouldBegin(f Facts, from *Site, r Request) []Check {
	const request = "request"
	op, stop := Begin(f.Pair, r, f.Traits)
	wanted := Operation{Kind: r.Kind, From: from.SiteRef, To: r.To, Quiesce: r.Quiesce}
	switch {
	case stop != nil && stop.Reason == Nothing:
		return []Check{{ID: request, Severity: CheckOK, Evidence: stop.Message}}
	case stop != nil && stop.Reason == Unreachable: // a check says the same
		return Checks(f, wanted)
	case stop != nil:
		return append([]Check{{ID: request, Severity: CheckProblem, Evidence: stop.Message, Remedy: stop.Next}}, Checks(f, wanted)...)
	case op.ID != r.ID:
		inFlight := Check{ID: request, Severity: CheckWarning, Evidence: fmt.Sprintf("%s is in flight, begun by %s", op.String(), op.By), Remedy: op.ResumeCommand(f.Namespace, f.Name) + " continues it"}
		if f.Backend == "" {
			return append([]Check{inFlight}, Checks(f, op)...)
		}
		return append([]Check{inFlight}, Writers(f)...)
	default:
		return Checks(f, op)
	}
}
