// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
)

// Rehearsal is a group's last rehearsal in short; kubectl vgr history has all of it.
type Rehearsal struct {
	ID      string           `json:"id"`
	Site    string           `json:"site"`
	By      string           `json:"by"`
	Started metav1.MicroTime `json:"started"`
	// Result is empty while it runs; State says what is still there.
	Result  rehearsal.Result `json:"result,omitempty"`
	State   string           `json:"state"`
	Message string           `json:"message,omitempty"`
	// AgeSeconds is how old the oldest data was when it was cloned; absent where that is not known of each volume.
	AgeSeconds *int64 `json:"ageSeconds,omitempty"`
	// Namespace is where a person finds what is kept, until KeptUntil; absent when nothing is left.
	Namespace string       `json:"namespace,omitempty"`
	KeptUntil *metav1.Time `json:"keptUntil,omitempty"`
	// Expired is true when it should have been ended by now.
	Expired bool `json:"expired,omitempty"`
	// LastPassed is when the last one that passed began; absent when the group remembers none.
	LastPassed *metav1.MicroTime `json:"lastPassed,omitempty"`
}

// RehearsedOn is a rehearsal with the site that it took place on.
type RehearsedOn struct {
	Site string `json:"site"`
	rehearsal.Record
}

// rehearsed takes over the newest rehearsal that a site knows of.
func (g *Group) rehearsed(sites []SiteInput, now time.Time) {
	var out *Rehearsal
	var passed *metav1.MicroTime
	for i, obj := range g.copies {
		if obj == nil {
			if !sites[i].Answered {
				g.RehearsalsUnread = append(g.RehearsalsUnread, sites[i].Name)
			}
			continue
		}
		all, err := rehearsal.Records(obj)
		if err != nil {
			g.RehearsalsUnread = append(g.RehearsalsUnread, sites[i].Name)
		}
		if p := rehearsal.LastPassed(all); p != nil && (passed == nil || passed.Before(p)) {
			passed = p
		}
		if len(all) == 0 || out != nil && out.Started.After(all[0].Started.Time) {
			continue
		}
		r, at := &all[0], clockOf(sites, sites[i].Name, now)
		out = &Rehearsal{ID: r.ID, Site: sites[i].Name, By: r.By, Started: r.Started, Result: r.Result, State: r.State(at), Message: r.Message, Expired: r.Expired(at)}
		if age, ok := r.Age(); ok {
			out.AgeSeconds = new(int64(age.Seconds()))
		}
		if r.Open() {
			out.Namespace, out.KeptUntil = r.Namespace, r.KeptUntil
		}
	}
	if out != nil {
		out.LastPassed = passed
	}
	g.Rehearsal = out
}

// Rehearsals returns those that the group remembers on both sites, newest first.
func (g Group) Rehearsals() ([]RehearsedOn, error) {
	var all []RehearsedOn
	for i, obj := range g.copies {
		if obj == nil {
			continue
		}
		records, err := rehearsal.Records(obj)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			all = append(all, RehearsedOn{g.Sites[i].Site, r})
		}
	}
	slices.SortStableFunc(all, func(a, b RehearsedOn) int { return b.Started.Compare(a.Started.Time) })
	return all, nil
}
