// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Controller is what is known of the controller of a site. What it has written is as old as its silence: at rest
// it writes nothing, so its Lease is the only sign that it lives.
type Controller struct {
	// RenewedAt is when it last renewed its Lease; absent when there is none, and when it is not known.
	RenewedAt *metav1.Time `json:"renewedAt,omitempty"`
	// Silent is true when that is too long ago: nothing better than Unknown is said of the site's groups.
	Silent bool `json:"silent,omitempty"`
	// Message says what is wrong, or why it is not known.
	Message string `json:"message,omitempty"`
}

// silentAfter is how long after its last sign of life a controller is not taken to live any more. It renews its
// Lease every two seconds; a new one takes over within half a minute.
const silentAfter = time.Minute

// heard completes what was read of a controller by the clock of its site.
func (c *Controller) heard(site string, now time.Time) *Controller {
	if c == nil || c.Message != "" {
		return c
	}
	out := *c
	if c.RenewedAt == nil {
		out.Silent = true
		out.Message = fmt.Sprintf("no controller is known to run on %s (it has no Lease vgr-system/vgr-controller); its states may be of any age", site)
		return &out
	}
	if age, known := state.Age(now, c.RenewedAt); known && age > silentAfter {
		out.Silent = true
		out.Message = fmt.Sprintf("the controller on %s has been silent for %s; states are from %s", site, duration.HumanDuration(age), clockTime(c.RenewedAt.Time, now))
	} else if ahead := state.Ahead(now, c.RenewedAt); ahead > silentAfter {
		out.Silent = true
		out.Message = fmt.Sprintf("the clocks of %s differ by %s, so whether its controller lives is not known", site, duration.HumanDuration(ahead))
	}
	return &out
}

// clockTime returns a time of the day in UTC, with the day unless that is clear.
func clockTime(t, now time.Time) string {
	if now.Sub(t).Abs() > 12*time.Hour {
		return t.UTC().Format(time.DateTime) + " UTC"
	}
	return t.UTC().Format(time.TimeOnly) + " UTC"
}

// blind returns the verdict when the controller of a site that has the group is silent.
func (j judged) blind() *Verdict {
	var texts, sites []string
	for i, s := range j.sites {
		if c := s.Controller; c != nil && c.Silent && s.Answered && j.Sites[i].Exists && j.Sites[i].Native == nil {
			texts, sites = append(texts, c.Message), append(sites, s.Name)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return &Verdict{
		Level: Problem, Phase: Unknown, Message: strings.Join(texts, "; "),
		Next: "see why vgr-controller does not run on " + strings.Join(sites, " and ") + ": kubectl vgr version",
	}
}
