// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"slices"
	"time"
)

// Outage returns since when the operation has kept the application from writing on either site, by the clock of the site that
// the step names; ok is false when it does not.
func (op *Operation) Outage() (since time.Time, ok bool) {
	if op.Kind == Unplanned || op.SpecOnly || op.finished(StepPromote) || op.Aborting && op.finished(StepRestore) || op.Result != "" {
		return since, false
	}
	for _, r := range op.Steps {
		if r.Asked && (r.ID == StepQuiesce || r.ID == StepDemote) && (!ok || r.Started.Time.Before(since)) {
			since, ok = r.Started.Time, true
		}
	}
	return since, ok
}

// MayBeTakenBack reports whether an operation that has not reached the promotion can be aborted at any time before.
func (op *Operation) MayBeTakenBack() bool {
	return !op.OneWay && (op.Kind == Planned || op.Kind == Failback)
}

// Usual returns how long steps took in the group's earlier operations of the same kind: the middle of what was seen.
func Usual(p Pair, kind Kind) map[StepID]time.Duration {
	usual, _ := history(p, kind)
	return usual
}

// history returns the same, and of how many operations.
func history(p Pair, kind Kind) (usual map[StepID]time.Duration, count int) {
	ops, err := Timeline(p.Sites[0].Group, p.Sites[1].Group)
	if err != nil {
		return nil, 0
	}
	all := map[StepID][]time.Duration{}
	for _, op := range ops {
		if op.Kind != kind || op.Result != Done {
			continue
		}
		count++
		for _, r := range op.Steps {
			if r.Finished != nil {
				all[r.ID] = append(all[r.ID], r.Finished.Sub(r.Started.Time))
			}
		}
	}
	out := map[StepID]time.Duration{}
	for id, took := range all {
		slices.Sort(took)
		out[id] = took[len(took)/2]
	}
	return out, count
}
