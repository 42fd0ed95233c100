// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
)

// The sequence tests tell a story, actor by actor, against a real API server. The csi-addons
// manager is an actor here, so that each of its states can be held still and examined; the
// end-to-end tests run the real one.

func (w *world) golden() {
	w.t.Helper()
	golden.Compare(w.t, w.t.Name()+".golden", w.log.String())
}

// vendor plays the csi-addons manager for one group.
type vendor struct {
	w   *world
	key client.ObjectKey
}

func (v vendor) group() *replicationv1.VolumeGroupReplication {
	v.w.t.Helper()
	g := &replicationv1.VolumeGroupReplication{}
	v.w.eventually("csi-addons sees the group", func(ctx context.Context) bool { return v.w.Get(ctx, v.key, g) == nil })
	return g
}

// takeUp creates the content, as csi-addons does before it calls the driver.
func (v vendor) takeUp(handles ...string) {
	g := v.group()
	v.w.create(&replicationv1.VolumeGroupReplicationContent{
		ObjectMeta: metav1.ObjectMeta{Name: "content"},
		Spec: replicationv1.VolumeGroupReplicationContentSpec{
			VolumeGroupReplicationRef: &corev1.ObjectReference{Namespace: g.Namespace, Name: g.Name, UID: g.UID},
			Provisioner:               driver, VolumeGroupReplicationClassName: g.Spec.VolumeGroupReplicationClassName,
			Source: replicationv1.VolumeGroupReplicationContentSource{VolumeHandles: handles},
		},
	})
	change(v.w, g, func(g *replicationv1.VolumeGroupReplication) { g.Spec.VolumeGroupReplicationContentName = "content" })
}

// form reports the storage group and its volumes.
func (v vendor) form(pvcs ...string) {
	content := &replicationv1.VolumeGroupReplicationContent{ObjectMeta: metav1.ObjectMeta{Name: "content"}}
	change(v.w, content, func(c *replicationv1.VolumeGroupReplicationContent) { c.Spec.VolumeGroupReplicationHandle = "group-1" })
	changeStatus(v.w, v.group(), func(g *replicationv1.VolumeGroupReplication) {
		g.Status.PersistentVolumeClaimsRefList = nil
		for _, name := range pvcs {
			g.Status.PersistentVolumeClaimsRefList = append(g.Status.PersistentVolumeClaimsRefList, corev1.LocalObjectReference{Name: name})
		}
	})
	changeStatus(v.w, content, func(c *replicationv1.VolumeGroupReplicationContent) {
		c.Status.PersistentVolumeRefList = nil
		for _, name := range pvcs {
			c.Status.PersistentVolumeRefList = append(c.Status.PersistentVolumeRefList, corev1.LocalObjectReference{Name: "pv-" + v.key.Namespace + "-" + name})
		}
	})
}

// pass copies the group's request into its child, and the child's old status back under the
// group's new generation, as csi-addons does.
func (v vendor) pass() *replicationv1.VolumeReplication {
	g := v.group()
	child := &replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: "vr-child"}}
	err := v.w.Get(v.w.t.Context(), client.ObjectKeyFromObject(child), child)
	if apierrors.IsNotFound(err) {
		child.Spec = replicationv1.VolumeReplicationSpec{
			VolumeReplicationClass: g.Spec.VolumeReplicationClassName, ReplicationState: g.Spec.ReplicationState,
			DataSource: corev1.TypedLocalObjectReference{Kind: "VolumeGroupReplication", Name: g.Name},
		}
		v.w.create(child)
		change(v.w, g, func(g *replicationv1.VolumeGroupReplication) { g.Spec.VolumeReplicationName = child.Name })
	} else if child.Spec.ReplicationState != g.Spec.ReplicationState {
		change(v.w, child, func(c *replicationv1.VolumeReplication) { c.Spec.ReplicationState = g.Spec.ReplicationState })
	}
	changeStatus(v.w, g, func(g *replicationv1.VolumeGroupReplication) {
		refs := g.Status.PersistentVolumeClaimsRefList
		g.Status.VolumeReplicationStatus = child.Status
		g.Status.PersistentVolumeClaimsRefList = refs
		g.Status.ObservedGeneration = g.Generation
	})
	return child
}

// answer lets the child report an outcome.
func (v vendor) answer(state replicationv1.State, message string, conditions ...metav1.Condition) {
	child := v.pass()
	changeStatus(v.w, child, func(c *replicationv1.VolumeReplication) {
		c.Status.State, c.Status.Message, c.Status.ObservedGeneration = state, message, c.Generation
		c.Status.Conditions = conditions
	})
	v.pass()
}

func said(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
}

func (v vendor) promoted() {
	v.answer("Primary", "volume is marked primary",
		said("Completed", "True", "Promoted", "volume group is promoted to primary and replicating to secondary"),
		said("Degraded", "False", "Healthy", "volume group is healthy"), said("Resyncing", "False", "NotResyncing", "volume group is not resyncing"))
}

