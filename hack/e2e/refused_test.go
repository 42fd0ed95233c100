// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
)

// TestGroupRefused: a Ceph that mirrors no groups refuses one. The group says so and what to do, create does not wait, the
// group goes without a finalizer being taken off by hand, and its PVCs are free for the next one.
func TestGroupRefused(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	db := map[string]string{"app": "db"}
	s.cephClaims(lab.East, db, "data", "logs")
	class := func(name string, parameters map[string]string) {
		s.create(lab.East, &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: vgrv1.ClassSpec{Provisioner: driver.Name, Parameters: parameters}})
		t.Cleanup(func() {
			_ = s.sites[lab.East].Delete(context.WithoutCancel(t.Context()), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: name}})
		})
	}
	class(s.ns+"-group", map[string]string{"schedulingInterval": "1m", "consistencyGroup": "enabled", "clusterID": "rook-ceph", "pool": "replicapool"})
	class(s.ns+"-nowhere", map[string]string{"schedulingInterval": "1m", "consistencyGroup": "enabled"})
	class(s.ns+"-volumes", map[string]string{"schedulingInterval": "1m"})

	s.create(lab.East, s.group("db", s.ns+"-nowhere", vgrv1.Primary, db))
	s.says(lab.East, "db", vgrv1.ReasonInvalidParameters, `consistencyGroup "enabled" needs parameter clusterID and pool, of the StorageClass of the volumes`)
	s.free("db", "data", "logs")

	r := s.vgr("create", "db", "-n", s.ns, "--class", s.ns+"-group", "-l", "app=db", "--yes")
	if r.code == 0 || !strings.Contains(r.out+r.errOut, "no upstream Ceph mirrors groups") {
		t.Errorf("create: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	s.says(lab.East, "db", vgrv1.ReasonGroupRefused, "does not replicate it (volume group failed to promote: rpc error: code = NotFound desc = volume 0001-")
	s.says(lab.East, "db", vgrv1.ReasonGroupRefused, "kubectl vgr delete db -n "+s.ns+" --end-replication")
	fault := lab.Fault{Kind: lab.FaultRPC, Site: lab.East, RPC: &driver.Fault{RPC: "DeleteVolumeGroup", Code: "INTERNAL", Message: "BUG: name is not set"}}
	s.must(s.lab.Inject(t.Context(), fault)) // what ceph-csi answers to the second request, which csi-addons may send or not
	s.free("db", "data", "logs")

	s.create(lab.East, s.group("other", s.ns+"-volumes", vgrv1.Primary, db))
	s.ready(lab.East, "other", vgrv1.StatePrimary, 2)
}

// free deletes a group with its replication, and checks that it leaves nothing behind on the PVCs.
func (s *scene) free(name string, claims ...string) {
	s.t.Helper()
	s.change(lab.East, name, func(g *vgrv1.VolumeGroupReplication) {
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationDeletionPolicy, vgrv1.DeletionPolicyDelete)
	})
	g := s.get(lab.East, name)
	s.must(s.sites[lab.East].Delete(s.t.Context(), g))
	s.gone(lab.East, g)
	s.eventually("the PVCs to be free", func(ctx context.Context) error {
		var pvcs corev1.PersistentVolumeClaimList
		if err := s.sites[lab.East].List(ctx, &pvcs, client.InNamespace(s.ns)); err != nil {
			return err
		}
		for _, pvc := range pvcs.Items {
			if !slices.Contains(claims, pvc.Name) {
				continue
			}
			for _, key := range []string{replicationv1.VolumeReplicationNameAnnotation, replicationv1.VolumeGroupReplicationNameAnnotation} {
				if by := pvc.Annotations[key]; by != "" {
					return fmt.Errorf("%s has the annotation %s: %s", pvc.Name, key, by)
				}
			}
			for _, f := range pvc.Finalizers {
				if strings.HasPrefix(f, "replication.storage.openshift.io") {
					return fmt.Errorf("%s has the finalizer %s", pvc.Name, f)
				}
			}
		}
		return nil
	})
}

// TestSecrets: a class need not name a Secret where the volumes do. Without either nothing is made that could not go again,
// and what was made without one before is given it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.cephClaims(lab.East, map[string]string{"app": "db"}, "data")
	s.cephClaims(lab.East, map[string]string{"app": "old"}, "old")
	s.create(lab.East, s.group("db", ceph, vgrv1.Primary, map[string]string{"app": "db"}))
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	var vrs replicationv1.VolumeReplicationList
	s.must(s.sites[lab.East].List(t.Context(), &vrs, client.InNamespace(s.ns)))
	var class replicationv1.VolumeReplicationClass
	s.must(s.sites[lab.East].Get(t.Context(), client.ObjectKey{Name: vrs.Items[0].Spec.VolumeReplicationClass}, &class))
	if got := class.Spec.Parameters["replication.storage.openshift.io/replication-secret-name"]; got != "rook-csi-rbd-provisioner" {
		t.Errorf("the Secret of the volume is not taken: %+v", class.Spec)
	}

	// What an earlier controller has made, whose group is being deleted.
	ours := map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByController, vgrv1.LabelGroup: "old"}
	s.create(lab.East, &replicationv1.VolumeReplicationClass{
		ObjectMeta: metav1.ObjectMeta{Name: "vgr-" + s.ns, Labels: map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByController}},
		Spec:       replicationv1.VolumeReplicationClassSpec{Provisioner: driver.Name, Parameters: map[string]string{"schedulingInterval": "1m"}},
	})
	vr := &replicationv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "old-old", Labels: ours},
		Spec: replicationv1.VolumeReplicationSpec{
			VolumeReplicationClass: "vgr-" + s.ns, ReplicationState: "primary", DataSource: corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "old"},
		},
	}
	s.create(lab.East, vr)
	s.eventually("csi-addons to fail", func(ctx context.Context) error {
		if err := s.sites[lab.East].Get(ctx, client.ObjectKeyFromObject(vr), vr); err != nil {
			return err
		}
		for _, c := range vr.Status.Conditions {
			if strings.Contains(c.Message, "resource name may not be empty") {
				return nil
			}
		}
		return fmt.Errorf("%+v", vr.Status)
	})
	s.create(lab.East, s.group("old", ceph, vgrv1.Primary, map[string]string{"app": "old"}))
	s.eventually("the controller to have the group", func(context.Context) error {
		if len(s.get(lab.East, "old").Finalizers) == 0 {
			return errors.New("it has no finalizer") // and is gone before the controller has seen it
		}
		return nil
	})
	s.free("old", "old")
	s.gone(lab.East, vr)
}

