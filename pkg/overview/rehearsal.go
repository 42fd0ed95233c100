// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
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
	Expired   bool         `json:"expired,omitempty"`
}

// RehearsedOn is a rehearsal with the site that it took place on.
type RehearsedOn struct {
	Site string `json:"site"`
	rehearsal.Record
}

// lastRehearsal returns the newest that a site knows of; a record that cannot be read is none.
func lastRehearsal(sites []SiteInput, objects []*vgrv1.VolumeGroupReplication, now time.Time) *Rehearsal {
	var out *Rehearsal
	for i, obj := range objects {
		if obj == nil || obj.Annotations[vgrv1.AnnotationRehearsals] == "" {
			continue
		}
		r := rehearsal.Last(obj)
		if r == nil || out != nil && out.Started.After(r.Started.Time) {
			continue
		}
		at := clockOf(sites, sites[i].Name, now)
		out = &Rehearsal{ID: r.ID, Site: sites[i].Name, By: r.By, Started: r.Started, Result: r.Result, State: r.State(at), Message: r.Message, Expired: r.Expired(at)}
		if age, ok := r.Age(); ok {
			out.AgeSeconds = new(int64(age.Seconds()))
		}
		if r.Open() {
			out.Namespace, out.KeptUntil = r.Namespace, r.KeptUntil
		}
	}
	return out
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
