// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/google/go-cmp/cmp"
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
		"by hand":                                  {metav1.ObjectMeta{Name: "a"}, ""},
		"Ramen, by its reference":                  {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "VolumeReplicationGroup", Name: "drpc", Controller: new(true)}}}, "Ramen's VolumeReplicationGroup drpc"},
		"Ramen, by its owner labels":               {metav1.ObjectMeta{Labels: map[string]string{"ramendr.openshift.io/owner-name": "drpc"}}, "Ramen's VolumeReplicationGroup drpc"},
		"Ramen, by its other label":                {metav1.ObjectMeta{Name: "vgr-cg-drpc", Labels: map[string]string{"ramendr.openshift.io/created-by-ramen": "true"}}, "Ramen's VolumeReplicationGroup vgr-cg-drpc"},
		"Ramen, by a reference that does not lead": {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{APIVersion: "ramendr.openshift.io/v1alpha1", Kind: "VolumeReplicationGroup", Name: "drpc"}}}, "Ramen's VolumeReplicationGroup drpc"},
		"Ramen, by an annotation":                  {metav1.ObjectMeta{Annotations: map[string]string{"volumereplicationgroups.ramendr.openshift.io/vr-protected": "x"}}, "Ramen (annotation volumereplicationgroups.ramendr.openshift.io/vr-protected)"},
		"Ramen, by a finalizer":                    {metav1.ObjectMeta{Finalizers: []string{"replication.storage.openshift.io/x", "ramendr.openshift.io/vgr-protection"}}, "Ramen (finalizer ramendr.openshift.io/vgr-protection)"},
		"a domain that ends alike":                 {metav1.ObjectMeta{Labels: map[string]string{"notramendr.openshift.io/x": "y"}}, ""},
		"any other controller":                     {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "App", Name: "x", Controller: new(true)}}}, "App x"},
		"an owner that does not lead":              {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "App", Name: "x"}}}, ""},
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
	var in existing
	in.classes.Items = []replicationv1.VolumeReplicationClass{{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}}
	in.volumes.Items = []replicationv1.VolumeReplication{replication("one", "db-data"), replication("two", "web-data")}
	in.pvcs.Items = []corev1.PersistentVolumeClaim{pvc("one", "db-data"), pvc("two", "web-data"), pvc("three", "")}
	got := in.replications()
	if len(got) != 2 {
		t.Fatalf("%d replications, want 2", len(got))
	}
	for _, r := range got {
		if r.NotAdoptable != "" {
			t.Errorf("%s: %s", client.ObjectKeyFromObject(r.Object), r.NotAdoptable)
		}
	}
	in.volumes.Items = []replicationv1.VolumeReplication{replication("one", "db-data")}
	in.pvcs.Items = []corev1.PersistentVolumeClaim{pvc("one", ""), pvc("two", "db-data")}
	got = in.replications()
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

