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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/powerstore"
	"github.com/unified-replication/kubectl-vgr/hack/lab/trident"
)

// mirrored waits until exactly these PVCs are mirrored by the array.
func (s *scene) mirrored(site string, names ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("the array to mirror %v", names), func(ctx context.Context) error {
		var pvcs corev1.PersistentVolumeClaimList
		if err := s.sites[site].List(ctx, &pvcs, client.InNamespace(s.ns)); err != nil {
			return err
		}
		for _, pvc := range pvcs.Items {
			if pvc.Spec.VolumeName == "" {
				continue
			}
			handle, err := s.lab.Site(site).VolumeHandle(ctx, s.ns+"/"+pvc.Name)
			if err != nil {
				continue // another driver's
			}
			img, _ := s.lab.Array.Image(handle)
			if img.Mirrored != slices.Contains(names, pvc.Name) {
				return fmt.Errorf("%s: mirrored %v", pvc.Name, img.Mirrored)
			}
		}
		return nil
	})
}

// TestMembership follows the labels. csi-addons alone would notice them at its next interval only.
func TestMembership(t *testing.T) {
	t.Parallel()
	for _, class := range []string{"hourly", single} {
		t.Run(class, func(t *testing.T) {
			s := newScene(t)
			db := map[string]string{"app": "db"}
			s.create(lab.East, s.group("db", class, vgrv1.Primary, db))
			s.says(lab.East, "db", vgrv1.ReasonNoVolumes, "matches no PVC")
			s.claims(lab.East, db, "data")
			s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
			s.claims(lab.East, nil, "logs")
			s.mirrored(lab.East, "data")
			s.label(lab.East, "logs", db)
			s.ready(lab.East, "db", vgrv1.StatePrimary, 2)
			s.mirrored(lab.East, "data", "logs")
			s.label(lab.East, "data", nil)
			s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
			s.mirrored(lab.East, "logs")
		})
	}
}

// TestMemberListedForEver: csi-addons v0.14 never gets over a PVC that is gone and still on its list. The group prints the
// command that helps.
func TestMemberListedForEver(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	db := map[string]string{"app": "db"}
	s.claims(lab.East, db, "data")
	s.create(lab.East, s.group("db", gold, vgrv1.Primary, db))
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	native := &replicationv1.VolumeGroupReplication{}
	get := func(ctx context.Context) error {
		return s.sites[lab.East].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "db"}, native)
	}
	east := s.lab.Site(lab.East)
	s.must(east.StopProc(t.Context(), lab.CSIAddons))
	s.must(get(t.Context()))
	native.Status.PersistentVolumeClaimsRefList = append(native.Status.PersistentVolumeClaimsRefList, corev1.LocalObjectReference{Name: "gone"})
	s.must(s.sites[lab.East].Status().Update(t.Context(), native))
	s.must(east.StartProc(lab.CSIAddons))
	s.says(lab.East, "db", vgrv1.ReasonBackendError, `PersistentVolumeClaim "gone" not found; it never gets over that`)

	message := s.get(lab.East, "db").Status.Message
	_, patch, found := strings.Cut(message, "--subresource=status --type=json -p '")
	patch, _, ended := strings.Cut(patch, "'")
	if !found || !ended {
		t.Fatalf("no command in %q", message)
	}
	s.must(get(t.Context()))
	s.must(s.sites[lab.East].Status().Patch(t.Context(), native, client.RawPatch(types.JSONPatchType, []byte(patch))))
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	s.eventually("csi-addons to get on", func(ctx context.Context) error {
		if err := get(ctx); err != nil {
			return err
		}
		if strings.Contains(native.Status.Message, "not found") {
			return errors.New(native.Status.Message)
		}
		return nil
	})
	s.mirrored(lab.East, "data")
}

