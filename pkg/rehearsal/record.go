// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package rehearsal proves that a copy works without a change of its replication: clones of the copy's newest complete
// snapshots become PVCs in a namespace of their own, are checked, and removed again. It decides what comes next from what
// a site shows, and makes the objects; it asks no cluster.
package rehearsal

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Patience is how long to wait for a synchronisation of a group with a schedule; zero for one that is not known.
func Patience(schedule time.Duration) time.Duration {
	const delay, unknown = 2 * time.Minute, 10 * time.Minute
	if schedule <= 0 {
		return unknown
	}
	return schedule + delay
}

// Result is how a rehearsal ended, or has gone so far when it is kept.
type Result string

// Results; empty while it runs.
const (
	// Passed: the clones are there and bound, and the check, if there was one, succeeded.
	Passed Result = "passed"
	// Failed: Message says what did not work.
	Failed Result = "failed"
	// Abandoned: it was ended before it had a result.
	Abandoned Result = "ended early"
)

// StepID names a step.
type StepID string

// Steps, in their order.
const (
	StepClone   StepID = "clone"
	StepVolumes StepID = "volumes"
	StepCheck   StepID = "check"
	StepRemove  StepID = "remove"
)

// Step is how long one took.
type Step struct {
	ID       StepID            `json:"id"`
	Started  metav1.MicroTime  `json:"started"`
	Finished *metav1.MicroTime `json:"finished,omitempty"`
}

// Volume is a volume of a rehearsal: where its copy is, and what was recovered of it.
type Volume struct {
	PVC     string `json:"pvc"`
	Cluster string `json:"cluster,omitempty"`
	Pool    string `json:"pool,omitempty"`
	Image   string `json:"image,omitempty"`
	// Snapshot is the one that was cloned; 0 before.
	Snapshot int64 `json:"snapshot,omitempty"`
	// Copied is when the snapshot was made on this site: it holds the synchronisation before. Point is when the primary took
	// what that brought, or earlier; it may not be known, and then the data is older than Copied.
	Copied *metav1.Time `json:"copied,omitempty"`
	Point  *metav1.Time `json:"point,omitempty"`
	Bytes  int64        `json:"bytes,omitempty"`
	// AgeSeconds is how old the data was when it was cloned; absent where Point is not known.
	AgeSeconds *int64 `json:"ageSeconds,omitempty"`
}

// Check is what the user's Job said.
type Check struct {
	Job    string `json:"job"`
	Passed bool   `json:"passed"`
	// Log is the end of what it printed.
	Log string `json:"log,omitempty"`
}

// Record is a rehearsal as the group remembers it, on the site where it takes place.
type Record struct {
	ID        string           `json:"id"`
	By        string           `json:"by"`
	Started   metav1.MicroTime `json:"started"`
	Namespace string           `json:"namespace"`
	// Driver is the CSI driver, and DriverNamespace where its Pods and the Jobs are. Secret is what the Jobs reach the storage with.
	Driver          string   `json:"driver,omitempty"`
	DriverNamespace string   `json:"driverNamespace,omitempty"`
	Secret          string   `json:"secret,omitempty"`
	Volumes         []Volume `json:"volumes,omitempty"`
	Steps           []Step   `json:"steps,omitempty"`
	// PatienceSeconds is how long a synchronisation may take to begin: it makes the snapshot that is cloned.
	PatienceSeconds int64 `json:"patienceSeconds,omitempty"`
	// Network is true when Pods in the namespace may use the network.
	Network bool `json:"network,omitempty"`
	// CheckJob is the user's Job that is to run; empty for none.
	CheckJob string `json:"checkJob,omitempty"`
	Check    *Check `json:"check,omitempty"`
	Result   Result `json:"result,omitempty"`
	Message  string `json:"message,omitempty"`
	// KeptUntil is when a person means to have ended it; absent when it ends by itself.
	KeptUntil *metav1.Time `json:"keptUntil,omitempty"`
	// Ending is true from when its objects are removed; nothing is made any more.
	Ending bool `json:"ending,omitempty"`
	// Ended is when all of it was gone.
	Ended *metav1.MicroTime `json:"ended,omitempty"`
}

// What is longer than these was not written by this tool.
const (
	maxRecords = 10
	maxText    = 1024
	maxLog     = 2048
	maxVolumes = 100
	// mostBytes bounds all that a group remembers; the oldest records give up their volumes first.
	mostBytes = 48 << 10
)

// Records reads the rehearsals that a group remembers, newest first.
func Records(g *vgrv1.VolumeGroupReplication) ([]Record, error) {
	text := g.Annotations[vgrv1.AnnotationRehearsals]
	if text == "" {
		return nil, nil
	}
	var all []Record
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) > maxRecords || slices.ContainsFunc(all, func(r Record) bool { return !r.fits() }) {
		return nil, fmt.Errorf("annotation %s of %s/%s cannot be read", vgrv1.AnnotationRehearsals, g.Namespace, g.Name)
	}
	return all, nil
}

// fits reports whether a record is one that this tool writes.
func (r *Record) fits() bool {
	texts := []string{r.By, r.Namespace, r.Driver, r.DriverNamespace, r.Secret, r.CheckJob, string(r.Result), r.Message}
	for _, v := range r.Volumes {
		texts = append(texts, v.PVC, v.Cluster, v.Pool, v.Image)
	}
	if c := r.Check; c != nil {
		texts = append(texts, c.Job)
		if len(c.Log) > maxLog {
			return false
		}
	}
	return isID(r.ID) && len(r.Volumes) <= maxVolumes && len(r.Steps) <= 8 && r.Namespace != "" && r.PatienceSeconds >= 0 &&
		!slices.ContainsFunc(texts, func(text string) bool { return len(text) > maxText })
}