// TestReplicationsOfGroups: each PVC of a group made by hand is in one object, which is taken over whole or not at all.
func TestReplicationsOfGroups(t *testing.T) {
	labels := map[string]string{"app": "db"}
	pvc := func(name string) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: "one", Name: name, Labels: labels, Annotations: map[string]string{replicationv1.VolumeGroupReplicationNameAnnotation: "by-hand"},
		}}
	}
	fresh := func() *existing {
		g := replicationv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "one", Name: "by-hand", UID: "7"}}
		g.Spec.VolumeGroupReplicationClassName, g.Spec.VolumeReplicationClassName = "groups", "volumes"
		g.Spec.ReplicationState, g.Spec.VolumeGroupReplicationContentName = replicationv1.Primary, "c"
		g.Spec.Source.Selector = &metav1.LabelSelector{MatchLabels: labels}
		child := replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "one", Name: "vr-7", Generation: 2}}
		child.Spec.ReplicationState, child.Spec.DataSource.Kind = replicationv1.Primary, groupKind
		child.Status.State, child.Status.ObservedGeneration = replicationv1.PrimaryState, 2
		c := replicationv1.VolumeGroupReplicationContent{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
		c.Spec.VolumeGroupReplicationHandle = "group-1"
		in := &existing{}
		in.groups.Items, in.volumes.Items, in.contents.Items = []replicationv1.VolumeGroupReplication{g}, []replicationv1.VolumeReplication{child}, []replicationv1.VolumeGroupReplicationContent{c}
		in.pvcs.Items = []corev1.PersistentVolumeClaim{pvc("data"), pvc("logs"), {ObjectMeta: metav1.ObjectMeta{Namespace: "two", Name: "data", Labels: labels}}}
		in.groupClasses.Items = []replicationv1.VolumeGroupReplicationClass{{ObjectMeta: metav1.ObjectMeta{Name: "groups"}, Spec: replicationv1.VolumeGroupReplicationClassSpec{
			Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m", "pool": "p"},
		}}}
		in.classes.Items = []replicationv1.VolumeReplicationClass{{ObjectMeta: metav1.ObjectMeta{Name: "volumes"}, Spec: replicationv1.VolumeReplicationClassSpec{
			Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m", "mirroringMode": "snapshot"},
		}}}
		return in
	}
	group := func(in *existing) *replicationv1.VolumeGroupReplication { return &in.groups.Items[0] }
	for name, tc := range map[string]struct {
		change func(in *existing)
		want   string
	}{
		"at rest":       {func(*existing) {}, ""},
		"being deleted": {func(in *existing) { group(in).DeletionTimestamp = new(metav1.Now()) }, "it is being deleted"},
		"Ramen's":       {func(in *existing) { group(in).Labels = map[string]string{"ramendr.openshift.io/owner-name": "drpc"} }, "Ramen's VolumeReplicationGroup drpc controls it; two controllers would manage one group"},
		"external":      {func(in *existing) { group(in).Spec.External = true }, "it is external: the storage vendor's controller answers it, not csi-addons"},
		"a PVC of Ramen": {func(in *existing) {
			in.pvcs.Items[1].Labels = map[string]string{"app": "db", "ramendr.openshift.io/consistency-group": "cg"}
		}, "Ramen protects PVC logs (label ramendr.openshift.io/consistency-group) and sets the roles of what replicates it; if Ramen no longer protects it, take that mark off"},
		"a PVC that just came":    {func(in *existing) { in.pvcs.Items[1].Annotations = nil }, "csi-addons has not taken up PVC logs for it"},
		"no group of the storage": {func(in *existing) { in.contents.Items[0].Spec.VolumeGroupReplicationHandle = "" }, "the driver has not created its volume group"},
		"not taken up":            {func(in *existing) { in.volumes.Items = nil }, "csi-addons has not made its VolumeReplication yet"},
		"a role not taken up":     {func(in *existing) { group(in).Spec.ReplicationState = replicationv1.Secondary }, "csi-addons has not taken up its last change yet"},
		"a role not answered":     {func(in *existing) { in.volumes.Items[0].Generation = 3 }, "csi-addons has not answered its last change yet"},
		"another role": {func(in *existing) {
			in.volumes.Items[0].Status.State = replicationv1.SecondaryState
		}, `it asks for primary, and csi-addons says "Secondary"`},
		"no class of volumes":     {func(in *existing) { in.classes.Items = nil }, `its VolumeReplicationClass "volumes" does not exist`},
		"no class of groups":      {func(in *existing) { in.groupClasses.Items = nil }, `its VolumeGroupReplicationClass "groups" does not exist`},
		"classes that differ":     {func(in *existing) { in.classes.Items[0].Spec.Parameters["schedulingInterval"] = "1m" }, "its VolumeGroupReplicationClass and VolumeReplicationClass differ in schedulingInterval; a class of kubectl vgr has one value"},
		"PVCs with another label": {func(in *existing) { in.pvcs.Items = nil }, "it selects no PVCs"},
	} {
		in := fresh()
		tc.change(in)
		got := in.ofGroups()
		for _, r := range got {
			if r.NotAdoptable != tc.want {
				t.Errorf("%s: %q, want %q", name, r.NotAdoptable, tc.want)
			}
		}
		if len(got) == 0 || len(got) != max(1, len(in.members(group(in)))) {
			t.Errorf("%s: %d replications", name, len(got))
		}
		if vrs := in.replications(); len(vrs) > 0 {
			t.Errorf("%s: the group's own VolumeReplication is one of a PVC: %+v", name, vrs)
		}
	}
	r := fresh().ofGroups()[0]
	want := map[string]string{"schedulingInterval": "5m", "pool": "p", "mirroringMode": "snapshot", "consistencyGroup": "enabled"}
	if diff := cmp.Diff(want, r.Class.Parameters); diff != "" || r.Class.Provisioner != "rbd.csi.ceph.com" {
		t.Errorf("class %+v (-want +got):\n%s", r.Class, diff)
	}
}
