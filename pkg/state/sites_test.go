// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state_test

import (
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// TestNameSites: commands of a controller name the site once it is known who reads them.
func TestNameSites(t *testing.T) {
	for name, tc := range map[string]struct{ text, here, other, want string }{
		"this site":      {"run kubectl vgr failover db --to SITE (SITE is the context of this cluster); or not", "east", "west", "run kubectl vgr failover db --to east; or not"},
		"the other site": {"run kubectl vgr failover db --to SITE (SITE is the context of the other cluster)", "east", "west", "run kubectl vgr failover db --to west"},
		"it is not known": {
			"kubectl vgr failover db --to SITE (SITE is the context of the other cluster)", "east", "",
			"kubectl vgr failover db --to SITE (SITE is the context of the other cluster)",
		},
		"several commands": {
			"kubectl vgr promote db --context SITE (SITE is the context of this cluster); or kubectl vgr reprotect db --discard-site SITE", "'a$1 b'", "west",
			"kubectl vgr promote db --context 'a$1 b'; or kubectl vgr reprotect db --discard-site 'a$1 b'",
		},
		"no such text": {"the PVC SITE is lost", "east", "west", "the PVC SITE is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := state.NameSites(tc.text, tc.here, tc.other); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
