// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Kind is what an operation is meant to do.
type Kind string

// Kinds of operations.
const (
	// Planned moves the role of primary and loses nothing. It needs both sites.
	Planned Kind = "planned"
	// Unplanned makes the target primary without the source, and accepts to lose the writes that were
	// not replicated.
	Unplanned Kind = "unplanned"
	// Failback makes a site primary again that lost the role to an unplanned failover. What it
	// wrote and never replicated is discarded first, where there is any.
	Failback Kind = "failback"
	// Promote makes a site primary whose peer has given up the role already, or, with Force, whose peer
	// cannot be asked.
	Promote Kind = "promote"
	// Demote has a site give up the role. Then no site is primary.
	Demote Kind = "demote"
	// Resync discards what a site alone has, and has it follow the primary.
	Resync Kind = "resync"
)

// Result is how an operation ended; empty while it is in flight.
type Result string

// Results.
const (
	Done    Result = "done"
	Aborted Result = "aborted"
	// Superseded: an unplanned failover began before it had ended.
	Superseded Result = "superseded"
)

// SiteRef names a site for every administrator: contexts are local to one administrator, clusters are not.
type SiteRef struct {
	// Name is what the site is called by the administrator; before there were display names, the kubeconfig context.
	Name string `json:"name"`
	// Cluster is the UID of the cluster's kube-system namespace, and the name that it was given beside it.
	Cluster string `json:"cluster"`
	// Context is the kubeconfig context of this administrator, and Flag what names the site on a command line of kubectl vgr
	// after --context, ready for a shell. Both may be empty, and the name stands for them.
	Context string `json:"-"`
	Flag    string `json:"-"`
}

// flag returns what names the site after --context.
func (r SiteRef) flag() string {
	if r.Flag != "" {
		return r.Flag
	}
	return ShellQuote(r.Name)
}

// find returns which site a reference is about: by its cluster or, where one of them is not known, by its name or context;
// -1 when none is, or more than one may be.
func find(sites []SiteRef, ref SiteRef) int {
	byName, byContext, names, contexts := -1, -1, 0, 0
	for i := range sites {
		s := &sites[i]
		if s.Cluster != "" && ref.Cluster != "" {
			if s.Cluster == ref.Cluster {
				return i
			}
			continue
		}
		if s.Name == ref.Name {
			byName = i
			names++
		}
		if s.Context == ref.Name && s.Context != "" {
			byContext = i
			contexts++
		}
	}
	switch {
	case names == 1:
		return byName
	case names == 0 && contexts == 1:
		return byContext
	default:
		return -1
	}
}

// Named returns the operation with the names that its sites have for this administrator. Another one, or the same
// before it was given an alias, called them otherwise.
func (op *Operation) Named(sites ...SiteRef) *Operation {
	from, to := called(sites, op.From), called(sites, op.To)
	if from == op.From && to == op.To {
		return op
	}
	out := *op
	out.From, out.To = from, to
	return &out
}

func called(sites []SiteRef, ref SiteRef) SiteRef {
	if i := find(sites, ref); i >= 0 {
		ref.Name, ref.Context, ref.Flag = sites[i].Name, sites[i].Context, sites[i].Flag
	}
	return ref
}

// VolumeSync is the last synchronisation of one PVC; nil when it is not known.
type VolumeSync struct {
	Name     string       `json:"name"`
	LastSync *metav1.Time `json:"lastSync"`
}

// StepTimes is one step of an operation as it was seen.
type StepTimes struct {
	ID StepID `json:"id"`
	// Site is the cluster of the step; empty for a step about both.
	Site     string            `json:"site,omitempty"`
	Started  metav1.MicroTime  `json:"started"`
	Finished *metav1.MicroTime `json:"finished,omitempty"`
	// Asked is true when the step changed a spec, and false when nothing had to be changed.
	Asked bool `json:"asked,omitempty"`
	// Attempt counts how often the step had to be done again.
	Attempt int `json:"attempt,omitempty"`
}