// isID: names are made of it.
func isID(id string) bool {
	return len(id) == 8 && strings.Trim(id, "0123456789abcdef") == ""
}

// Put returns the group's annotation with a record changed, or added as the newest.
func Put(g *vgrv1.VolumeGroupReplication, r Record) (string, error) {
	all, err := Records(g)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(all, func(x Record) bool { return x.ID == r.ID }); i >= 0 {
		all[i] = r
	} else {
		all = slices.Insert(all, 0, r)
	}
	all = all[:min(len(all), maxRecords)]
	for oldest := len(all) - 1; ; oldest-- {
		text, err := json.Marshal(all)
		if err != nil || len(text) <= mostBytes || oldest <= 0 {
			return string(text), err
		}
		all[oldest].Volumes = nil
	}
}

// Last returns the newest rehearsal of a group; nil without one, or where it cannot be read.
func Last(g *vgrv1.VolumeGroupReplication) *Record {
	all, err := Records(g)
	if err != nil || len(all) == 0 {
		return nil
	}
	return &all[0]
}

// Open reports whether objects of the rehearsal may be left.
func (r *Record) Open() bool { return r != nil && r.Ended == nil }

// Kept reports whether it has a result and waits for a person to end it.
func (r *Record) Kept() bool { return r.Open() && !r.Ending && r.Result != "" && r.KeptUntil != nil }

// mostWork is how long a rehearsal may take that is not kept: no command runs as long.
const mostWork = 24 * time.Hour

// Due is when it should have ended; zero when it has.
func (r *Record) Due() time.Time {
	switch {
	case !r.Open():
		return time.Time{}
	case r.KeptUntil != nil && r.Result != "":
		return r.KeptUntil.Time
	default:
		return r.Started.Add(mostWork)
	}
}

// Expired reports whether it should have ended by now.
func (r *Record) Expired(now time.Time) bool { return r.Open() && now.After(r.Due()) }

// State is what a list says of it.
func (r *Record) State(now time.Time) string {
	expired := r.Expired(now)
	switch {
	case r.Kept() && expired:
		return "kept, expired"
	case r.Kept():
		return "kept"
	case r.Ended != nil:
		return "ended"
	case expired:
		return "left unfinished"
	case r.Ending:
		return "being removed"
	default:
		return "in progress"
	}
}

// LastPassed returns when the last one that passed began, of records that are newest first; nil without one.
func LastPassed(all []Record) *metav1.MicroTime {
	for i := range all {
		if all[i].Result == Passed {
			return &all[i].Started
		}
	}
	return nil
}

// Age returns how old the oldest data was when it was cloned; false where that is not known of each volume.
func (r *Record) Age() (time.Duration, bool) {
	var oldest int64
	for _, v := range r.Volumes {
		if v.AgeSeconds == nil {
			return 0, false
		}
		oldest = max(oldest, *v.AgeSeconds)
	}
	return time.Duration(oldest) * time.Second, len(r.Volumes) > 0
}

// Took returns how long a step took; false while it has not finished.
func (r *Record) Took(id StepID) (time.Duration, bool) {
	for _, s := range r.Steps {
		if s.ID == id && s.Finished != nil {
			return s.Finished.Sub(s.Started.Time), true
		}
	}
	return 0, false
}

// Proven returns how long it took until the volumes were there and checked; false where that did not happen.
func (r *Record) Proven() (time.Duration, bool) {
	var last time.Time
	for _, s := range r.Steps {
		if s.ID != StepRemove && s.Finished != nil && s.Finished.After(last) {
			last = s.Finished.Time
		}
	}
	return last.Sub(r.Started.Time), r.Result == Passed && !last.IsZero()
}

func (r *Record) begun(id StepID) bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.ID == id })
}

func (r *Record) finished(id StepID) bool {
	_, ok := r.Took(id)
	return ok
}

// with returns a copy in which a step has begun, and those before it have finished.
func (r *Record) with(id StepID, now time.Time) Record {
	next := r.settled(now)
	if !next.begun(id) {
		next.Steps = append(next.Steps, Step{ID: id, Started: metav1.NewMicroTime(now)})
	}
	return next
}

// settled returns a copy in which the step that runs has finished.
func (r *Record) settled(now time.Time) Record {
	next := *r
	next.Steps, next.Volumes = slices.Clone(r.Steps), slices.Clone(r.Volumes)
	for i := range next.Steps {
		if next.Steps[i].Finished == nil {
			next.Steps[i].Finished = &metav1.MicroTime{Time: now}
		}
	}
	return next
}

// Clone is the name of the image that volume i is cloned to.
func (r *Record) Clone(i int) string { return fmt.Sprintf("vgr-rehearsal-%s-%d", r.ID, i) }

// PV is the name of its PersistentVolume.
func (r *Record) PV(i int) string { return r.Clone(i) }

// Job is the name of the Job that clones, or removes.
func (r *Record) Job(id StepID) string { return fmt.Sprintf("vgr-rehearsal-%s-%s", r.ID, id) }

// limited shortens a text that others wrote.
func limited(text string, most int) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