func (v vendor) demoted() {
	v.answer("Secondary", "volume is marked secondary and is degraded",
		said("Completed", "True", "Demoted", "volume group is demoted to secondary"),
		said("Degraded", "True", "VolumeDegraded", "volume group is degraded"), said("Resyncing", "False", "NotResyncing", "volume group is not resyncing"))
}

// class makes a class of a driver that can replicate groups, which is what the vendor plays.
func (w *world) class(name string, params map[string]string) {
	params = maps.Clone(params)
	if params == nil {
		params = map[string]string{}
	}
	maps.Copy(params, map[string]string{vgrv1.ParameterConsistencyGroup: "enabled", "clusterID": "rook-ceph", "pool": "replicapool"})
	w.create(&vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: vgrv1.ClassSpec{Provisioner: driver, Parameters: params}})
}

func (w *world) group(name, class string, labels map[string]string) *vgrv1.VolumeGroupReplication {
	g := &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       vgrv1.VolumeGroupReplicationSpec{VolumeGroupReplicationClass: class, Selector: &metav1.LabelSelector{MatchLabels: labels}, ReplicationState: vgrv1.Primary},
	}
	w.create(g)
	return g
}

// TestSequenceGroup is the life of a group: created, promoted, joined, left, demoted, deleted.
func TestSequenceGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	db := map[string]string{"app": "db"}
	key := client.ObjectKey{Namespace: "default", Name: "db"}
	csi := vendor{w, key}

	g := w.group("db", "gold", db)
	w.settle("[user] creates the group before its class", key, "False/ClassNotFound")
	w.class("gold", map[string]string{"schedulingInterval": "5m"})
	w.settle("[user] creates the class", key, "False/NoVolumes")
	w.boundPVC("data", driver, db)
	w.boundPVC("logs", driver, db)
	w.eventually("both volumes are seen", func(ctx context.Context) bool {
		return w.Get(ctx, key, g) == nil && len(g.Status.Volumes) == 2 && g.Status.Volumes[1].VolumeHandle != ""
	})
	w.settle("[user] creates two PVCs; there is no driver", key, "False/BackendError: no CSIAddonsNode")
	w.connect()
	w.settle("[csi-addons] connects to the driver", key, "False/Progressing: waiting for the csi-addons manager")
	csi.takeUp("handle-data", "handle-logs")
	csi.form("data", "logs")
	csi.promoted()
	w.settle("[csi-addons] promotes", key, "True/Promoted")

	w.boundPVC("wal", driver, db)
	w.settle("[user] adds a PVC", key, "False/Progressing")
	csi.form("data", "logs", "wal")
	w.settle("[csi-addons] takes the PVC in", key, "True/Promoted")

	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary })
	w.settle("[user] demotes", key, "False/Progressing")
	csi.pass()
	w.settle("[csi-addons] stamps its old status with the new generation", key, "False/Progressing")
	csi.answer("Primary", "volume cannot be demoted",
		said("Completed", "False", "FailedToDemote", "failed to demote volume"),
		said("Degraded", "True", "Error", "volume group failed to demote: rpc error: code = FailedPrecondition desc = volume cannot be demoted"))
	w.settle("[driver] refuses: a volume is attached", key, "False/FailedToDemote")
	csi.demoted()
	w.settle("[csi-addons] demotes", key, "True/Demoted")

	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "wal"}}
	change(w, pvc, func(p *corev1.PersistentVolumeClaim) { p.Labels = nil })
	w.settle("[user] takes the label off a PVC", key, "False/Progressing")
	csi.form("data", "logs")
	w.eventually("the PVC has left", func(ctx context.Context) bool { return w.Get(ctx, key, g) == nil && len(g.Status.Volumes) == 2 })
	w.settle("[csi-addons] lets the PVC go", key, "True/Demoted")

	if err := w.Delete(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}}); err != nil {
		t.Fatal(err)
	}
	w.settle("[user] deletes the class", key, "False/ClassNotFound")
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		g.Annotations = map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete}
	})
	change(w, csi.group(), func(g *replicationv1.VolumeGroupReplication) { g.Finalizers = []string{"csi-addons.test/protection"} })
	if err := w.Delete(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	w.settle("[user] deletes the group with its replication", key, "False/Deleting")
	change(w, csi.group(), func(g *replicationv1.VolumeGroupReplication) { g.Finalizers = nil })
	w.gone("[csi-addons] has removed its group", g, &vgrv1.VolumeGroupReplication{})
	w.noClassesLeft("and its own leftovers do not keep the derived classes", csi)
	w.golden()
}