// Operation is the journal of one failover or failback. It is written to the group on both sites
// together with every change, so that every administrator can resume it from anywhere.
type Operation struct {
	ID   string  `json:"id"`
	Kind Kind    `json:"kind"`
	From SiteRef `json:"from"`
	To   SiteRef `json:"to"`
	// By is who started it; Holder is the process that drives it now.
	By     string `json:"by"`
	Holder string `json:"holder"`
	// Revision grows with every write of any operation on the group. The highest one is the newest.
	Revision int64            `json:"revision"`
	Started  metav1.MicroTime `json:"started"`
	// Members are the PVCs and their volume handles when it started.
	Members map[string]string `json:"members,omitempty"`
	// AutoResync are the clusters whose spec.autoResync is held back until the end.
	AutoResync []string `json:"autoResync,omitempty"`
	// Accepted is the loss that the user accepted: a duration, or "unknown"; empty for none.
	Accepted string `json:"accepted,omitempty"`
	// LastSync is the last synchronisation that was known of when it started. With Discard it is the
	// last one of To, when it was primary: what To wrote later is discarded.
	LastSync *metav1.Time `json:"lastSync,omitempty"`
	// VolumeSyncs are the PVCs whose last synchronisation is another one.
	VolumeSyncs []VolumeSync `json:"volumeSyncs,omitempty"`
	// Quiesce is true when the workloads that use the PVCs are stopped, and Start when they are
	// started on To afterwards. Stopped are those workloads, with what they had.
	Quiesce bool              `json:"quiesce,omitempty"`
	Start   bool              `json:"start,omitempty"`
	Stopped []StoppedWorkload `json:"stopped,omitempty"`
	// Discard is true when the unreplicated writes of To are discarded first.
	Discard bool `json:"discard,omitempty"`
	// Snapshot is true when the last update goes through a snapshot of all volumes.
	Snapshot bool `json:"snapshot,omitempty"`
	// Force is true when a promotion does not ask for the peer, or a demotion for the proof that the
	// primary has synchronised.
	Force bool `json:"force,omitempty"`
	// SpecOnly is true when the site to be demoted is not primary: only its spec asks for that.
	SpecOnly bool `json:"specOnly,omitempty"`
	// Schedule is how often the storage synchronises, as far as it is known.
	Schedule *metav1.Duration `json:"schedule,omitempty"`
	// OneWay is true when the backend gives the role away with the demotion: it cannot be aborted after.
	OneWay bool `json:"oneWay,omitempty"`
	// Aborting is true once the operation is being aborted.
	Aborting bool              `json:"aborting,omitempty"`
	Steps    []StepTimes       `json:"steps,omitempty"`
	Result   Result            `json:"result,omitempty"`
	Finished *metav1.MicroTime `json:"finished,omitempty"`
}

// InFlight reports whether the operation has not ended.
func (op *Operation) InFlight() bool { return op != nil && op.Result == "" }

// Loses reports whether the operation gives up writes.
func (op *Operation) Loses() bool {
	return op.Kind == Unplanned || op.Discard || op.Kind == Promote && op.Force
}

// Loser returns the site whose writes the operation gives up, if it does.
func (op *Operation) Loser() SiteRef {
	if op.Discard {
		return op.To
	}
	return op.From
}

// Title says what the operation does.
func (op *Operation) Title() string { return op.title("") }

// String names the operation in a sentence.
func (op *Operation) String() string { return op.title(op.ID + " ") }

func (op *Operation) title(id string) string {
	what := map[Kind]string{Planned: "planned failover", Unplanned: "unplanned failover", Failback: "failback", Promote: "promotion", Demote: "demotion", Resync: "resync"}[op.Kind]
	switch op.Kind {
	case Promote:
		return fmt.Sprintf("%s %sof %s", what, id, op.To.Name)
	case Demote:
		return fmt.Sprintf("%s %sof %s", what, id, op.From.Name)
	case Resync:
		return fmt.Sprintf("%s %sof %s from %s", what, id, op.To.Name, op.From.Name)
	default:
		return fmt.Sprintf("%s %sfrom %s to %s", what, id, op.From.Name, op.To.Name)
	}
}

