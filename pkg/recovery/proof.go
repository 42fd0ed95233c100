// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// unreplicated says what a primary lacks for its demotion, by when to expect it, and what makes it come
// sooner.
func (s *Site) unreplicated(schedule time.Duration, t backend.Traits) string {
	if s.Unwatched && s.Group != nil && s.Group.Status.StateSince == nil {
		return fmt.Sprintf("no controller of kubectl vgr has watched %s, so a synchronisation that it has reported so far may be of an earlier role: the operation waits for the next one", s.Name)
	}
	if s.Group == nil || s.Group.Status.StateSince == nil {
		return fmt.Sprintf("the controller on %s does not say since when it is primary; install the controller of this version there", s.Name)
	}
	if doubt := s.view().Doubt(); doubt != "" {
		return fmt.Sprintf("the storage of %s does not confirm that it still synchronises: %s; the copy may have stopped or diverged (on Ceph, see rbd mirror image status POOL/IMAGE on both sites)", s.Name, doubt)
	}
	since := s.Group.Status.StateSince.UTC()
	text := fmt.Sprintf("%s has not reported a synchronisation since it became primary at %s; only that proves that the other site receives all writes",
		s.Name, since.Format(time.RFC3339))
	if schedule > 0 {
		// The first one comes within a schedule, and is asked for within another one.
		by := since.Add(2*schedule + state.ReportDelay)
		if s.Now.After(by) {
			text += fmt.Sprintf("; with a schedule of %s it was expected by %s: check the link between the sites and the mirroring daemons", short(schedule), by.Format(time.RFC3339))
		} else {
			text += fmt.Sprintf("; with a schedule of %s expect it by %s", short(schedule), by.Format(time.RFC3339))
		}
	}
	if t.SyncNow != "" {
		text += "; " + t.SyncNow + " makes it come sooner"
	}
	return text
}

// schedule returns how often the storage synchronises; 0 when it is not known.
func (op *Operation) schedule() time.Duration {
	if op.Schedule == nil {
		return 0
	}
	return op.Schedule.Duration
}

// short returns a duration without the units that are zero.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(text) - len(zero) + 1; n > 0 && text[n-1:] == zero {
			text = text[:n]
		}
	}
	return text
}
