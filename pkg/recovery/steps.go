// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// StepID names a step in journals and on screens.
type StepID string

// Steps, each named for what it does.
const (
	StepRecord      StepID = "record"       // write the journal on every site that answers
	StepStopTarget  StepID = "stop-target"  // the workloads on the target, a stale primary, are stopped
	StepDemoteStale StepID = "demote-stale" // the stale primary gives up its role
	StepDiscard     StepID = "discard"      // its unreplicated writes are replaced with the primary's data
	StepRejoin      StepID = "rejoin"       // it is an ordinary secondary again
	StepQuiesce     StepID = "quiesce"      // the workloads that use the PVCs on the source are stopped
	StepVerify      StepID = "verify"       // the source has synchronised since it became primary
	StepDemote      StepID = "demote"       // the source gives up its role
	StepSnapshot    StepID = "snapshot"     // one snapshot of all volumes of the source, after the last write
	StepUpdate      StepID = "update"       // the target fetches what it lacks, after the last write
	StepSync        StepID = "sync"         // both sites are confirmed to be in sync
	StepPromote     StepID = "promote"      // the target takes the role
	StepReprotect   StepID = "reprotect"    // the old source becomes the copy of the target
	StepRestore     StepID = "restore"      // the source takes its role back
	StepStart       StepID = "start"        // the workloads that were stopped are started
	StepFinish      StepID = "finish"       // write the result on every site that answers
)

// olderNames are the names that steps have in journals of plugins before this one.
var olderNames = map[StepID]StepID{"halt": StepStopTarget, "surrender": StepDemoteStale, "follow": StepRejoin, "reverse": StepReprotect}

// unknownStep returns a step of the journal that only a newer plugin knows: what it has done is not known here.
func (op *Operation) unknownStep() StepID {
	for _, s := range op.Steps {
		switch s.ID {
		case StepRecord, StepStopTarget, StepDemoteStale, StepDiscard, StepRejoin, StepQuiesce, StepVerify, StepDemote, StepSnapshot,
			StepUpdate, StepSync, StepPromote, StepReprotect, StepRestore, StepStart, StepFinish:
		default:
			return s.ID
		}
	}
	return ""
}

// UnmarshalText reads the name of a step, also the one that an older plugin wrote.
func (id *StepID) UnmarshalText(text []byte) error {
	*id = StepID(text)
	if now, ok := olderNames[*id]; ok {
		*id = now
	}
	return nil
}

// Step is one step of a plan, in words.
type Step struct {
	ID StepID
	// Site is where it happens; both sites when it is empty.
	Site SiteRef
	// Does is what is changed; Proof is the observation that ends the step.
	Does, Proof string
}

// Steps returns all steps of an operation, in order. They follow from its kind and the traits of the
// backend alone.
func Steps(op Operation, t backend.Traits) []Step {
	steps := []Step{{StepRecord, SiteRef{}, "write the operation's journal on the group", "it is there"}}
	switch {
	case op.Aborting:
		if op.asked(StepDemote) && !op.SpecOnly { // else no role was changed
			steps = append(steps, Step{StepRestore, op.From, "spec.replicationState: primary", "the backend reports primary"})
		}
		if len(op.toStart()) > 0 {
			steps = append(steps, Step{StepStart, op.From, op.starts(), "their specs say so"})
		}
	case op.Kind == Unplanned:
		steps = append(steps,
			Step{StepDemote, op.From, "spec.replicationState: secondary, if the site answers; not waited for", "it is asked for"},
			Step{StepPromote, op.To, "spec.replicationState: primary", "the backend reports primary"})
		if op.Start {
			steps = append(steps, Step{StepStart, op.To, op.starts(), "their specs say so"})
		}
	case op.Kind == Promote:
		if t.ConfirmsSync && !op.Force {
			steps = append(steps, proveSync(op))
		}
		steps = append(steps, Step{StepPromote, op.To, "spec.replicationState: primary", "the backend reports primary"})
	case op.Kind == Demote:
		if t.ConfirmsSync && !op.Force && !op.SpecOnly {
			steps = append(steps, verifySync(op))
		}
		steps = append(steps, Step{StepDemote, op.From, "spec.replicationState: secondary", "the backend reports secondary"})
	case op.Kind == Resync:
		steps = append(steps, bringBack(op, t)...)
	default:
		if op.Discard {
			if op.Quiesce {
				steps = append(steps, Step{StepStopTarget, op.To, op.stops(op.To), "nothing uses the PVCs there"})
			}
			steps = append(steps, bringBack(op, t)...)
		}
		if t.ConfirmsSync {
			steps = append(steps, verifySync(op))
		}
		if op.Quiesce {
			steps = append(steps, Step{StepQuiesce, op.From, op.stops(op.From), "nothing uses the PVCs there"})
		}
		steps = append(steps, handover(op, t)...)
	}
	return append(steps, Step{StepFinish, SiteRef{}, "write the result to the journal", "it is there"})
}