// Duration returns the time until the target was verified to be primary, which is the recovery time that the
// operation took; ok is false before that. It begins when the source has been seen to synchronise, as until
// then nothing was changed, and the source was primary.
func (op *Operation) Duration() (d time.Duration, ok bool) {
	r, from := op.record(StepPromote), op.Started.Time
	if r == nil || r.Finished == nil {
		return 0, false
	}
	if v := op.record(StepVerify); v != nil && v.Finished != nil {
		from = v.Finished.Time
	}
	return r.Finished.Sub(from), true
}

// Role returns what the operation asks a site to be in the end; empty where it leaves that as it is.
func (op *Operation) Role(s SiteRef) vgrv1.ReplicationState {
	to := s.Cluster == op.To.Cluster && (s.Cluster != "" || s.Name == op.To.Name)
	switch {
	case op.Aborting && (!op.asked(StepDemote) || op.SpecOnly), op.Kind == Promote && !to, op.Kind == Demote && to:
		return ""
	case op.Kind == Promote:
		return vgrv1.Primary
	case op.Kind == Resync && to != op.Aborting, op.Kind == Demote && !op.Aborting:
		return vgrv1.Secondary
	case op.Kind == Resync, op.Kind == Demote:
		return vgrv1.Primary
	case to != op.Aborting:
		return vgrv1.Primary
	default:
		return vgrv1.Secondary
	}
}

func (op *Operation) clone() Operation {
	out := *op
	out.Members = maps.Clone(op.Members)
	out.AutoResync = slices.Clone(op.AutoResync)
	out.Steps = slices.Clone(op.Steps)
	out.Stopped = slices.Clone(op.Stopped)
	out.VolumeSyncs = slices.Clone(op.VolumeSyncs)
	return out
}

func (op *Operation) record(id StepID) *StepTimes {
	if i := slices.IndexFunc(op.Steps, func(r StepTimes) bool { return r.ID == id }); i >= 0 {
		return &op.Steps[i]
	}
	return nil
}

func (op *Operation) finished(id StepID) bool {
	r := op.record(id)
	return r != nil && r.Finished != nil
}

func (op *Operation) asked(id StepID) bool {
	r := op.record(id)
	return r != nil && r.Asked
}

// handedOver reports whether the backend was asked for what cannot be undone.
func (op *Operation) handedOver() bool { return op.OneWay && op.asked(StepDemote) }

// syncRequest names an update that the operation asks for. One that has to be repeated has another name.
func (op *Operation) syncRequest(attempt int) string { return fmt.Sprintf("%s/%d", op.ID, attempt) }

// snapshotRequest names a snapshot that the operation asks for, in the same way.
func (op *Operation) snapshotRequest() string {
	attempt := 0
	if r := op.record(StepSnapshot); r != nil {
		attempt = r.Attempt
	}
	return fmt.Sprintf("%s/snapshot-%d", op.ID, attempt)
}

// start notes that a step has begun; asked says that it changes a spec.
func (op *Operation) start(id StepID, site string, asked bool, now time.Time) {
	if r := op.record(id); r != nil {
		r.Asked = r.Asked || asked
		return
	}
	op.Steps = append(op.Steps, StepTimes{ID: id, Site: site, Started: metav1.NewMicroTime(now), Asked: asked})
}

func (op *Operation) finish(id StepID, now time.Time) {
	if r := op.record(id); r != nil && r.Finished == nil {
		r.Finished = new(metav1.NewMicroTime(now))
	}
}

// resetStep makes a step be done again.
func (op *Operation) resetStep(id StepID, now time.Time) {
	if r := op.record(id); r != nil {
		*r = StepTimes{ID: id, Site: r.Site, Started: metav1.NewMicroTime(now), Attempt: r.Attempt + 1}
	}
}
