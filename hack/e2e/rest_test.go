// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// TestIdle counts what is written while nothing happens: nothing, by the API server's own count.
// Leases are left out, and with them the leader's heartbeat; csi-addons writes once per interval.
func TestIdle(t *testing.T) {
	t.Parallel()
	const groups, minute = 50, time.Minute
	w := ownWorld(t) // a lab of its own: other tests' groups sync every minute
	s := newSceneIn(t, w)
	for i := range groups {
		name := fmt.Sprintf("group-%d", i)
		labels := map[string]string{"app": name}
		s.create(lab.East, s.claim(name, lab.FastStorageClass, labels))
		s.create(lab.East, s.group(name, "hourly", vgrv1.Primary, labels))
	}
	for i := range groups {
		s.ready(lab.East, fmt.Sprintf("group-%d", i), vgrv1.StatePrimary, 1)
	}
	s.quiet(lab.East)
	before := s.ours(lab.East)
	all, err := s.lab.Site(lab.East).WriteRequests(t.Context(), nil)
	s.must(err)
	select { // the time itself is what is measured
	case <-t.Context().Done():
	case <-time.After(minute):
	}
	after, err := s.lab.Site(lab.East).WriteRequests(t.Context(), nil)
	s.must(err)
	t.Logf("%d groups at rest for %s: %.0f writes by everybody, %d of them ours", groups, minute, after-all, s.ours(lab.East)-before)
	if n := s.ours(lab.East) - before; n > 0 {
		t.Errorf("our controller wrote %d times at rest", n)
	}
}

// ours counts the writes of our controller, leases left out.
func (s *scene) ours(site string) int {
	s.t.Helper()
	writes, err := s.lab.Site(site).Writes()
	s.must(err)
	n := 0
	for _, w := range writes {
		if strings.HasSuffix(w.User, ":vgr-controller") && w.Resource != "leases" {
			n++
		}
	}
	return n
}

// quiet waits until no program has written for a while: groups of other tests are on their way too.
func (s *scene) quiet(site string) {
	s.t.Helper()
	last := -1
	for {
		n := s.ours(site)
		if n == last {
			return
		}
		last = n
		select {
		case <-s.t.Context().Done():
			s.t.Fatal("it never became quiet")
		case <-time.After(10 * settle):
		}
	}
}
