// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// tell writes what a tool that sees both sites knows of the peer, with a change of the spec.
func tell(g *vgrv1.VolumeGroupReplication, fate vgrv1.PeerState) {
	metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationPeer, string(fate)+"/op")
	metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationBoundTo, state.Bound(g, g.Generation+1))
}

// asks fails when the group that csi-addons serves asks for another state.
func (v vendor) asks(title string, want replicationv1.ReplicationState) {
	v.w.t.Helper()
	if got := v.group().Spec.ReplicationState; got != want {
		v.w.t.Errorf("%s: csi-addons is asked for %s, not %s", title, got, want)
	}
}

// promotedGroup is a world with a group that csi-addons has promoted.
func promotedGroup(t *testing.T) (*world, *vgrv1.VolumeGroupReplication, vendor) {
	t.Helper()
	w := newWorld(t, true)
	w.connect()
	w.class("gold", nil)
	db := map[string]string{"app": "db"}
	w.boundPVC("data", driver, db)
	g := w.group("db", "gold", db)
	csi := vendor{w, client.ObjectKeyFromObject(g)}
	w.says("[user] creates a group", csi.key, "False/Progressing: waiting for the csi-addons manager")
	csi.takeUp("handle-data")
	csi.form("data")
	csi.promoted()
	w.says("[csi-addons] promotes: a group that never had a peer needs no leave", csi.key, "True/Promoted")
	return w, g, csi
}

func primary(g *vgrv1.VolumeGroupReplication)   { g.Spec.ReplicationState = vgrv1.Primary }
func secondary(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary }

// TestPromotionIsGuarded: what was secondary becomes primary only by a write that tells why it may.
func TestPromotionIsGuarded(t *testing.T) {
	t.Parallel()
	const refused = "False/PromotionNotConfirmed: csi-addons VolumeGroupReplication db asks for secondary: nothing that was written with the spec confirms"
	w, g, csi := promotedGroup(t)
	demote := func() {
		t.Helper()
		change(w, g, secondary)
		csi.eventuallyAsks(replicationv1.Secondary)
		csi.demoted()
		w.says("[csi-addons] demotes", csi.key, "True/Demoted")
	}
	demote()
	change(w, g, primary)
	_, says := w.says("[GitOps] reverts the failover", csi.key, refused)
	csi.asks("[GitOps] reverts the failover", replicationv1.Secondary)
	if want := "kubectl vgr failover db -n default --to SITE"; !strings.Contains(says, want) {
		t.Errorf("%q does not name %q", says, want)
	}
	w.quiet("refused", csi.key)

	change(w, g, secondary)
	w.says("[GitOps] is stopped", csi.key, "True/Demoted")
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { primary(g); tell(g, vgrv1.PeerDemoted) })
	csi.eventuallyAsks(replicationv1.Primary)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Spec.AutoResync = new(true) })
	w.eventually("a change beside it does not interrupt a promotion under way", func(context.Context) bool { return csi.group().Spec.AutoResync })
	csi.asks("a promotion under way", replicationv1.Primary)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Spec.AutoResync = nil })
	w.eventually("nor does the next", func(context.Context) bool { return !csi.group().Spec.AutoResync })
	csi.asks("a promotion under way", replicationv1.Primary)
	csi.promoted()
	w.says("[csi-addons] promotes", csi.key, "True/Promoted")

	demote()
	change(w, g, primary)
	w.says("[user] applies an old file, whose annotations are still there", csi.key, refused)
	csi.asks("an old file", replicationv1.Secondary)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationBoundTo, state.Bound(g, g.Generation-1))
	})
	w.says("[user] binds them to another write", csi.key, refused)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationPromotion, vgrv1.PromotionUnguarded)
	})
	csi.eventuallyAsks(replicationv1.Primary)
}

// TestChangedOutside: what a user changes in csi-addons' own object is told, and not made a promotion.
func TestChangedOutside(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	change(w, csi.group(), func(g *replicationv1.VolumeGroupReplication) { g.Spec.ReplicationState = replicationv1.Secondary })
	csi.demoted()
	w.says("[user] demotes the object of csi-addons", csi.key, "False/RoleChangedOutside: csi-addons VolumeGroupReplication db asks for secondary")
	change(w, g, func(g *vgrv1.VolumeGroupReplication) {
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationRetry, "1")
	})
	w.says("[user] asks to try again", csi.key, "False/PromotionNotConfirmed")
	csi.asks("somebody else demoted", replicationv1.Secondary)
	change(w, g, secondary)
	w.says("[user] accepts it", csi.key, "True/Demoted")
}

// TestAdoptionChangesNoRole: a group that is deleted and made again takes over what is there.
func TestAdoptionChangesNoRole(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	again := func(as vgrv1.ReplicationState) {
		t.Helper()
		if err := w.Delete(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		w.eventually("the group is gone", func(ctx context.Context) bool { return apierrors.IsNotFound(w.Get(ctx, csi.key, g)) })
		clock.RealClock{}.Sleep(time.Second) // times of creation have no fractions
		g = &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: csi.key.Namespace, Name: csi.key.Name}, Spec: g.Spec}
		g.Spec.ReplicationState = as
		w.create(g)
	}
	again(vgrv1.Secondary)
	w.says("[user] makes it again as secondary over a primary", csi.key, "False/RoleDiffers: csi-addons VolumeGroupReplication db asks for primary")
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { g.Spec.AutoResync = new(true) })
	w.says("[user] changes something else", csi.key, "False/RoleDiffers")
	csi.asks("made again as secondary", replicationv1.Primary)
	change(w, g, func(g *vgrv1.VolumeGroupReplication) { primary(g); g.Spec.AutoResync = nil })
	w.says("[user] takes it over as it is", csi.key, "True/Promoted")
	change(w, g, secondary)
	csi.eventuallyAsks(replicationv1.Secondary)
	csi.demoted()
	w.says("[csi-addons] demotes", csi.key, "True/Demoted")

	again(vgrv1.Primary)
	w.says("[user] makes it again as primary over a secondary", csi.key, "False/PromotionNotConfirmed: csi-addons VolumeGroupReplication db asks for secondary")
	csi.asks("made again as primary", replicationv1.Secondary)
	again(vgrv1.Secondary)
	w.says("[user] makes it again as what it is", csi.key, "True/Demoted")
}

