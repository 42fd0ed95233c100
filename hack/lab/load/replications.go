// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Replications are VolumeReplications of csi-addons that others made, each of a PVC with its volume, on both sites.
type Replications struct {
	Namespace string
	Number    int
}

// Make creates them and writes their status. csi-addons would correct it, so it may not run.
func (r Replications) Make(ctx context.Context, sites Sites) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for i, c := range sites {
		class := &replicationv1.VolumeReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: r.Namespace}}
		class.Spec.Provisioner, class.Spec.Parameters = "rbd.csi.ceph.com", map[string]string{"schedulingInterval": "5m"}
		for _, obj := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.Namespace}}, class} {
			if err := c.Create(ctx, obj); err != nil {
				return err
			}
		}
		for n := range r.Number {
			work.Go(func() error { return r.one(ctx, c, fmt.Sprintf("data-%05d", n), i == 0) })
		}
	}
	return work.Wait()
}

func (r Replications) one(ctx context.Context, c client.Client, name string, primary bool) error {
	at, volume := metav1.ObjectMeta{Namespace: r.Namespace, Name: name}, "pvc-"+r.Namespace+"-"+name
	class, size, modes := "", corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	vr := &replicationv1.VolumeReplication{ObjectMeta: at}
	vr.Spec.VolumeReplicationClass, vr.Spec.ReplicationState = r.Namespace, replicationv1.Secondary
	vr.Spec.DataSource = corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: name}
	if primary {
		vr.Spec.ReplicationState = replicationv1.Primary
	}
	for _, obj := range []client.Object{
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: volume}, Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: modes, ClaimRef: &corev1.ObjectReference{Namespace: r.Namespace, Name: name},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "rbd.csi.ceph.com", VolumeHandle: "0001-0009-rook-ceph-" + name}},
		}},
		&corev1.PersistentVolumeClaim{ObjectMeta: at, Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, VolumeName: volume, AccessModes: modes, Resources: corev1.VolumeResourceRequirements{Requests: size},
		}},
		vr,
	} {
		if err := c.Create(ctx, obj); err != nil {
			return err
		}
	}
	now := metav1.Now()
	vr.Status.ObservedGeneration, vr.Status.State = vr.Generation, replicationv1.SecondaryState
	say := func(kind string, status metav1.ConditionStatus, reason string) {
		vr.Status.Conditions = append(vr.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: "written by lab load", ObservedGeneration: vr.Generation, LastTransitionTime: metav1.NewTime(now.Add(-time.Hour)),
		})
	}
	if primary {
		vr.Status.State, vr.Status.LastSyncTime = replicationv1.PrimaryState, &now
		say("Completed", metav1.ConditionTrue, "Promoted")
		say("Degraded", metav1.ConditionFalse, "Healthy")
		say("Resyncing", metav1.ConditionFalse, "NotResyncing")
	} else {
		say("Completed", metav1.ConditionTrue, "Demoted")
		say("Degraded", metav1.ConditionTrue, "VolumeDegraded")
		say("Resyncing", metav1.ConditionTrue, "ResyncTriggered")
	}
	return c.Status().Update(ctx, vr)
}
