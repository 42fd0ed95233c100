// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Estimate is how long an operation that has not begun will take.
type Estimate struct {
	// Earlier is how many earlier operations of the group it is known from; 0 when it is not known.
	Earlier int
	// Total is the whole time, without the wait for a synchronisation, and Outage the part of it in which no site is primary.
	Total, Outage time.Duration
	// Stops is true when the operation leaves the group without a primary for a time.
	Stops bool
	// Upto is how long the backend alone may leave the group so, where no earlier operation tells; 0 when that is not known.
	Upto time.Duration
	// Waits is true when the source has to synchronise first, which takes up to two schedules.
	Waits bool
}

// EstimateOf returns how long an operation will take, by the group's earlier ones of the same kind.
func EstimateOf(p Pair, op Operation, t backend.Traits) Estimate {
	usual, earlier := history(p, op.Kind)
	e := Estimate{Earlier: earlier, Waits: waits(p, op, t)}
	out := false
	for _, s := range Steps(op, t) {
		out = out || takesPrimary(op, s.ID, t)
		e.Stops = e.Stops || out
		if s.ID == StepVerify && e.Waits {
			continue // earlier operations say nothing about this wait
		}
		took, known := usual[s.ID]
		if !known && s.ID != StepFinish {
			e.Earlier = 0 // an earlier operation had other steps
		}
		e.Total += took
		if out && (!t.PromoteFirst || s.ID != StepReprotect) {
			e.Outage += took
		}
		if s.ID == StepPromote {
			out = false
		}
	}
	if e.Earlier == 0 {
		e.Total, e.Outage = 0, 0
		if e.Stops {
			e.Upto = t.SyncPause
		}
	}
	return e
}

// waits reports whether the source has to synchronise before it gives up its role.
func waits(p Pair, op Operation, t backend.Traits) bool {
	from := p.Site(op.From)
	return t.ConfirmsSync && (op.Kind == Planned || op.Kind == Failback) && !op.Discard && from != nil && from.askedToLead() && !from.replicated()
}

// takesPrimary reports whether no site is primary from this step on.
func takesPrimary(op Operation, step StepID, t backend.Traits) bool {
	return (op.Kind == Planned || op.Kind == Failback) && (step == StepQuiesce || step == StepDemote && !t.PromoteFirst)
}
