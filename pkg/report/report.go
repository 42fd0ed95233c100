// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package report is what people who decide and who audit are told of all groups at one moment: what is protected and how
// well, what is not, and what past failovers took. It is pure, and its JSON form is what pages are drawn from.
package report

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
)

// Kind of the JSON form; its API version is that of the overview.
const Kind = "Report"

// Report is all of it.
type Report struct {
	metav1.TypeMeta `json:",inline"`
	// CreatedAt is when the sites were asked, by the clock of this machine; CreatedBy is the user and the machine.
	CreatedAt metav1.Time `json:"createdAt"`
	CreatedBy string      `json:"createdBy"`
	Plugin    string      `json:"plugin"`
	// Scope says which groups were asked for.
	Scope   string  `json:"scope"`
	Sites   []Site  `json:"sites"`
	Summary Summary `json:"summary"`
	// Groups are worst first.
	Groups []Group `json:"groups"`
	// Unprotected are the PVCs that are in no group.
	Unprotected []PVC `json:"unprotected"`
	// NotKnown says what this report could not find out, and why.
	NotKnown []string `json:"notKnown"`
}

// DeepCopyObject implements runtime.Object; printers only read.
func (r *Report) DeepCopyObject() runtime.Object { c := *r; return &c }

// Summary counts.
type Summary struct {
	Groups int `json:"groups"`
	// Protected are those without a problem or warning; CanFailOver those of which no check of a planned failover refuses.
	Protected   int `json:"protected"`
	CanFailOver int `json:"canFailOver"`
	// Rehearsed are those whose last rehearsal passed, as far as all sites have told.
	Rehearsed Count `json:"rehearsed"`
	// PVCs are those in groups, WithoutCopy those of them that the other site lacks, and Unprotected those in no group.
	PVCs        int   `json:"pvcs"`
	WithoutCopy Count `json:"withoutCopy"`
	Unprotected Count `json:"unprotected"`
}

// Count is a number, or what is known of it.
type Count struct {
	Count int `json:"count"`
	// AtLeast is true when a site could not be asked, which may have more.
	AtLeast bool `json:"atLeast,omitempty"`
}

// Level is that of a count of what should not be.
func (c Count) Level() overview.Level {
	switch {
	case c.Count > 0:
		return overview.Problem
	case c.AtLeast:
		return overview.Warning
	default:
		return overview.OK
	}
}

// String returns the count in words; unknown when nothing was found and a site could not be asked.
func (c Count) String() string {
	switch {
	case !c.AtLeast:
		return strconv.Itoa(c.Count)
	case c.Count == 0:
		return "unknown"
	default:
		return fmt.Sprintf("at least %d", c.Count)
	}
}

// Site is one cluster.
type Site struct {
	Name       string `json:"name"`
	Context    string `json:"context,omitempty"`
	Answered   bool   `json:"answered"`
	Message    string `json:"message,omitempty"`
	Kubernetes string `json:"kubernetes,omitempty"`
	Controller string `json:"controller"`
}

// Group is one group over both sites.
type Group struct {
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Health    string         `json:"health"`
	Level     overview.Level `json:"level"`
	Message   string         `json:"message"`
	Next      string         `json:"next,omitempty"`
	ManagedBy string         `json:"managedBy"`
	Class     string         `json:"class,omitempty"`
	Backend   string         `json:"backend,omitempty"`
	// Primary is the site whose storage is; empty when that is not known of exactly one.
	Primary string `json:"primary,omitempty"`
	// ScheduleSeconds, LastSyncTime and LagSeconds are absent when they are not known.
	ScheduleSeconds *int64       `json:"scheduleSeconds,omitempty"`
	LastSyncTime    *metav1.Time `json:"lastSyncTime,omitempty"`
	LagSeconds      *int64       `json:"lagSeconds,omitempty"`
	Readiness       Readiness    `json:"readiness"`
	// Rehearsal is the last one; absent when none is known of. RehearsalsUnread are the sites whose rehearsals are not known.
	Rehearsal        *overview.Rehearsal `json:"rehearsal,omitempty"`
	RehearsalsUnread []string            `json:"rehearsalsUnread,omitempty"`
	// Operations are the last failovers and other moves, newest first.
	Operations      []Operation `json:"operations"`
	PVCs            int         `json:"pvcs"`
	WithoutCopy     []string    `json:"withoutCopy,omitempty"`
	SizeDifferences []string    `json:"sizeDifferences,omitempty"`
	// Note says what is not known of the group.
	Note string `json:"note,omitempty"`
}

// Readiness is whether a planned failover would begin now.
type Readiness struct {
	Answer Answer `json:"answer"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	// Problems are the checks that refuse it.
	Problems []recovery.Check `json:"problems,omitempty"`
	// Unplanned is what is left where the source does not answer.
	Unplanned *Unplanned `json:"unplanned,omitempty"`
}

// Unplanned is whether an unplanned failover would begin now.
type Unplanned struct {
	// Loss is what would be lost.
	Loss string `json:"loss"`
	// Command begins it, accepting that loss; empty where it would be refused.
	Command string `json:"command,omitempty"`
	// Problems are the checks that refuse it.
	Problems []recovery.Check `json:"problems,omitempty"`
}

// Words answers the question whether a group could fail over.
func (r Readiness) Words() string {
	to := ""
	if r.To != "" {
		to = ", to " + r.To
	}
	if r.Unplanned != nil && r.Unplanned.Command != "" {
		return "only with data loss" + to
	}
	return string(r.Answer) + to
}

// Rehearsed says how the last rehearsal of a group went: "never" only where all sites have told.
func (g Group) Rehearsed() string {
	switch r := g.Rehearsal; {
	case r != nil && r.Result != "":
		return string(r.Result)
	case r != nil:
		return r.State
	case len(g.RehearsalsUnread) > 0:
		return "unknown"
	case g.ManagedBy != "vgr":
		return "not possible"
	default:
		return "never"
	}
}

// RehearsalLevel is that of its result; empty where there is none.
func (g Group) RehearsalLevel() overview.Level {
	switch r := g.Rehearsal; {
	case r == nil:
		return ""
	case r.Result == rehearsal.Failed:
		return overview.Problem
	case r.Expired || r.Result == rehearsal.Abandoned:
		return overview.Warning
	case r.Result == rehearsal.Passed:
		return overview.OK
	default:
		return ""
	}
}

// Answer is one to a question that may have none.
type Answer string

// Answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Operation is a past failover or other move of a group.
type Operation struct {
	ID      string           `json:"id"`
	Kind    recovery.Kind    `json:"kind"`
	From    string           `json:"from"`
	To      string           `json:"to"`
	By      string           `json:"by"`
	Started metav1.MicroTime `json:"started"`
	// Result is "in flight" until there is one.
	Result string `json:"result"`
	// RecoverySeconds is the time until the target was verified to be primary; absent when it was not.
	RecoverySeconds *float64 `json:"recoverySeconds,omitempty"`
	DataLoss        string   `json:"dataLoss"`
}

// PVC is one that is in no group.
type PVC struct {
	Site         string `json:"site"`
	Namespace    string `json:"namespace"`
	Name         string `json:"name"`
	StorageClass string `json:"storageClass,omitempty"`
	Size         string `json:"size,omitempty"`
}
