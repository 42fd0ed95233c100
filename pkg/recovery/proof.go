// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// reportDelay is how long after a scheduled synchronisation a backend reports it at most, beside its own
// poll: csi-addons asks once per schedule, Ceph's daemons tell of a state that is up to 30 s old.
const reportDelay = 30 * time.Second

// unreplicated says what a primary lacks for its demotion, by when to expect it, and what makes it come
// sooner.
func (s *Site) unreplicated(schedule *metav1.Duration, t backend.Traits) string {
	if s.Group == nil || s.Group.Status.StateSince == nil {
		return fmt.Sprintf("the controller on %s does not say since when it is primary; install the controller of this version there", s.Name)
	}
	since := s.Group.Status.StateSince.UTC()
	text := fmt.Sprintf("%s has not reported a synchronisation since it became primary at %s; without one nothing proves that the other site has all writes",
		s.Name, since.Format(time.TimeOnly))
	if schedule != nil && schedule.Duration > 0 {
		// The first one comes within a schedule, and is asked for within another one.
		text += fmt.Sprintf("; with a schedule of %s expect it by %s", short(schedule.Duration), since.Add(2*schedule.Duration+reportDelay).Format(time.TimeOnly))
	}
	if t.SyncNow != "" {
		text += "; " + t.SyncNow + " makes it come sooner"
	}
	return text
}

// short is a duration without the units that are zero.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(text) - len(zero) + 1; n > 0 && text[n-1:] == zero {
			text = text[:n]
		}
	}
	return text
}