// gone waits until an object is deleted, and logs what that took.
func (w *world) gone(title string, obj, into client.Object) {
	w.t.Helper()
	w.eventually(title, func(ctx context.Context) bool {
		return apierrors.IsNotFound(w.Get(ctx, client.ObjectKeyFromObject(obj), into))
	})
	fmt.Fprintln(&w.log, title)
	w.logWrites(client.ObjectKeyFromObject(obj))
}

// noClassesLeft checks the collection of derived classes. The actor's child and content still
// refer to them, as they would not with the real manager, so a second group does the collecting.
// The first group does it too, if the controller reconciles it once more before the controller sees its end;
// so the log does not say when.
func (w *world) noClassesLeft(title string, v vendor) {
	w.t.Helper()
	for _, obj := range []client.Object{
		&replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: v.key.Namespace, Name: "vr-child"}},
		&replicationv1.VolumeGroupReplicationContent{ObjectMeta: metav1.ObjectMeta{Name: "content"}},
	} {
		if err := w.Delete(w.t.Context(), obj); err != nil {
			w.t.Fatal(err)
		}
		w.eventually(fmt.Sprintf("the controller sees the end of %T", obj), func(ctx context.Context) bool {
			return apierrors.IsNotFound(w.cache.Get(ctx, client.ObjectKeyFromObject(obj), obj))
		})
	}
	g := w.group("other", "gold", map[string]string{"app": "none"})
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		g.Annotations = map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete}
	})
	key := client.ObjectKeyFromObject(g)
	w.says("[user] creates another group", key, "False/ClassNotFound")
	if err := w.Delete(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
	w.eventually(title, func(ctx context.Context) bool {
		var a replicationv1.VolumeReplicationClassList
		var b replicationv1.VolumeGroupReplicationClassList
		return w.List(ctx, &a) == nil && w.List(ctx, &b) == nil && len(a.Items)+len(b.Items) == 0
	})
	w.gone("[user] creates another group and deletes it: the derived classes go", g, &vgrv1.VolumeGroupReplication{})
}

// TestSequenceTrouble shows what each wrong PVC and class looks like, and that it heals.
func TestSequenceTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.connect()
	w.class("gold", nil)
	w.class("typo", map[string]string{"schedulingIntervall": "5m"})
	w.create(&vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "strange"}, Spec: vgrv1.ClassSpec{Provisioner: "nobody.example.com"}})
	a, b := map[string]string{"app": "a"}, map[string]string{"tier": "b"}

	w.settle("[user] misspells a parameter", client.ObjectKeyFromObject(w.group("typo", "typo", a)), "False/InvalidParameters")
	w.settle("[user] names a class of an unknown driver", client.ObjectKeyFromObject(w.group("strange", "strange", a)), "False/BackendUnknown")

	first := client.ObjectKeyFromObject(w.group("first", "gold", map[string]string{"app": "first"}))
	w.boundPVC("foreign", "other.example.com", map[string]string{"app": "first"})
	w.settle("[user] labels a PVC of another driver", first, "False/ForeignDriver")
	w.pendingPVC("default", "pending", map[string]string{"app": "first"})
	change(w, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "foreign"}}, func(p *corev1.PersistentVolumeClaim) { p.Labels = nil })
	w.settle("[user] labels a pending PVC instead", first, "False/VolumeNotBound")
	change(w, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pending"}}, func(p *corev1.PersistentVolumeClaim) { p.Labels = nil })
	terminating := w.boundPVC("going", driver, map[string]string{"app": "first"})
	change(w, terminating, func(p *corev1.PersistentVolumeClaim) { p.Finalizers = []string{"vgr.test/hold"} })
	w.settle("[user] labels a good PVC", first, "False/Progressing: waiting for the csi-addons manager")
	if err := w.Delete(t.Context(), terminating); err != nil {
		t.Fatal(err)
	}
	w.settle("[user] deletes it", first, "False/VolumeTerminating")

	w.boundPVC("both", driver, map[string]string{"app": "second", "tier": "b"})
	second := client.ObjectKeyFromObject(w.group("second", "gold", map[string]string{"app": "second"}))
	w.settle("[user] creates a group", second, "False/Progressing: waiting for the csi-addons manager")
	third := w.group("third", "gold", b)
	w.settle("[user] creates another for the same PVC", client.ObjectKeyFromObject(third), "False/VolumeConflict")
	if err := w.Delete(t.Context(), &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "second"}}); err != nil {
		t.Fatal(err)
	}
	w.settle("[user] deletes the first of them: its replication is retained, the other gets the PVC", client.ObjectKeyFromObject(third), "False/Progressing: waiting for the csi-addons manager")

	w.create(&replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "taken"},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: "x", ReplicationState: "primary", Source: replicationv1.VolumeGroupReplicationSource{Selector: &metav1.LabelSelector{}},
		},
	})
	w.boundPVC("taken", driver, map[string]string{"app": "taken"})
	w.settle("[user] names a group like somebody's csi-addons group", client.ObjectKeyFromObject(w.group("taken", "gold", map[string]string{"app": "taken"})), "False/ObjectConflict")
	owned := w.boundPVC("owned", driver, map[string]string{"app": "owned"})
	change(w, owned, func(p *corev1.PersistentVolumeClaim) {
		p.Annotations = map[string]string{replicationv1.VolumeReplicationNameAnnotation: "somebody"}
	})
	w.settle("[user] labels a PVC that csi-addons replicates for somebody else", client.ObjectKeyFromObject(w.group("owned", "gold", map[string]string{"app": "owned"})), "False/VolumeConflict")
	w.golden()
}

