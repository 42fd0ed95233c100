// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend_test

import (
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/dell"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// TestIntervals: an interval that the check of a class lets through is a schedule to judge a lag by.
func TestIntervals(t *testing.T) {
	texts := []string{
		"5m", "1h", "1d", "24h", "300s", "1h30m", "1d12h", "1.5h", "500ms", "1ns", "0m", "-5m", "", "m", "5", "often", "05m",
		"99999999999999999999d", "35583d", "35584d", "9223372036854775807m", "99999999999m", "2562047h", "1e3m",
	}
	accepts := map[string][]string{ // those that are seen most
		csiaddons.Name: {"5m", "1h", "1d"}, dell.Name: {"5m", "1h", "1d", "24h"}, trident.Name: {"5m", "1h", "1d", "300s", "1h30m", "1d12h"},
	}
	for driver, p := range map[string]backend.Profile{"rbd.csi.ceph.com": csiaddons.Profile(), "csi-powerstore.dellemc.com": dell.Profile(), "csi.trident.netapp.io": trident.Profile()} {
		passed := map[string]bool{}
		for _, text := range texts {
			problems := p.CheckParameters(backend.Class{Provisioner: driver, Parameters: map[string]string{vgrv1.ParameterSchedulingInterval: text}})
			passed[text] = len(problems) == 0
			if _, ok := state.Interval(text); passed[text] && !ok {
				t.Errorf("%s: %q passes the check, and is no schedule", p.Name, text)
			}
		}
		for _, text := range accepts[p.Name] {
			if !passed[text] {
				t.Errorf("%s: %q is refused", p.Name, text)
			}
		}
	}
}
