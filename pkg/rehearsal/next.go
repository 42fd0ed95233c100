// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	"cmp"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Presence is whether an object is there.
type Presence string

// Presences.
const (
	Absent   Presence = ""
	Ours     Presence = "ours"
	Foreign  Presence = "foreign" // of the same name, and not made by this rehearsal
	Leaving  Presence = "leaving" // being deleted
	NotReady Presence = "not ready"
)

// Job is a Job as it was seen.
type Job struct {
	Exists bool
	// Leaving is true while it is being deleted, or a Pod of it is still there.
	Leaving bool
	// Done or Failed when it has ended, with what its Pod left behind; Waiting says what keeps it from beginning.
	Done, Failed bool
	Message      string
	Waiting      string
	// Log is the end of what it printed, where that could be read.
	Log string
}

// Bound is a volume of the rehearsal: its PersistentVolume, and its PVC, which is NotReady until it is bound.
type Bound struct {
	PV, PVC Presence
}

// Seen is what a site shows of a rehearsal.
type Seen struct {
	// Record is the group's of this rehearsal; nil when the group, or its record, is gone.
	Record    *Record
	Clone     Job
	Remove    Job
	Check     Job
	Namespace Presence
	Policy    Presence
	Volumes   []Bound
	// Begun is true in the first look of a command: a removal that failed before is tried again then.
	Begun bool
	// CheckGiven is true when the command has the user's Job.
	CheckGiven bool
}

// Do is the kind of an action.
type Do string

// Actions. Each may be carried out twice.
const (
	DoRecord          Do = "record"           // write Action.Record
	DoStorageJob      Do = "storage job"      // create the Job of Action.Step
	DoDeleteJob       Do = "delete job"       // delete it, with its Pods
	DoNamespace       Do = "namespace"        // create the namespace
	DoPolicy          Do = "policy"           // create the NetworkPolicy
	DoVolumes         Do = "volumes"          // create the PersistentVolumes and PVCs that are absent
	DoCheck           Do = "check"            // create the user's Job
	DoDeleteNamespace Do = "delete namespace" // delete the namespace
	DoDeleteVolumes   Do = "delete volumes"   // delete the PersistentVolumes
	DoWait            Do = "wait"             // look again; Action.Text says what for
	DoStop            Do = "stop"             // it cannot continue; Action.Text says why
	DoEnd             Do = "end"              // nothing is left to do, or it is kept
)

// Action is what comes next.
type Action struct {
	Do     Do
	Step   StepID
	Record Record
	Text   string
	// Next is the remedy of a stop.
	Next string
}

func wait(step StepID, format string, args ...any) Action {
	return Action{Do: DoWait, Step: step, Text: fmt.Sprintf(format, args...)}
}

// Next decides from what a site shows. A command that asks after a crash gets the step that was not finished.
func Next(s Seen, now time.Time) Action {
	r := s.Record
	switch {
	case r == nil:
		return Action{Do: DoStop, Text: "the group does not have the record of this rehearsal any more"}
	case r.Ended != nil && s.Remove.Exists && !s.Remove.Leaving:
		return Action{Do: DoDeleteJob, Step: StepRemove}
	case r.Ended != nil && s.left(): // a process slept between a look and a write
		again := *r
		again.Ended, again.Ending = nil, true
		return Action{Do: DoRecord, Record: again}
	case r.Ended != nil, r.Kept():
		return Action{Do: DoEnd}
	case r.Ending:
		return s.remove(now)
	case r.Result != "":
		next := r.with(StepRemove, now)
		next.Ending = true
		return Action{Do: DoRecord, Step: StepRemove, Record: next}
	case !r.finished(StepClone):
		return s.clone(now)
	case !r.finished(StepVolumes):
		return s.bind(now)
	default:
		return s.check(now)
	}
}

// left reports whether anything of a rehearsal is there but the Job that removes.
func (s Seen) left() bool {
	for _, v := range s.Volumes {
		if v.PV == Ours {
			return true
		}
	}
	return s.Namespace == Ours || s.Clone.Exists && !s.Clone.Leaving
}

// End returns the record of a rehearsal that a user ends.
func End(r Record, now time.Time) Record {
	next := r.with(StepRemove, now)
	next.Ending, next.Result = true, cmp.Or(r.Result, Abandoned)
	return next
}

// fail records that the rehearsal has failed before there was anything to look at: what there is of it is removed.
func (s Seen) fail(now time.Time, format string, args ...any) Action {
	next := s.Record.settled(now)
	next.Result, next.Message, next.KeptUntil = Failed, limited(fmt.Sprintf(format, args...), maxText), nil
	return Action{Do: DoRecord, Record: next}
}

func (s Seen) clone(now time.Time) Action {
	switch r := s.Record; {
	case s.Clone.Leaving:
		return wait(StepClone, "Job %s is being deleted", r.Job(StepClone))
	case !s.Clone.Exists:
		return Action{Do: DoStorageJob, Step: StepClone}
	case s.Clone.Failed:
		return s.fail(now, "the copy was not cloned: %s", why(s.Clone))
	case !s.Clone.Done:
		return wait(StepClone, "%s", cmp.Or(s.Clone.Waiting, "the next synchronisation of each volume is waited for, which makes a snapshot of what its copy is now, and the snapshot is cloned"))
	default:
		read, err := r.cloned(s.Clone.Message)
		if err != nil {
			return s.fail(now, "the copy was not cloned: %v", err)
		}
		read = read.aged(now)
		return Action{Do: DoRecord, Step: StepVolumes, Record: read.with(StepVolumes, now)}
	}
}