// TestDriverGone: a site whose csi-addons knows no driver is named by validate, status and install, with what to do.
func TestDriverGone(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.done("validate", "db", "-n", s.ns)
	node := &unstructured.Unstructured{}
	node.SetGroupVersionKind(schema.GroupVersionKind{Group: "csiaddons.openshift.io", Version: "v1alpha1", Kind: "CSIAddonsNode"})
	key := client.ObjectKey{Namespace: "csi-addons-system", Name: "lab-fast-west"}
	west := s.sites[lab.West]
	s.must(west.Get(t.Context(), key, node))
	again := node.DeepCopy()
	s.must(west.Delete(t.Context(), node))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		again.SetResourceVersion("")
		again.SetUID("")
		again.SetFinalizers(nil)
		if err := west.Create(ctx, again); err != nil {
			t.Error(err)
		}
	})
	const missing = "no CSIAddonsNode for driver " + driver.FastName
	s.eventually("validate to name the driver", func(context.Context) error {
		if r := s.vgr("validate", "db", "-n", s.ns); r.code == 0 || !strings.Contains(r.out+r.errOut, "the backend on west does not reach its driver: "+missing) {
			return fmt.Errorf("exit code %d\n%s%s", r.code, r.out, r.errOut)
		}
		return nil
	})
	s.eventually("status to name the driver", func(context.Context) error {
		if r := s.vgr("status", "db", "-n", s.ns); !strings.Contains(r.out, missing) {
			return fmt.Errorf("%s", r.out)
		}
		return nil
	})
}
