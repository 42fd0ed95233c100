// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestClaimedByObjects: csi-addons is stopped, so it has not marked the PVCs that objects of others name. A group of them is
// refused all the same, and made when those objects are gone.
func TestClaimedByObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.connect()
	w.class("gold", nil)
	w.class("single", map[string]string{"consistencyGroup": "disabled"})
	volume := &replicationv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "theirs", Finalizers: []string{"csi-addons.test/protection"}},
		Spec: replicationv1.VolumeReplicationSpec{
			VolumeReplicationClass: "x", ReplicationState: "primary", DataSource: corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "in-volume"},
		},
	}
	group := &replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "theirs"},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: "x", ReplicationState: "primary",
			Source: replicationv1.VolumeGroupReplicationSource{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "in-group"}}},
		},
	}
	w.create(volume)
	w.create(group)
	for _, tc := range []struct {
		name, class string
		by          client.Object
		says, then  string
	}{
		{"in-volume", "gold", volume, "in-volume by VolumeReplication theirs", "False/Progressing: waiting for the csi-addons manager"},
		{"in-group", "single", group, "in-group by VolumeGroupReplication theirs", "False/Progressing"},
	} {
		labels := map[string]string{"app": tc.name}
		w.boundPVC(tc.name, driver, labels)
		key := client.ObjectKeyFromObject(w.group(tc.name, tc.class, labels))
		w.says("[user] labels a PVC that another object names", key, "False/VolumeConflict: csi-addons replicates already: "+tc.says)
		if err := w.Delete(t.Context(), tc.by); err != nil {
			t.Fatal(err)
		}
		if tc.by == volume {
			change(w, volume, func(v *replicationv1.VolumeReplication) { v.Finalizers = nil })
		}
		w.says("[csi-addons] has removed it", key, tc.then)
	}
}