// TestCopies: volumes that were prepared as copies do not become primary by a first creation, alone or in a group.
func TestCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.connect()
	w.class("gold", nil)
	w.create(&vgrv1.VolumeReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: driver}})
	db := map[string]string{"app": "db"}
	for _, pvc := range []string{"data", "one"} {
		w.copied(w.boundPVC(pvc, driver, map[string]string{"app": map[string]string{"data": "db"}[pvc]}).Name)
	}
	key := client.ObjectKeyFromObject(w.group("db", "gold", db))
	const refused = "PromotionNotConfirmed: the volumes are a copy of the peer's: nothing"
	w.says("[user] creates a group over a copy", key, "False/"+refused)
	v := &vgrv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"}, Spec: vgrv1.VolumeReplicationSpec{VolumeReplicationClass: "gold", PVCName: "one", ReplicationState: vgrv1.Primary}}
	w.create(v)
	one := &replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"}}
	ready := func(reason string) func(context.Context) bool {
		return func(ctx context.Context) bool {
			return w.Get(ctx, client.ObjectKeyFromObject(v), v) == nil && len(v.Status.Conditions) > 0 && v.Status.Conditions[0].Reason == reason
		}
	}
	w.eventually("a volume over a copy is refused", ready(vgrv1.ReasonPromotionNotConfirmed))
	command := regexp.MustCompile(`if it has: kubectl -n default annotate --overwrite volumereplications\.replication\.unified\.io one (\S+)=(\S+) (\S+)=(\S+); `)
	var groups replicationv1.VolumeGroupReplicationList
	var volumes replicationv1.VolumeReplicationList
	if err := w.List(t.Context(), &groups); err != nil || len(groups.Items) > 0 {
		t.Errorf("%d groups, %v", len(groups.Items), err)
	}
	if err := w.List(t.Context(), &volumes); err != nil || len(volumes.Items) > 0 {
		t.Errorf("%d volumes, %v", len(volumes.Items), err)
	}
	change(w, v, func(v *vgrv1.VolumeReplication) { v.Spec.ReplicationState = vgrv1.Secondary })
	w.eventually("a copy may be secondary", func(ctx context.Context) bool {
		return w.Get(ctx, client.ObjectKeyFromObject(one), one) == nil && one.Spec.ReplicationState == replicationv1.Secondary
	})
	change(w, v, func(v *vgrv1.VolumeReplication) { v.Spec.ReplicationState = vgrv1.Primary })
	w.eventually("and not primary", ready(vgrv1.ReasonPromotionNotConfirmed))
	var printed []string
	w.eventually("the command of this generation", func(ctx context.Context) bool {
		if w.Get(ctx, client.ObjectKeyFromObject(v), v) != nil {
			return false
		}
		printed = command.FindStringSubmatch(v.Status.Message)
		return printed != nil && printed[2] == state.Bound(v, v.Generation)
	})
	change(w, v, func(v *vgrv1.VolumeReplication) {
		metav1.SetMetaDataAnnotation(&v.ObjectMeta, printed[1], printed[2])
		metav1.SetMetaDataAnnotation(&v.ObjectMeta, printed[3], printed[4])
	})
	w.eventually("the printed command confirms it", func(ctx context.Context) bool {
		return w.Get(ctx, client.ObjectKeyFromObject(one), one) == nil && one.Spec.ReplicationState == replicationv1.Primary
	})
	change(w, v, func(v *vgrv1.VolumeReplication) { v.Spec.ReplicationState = vgrv1.Secondary })
	w.eventually("it may be secondary again", func(ctx context.Context) bool {
		return w.Get(ctx, client.ObjectKeyFromObject(one), one) == nil && one.Spec.ReplicationState == replicationv1.Secondary
	})
	change(w, v, func(v *vgrv1.VolumeReplication) { v.Spec.ReplicationState = vgrv1.Primary })
	w.eventually("and the command of before confirms nothing", ready(vgrv1.ReasonPromotionNotConfirmed))
	change(w, v, func(v *vgrv1.VolumeReplication) {
		metav1.SetMetaDataAnnotation(&v.ObjectMeta, vgrv1.AnnotationPromotion, vgrv1.PromotionUnguarded)
	})
	w.eventually("unless it is unguarded", func(ctx context.Context) bool {
		return w.Get(ctx, client.ObjectKeyFromObject(one), one) == nil && one.Spec.ReplicationState == replicationv1.Primary
	})
}

// copied marks the volume of a PVC as a copy, as the plugin does when it prepares a peer, and waits until the
// controller sees that.
func (w *world) copied(pvc string) {
	w.t.Helper()
	key := client.ObjectKey{Name: "pv-default-" + pvc}
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: key.Name}}
	change(w, pv, func(pv *corev1.PersistentVolume) {
		metav1.SetMetaDataAnnotation(&pv.ObjectMeta, vgrv1.AnnotationCopyOf, "other")
	})
	w.eventually("the controller sees the mark", func(ctx context.Context) bool {
		return w.cache.Get(ctx, key, pv) == nil && pv.Annotations[vgrv1.AnnotationCopyOf] != ""
	})
}
