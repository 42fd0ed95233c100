// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package overview is the status model: what is known of groups on both sites at one moment,
// with a verdict beside it. Tables, JSON and screens are drawn from the same value. The package
// is pure: it asks no cluster and formats nothing.
package overview

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// APIVersion and Kind of the JSON form. A field may be added under the same version; none
// changes its meaning.
const (
	APIVersion = "cli.replication.unified.io/v1"
	Kind       = "Overview"
)

// Phase is the state of a group over both sites, in one word.
type Phase string

// Phases, worst first.
const (
	SplitBrain      Phase = "SplitBrain"      // both sites are primary, or the copy has diverged; also of single volumes
	NoPrimary       Phase = "NoPrimary"       // no site is primary, and none is about to be
	Failed          Phase = "Failed"          // a site cannot reach its desired state
	Degraded        Phase = "Degraded"        // the primary does not replicate, or a copy has an error
	Unreachable     Phase = "Unreachable"     // a site cannot be asked
	Unpaired        Phase = "Unpaired"        // one site only: no peer is known, or the group is not there
	Terminating     Phase = "Terminating"     // a group was deleted and released, and another tool keeps the object
	PartlyProtected Phase = "PartlyProtected" // the sites have different PVCs in the group
	Unknown         Phase = "Unknown"         // nothing proves that replication works
	Transitioning   Phase = "Transitioning"   // a site is on its way to its desired state
	Resyncing       Phase = "Resyncing"       // a resync was asked for and runs
	Lagging         Phase = "Lagging"         // the last synchronisation is older than twice the schedule
	Guarded         Phase = "Guarded"         // the spec asks for a second primary, and the controller refuses
	Protected       Phase = "Protected"       // one primary, one secondary, in time
)

// Level says how much a verdict matters.
type Level string

// Levels.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Problem Level = "problem"
)

// Verdict is a judgement with its reason.
type Verdict struct {
	Level   Level  `json:"level"`
	Phase   Phase  `json:"phase"`
	Impact  Impact `json:"impact,omitempty"`
	Message string `json:"message"`
	// Next is a command or a step that helps; empty when nothing is to be done.
	Next string `json:"next,omitempty"`
}

// MarshalJSON also writes the phase under the name, and with the words, that it had before, which scripts may read.
func (v Verdict) MarshalJSON() ([]byte, error) {
	type now Verdict
	headline := v.Phase
	if headline == Transitioning {
		headline = "Moving"
	}
	return json.Marshal(struct {
		now
		Headline Phase `json:"headline"`
	}{now(v), headline})
}

// Overview is everything that was asked for.
type Overview struct {
	metav1.TypeMeta `json:",inline"`
	// ObservedAt is when the sites were asked, by the clock of this machine.
	ObservedAt metav1.Time `json:"observedAt"`
	Sites      []Site      `json:"sites"`
	Groups     []Group     `json:"groups"`
}

// SiteProblem is why a site could not be asked.
type SiteProblem string

// Site problems.
const (
	SiteAsking      SiteProblem = "Asking"      // has not answered yet; only while sites are followed
	SiteUnreachable SiteProblem = "Unreachable" // the network says so, or the site is silent
	// SiteNotAsked is a site that could not be asked for reasons that are no proof that it is lost: a login, a certificate
	// or a proxy, or an answer that is not the API's.
	SiteNotAsked     SiteProblem = "NotAsked"
	SiteForbidden    SiteProblem = "Forbidden"
	SiteNotInstalled SiteProblem = "NotInstalled"
	SiteError        SiteProblem = "Error"
)

// Site is one cluster as it was seen.
type Site struct {
	// Name is what the site is called: an alias, or the part of its context that tells it from the other one.
	Name string `json:"name"`
	// Context is the kubeconfig context, and Kubeconfig its file where that is not the one of all commands.
	Context    string `json:"context,omitempty"`
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// Flag is what names the site on a command line of kubectl vgr after --context, ready for a shell, and Kubectl the same for
	// kubectl; when they are empty, the name stands for them.
	Flag    string `json:"-"`
	Kubectl string `json:"-"`
	// Answered is false when nothing about groups is known from this site now.
	Answered bool        `json:"answered"`
	Problem  SiteProblem `json:"problem,omitempty"`
	Message  string      `json:"message,omitempty"`
	// ServerTime is the cluster's own clock when it answered; ages are counted by it.
	ServerTime *metav1.Time `json:"serverTime,omitempty"`
	// NativeOnly is true when the site does not have the API of the groups of kubectl vgr: its groups are those of others.
	NativeOnly bool `json:"nativeOnly,omitempty"`
	// Unread are the kinds that could not be listed when groups of others were read, with why.
	Unread []string `json:"unread,omitempty"`
	// Incomplete is true when groups of others may therefore be missing, or not be recognised as those of the other site.
	Incomplete bool `json:"incomplete,omitempty"`
	// Namespace is the only one that groups of others were read in; empty for all.
	Namespace string `json:"namespace,omitempty"`
	// Controller is absent when the site did not answer.
	Controller *Controller `json:"controller,omitempty"`
}