// TestSequenceNotInstalled shows a cluster without csi-addons, and its arrival.
func TestSequenceNotInstalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.class("gold", nil)
	w.boundPVC("data", driver, map[string]string{"app": "db"})
	key := client.ObjectKeyFromObject(w.group("db", "gold", map[string]string{"app": "db"}))
	w.settle("[user] creates a group in a cluster without csi-addons", key, "False/BackendNotInstalled")
	if _, err := envtest.InstallCRDs(w.admin, envtest.CRDInstallOptions{Paths: []string{vendorCRDs(t)}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	w.settle("[admin] installs the CRDs of csi-addons", key, "False/BackendError")
	w.connect()
	w.settle("[csi-addons] connects to the driver", key, "False/Progressing: waiting for the csi-addons manager")
	w.golden()
}

// TestMemory: a synchronisation of an earlier role is not shown, a later one is, and once all is said nothing is
// written any more.
func TestMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.connect()
	w.class("gold", nil)
	db := map[string]string{"app": "db"}
	w.boundPVC("data", driver, db)
	g := w.group("db", "gold", db)
	key := client.ObjectKeyFromObject(g)
	csi := vendor{w, key}
	w.says("[user] creates a group", key, "False/Progressing: waiting for the csi-addons manager")
	csi.takeUp("handle-data")
	csi.form("data")
	synced := func(at time.Time) {
		child := csi.pass()
		changeStatus(w, child, func(c *replicationv1.VolumeReplication) {
			c.Status.LastSyncTime, c.Status.LastSyncBytes = new(metav1.NewTime(at)), new(int64(4096))
		})
	}
	csi.pass()
	synced(clock.RealClock{}.Now().Add(-time.Minute))
	csi.promoted()
	now, _ := w.says("[csi-addons] promotes", key, "True/Promoted")
	st := now.Status
	if st.StateSince == nil || st.LastRole != vgrv1.StatePrimary || st.ConfirmedGeneration != now.Generation || st.SyncTimeBefore == nil {
		t.Errorf("since %v, last role %q, confirmed %d, before %v", st.StateSince, st.LastRole, st.ConfirmedGeneration, st.SyncTimeBefore)
	}
	if v := st.Volumes[0]; st.LastSyncTime != nil || st.LastSyncBytes != nil || v.LastSyncTime != nil || v.LastSyncBytes != nil {
		t.Errorf("a synchronisation from before the role is shown: %+v", st)
	}
	later := st.StateSince.Add(5 * time.Second)
	synced(later)
	w.eventually("a later synchronisation is shown", func(ctx context.Context) bool {
		return w.Get(ctx, key, g) == nil && g.Status.LastSyncTime != nil && g.Status.LastSyncTime.Time.Equal(later) &&
			g.Status.LastSyncBytes != nil && g.Status.Volumes[0].LastSyncTime != nil
	})
	w.quiet("at rest", key)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary })
	csi.eventuallyAsks(replicationv1.Secondary)
	csi.demoted()
	if now, _ = w.says("[csi-addons] demotes", key, "True/Demoted"); !now.Status.DemotedAfterSync || now.Status.LastSyncTime != nil || now.Status.ConfirmedGeneration != now.Generation {
		t.Errorf("%+v", now.Status)
	}
}

// quiet has the controller reconcile a group, and fails when anything is written for it.
func (w *world) quiet(title string, key client.ObjectKey) {
	w.t.Helper()
	clock.RealClock{}.Sleep(300 * time.Millisecond) // what is under way ends
	w.writes.take()
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, "example.com/look", title)
	})
	clock.RealClock{}.Sleep(300 * time.Millisecond)
	if writes := w.writes.take(); len(writes) > 0 {
		w.t.Errorf("%s: %v", title, writes)
	}
}

// eventuallyAsks waits until the group that csi-addons serves asks for a state.
func (v vendor) eventuallyAsks(state replicationv1.ReplicationState) {
	v.w.t.Helper()
	v.w.eventually("the csi-addons group asks for "+string(state), func(context.Context) bool { return v.group().Spec.ReplicationState == state })
}
