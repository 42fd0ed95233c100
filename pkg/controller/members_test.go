// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRefusedMember: a PVC that is replicated and has lost its volume is not said to be better off without the labels: that
// would end the replication of the copy, which is all that is left.
func TestRefusedMember(t *testing.T) {
	pvc := func(name string, phase corev1.PersistentVolumeClaimPhase) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv-" + name},
			Status: corev1.PersistentVolumeClaimStatus{Phase: phase},
		}
	}
	for name, tc := range map[string]struct {
		pvc  *corev1.PersistentVolumeClaim
		want string
	}{
		"lost":     {pvc("data", corev1.ClaimLost), "cannot replicate PVC data (its PersistentVolume pv-data is gone: the PVC is Lost); fix that, and leave the group's labels on: without them the replication of data ends, and its copy may be deleted"},
		"lost new": {pvc("new", corev1.ClaimLost), "cannot replicate PVC new (its PersistentVolume pv-new is gone: the PVC is Lost); fix that, or take the group's labels off"},
		"pending":  {pvc("new", corev1.ClaimPending), "cannot replicate PVC new (not bound to a volume); fix that, or take the group's labels off"},
	} {
		m := memberSorter{inGroup: func(name string) bool { return name == "data" }}
		if err := m.add(t.Context(), nil, tc.pvc); err != nil {
			t.Fatal(err)
		}
		if got := m.problem(); got == nil || got.Message != tc.want {
			t.Errorf("%s: %+v, want %q", name, got, tc.want)
		}
	}
}