// TestNotReplicable is about PVCs that cannot be members: the group says which and why, and continues when
// they are gone or fit.
func TestNotReplicable(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	db := map[string]string{"app": "db"}
	s.claims(lab.East, db, "data")
	s.create(lab.East, s.group("db", gold, vgrv1.Primary, db))
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)

	t.Run("unbound", func(t *testing.T) {
		pending := s.claim("pending", "no-such-class", db)
		s.create(lab.East, pending)
		s.says(lab.East, "db", vgrv1.ReasonVolumeNotBound, "pending")
		s.mirrored(lab.East, "data")
		s.must(s.sites[lab.East].Delete(t.Context(), pending))
		before := pending.DeepCopy()
		pending.Labels = nil // csi-addons may have put a finalizer on it already
		s.must(client.IgnoreNotFound(s.sites[lab.East].Patch(t.Context(), pending, client.MergeFrom(before))))
		s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	})
	t.Run("another driver", func(t *testing.T) {
		pv := &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: s.ns + "-foreign"},
			Spec: corev1.PersistentVolumeSpec{
				Capacity: s.claim("", "", nil).Spec.Resources.Requests, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "other.example.com", VolumeHandle: "x"}},
			},
		}
		s.create(lab.East, pv)
		foreign := s.claim("foreign", "", db)
		foreign.Spec.VolumeName = pv.Name
		s.create(lab.East, foreign)
		s.says(lab.East, "db", vgrv1.ReasonForeignDriver, "foreign")
		s.label(lab.East, "foreign", nil)
		s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	})
	t.Run("terminating", func(t *testing.T) {
		going := s.claim("going", lab.FastStorageClass, nil)
		going.Finalizers = []string{"example.com/hold"}
		s.create(lab.East, going)
		s.must(s.sites[lab.East].Delete(t.Context(), going))
		s.label(lab.East, "going", db)
		s.says(lab.East, "db", vgrv1.ReasonVolumeTerminating, "going")
		s.label(lab.East, "going", nil)
		s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	})
	t.Run("a member that is deleted", func(t *testing.T) {
		member := s.claim("member", lab.FastStorageClass, db)
		member.Finalizers = []string{"example.com/hold"}
		s.create(lab.East, member)
		s.ready(lab.East, "db", vgrv1.StatePrimary, 2)
		s.must(s.sites[lab.East].Delete(t.Context(), member))
		s.label(lab.East, "member", nil) // csi-addons holds it until it leaves the group
		s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
		// csi-addons v0.14 takes its finalizer off the PVC before it writes its list of members. If another write comes in between and the
		// PVC is gone, it reports the missing PVC for ever; this hold keeps the test out of that.
		s.eventually("csi-addons to list the group without member", func(ctx context.Context) error {
			var group replicationv1.VolumeGroupReplication
			if err := s.sites[lab.East].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "db"}, &group); err != nil {
				return err
			}
			if refs := group.Status.PersistentVolumeClaimsRefList; len(refs) != 1 {
				return fmt.Errorf("it lists %v", refs)
			}
			return nil
		})
		s.must(s.sites[lab.East].Get(t.Context(), client.ObjectKeyFromObject(member), member))
		before := member.DeepCopy()
		member.Finalizers = slices.DeleteFunc(slices.Clone(member.Finalizers), func(f string) bool { return f == "example.com/hold" })
		s.must(s.sites[lab.East].Patch(t.Context(), member, client.MergeFrom(before)))
		s.gone(lab.East, member)
	})
	t.Run("claimed twice", func(t *testing.T) {
		rival := s.group("rival", gold, vgrv1.Primary, db)
		s.create(lab.East, rival)
		s.says(lab.East, "rival", vgrv1.ReasonVolumeConflict, "data")
		s.ready(lab.East, "db", vgrv1.StatePrimary, 1) // the first one continues
		first := s.group("db", gold, vgrv1.Primary, db)
		first.Annotations = map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete}
		s.change(lab.East, "db", func(g *vgrv1.VolumeGroupReplication) { g.Annotations = first.Annotations })
		s.must(s.sites[lab.East].Delete(t.Context(), first))
		s.ready(lab.East, "rival", vgrv1.StatePrimary, 1)
	})
}

// TestLimit is about the number of PVCs that csi-addons can group.
func TestLimit(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	many := map[string]string{"app": "many"}
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("data-%d", i))
	}
	s.claims(lab.East, many, names...)
	s.create(lab.East, s.group("many", gold, vgrv1.Primary, many))
	s.ready(lab.East, "many", vgrv1.StatePrimary, 100)
	s.claims(lab.East, many, "one-too-many")
	s.says(lab.East, "many", vgrv1.ReasonTooManyVolumes, "101")
	s.mirrored(lab.East, names...) // the hundred stay
	s.label(lab.East, "one-too-many", nil)
	s.ready(lab.East, "many", vgrv1.StatePrimary, 100)
}

// TestVolumeReplication is the group of one, on each backend.
func TestVolumeReplication(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		provisioner, storageClass, schedule string
		// refused is what is said instead of a demotion.
		refused string
	}{
		"ceph":    {"rbd.csi.ceph.com", lab.StorageClass, "1m", ""},
		"dell":    {powerstore.Name, lab.DellStorageClass, "5m", ""},
		"trident": {trident.Name, lab.TridentStorageClass, "5m", "PVC data is writable; to follow the peer discards the writes that only it has"},
	} {
		t.Run(name, func(t *testing.T) { testVolumeReplication(t, tc.provisioner, tc.storageClass, tc.schedule, tc.refused) })
	}
}

func testVolumeReplication(t *testing.T, provisioner, storageClass, schedule, refused string) {
	t.Helper()
	s := newScene(t)
	class := &vgrv1.VolumeReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: s.ns}, Spec: vgrv1.ClassSpec{Provisioner: provisioner, Parameters: map[string]string{"schedulingInterval": schedule}}}
	s.create(lab.East, class)
	s.create(lab.East, s.claim("data", storageClass, nil))
	s.bound(lab.East, "data")
	v := &vgrv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "data"},
		Spec:       vgrv1.VolumeReplicationSpec{VolumeReplicationClass: class.Name, PVCName: "data", ReplicationState: vgrv1.Primary},
	}
	s.create(lab.East, v)
	reaches := func(what string, reached func() bool) {
		t.Helper()
		s.eventually("the volume to be "+what, func(ctx context.Context) error {
			if err := s.sites[lab.East].Get(ctx, client.ObjectKeyFromObject(v), v); err != nil {
				return err
			}
			if !reached() {
				return fmt.Errorf("status %+v", v.Status)
			}
			return nil
		})
	}
	is := func(state vgrv1.State) func() bool {
		return func() bool {
			return v.Status.State == state && v.Status.ObservedGeneration == v.Generation && v.Status.VolumeHandle != ""
		}
	}
	reaches("primary", is(vgrv1.StatePrimary))
	if storageClass == lab.StorageClass {
		s.mirrored(lab.East, "data")
	}
	before := v.DeepCopy()
	metav1.SetMetaDataAnnotation(&v.ObjectMeta, vgrv1.AnnotationPromotion, vgrv1.PromotionUnguarded) // else the API server refuses it
	v.Spec.ReplicationState = vgrv1.Secondary
	s.must(s.sites[lab.East].Patch(t.Context(), v, client.MergeFrom(before)))
	if refused == "" {
		reaches("secondary", is(vgrv1.StateSecondary))
		return
	}
	reaches("refused", func() bool {
		r := meta.FindStatusCondition(v.Status.Conditions, vgrv1.ConditionReady)
		return r != nil && r.ObservedGeneration == v.Generation && strings.Contains(r.Message, refused)
	})
}
