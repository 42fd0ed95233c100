// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// behind is a client whose cache has not learned of anything yet.
type behind struct{ client.Client }

func (behind) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (behind) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// TestRemoveAtOnce: what was made right before its group is deleted is ended too.
func TestRemoveAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	owner := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKey{Namespace: "default", Name: "db"}}
	vgr := &replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db", Labels: owner.Labels()},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: "x", ReplicationState: "primary", Source: replicationv1.VolumeGroupReplicationSource{Selector: &metav1.LabelSelector{}},
		},
	}
	w.create(vgr)
	adapter := csiaddons.New(behind{w.Client}, w.Client, clock.RealClock{})
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
	t.Parallel()
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
	w.says("[user] deletes the group with its replication", csi.key, "False/Deleting: waiting for csi-addons to remove its VolumeGroupReplication \"db\"; it waits for csi-addons.test/protection (of another tool, which must take it off)")
	vgr := csi.group()
	if vgr.DeletionTimestamp.IsZero() {
		t.Error("the replication is not ended")
	}
	change(w, vgr, func(g *replicationv1.VolumeGroupReplication) { g.Finalizers = nil })
	w.gone("[csi-addons] has removed its group", g, &vgrv1.VolumeGroupReplication{})
}

// TestForeignFinalizer: an object that the controller has released and that stays does not look as if it was served.
func TestForeignFinalizer(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Finalizers = append(g.Finalizers, "other.test/hold") })
	if err := w.Delete(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	w.says("[user] deletes the group, which another one holds", csi.key, "False/Deleting: the controller has released this object, which waits for other.test/hold (of another tool, which must take it off)")
	csi.asks("retained", replicationv1.Primary)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Finalizers = nil })
}

// TestDeletedInFlight: a group is kept, and served, until the operation in its journal has ended or the journal is
// discarded, also one that cannot be read.
func TestDeletedInFlight(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	journal := func(text string) {
		change(w, g, func(g *vgrv1.VolumeGroupReplication) {
			g.Annotations = map[string]string{vgrv1.AnnotationOperation: text}
			if text == "" {
				g.Annotations = nil
			}
		})
	}
	held := func(what, message string) {
		t.Helper()
		w.eventually(what, func(ctx context.Context) bool {
			if err := w.Get(ctx, csi.key, g); err != nil {
				t.Fatal(err)
			}
			c := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionDeletionHeld)
			return c != nil && c.ObservedGeneration == g.Generation && strings.Contains(c.Message, message) && strings.Contains(c.Message, "--discard-journal")
		})
	}
	const inFlight = `{"id":"a1","kind":"planned","from":{"name":"east","cluster":"e"},"to":{"name":"west","cluster":"w"},"revision":3,"started":null}`
	journal(inFlight)
	if err := w.Delete(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	held("it says what it waits for", "planned failover a1 from east to west is in flight; resume it: kubectl vgr failover db -n default --to west; or abort it: kubectl vgr failover db -n default --abort")
	w.eventually("it is served", func(ctx context.Context) bool { return w.Get(ctx, csi.key, g) == nil && state.Of(g).Is(vgrv1.Primary) })
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary })
	w.eventually("it is demoted by the operation", func(context.Context) bool { return csi.group().Spec.ReplicationState == replicationv1.Secondary })
	journal("{")
	held("a journal that cannot be read", "cannot be read")
	journal(strings.Replace(inFlight, `"revision"`, `"result":"done","revision"`, 1))
	w.gone("[user] has resumed it to its end", g, &vgrv1.VolumeGroupReplication{})
}

// TestDeletedJournalDiscarded: without the journal the deletion continues, whatever became of the other site.
func TestDeletedJournalDiscarded(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		g.Annotations = map[string]string{vgrv1.AnnotationOperation: "garbage"}
	})
	if err := w.Delete(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	w.eventually("the deletion is held", func(ctx context.Context) bool { return w.Get(ctx, csi.key, g) == nil && state.Of(g).Held() })
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Annotations = nil })
	w.gone("[admin] discards the journal", g, &vgrv1.VolumeGroupReplication{})
}
