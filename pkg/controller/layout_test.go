// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestLayoutStays: a group of Ceph volumes gets one VolumeReplication for each, and says what that means. One that has a
// VolumeGroupReplication of csi-addons, as the default was, keeps that, also when another tool deletes it.
func TestLayoutStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.connect()
	w.create(&vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{
		Provisioner: driver, Parameters: map[string]string{"schedulingInterval": "5m", "groupConsistency": "crash"},
	}})
	young, old := map[string]string{"app": "young"}, map[string]string{"app": "old"}
	w.boundPVC("data", driver, young)
	w.boundPVC("logs", driver, young)
	g := w.group("young", "gold", young)
	w.eventually("each volume has its own", func(ctx context.Context) bool {
		var vrs replicationv1.VolumeReplicationList
		return w.List(ctx, &vrs) == nil && len(vrs.Items) == 2
	})
	w.eventually("the group says what that means", func(ctx context.Context) bool {
		if w.Get(ctx, client.ObjectKeyFromObject(g), g) != nil {
			return false
		}
		c := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionGroupConsistent)
		return c != nil && c.Status == metav1.ConditionFalse && strings.HasSuffix(c.Message, `groupConsistency "crash" of class "gold" holds for each volume, not for the group`)
	})
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(g), &replicationv1.VolumeGroupReplication{}); !apierrors.IsNotFound(err) {
		t.Errorf("a group of csi-addons: %v", err)
	}

	key := client.ObjectKey{Namespace: "default", Name: "old"}
	theirs := &replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByController, vgrv1.LabelGroup: key.Name}},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: "vgr-gold-old", VolumeReplicationClassName: "vgr-gold-old", ReplicationState: "primary",
			Source: replicationv1.VolumeGroupReplicationSource{Selector: &metav1.LabelSelector{MatchLabels: old}},
		},
	}
	w.create(theirs)
	w.boundPVC("files", driver, old)
	w.group("old", "gold", old)
	csi := vendor{w, key}
	csi.takeUp("handle-files")
	csi.form("files")
	csi.promoted()
	w.says("[controller] keeps the group that is there", key, "True/Promoted")
	first := csi.group().UID
	if err := w.Delete(t.Context(), csi.group()); err != nil {
		t.Fatal(err)
	}
	w.eventually("the group of csi-addons is made again", func(ctx context.Context) bool {
		var again replicationv1.VolumeGroupReplication
		return w.Get(ctx, key, &again) == nil && again.UID != first
	})
	var vrs replicationv1.VolumeReplicationList
	if err := w.List(t.Context(), &vrs, client.MatchingLabels{vgrv1.LabelGroup: key.Name}); err != nil || len(vrs.Items) != 0 {
		t.Errorf("%d volumes are replicated by themselves, %v", len(vrs.Items), err)
	}
}
