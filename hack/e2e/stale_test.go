// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// TestBackToBack moves groups on Ceph with the intervals that its daemons have by default: over, write there, and
// straight back, and once more. What the storage shows of a group that has just been promoted is left of the hand-over
// before, and RBD promotes the side that lacks the writes without force. None may be lost.
func TestBackToBack(t *testing.T) {
	t.Parallel()
	s := newPatientScene(t)
	const groups = 3
	var names []string
	for i := range groups {
		names = append(names, fmt.Sprintf("db-%d", i))
		s.cephClaims(lab.East, map[string]string{"app": names[i]}, names[i]+"-data")
		s.done("create", names[i], "-n", s.ns, "--class", ceph, "-l", "app="+names[i], "--yes")
	}
	from, to := lab.East, lab.West
	for range 3 {
		var moving sync.WaitGroup
		for _, name := range names {
			moving.Go(func() {
				if err := s.lab.Site(from).Write(t.Context(), s.ns+"/"+name+"-data", 5); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if r := s.vgr("failover", name, "-n", s.ns, "--to", to, "--yes"); r.code != 0 {
					t.Errorf("%s to %s: exit code %d\n%s%s", name, to, r.code, r.out, r.errOut)
				}
			})
		}
		moving.Wait()
		s.whole(to, from)
		if t.Failed() {
			return
		}
		from, to = to, from
	}
}
