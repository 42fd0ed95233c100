// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestHeldBy: an object is a secondary as soon as it asks to be, and a primary only while nothing says otherwise.
func TestHeldBy(t *testing.T) {
	const primary, secondary, resync = replicationv1.Primary, replicationv1.Secondary, replicationv1.Resync
	for _, tc := range []struct {
		asks replicationv1.ReplicationState
		said replicationv1.State
		want vgrv1.State
	}{
		{primary, "", vgrv1.StatePrimary},
		{primary, replicationv1.UnknownState, vgrv1.StatePrimary},
		{primary, replicationv1.PrimaryState, vgrv1.StatePrimary},
		{primary, replicationv1.SecondaryState, vgrv1.StateUnknown},
		{secondary, "", vgrv1.StateSecondary},
		{secondary, replicationv1.PrimaryState, vgrv1.StateSecondary},
		{secondary, replicationv1.SecondaryState, vgrv1.StateSecondary},
		{resync, replicationv1.SecondaryState, vgrv1.StateSecondary},
	} {
		if got := heldBy(&replicationv1.VolumeReplication{}, "VolumeReplication", tc.asks, tc.said); got.Role != tc.want {
			t.Errorf("asks for %s, said %q: %s, want %s", tc.asks, tc.said, got.Role, tc.want)
		}
	}
	for name, tc := range map[string]struct {
		obj  metav1.ObjectMeta
		want string
	}{
		"by hand":                     {metav1.ObjectMeta{Name: "a"}, ""},
		"Ramen, by its reference":     {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "VolumeReplicationGroup", Name: "drpc", Controller: new(true)}}}, "Ramen's VolumeReplicationGroup drpc"},
		"Ramen, by its owner labels":  {metav1.ObjectMeta{Labels: map[string]string{"ramendr.openshift.io/owner-name": "drpc"}}, "Ramen's VolumeReplicationGroup drpc"},
		"Ramen, by its other label":   {metav1.ObjectMeta{Name: "vgr-cg-drpc", Labels: map[string]string{"ramendr.openshift.io/created-by-ramen": "true"}}, "Ramen's VolumeReplicationGroup vgr-cg-drpc"},
		"any other controller":        {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "App", Name: "x", Controller: new(true)}}}, "App x"},
		"an owner that does not lead": {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "App", Name: "x"}}}, ""},
	} {
		if got := keeper(&replicationv1.VolumeReplication{ObjectMeta: tc.obj}); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// TestUnlikeContent: a content that was left over keeps its handle, and with it another group.
func TestUnlikeContent(t *testing.T) {
	content := func(provisioner, handle string) client.Object {
		return &replicationv1.VolumeGroupReplicationContent{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Spec: replicationv1.VolumeGroupReplicationContentSpec{Provisioner: provisioner, VolumeGroupReplicationHandle: handle}}
	}
	wanted := content("rbd.csi.ceph.com", "group-2")
	for name, tc := range map[string]struct {
		wanted, there client.Object
		want          string
	}{
		"none":                 {wanted, nil, ""},
		"the same":             {wanted, content("rbd.csi.ceph.com", "group-2"), ""},
		"another handle":       {wanted, content("rbd.csi.ceph.com", "group-1"), `has the handle "group-1", the group has "group-2"`},
		"no handle":            {wanted, content("rbd.csi.ceph.com", ""), `has the handle ""`},
		"another driver":       {wanted, content("other", "group-2"), "another driver"},
		"before it is known":   {content("rbd.csi.ceph.com", ""), content("rbd.csi.ceph.com", "group-1"), ""},
		"not compared with it": {&replicationv1.VolumeReplication{}, &replicationv1.VolumeReplication{}, ""},
	} {
		got := unlike([]client.Object{tc.wanted}, []client.Object{tc.there})
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// TestReplicationsOfAllNamespaces: PVCs of one name in two namespaces are two PVCs.
func TestReplicationsOfAllNamespaces(t *testing.T) {
	replication := func(namespace, name string) replicationv1.VolumeReplication {
		vr := replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		vr.Spec.VolumeReplicationClass, vr.Spec.ReplicationState = "fast", replicationv1.Primary
		vr.Spec.DataSource = corev1.TypedLocalObjectReference{Kind: pvcKind, Name: "data"}
		vr.Status.State = replicationv1.PrimaryState
		return vr
	}
	pvc := func(namespace, replication string) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "data", Annotations: map[string]string{replicationv1.VolumeReplicationNameAnnotation: replication}}}
	}
	got := replicationsOf(
		[]replicationv1.VolumeReplication{replication("one", "db-data"), replication("two", "web-data")},
		[]replicationv1.VolumeReplicationClass{{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}},
		[]corev1.PersistentVolumeClaim{pvc("one", "db-data"), pvc("two", "web-data"), pvc("three", "")},
	)
	if len(got) != 2 {
		t.Fatalf("%d replications, want 2", len(got))
	}
	for _, r := range got {
		if r.NotAdoptable != "" {
			t.Errorf("%s: %s", client.ObjectKeyFromObject(r.Object), r.NotAdoptable)
		}
	}
	got = replicationsOf([]replicationv1.VolumeReplication{replication("one", "db-data")},
		[]replicationv1.VolumeReplicationClass{{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}}, []corev1.PersistentVolumeClaim{pvc("one", ""), pvc("two", "db-data")})
	if want := "csi-addons has not taken up the PVC for it"; got[0].NotAdoptable != want {
		t.Errorf("of a PVC that csi-addons has not taken up: %q, want %q", got[0].NotAdoptable, want)
	}
}

// TestHandleOf: a PVC's handle is that of the volume it is bound to, so that a copy with another name is found by it.
func TestHandleOf(t *testing.T) {
	volume := func(handle, namespace, name string, phase corev1.PersistentVolumePhase) corev1.PersistentVolume {
		return corev1.PersistentVolume{
			Spec: corev1.PersistentVolumeSpec{
				ClaimRef:               &corev1.ObjectReference{Namespace: namespace, Name: name},
				PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{VolumeHandle: handle}},
			},
			Status: corev1.PersistentVolumeStatus{Phase: phase},
		}
	}
	pvs := []corev1.PersistentVolume{
		{}, volume("left", "prod", "data", corev1.VolumeReleased), volume("other", "dr", "data", corev1.VolumeBound), volume("mine", "prod", "data", corev1.VolumeBound),
	}
	for name, want := range map[string]string{"data": "mine", "none": ""} {
		if got := handleOf(client.ObjectKey{Namespace: "prod", Name: name}, pvs); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
