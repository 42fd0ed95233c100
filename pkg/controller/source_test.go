// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestSourceIsForItsGroup: a group adopts no content that was prepared for another one, or says for none.
func TestSourceIsForItsGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.connect()
	w.class("gold", nil)
	db := map[string]string{"app": "db"}
	w.boundPVC("data", driver, db)
	content := &replicationv1.VolumeGroupReplicationContent{
		ObjectMeta: metav1.ObjectMeta{Name: "vgr-production-db"},
		Spec: replicationv1.VolumeGroupReplicationContentSpec{
			VolumeGroupReplicationHandle: "group-of-production", Provisioner: driver, VolumeGroupReplicationClassName: "x",
			Source: replicationv1.VolumeGroupReplicationContentSource{VolumeHandles: []string{}},
		},
	}
	w.create(content)
	g := &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db"},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: "gold", Selector: &metav1.LabelSelector{MatchLabels: db}, ReplicationState: vgrv1.Secondary,
			Source: &corev1.TypedLocalObjectReference{Kind: "VolumeGroupReplicationContent", Name: content.Name},
		},
	}
	w.create(g)
	key := client.ObjectKeyFromObject(g)
	csi := vendor{w, key}
	w.says("[tenant] names a content that is for nobody", key, "False/SourceInvalid: source VolumeGroupReplicationContent \"vgr-production-db\" does not say which group it is for")
	prepared := func(group string) {
		change(w, content, func(c *replicationv1.VolumeGroupReplicationContent) {
			metav1.SetMetaDataAnnotation(&c.ObjectMeta, vgrv1.AnnotationPreparedFor, group)
		})
	}
	prepared("production/db")
	w.says("[tenant] names the content of another group", key, "False/SourceInvalid: source VolumeGroupReplicationContent \"vgr-production-db\" was prepared for another group")
	if err := w.Get(t.Context(), key, &replicationv1.VolumeGroupReplication{}); err == nil {
		t.Error("the content of another group is adopted")
	}
	prepared("default/db")
	if got := csi.group().Spec.VolumeGroupReplicationContentName; got != content.Name {
		t.Errorf("adopted is %q", got)
	}
}

// TestTerminating: what is being deleted is told, however healthy the backend calls it.
func TestTerminating(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"}}
	change(w, pvc, func(p *corev1.PersistentVolumeClaim) {
		p.Finalizers = []string{"vgr.test/hold", "kubernetes.io/pvc-protection"}
	})
	if err := w.Delete(t.Context(), pvc); err != nil {
		t.Fatal(err)
	}
	w.says("[user] deletes a PVC of the group", csi.key, "False/VolumeTerminating: the group is about to lose volumes: PVC data: the PVC is being deleted, waiting for vgr.test/hold (of another tool, which must take it off), kubernetes.io/pvc-protection (Kubernetes, ")
	if err := w.Get(t.Context(), csi.key, g); err != nil || g.Status.Volumes[0].Health != vgrv1.HealthError || g.Status.State != vgrv1.StatePrimary {
		t.Errorf("%+v, %v", g.Status, err)
	}
	w.quiet("terminating", csi.key)
	change(w, pvc, func(p *corev1.PersistentVolumeClaim) { p.Finalizers = []string{"kubernetes.io/pvc-protection"} })
	w.says("[another tool] has taken its finalizer off", csi.key, "False/VolumeTerminating: the group is about to lose volumes: PVC data: the PVC is being deleted, waiting for kubernetes.io/pvc-protection (Kubernetes, while a Pod uses the PVC: kubectl describe pvc data -n default names the Pods); save")
	change(w, pvc, func(p *corev1.PersistentVolumeClaim) { p.Finalizers = nil })
	w.says("[kubernetes] has deleted it", csi.key, "False/NoVolumes")
}

// TestVolumeTerminating: the same for the volume of a PVC, and for the object of csi-addons.
func TestVolumeTerminating(t *testing.T) {
	t.Parallel()
	w, _, csi := promotedGroup(t)
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-default-data"}}
	change(w, pv, func(p *corev1.PersistentVolume) { p.Finalizers = []string{"vgr.test/hold"} })
	if err := w.Delete(t.Context(), pv); err != nil {
		t.Fatal(err)
	}
	w.says("[user] deletes the volume", csi.key, "False/VolumeTerminating: the group is about to lose volumes: PVC data: its PersistentVolume pv-default-data is being deleted, waiting for vgr.test/hold (of")
	change(w, csi.group(), func(g *replicationv1.VolumeGroupReplication) { g.Finalizers = []string{"csi-addons.test/protection"} })
	if err := w.Delete(t.Context(), csi.group()); err != nil {
		t.Fatal(err)
	}
	w.eventually("the volume's end is told first", func(ctx context.Context) bool { return !csi.group().DeletionTimestamp.IsZero() })
	change(w, csi.group(), func(g *replicationv1.VolumeGroupReplication) { g.Finalizers = nil })
	change(w, pv, func(p *corev1.PersistentVolume) { p.Finalizers = nil })
}
