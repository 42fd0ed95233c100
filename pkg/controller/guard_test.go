// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

func TestGuard(t *testing.T) {
	told := func(fate vgrv1.PeerState, boundTo string) map[string]string {
		return map[string]string{vgrv1.AnnotationPeer: string(fate) + "/op", vgrv1.AnnotationBoundTo: boundTo}
	}
	cases := map[string]struct {
		asks        vgrv1.ReplicationState
		annotations map[string]string
		status      vgrv1.ReplicationStatus
		marked      bool
		reason      string // of Unconfirmed
		copied      bool
		changed     bool
	}{
		"never had a peer":                   {asks: vgrv1.Primary, reason: vgrv1.ReasonPromotionNotConfirmed},
		"over a prepared copy":               {asks: vgrv1.Primary, marked: true, reason: vgrv1.ReasonPromotionNotConfirmed, copied: true},
		"a prepared copy that was primary":   {asks: vgrv1.Primary, marked: true, status: vgrv1.ReplicationStatus{LastRole: vgrv1.StatePrimary, ObservedGeneration: 2}, reason: vgrv1.ReasonPromotionNotConfirmed},
		"was secondary":                      {asks: vgrv1.Primary, status: vgrv1.ReplicationStatus{LastRole: vgrv1.StateSecondary, State: vgrv1.StateUnknown}, reason: vgrv1.ReasonPromotionNotConfirmed, copied: true},
		"secondary, by an older controller":  {asks: vgrv1.Primary, status: vgrv1.ReplicationStatus{State: vgrv1.StateSecondary}, reason: vgrv1.ReasonPromotionNotConfirmed, copied: true},
		"told with the write":                {asks: vgrv1.Primary, annotations: told(vgrv1.PeerDemoted, "uid/3"), status: vgrv1.ReplicationStatus{LastRole: vgrv1.StateSecondary}, copied: true},
		"told with the write before":         {asks: vgrv1.Primary, annotations: told(vgrv1.PeerDemoted, "uid/2"), status: vgrv1.ReplicationStatus{LastRole: vgrv1.StateSecondary}, reason: vgrv1.ReasonPromotionNotConfirmed, copied: true},
		"told, and the promotion is over":    {asks: vgrv1.Primary, annotations: told(vgrv1.PeerDemoted, "uid/3"), status: vgrv1.ReplicationStatus{LastRole: vgrv1.StatePrimary, ConfirmedGeneration: 3}, reason: vgrv1.ReasonRoleChangedOutside, changed: true},
		"unguarded":                          {asks: vgrv1.Primary, annotations: map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}, marked: true, copied: true},
		"secondary":                          {asks: vgrv1.Secondary, status: vgrv1.ReplicationStatus{LastRole: vgrv1.StatePrimary}},
		"secondary that was confirmed":       {asks: vgrv1.Secondary, status: vgrv1.ReplicationStatus{LastRole: vgrv1.StateSecondary, ConfirmedGeneration: 3}, copied: true, changed: true},
		"confirmed, and asked to try again":  {asks: vgrv1.Secondary, annotations: map[string]string{vgrv1.AnnotationRetry: "1"}, status: vgrv1.ReplicationStatus{LastRole: vgrv1.StateSecondary, ConfirmedGeneration: 3}, copied: true},
		"confirmed after it was tried again": {asks: vgrv1.Secondary, annotations: map[string]string{vgrv1.AnnotationRetry: "1"}, status: vgrv1.ReplicationStatus{LastRole: vgrv1.StateSecondary, ConfirmedGeneration: 3, ConfirmedRetry: "1"}, copied: true, changed: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", UID: "uid", Generation: 3, Annotations: tc.annotations}}
			o.Spec.ReplicationState, o.Status.ReplicationStatus = tc.asks, tc.status
			g := backend.Group{State: tc.asks, Members: []backend.Member{{PVC: "data", Copy: tc.marked}}}
			guard(groupTarget(o), &g)
			reason := ""
			if g.Unconfirmed != nil {
				reason = g.Unconfirmed.Reason
				command := "kubectl vgr failover db -n shop --to SITE"
				if tc.changed {
					command = "kubectl vgr demote db -n shop --context SITE"
				}
				if !strings.Contains(g.Unconfirmed.Message, command) {
					t.Errorf("%q does not name %q", g.Unconfirmed.Message, command)
				}
			}
			if reason != tc.reason || g.Copy != tc.copied || (g.Changed != nil) != tc.changed {
				t.Errorf("unconfirmed %q, copy %v, changed %v", reason, g.Copy, g.Changed)
			}
		})
	}
}

// TestUndirected: a demotion that may hand the role over is one that kubectl vgr asks for, in the write that made the
// present generation.
func TestUndirected(t *testing.T) {
	bound := func(to string) map[string]string { return map[string]string{vgrv1.AnnotationBoundTo: to} }
	for name, tc := range map[string]struct {
		asks        vgrv1.ReplicationState
		annotations map[string]string
		refused     bool
	}{
		"by kubectl vgr":              {vgrv1.Secondary, bound("uid/3"), false},
		"a direct edit":               {vgrv1.Secondary, nil, true},
		"a direct edit, after others": {vgrv1.Secondary, bound("uid/2"), true},
		"of the object of before":     {vgrv1.Secondary, bound("old/3"), true},
		"unguarded":                   {vgrv1.Secondary, map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}, false},
		"resync":                      {vgrv1.Resync, nil, true},
		"no demotion":                 {vgrv1.Primary, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", UID: "uid", Generation: 3, Annotations: tc.annotations}}
			o.Spec.ReplicationState = tc.asks
			g := backend.Group{State: tc.asks}
			guard(groupTarget(o), &g)
			if (g.Undirected != nil) != tc.refused {
				t.Errorf("%+v", g.Undirected)
			}
			if g.Undirected != nil && !strings.Contains(g.Undirected.Message, "kubectl vgr failover db -n shop --to SITE (SITE is the context of the other cluster)") {
				t.Errorf("%q", g.Undirected.Message)
			}
		})
	}
}
