// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestHeldBy: the role is the array's word, and nothing while it has not spoken or an action runs.
func TestHeldBy(t *testing.T) {
	heard := metav1.Now()
	link := func(state string, source bool) LinkState {
		return LinkState{State: state, IsSource: source, LastSuccessfulUpdate: &heard}
	}
	for name, tc := range map[string]struct {
		link   LinkState
		action string
		want   vgrv1.State
	}{
		"not heard of":     {LinkState{State: linkSynchronized, IsSource: true}, "", ""},
		"the source":       {link(linkSynchronized, true), "", vgrv1.StatePrimary},
		"the target":       {link(linkSynchronized, false), "", vgrv1.StateSecondary},
		"failed over":      {link(linkFailedOver, true), "", vgrv1.StatePrimary},
		"an action runs":   {link(linkSynchronized, true), failoverRemote, vgrv1.StateUnknown},
		"an unknown link":  {link(linkUnknown, true), "", vgrv1.StateUnknown},
		"a suspended link": {link(linkSuspended, false), "", vgrv1.StateSecondary},
	} {
		rg := &ReplicationGroup{Spec: ReplicationGroupSpec{Action: tc.action}, Status: ReplicationGroupStatus{ReplicationLinkState: tc.link}}
		if got := heldBy(rg, "data"); got.Role != tc.want {
			t.Errorf("%s: %q, want %q", name, got.Role, tc.want)
		}
	}
}
