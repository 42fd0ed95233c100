// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// TestRefused: nothing is switched to primary, or created as a primary over a copy, that is not confirmed; and
// what an earlier group has left keeps its role.
func TestRefused(t *testing.T) {
	unconfirmed := backend.Problemf(vgrv1.ReasonPromotionNotConfirmed, "not confirmed")
	one := func(pvc string, asks replicationv1.ReplicationState) replicationv1.VolumeReplication {
		return replicationv1.VolumeReplication{
			ObjectMeta: metav1.ObjectMeta{Name: "db-" + pvc, CreationTimestamp: at(1)},
			Spec:       replicationv1.VolumeReplicationSpec{ReplicationState: asks, DataSource: corev1.TypedLocalObjectReference{Name: pvc}},
		}
	}
	going := func(pvc string) replicationv1.VolumeReplication {
		vr := one(pvc, "secondary")
		vr.DeletionTimestamp = new(at(2))
		return vr
	}
	lead := backend.Group{
		Owner: groupOwner("prod", "db"), State: vgrv1.Primary, Unconfirmed: unconfirmed,
		Members: []backend.Member{{PVC: "data"}, {PVC: "logs"}},
	}
	lead.Class.Parameters = map[string]string{vgrv1.ParameterConsistencyGroup: "disabled"}
	with := func(change func(*backend.Group)) backend.Group {
		g := lead
		change(&g)
		return g
	}
	copied := with(func(g *backend.Group) { g.Copy = true })
	confirmed := with(func(g *backend.Group) { g.Copy, g.Unconfirmed = true, nil })
	follow := with(func(g *backend.Group) { g.State, g.Unconfirmed, g.Copy = vgrv1.Secondary, nil, true })
	anew := with(func(g *backend.Group) { g.State, g.Unconfirmed, g.Since = vgrv1.Secondary, nil, at(5) })
	resync := with(func(g *backend.Group) { g.State, g.Unconfirmed, g.Since = vgrv1.Resync, nil, at(5) })
	type volumes = []replicationv1.VolumeReplication
	cases := map[string]struct {
		group   backend.Group
		volumes volumes
		reason  string
	}{
		"first creation":                          {lead, nil, ""},
		"first creation over a copy":              {copied, nil, vgrv1.ReasonPromotionNotConfirmed},
		"first creation over a copy, confirmed":   {confirmed, nil, ""},
		"all primary":                             {copied, volumes{one("data", "primary"), one("logs", "primary")}, ""},
		"all secondary":                           {lead, volumes{one("data", "secondary"), one("logs", "secondary")}, vgrv1.ReasonPromotionNotConfirmed},
		"all resync":                              {lead, volumes{one("data", "resync"), one("logs", "resync")}, vgrv1.ReasonPromotionNotConfirmed},
		"a mix":                                   {lead, volumes{one("data", "primary"), one("logs", "secondary")}, vgrv1.ReasonPromotionNotConfirmed},
		"a mix, confirmed":                        {confirmed, volumes{one("data", "primary"), one("logs", "secondary")}, ""},
		"one joins a primary":                     {lead, volumes{one("data", "primary")}, ""},
		"one joins, and the group was a copy":     {copied, volumes{one("data", "primary")}, vgrv1.ReasonPromotionNotConfirmed},
		"a secondary leaves":                      {lead, volumes{one("data", "primary"), one("logs", "primary"), one("old", "secondary")}, ""},
		"a secondary that is made anew":           {lead, volumes{one("data", "primary"), going("logs")}, ""},
		"a demotion":                              {follow, volumes{one("data", "primary"), one("logs", "primary")}, ""},
		"creation as secondary":                   {follow, nil, ""},
		"made again as secondary over primaries":  {anew, volumes{one("data", "primary"), one("logs", "primary")}, vgrv1.ReasonRoleDiffers},
		"made again as resync over primaries":     {resync, volumes{one("data", "primary"), one("logs", "primary")}, vgrv1.ReasonRoleDiffers},
		"made again as secondary over the same":   {anew, volumes{one("data", "secondary"), one("logs", "secondary")}, ""},
		"made again as secondary, one to be made": {anew, volumes{one("data", "secondary")}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			reason := ""
			if problem := refused(tc.group, found{volumes: tc.volumes}); problem != nil {
				reason = problem.Reason
			}
			if reason != tc.reason {
				t.Errorf("got %q, want %q", reason, tc.reason)
			}
		})
	}
}