func verifySync(op Operation) Step {
	has := op.From.Name + " has synchronised since it became primary"
	return Step{StepVerify, op.From, "wait until " + has, "the backend reports the time"}
}

func proveSync(op Operation) Step {
	same := fmt.Sprintf("the backend reports that %s and %s are in sync", op.From.Name, op.To.Name)
	return Step{StepSync, op.From, "wait until " + same, same}
}

// bringBack makes a diverged copy an ordinary secondary again.
func bringBack(op Operation, t backend.Traits) []Step {
	if t.HandsOver {
		return []Step{
			{StepDemoteStale, op.To, "spec.replicationState: secondary", "it is asked for"},
			{StepDiscard, op.From, "ask the primary to take " + op.To.Name + " back; discards what never reached " + op.From.Name, op.To.Name + " reports to follow"},
		}
	}
	if t.PromoteFirst {
		return []Step{{StepDemoteStale, op.To, "spec.replicationState: secondary; discards what never reached " + op.From.Name, op.To.Name + " reports to follow"}}
	}
	return []Step{
		{StepDemoteStale, op.To, "spec.replicationState: secondary", "the backend reports secondary"},
		{StepDiscard, op.To, "spec.replicationState: resync; discards what never reached " + op.From.Name, op.From.Name + " reports a synchronisation that came after"},
		{StepRejoin, op.To, "spec.replicationState: secondary", "the backend reports secondary"},
	}
}

func handover(op Operation, t backend.Traits) []Step {
	demote := Step{StepDemote, op.From, "spec.replicationState: secondary", "the backend reports secondary"}
	promote := []Step{{StepPromote, op.To, "spec.replicationState: primary", "the backend reports primary"}}
	if op.Start {
		promote = append(promote, Step{StepStart, op.To, op.starts(), "their specs say so"})
	}
	switch {
	case t.PromoteFirst:
		update := Step{StepUpdate, op.To, "ask for a last update, once nothing uses the PVCs on " + op.From.Name, "the backend reports one that came after"}
		reprotect := Step{StepReprotect, op.From, "spec.replicationState: secondary; it follows " + op.To.Name + " and discards the writes that only it has", "the backend reports secondary"}
		steps := []Step{update}
		if op.Snapshot {
			snapshot := Step{StepSnapshot, op.From, "ask for a snapshot of all volumes, once nothing uses the PVCs there", "the backend reports one that came after"}
			update.Does = "ask for a last update, up to that snapshot"
			steps = []Step{snapshot, update}
		}
		return slices.Concat(steps, promote, []Step{reprotect})
	case t.ConfirmsSync:
		return append([]Step{demote, proveSync(op)}, promote...)
	default: // HandsOver
		demote.Does += "; the storage hands the role over, after a last update"
		reprotect := Step{StepReprotect, op.To, "wait until " + op.From.Name + " is replicated to", "the backend reports that it replicates"}
		return append(append([]Step{demote}, promote...), reprotect)
	}
}