// Away says that the groups of a site are not known, and why.
func (s Site) Away() string {
	text := s.Name + " does not answer"
	if s.Problem != SiteUnreachable && s.Problem != "" {
		text = "the groups on " + s.Name + " cannot be read"
	}
	if s.Message != "" {
		text += ": " + s.Message
	}
	return text
}

// Group is one group over both sites.
type Group struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Verdict   Verdict `json:"verdict"`
	Class     string  `json:"class,omitempty"`
	Backend   string  `json:"backend,omitempty"`
	// ManagedBy is who manages a group that is not of kubectl vgr, such as csi-addons; absent of those that are.
	ManagedBy string `json:"managedBy,omitempty"`
	// ScheduleSeconds is the class's interval; absent when the class does not say.
	ScheduleSeconds *int64 `json:"scheduleSeconds,omitempty"`
	// LastSyncTime and LagSeconds come from the primary; absent when they are not known. Of a backend
	// that tells a primary nothing, LastSyncTime is the secondary's, and there is no lag.
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`
	LagSeconds   *int64       `json:"lagSeconds,omitempty"`
	// Operation is the group's last failover or failback; absent when it has never been moved.
	Operation *Operation `json:"operation,omitempty"`
	// Rehearsal is the group's last rehearsal; absent when there was none.
	Rehearsal *Rehearsal `json:"rehearsal,omitempty"`
	// RehearsalsUnread are the sites whose rehearsals of the group are not known: there may be a later one.
	RehearsalsUnread []string `json:"rehearsalsUnread,omitempty"`
	// Sites has one entry for each site of the overview, in its order.
	Sites []GroupSite `json:"sites"`

	copies []*vgrv1.VolumeGroupReplication
	// refs are the sites, for the names in journals.
	refs []recovery.SiteRef
}

// Timeline returns the operations that the group remembers, newest first. They are read on
// demand: of most groups they are never shown.
func (g Group) Timeline() ([]recovery.Operation, error) {
	ops, err := recovery.Timeline(g.copies...)
	for i := range ops {
		ops[i] = *ops[i].Named(g.refs...)
	}
	return ops, err
}

// refsOf returns what names the sites of a group. Their clusters are what the copies remember of each other.
func refsOf(sites []SiteInput, copies []*vgrv1.VolumeGroupReplication) []recovery.SiteRef {
	refs := make([]recovery.SiteRef, len(sites))
	for i, s := range sites {
		refs[i] = recovery.SiteRef{Name: s.Name, Context: s.Context, Flag: s.Flag}
		if other := copies[len(copies)-1-i]; len(copies) == 2 && other != nil {
			refs[i].Cluster = other.Annotations[vgrv1.AnnotationPeerClusterUID]
		}
	}
	if len(refs) == 2 && refs[0].Cluster == refs[1].Cluster { // a group that names its own cluster says nothing
		refs[0].Cluster, refs[1].Cluster = "", ""
	}
	return refs
}

// Labels returns those of the group on the first site that has it.
func (g Group) Labels() map[string]string {
	for _, c := range g.copies {
		if c != nil {
			return c.Labels
		}
	}
	return nil
}

// Operation is a failover or failback in short; kubectl vgr history has all of it.
type Operation struct {
	ID   string        `json:"id"`
	Kind recovery.Kind `json:"kind"`
	From string        `json:"from"`
	To   string        `json:"to"`
	By   string        `json:"by"`
	// Holder is the process that drives it, or did when it was last heard of.
	Holder  string           `json:"holder"`
	Started metav1.MicroTime `json:"started"`
	// Step is the last one that was begun.
	Step recovery.StepID `json:"step,omitempty"`
	// Result is empty while it is in flight.
	Result recovery.Result `json:"result,omitempty"`
	// ResumeCommand is the command that resumes it while it is in flight.
	ResumeCommand string `json:"goOn,omitempty"`
	// AbortCommand is the command that takes it back while that is possible.
	AbortCommand string `json:"abort,omitempty"`
}

// GroupSite is a group on one site.
type GroupSite struct {
	Site string `json:"site"`
	// Exists is false when the site has no such group, or could not be asked.
	Exists   bool                   `json:"exists"`
	Desired  vgrv1.ReplicationState `json:"desired,omitempty"`
	State    vgrv1.State            `json:"state,omitempty"`
	Deleting bool                   `json:"deleting,omitempty"`
	// Unguarded is true when the controller obeys every request for primary, whatever the peer is.
	Unguarded bool `json:"unguarded,omitempty"`
	// Current is true when the controller and the backend have answered the present spec. It is false of a group
	// that is being deleted.
	Current            bool                 `json:"current"`
	Ready              Ready                `json:"ready"`
	Generation         int64                `json:"generation,omitempty"`
	ObservedGeneration int64                `json:"observedGeneration,omitempty"`
	Message            string               `json:"message,omitempty"`
	Volumes            []vgrv1.VolumeStatus `json:"volumes,omitempty"`
	Conditions         []metav1.Condition   `json:"conditions,omitempty"`
	LastSyncTime       *metav1.Time         `json:"lastSyncTime,omitempty"`
	// ClockAheadSeconds is how far a synchronisation time of the storage is ahead of the site's clock. Then it is
	// not known when the last synchronisation was.
	ClockAheadSeconds *int64 `json:"clockAheadSeconds,omitempty"`
	// CopyError is the error that a copy reports; it does not follow then.
	CopyError string `json:"copyError,omitempty"`
	// Guarded is true when the spec asks for primary and the controller refuses, since nothing confirms that the
	// peer has given up the role.
	Guarded bool `json:"guarded,omitempty"`
	// JournalWriter is who wrote the journal of an operation in flight last, where that is not kubectl vgr. A watch
	// does not ask for it.
	JournalWriter *recovery.Writer `json:"journalWriter,omitempty"`
	// Unread is true when it is not known whether the site has the group, as not all kinds could be listed there.
	Unread bool `json:"unread,omitempty"`
	// Native is the object of a group that is not of kubectl vgr.
	Native *Native `json:"native,omitempty"`
	// Remembered is what this machine last saw of the group on a site that does not answer now.
	Remembered *Remembered `json:"remembered,omitempty"`
}

// Remembered is what an earlier command on this machine saw of a group on a site. It is shown, and decides nothing: no verdict
// and no check reads it.
type Remembered struct {
	// SeenAt is when that was, by the clock of this machine.
	SeenAt       metav1.Time  `json:"seenAt"`
	State        vgrv1.State  `json:"state,omitempty"`
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`
	Volumes      int          `json:"volumes,omitempty"`
}

