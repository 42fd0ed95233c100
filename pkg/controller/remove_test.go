// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
)

// behind is a client whose cache has not learned of anything yet.
type behind struct{ client.Client }

func (behind) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (behind) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// TestRemoveAtOnce: what was made right before its group is deleted is ended too.
func TestRemoveAtOnce(t *testing.T) {
	w := newWorld(t, true)
	owner := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKey{Namespace: "default", Name: "db"}}
	vgr := &replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db", Labels: owner.Labels()},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: "x", ReplicationState: "primary", Source: replicationv1.VolumeGroupReplicationSource{Selector: &metav1.LabelSelector{}},
		},
	}
	w.create(vgr)
	adapter := csiaddons.New(behind{w.Client}, w.Client)
	for _, done := range []bool{false, true} {
		if removal, err := adapter.Remove(t.Context(), owner, false); err != nil || removal.Done != done {
			t.Errorf("%+v, %v", removal, err)
		}
	}
	if err := w.Get(t.Context(), owner.NamespacedName, vgr); !apierrors.IsNotFound(err) {
		t.Errorf("the replication stays: %v", err)
	}
}

// TestRemoveWithoutOneKind: a CRD that is missing takes only its own objects away.
func TestRemoveWithoutOneKind(t *testing.T) {
	w, g, csi := promotedGroup(t)
	for _, name := range []string{"csiaddonsnodes.csiaddons.openshift.io", "volumegroupreplicationcontents.replication.storage.openshift.io"} {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := w.Delete(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
		w.eventually("the CRD is gone", func(ctx context.Context) bool {
			return apierrors.IsNotFound(w.Get(ctx, client.ObjectKeyFromObject(crd), crd))
		})
	}
	w.says("[admin] uninstalls a part of csi-addons", csi.key, "False/BackendNotInstalled")
	change(w, csi.group(), func(g *replicationv1.VolumeGroupReplication) { g.Finalizers = []string{"csi-addons.test/protection"} })
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		g.Annotations = map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete}
	})
	if err := w.Delete(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	w.says("[user] deletes the group with its replication", csi.key, "False/Deleting: waiting for csi-addons to remove its VolumeGroupReplication")
	vgr := csi.group()
	if vgr.DeletionTimestamp.IsZero() {
		t.Error("the replication is not ended")
	}
	change(w, vgr, func(g *replicationv1.VolumeGroupReplication) { g.Finalizers = nil })
	w.gone("[csi-addons] has removed its group", g, &vgrv1.VolumeGroupReplication{})
}

// TestForeignFinalizer: an object that is let go of and stays does not look as if it was served.
func TestForeignFinalizer(t *testing.T) {
	w, g, csi := promotedGroup(t)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Finalizers = append(g.Finalizers, "other.test/hold") })
	if err := w.Delete(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	w.says("[user] deletes the group, which another one holds", csi.key, "False/Deleting: the controller has released this object, which waits for the finalizers other.test/hold")
	csi.asks("retained", replicationv1.Primary)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Finalizers = nil })
}