// why returns the reason that a Job gives for its failure.
func why(j Job) string {
	said, err := Read(j.Message)
	if err != nil {
		return cmp.Or(limited(j.Message, maxText/2), limited(j.Log, maxText/2), j.Waiting, "the Job does not say why")
	}
	return cmp.Or(said.Refused, said.Failed, "the Job does not say why")
}

func (s Seen) bind(now time.Time) Action {
	r := s.Record
	switch s.Namespace {
	case Foreign:
		return s.fail(now, "another user has made the namespace %s meanwhile", r.Namespace)
	case Leaving:
		return wait(StepVolumes, "namespace %s is being deleted", r.Namespace)
	case Absent:
		return Action{Do: DoNamespace, Step: StepVolumes}
	default:
	}
	if !r.Network && s.Policy == Absent {
		return Action{Do: DoPolicy, Step: StepVolumes}
	}
	create, unbound := false, ""
	for i, v := range s.Volumes {
		switch {
		case v.PV == Foreign || v.PVC == Foreign:
			return s.fail(now, "another user has made a PersistentVolume or PVC for %s meanwhile", r.Volumes[i].PVC)
		case v.PV == Leaving || v.PVC == Leaving:
			unbound = r.Volumes[i].PVC
		case v.PV == Absent || v.PVC == Absent:
			create = true
		case v.PVC == NotReady:
			unbound = r.Volumes[i].PVC
		}
	}
	switch {
	case create:
		return Action{Do: DoVolumes, Step: StepVolumes}
	case unbound != "":
		return wait(StepVolumes, "PVC %s is not bound yet", unbound)
	case r.CheckJob != "":
		return Action{Do: DoRecord, Step: StepCheck, Record: r.with(StepCheck, now)}
	default:
		next := r.settled(now)
		next.Result = Passed
		return Action{Do: DoRecord, Record: next}
	}
}

func (s Seen) check(now time.Time) Action {
	switch r := s.Record; {
	case s.Check.Leaving:
		return wait(StepCheck, "Job %s is being deleted", r.CheckJob)
	case !s.Check.Exists && !s.CheckGiven:
		return Action{Do: DoStop, Step: StepCheck, Text: "the check " + r.CheckJob + " has not run", Next: "run the same command again, with --check"}
	case !s.Check.Exists:
		return Action{Do: DoCheck, Step: StepCheck}
	case !s.Check.Done && !s.Check.Failed:
		return wait(StepCheck, "%s", cmp.Or(s.Check.Waiting, "the check "+r.CheckJob+" runs"))
	default:
		next := r.settled(now)
		next.Check = &Check{Job: r.CheckJob, Passed: s.Check.Done, Log: tail(cmp.Or(s.Check.Log, s.Check.Message))}
		next.Result = Passed
		if s.Check.Failed {
			next.Result, next.Message = Failed, limited("the check "+r.CheckJob+" failed", maxText)
		}
		return Action{Do: DoRecord, Record: next}
	}
}

// tail returns the end of what a check printed.
func tail(text string) string {
	if n := len(text) - maxLog; n > 0 {
		const cut = "…\n"
		text = cut + text[n+len(cut):]
	}
	return limited(text, maxLog)
}

// remove takes away what the rehearsal has made: first what uses the clones, then the clones, and last the volumes that
// name them.
func (s Seen) remove(now time.Time) Action {
	r := s.Record
	switch s.Namespace {
	case Ours, NotReady:
		return Action{Do: DoDeleteNamespace, Step: StepRemove}
	case Leaving:
		return wait(StepRemove, "namespace %s is being deleted", r.Namespace)
	default: // one of another user stays
	}
	switch {
	case s.Clone.Leaving:
		return wait(StepRemove, "Job %s is being deleted", r.Job(StepClone))
	case s.Clone.Exists:
		return Action{Do: DoDeleteJob, Step: StepClone}
	}
	if r.begun(StepClone) {
		switch {
		case s.Remove.Leaving:
			return wait(StepRemove, "Job %s is being deleted", r.Job(StepRemove))
		case !s.Remove.Exists:
			return Action{Do: DoStorageJob, Step: StepRemove}
		case s.Remove.Failed && s.Begun:
			return Action{Do: DoDeleteJob, Step: StepRemove}
		case s.Remove.Failed:
			return Action{Do: DoStop, Step: StepRemove, Text: "the clones were not removed: " + why(s.Remove)}
		case !s.Remove.Done:
			return wait(StepRemove, "%s", cmp.Or(s.Remove.Waiting, "the clones are being removed"))
		}
	}
	left := false
	for _, v := range s.Volumes {
		switch v.PV {
		case Ours, NotReady:
			return Action{Do: DoDeleteVolumes, Step: StepRemove}
		case Leaving:
			left = true
		default:
		}
	}
	if left {
		return wait(StepRemove, "the PersistentVolumes are being deleted")
	}
	next := r.settled(now)
	next.Ended = &metav1.MicroTime{Time: now}
	return Action{Do: DoRecord, Record: next}
}
