// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestDemotions: where a demotion hands the role over, or is none, it is refused with the command to use.
func TestDemotions(t *testing.T) {
	for name, traits := range storages {
		w := newWorld(traits, recovery.Planned, 0)
		_, stop := recovery.Begin(w.observe(true), recovery.Request{Kind: recovery.Demote, To: sites[west], ID: "1", Holder: "me"}, traits)
		switch {
		case traits.ConfirmsSync && stop != nil:
			t.Errorf("%s: %s", name, stop.Message)
		case !traits.ConfirmsSync && (stop == nil || stop.Next != "kubectl vgr failover db -n production --to west"):
			t.Errorf("%s: %+v", name, stop)
		}
	}
}
