// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"strings"
	"testing"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestDiverged: the message on a copy that is split from its peer never says to promote the peer, which may be primary.
func TestDiverged(t *testing.T) {
	for text, want := range map[string]bool{
		"volume failed to resync: rpc error: code = Unavailable desc = image is in split-brain": true,
		"secondary image status is up=true and state=error":                                     true,
		"volume failed to demote: image is attached":                                            false,
	} {
		vr := &replicationv1.VolumeReplication{Status: replicationv1.VolumeReplicationStatus{
			State: replicationv1.SecondaryState, Conditions: []metav1.Condition{condition("Degraded", metav1.ConditionTrue, "Error", text)},
		}}
		if got := diverged(vr); (got != "") != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// TestReleased: what csi-addons has let go waits for neither Ceph nor a driver.
func TestReleased(t *testing.T) {
	now := metav1.Now()
	for name, tc := range map[string]struct {
		deleted    *metav1.Time
		finalizers []string
		want       bool
	}{
		"not deleted":            {nil, []string{"example.com/backup"}, false},
		"csi-addons ends it":     {&now, []string{"example.com/backup", "replication.storage.openshift.io"}, false},
		"another tool has it":    {&now, []string{"example.com/backup"}, true},
		"nothing holds it":       {&now, nil, false},
		"not taken up, no holds": {nil, nil, false},
	} {
		vr := &replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: tc.deleted, Finalizers: tc.finalizers}}
		if got := released(vr); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTroubleOf: a missing or unconnected CSIAddonsNode is named, with how to enable it for Rook.
func TestTroubleOf(t *testing.T) {
	node := func(driver string, state csiaddonsv1.CSIAddonsNodeState) csiaddonsv1.CSIAddonsNode {
		return csiaddonsv1.CSIAddonsNode{
			ObjectMeta: metav1.ObjectMeta{Namespace: "rook-ceph", Name: "node"}, Spec: csiaddonsv1.CSIAddonsNodeSpec{Driver: csiaddonsv1.CSIAddonsNodeDriver{Name: driver}},
			Status: csiaddonsv1.CSIAddonsNodeStatus{State: state, Capabilities: []string{"service.CONTROLLER_SERVICE"}},
		}
	}
	const rook = "my-ns.rbd.csi.ceph.com"
	for name, tc := range map[string]struct {
		driver string
		nodes  []csiaddonsv1.CSIAddonsNode
		want   []string
	}{
		"none":              {rook, nil, []string{"no CSIAddonsNode for driver " + rook, "CSI_ENABLE_CSIADDONS"}},
		"of another driver": {"block.csi.ibm.com", []csiaddonsv1.CSIAddonsNode{node(rook, csiaddonsv1.CSIAddonsNodeStateConnected)}, []string{"no CSIAddonsNode for driver block.csi.ibm.com", "without the csi-addons sidecar"}},
		"not connected":     {rook, []csiaddonsv1.CSIAddonsNode{node(rook, csiaddonsv1.CSIAddonsNodeStateRetrying)}, []string{"CSIAddonsNode rook-ceph/node is Retrying"}},
		"connected":         {rook, []csiaddonsv1.CSIAddonsNode{node(rook, csiaddonsv1.CSIAddonsNodeStateRetrying), node(rook, csiaddonsv1.CSIAddonsNodeStateConnected)}, nil},
	} {
		got, capabilities := troubleOf(tc.nodes, tc.driver)
		for _, want := range tc.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q has not %q", name, got, want)
			}
		}
		if tc.want == nil && (got != "" || len(capabilities) == 0) {
			t.Errorf("%s: %q, capabilities %v", name, got, capabilities)
		}
	}
}