// Ready is the Ready condition of a group; its status is Unknown before the controller has spoken.
type Ready struct {
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason,omitempty"`
	Message string                 `json:"message,omitempty"`
}

// On returns the group's entry for a site.
func (g Group) On(site string) GroupSite {
	for _, s := range g.Sites {
		if s.Site == site {
			return s
		}
	}
	return GroupSite{Site: site}
}

// Primary returns the site that reports to be primary; ok is false unless it is exactly one.
func (g Group) Primary() (GroupSite, bool) {
	var primaries []GroupSite
	for _, s := range g.Sites {
		if s.State == vgrv1.StatePrimary {
			primaries = append(primaries, s)
		}
	}
	if len(primaries) != 1 {
		return GroupSite{}, false
	}
	return primaries[0], true
}

// Twice reports whether both sites show the very same object: two contexts of one cluster. A cluster that was made from
// the other's backup has objects with the same UIDs, which were written at other times.
func (o Overview) Twice() bool {
	for _, g := range o.Groups {
		if len(g.copies) == 2 && g.copies[0] != nil && g.copies[1] != nil && g.copies[0].UID != "" &&
			g.copies[0].UID == g.copies[1].UID && g.copies[0].ResourceVersion == g.copies[1].ResourceVersion {
			return true
		}
	}
	return false
}
