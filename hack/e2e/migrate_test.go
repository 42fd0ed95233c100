// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
)

// handmade are VolumeReplications as people make them, of which vgr knows nothing: on both sites, east
// primary.
type handmade struct {
	*scene
	pvcs []string
	// fast is true on the fast storage.
	fast bool
}

func newHandmade(s *scene, pvcs ...string) handmade {
	s.t.Helper()
	h := handmade{scene: s, pvcs: pvcs}
	h.cephClaims(lab.East, nil, pvcs...)
	return h.begin()
}

// newFastHandmade are the same on the storage that synchronises every few seconds.
func newFastHandmade(s *scene, pvcs ...string) handmade {
	s.t.Helper()
	h := handmade{scene: s, pvcs: pvcs, fast: true}
	h.claims(lab.East, nil, pvcs...)
	return h.begin()
}

func (h handmade) begin() handmade {
	h.t.Helper()
	h.replicate(lab.East, replicationv1.Primary)
	h.confirmed(lab.East, replicationv1.PrimaryState)
	for _, name := range h.pvcs {
		h.copyClaim(name)
	}
	h.bound(lab.West, h.pvcs...)
	h.replicate(lab.West, replicationv1.Secondary)
	h.confirmed(lab.West, replicationv1.SecondaryState)
	return h
}

func (h handmade) replicate(site string, state replicationv1.ReplicationState) {
	h.t.Helper()
	class := &replicationv1.VolumeReplicationClass{
		ObjectMeta: metav1.ObjectMeta{Name: "handmade-" + h.ns},
		Spec: replicationv1.VolumeReplicationClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{
			"schedulingInterval": "1m", "mirroringMode": "snapshot",
			"replication.storage.openshift.io/replication-secret-name": "rook-csi-rbd-provisioner", "replication.storage.openshift.io/replication-secret-namespace": "rook-ceph",
		}},
	}
	if h.fast {
		class.Spec.Provisioner, class.Spec.Parameters["schedulingInterval"] = driver.FastName, "10s"
	}
	h.create(site, class)
	h.t.Cleanup(func() { _ = h.sites[site].Delete(context.WithoutCancel(h.t.Context()), class) })
	for _, name := range h.pvcs {
		h.create(site, &replicationv1.VolumeReplication{
			ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: "db-" + name, Labels: map[string]string{"app": "db"}},
			Spec: replicationv1.VolumeReplicationSpec{
				VolumeReplicationClass: class.Name, ReplicationState: state,
				DataSource: corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: name},
			},
		})
	}
}

// copyClaim makes a claim and its volume on west as they are on east.
func (h handmade) copyClaim(name string) {
	h.t.Helper()
	var pvc corev1.PersistentVolumeClaim
	h.must(h.sites[lab.East].Get(h.t.Context(), client.ObjectKey{Namespace: h.ns, Name: name}, &pvc))
	var pv corev1.PersistentVolume
	h.must(h.sites[lab.East].Get(h.t.Context(), client.ObjectKey{Name: pvc.Spec.VolumeName}, &pv))
	spec := pv.Spec.DeepCopy()
	spec.ClaimRef = &corev1.ObjectReference{Namespace: h.ns, Name: name}
	spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
	h.create(lab.West, &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: pv.Name}, Spec: *spec})
	h.create(lab.West, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: name}, Spec: *pvc.Spec.DeepCopy()})
}

func (h handmade) replications(site string) []replicationv1.VolumeReplication {
	h.t.Helper()
	var list replicationv1.VolumeReplicationList
	h.must(h.sites[site].List(h.t.Context(), &list, client.InNamespace(h.ns)))
	return list.Items
}

func (h handmade) confirmed(site string, state replicationv1.State) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("csi-addons to confirm %s on %s", state, site), func(context.Context) error {
		for _, vr := range h.replications(site) {
			if vr.Status.State != state || vr.Status.ObservedGeneration != vr.Generation {
				return fmt.Errorf("%s: %+v", vr.Name, vr.Status)
			}
		}
		return nil
	})
}

// objects are the replications of a site by UID and generation: what another object or another wish would
// change.
func (h handmade) objects(site string) string {
	h.t.Helper()
	var out []string
	for _, vr := range h.replications(site) {
		out = append(out, fmt.Sprintf("%s %s %d", vr.Name, vr.UID, vr.Generation))
	}
	return strings.Join(out, "\n")
}

func (h handmade) migrate(site, peer string, more ...string) result {
	h.t.Helper()
	return h.vgr(append([]string{"migrate", "--from", "csi-addons", "-l", "app=db", "--into", "db", "-n", h.ns, "--context", site, "--peer-context", peer}, more...)...)
}

func (r result) wants(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, not %d\n%s%s", r.code, code, r.out, r.errOut)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.errOut, text) {
			t.Fatalf("it does not say %q:\n%s%s", text, r.out, r.errOut)
		}
	}
}

// TestMigrateReplications takes handmade replications over, fails over as a group, and gives them back:
// the storage is never asked to stop, and the objects stay the same ones.
func TestMigrateReplications(t *testing.T) {
	t.Parallel()
	h := newHandmade(newSceneAlone(t), "data", "logs", "index")
	east, west := h.objects(lab.East), h.objects(lab.West)
	disabled := h.lab.Site(lab.East).Driver.Faults.Calls()["DisableVolumeReplication"]

	h.migrate(lab.East, lab.West).wants(t, 0, "kind: VolumeGroupReplication", "consistencyGroup: disabled", "nothing was changed; --apply does it")
	h.migrate(lab.East, lab.West, "--apply", "--dry-run=server").wants(t, 0, "volumereplication/db-data -n "+h.ns+" handed over (server dry run)")
	h.migrate(lab.East, lab.West, "--apply").wants(t, 5, "not confirmed")
	var pvc corev1.PersistentVolumeClaim
	h.must(h.sites[lab.East].Get(t.Context(), client.ObjectKey{Namespace: h.ns, Name: "data"}, &pvc))
	if len(pvc.Labels) > 0 {
		t.Fatalf("a dry run changed a PVC: %v", pvc.Labels)
	}

	h.migrate(lab.East, lab.West, "--apply", "--yes").wants(t, 0, "volumegroupreplication/db: Primary, Promoted")
	h.migrate(lab.West, lab.East, "--apply", "--yes").wants(t, 0)
	h.ready(lab.East, "db", vgrv1.StatePrimary, 3)
	h.ready(lab.West, "db", vgrv1.StateSecondary, 3)
	h.migrate(lab.East, lab.West, "--apply", "--yes").wants(t, 0) // again: nothing to do
	h.same(east, west)
	h.mirrored(lab.East, "data", "logs", "index")

	h.done("failover", "db", "-n", h.ns, "--to", lab.West, "--yes")
	h.ready(lab.West, "db", vgrv1.StatePrimary, 3)
	east, west = h.objects(lab.East), h.objects(lab.West)

	for _, site := range []string{lab.East, lab.West} {
		h.done("migrate", "--rollback", "db", "-n", h.ns, "--context", site, "--yes")
		h.gone(site, h.group("db", "", "", nil))
		for _, vr := range h.replications(site) {
			if want := map[string]string{"app": "db"}; !maps.Equal(vr.Labels, want) {
				t.Errorf("%s: %s keeps the labels %v", site, vr.Name, vr.Labels)
			}
		}
	}
	h.same(east, west)
	h.mirrored(lab.West, "data", "logs", "index")
	h.vgr("migrate", "--rollback", "db", "-n", h.ns, "--yes").wants(t, 2, "there is nothing of a migrated group")
	if n := h.lab.Site(lab.East).Driver.Faults.Calls()["DisableVolumeReplication"]; n != disabled {
		t.Errorf("the storage was asked %d times to stop replicating", n-disabled)
	}
	h.migrate(lab.West, lab.East, "--apply", "--yes").wants(t, 0) // there is a way back from the way back
	h.ready(lab.West, "db", vgrv1.StatePrimary, 3)
}

func (h handmade) same(east, west string) {
	h.t.Helper()
	for site, before := range map[string]string{lab.East: east, lab.West: west} {
		if now := h.objects(site); now != before {
			h.t.Fatalf("%s: other objects, or other wishes:\n%s\nbefore:\n%s", site, now, before)
		}
	}
}

// handmadeGroup makes a VolumeGroupReplication as people make one, on both sites, east primary.
func handmadeGroup(s *scene, pvcs ...string) handmade {
	s.t.Helper()
	h := handmade{scene: s, pvcs: pvcs}
	h.claims(lab.East, map[string]string{"app": "db"}, pvcs...)
	h.nativeGroup(lab.East, replicationv1.Primary, "")
	for _, name := range pvcs {
		h.copyClaim(name)
		h.label(lab.West, name, map[string]string{"app": "db"})
	}
	h.bound(lab.West, pvcs...)
	content := &replicationv1.VolumeGroupReplicationContent{ObjectMeta: metav1.ObjectMeta{Name: "handmade-" + h.ns}}
	var source replicationv1.VolumeGroupReplicationContent
	h.must(h.sites[lab.East].Get(h.t.Context(), client.ObjectKey{Name: h.nativeOn(lab.East).Spec.VolumeGroupReplicationContentName}, &source))
	content.Spec = replicationv1.VolumeGroupReplicationContentSpec{
		Provisioner: source.Spec.Provisioner, VolumeGroupReplicationClassName: source.Spec.VolumeGroupReplicationClassName,
		VolumeGroupReplicationHandle: source.Spec.VolumeGroupReplicationHandle, Source: replicationv1.VolumeGroupReplicationContentSource{VolumeHandles: []string{}},
	}
	h.create(lab.West, content)
	h.nativeGroup(lab.West, replicationv1.Secondary, content.Name)
	return h
}

func (h handmade) nativeGroup(site string, state replicationv1.ReplicationState, content string) {
	h.t.Helper()
	name := "handmade-" + h.ns
	secret := func(prefix string) map[string]string {
		return map[string]string{
			"schedulingInterval": "1s", "replication.storage.openshift.io/" + prefix + "replication-secret-name": "rook-csi-rbd-provisioner",
			"replication.storage.openshift.io/" + prefix + "replication-secret-namespace": "rook-ceph",
		}
	}
	group := &replicationv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: replicationv1.VolumeGroupReplicationClassSpec{Provisioner: driver.FastName, Parameters: secret("group-")}}
	volume := &replicationv1.VolumeReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: replicationv1.VolumeReplicationClassSpec{Provisioner: driver.FastName, Parameters: secret("")}}
	for _, class := range []client.Object{group, volume} {
		h.create(site, class)
		h.t.Cleanup(func() { _ = h.sites[site].Delete(context.WithoutCancel(h.t.Context()), class) })
	}
	h.create(site, &replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: "by-hand"},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: name, VolumeReplicationClassName: name, ReplicationState: state, VolumeGroupReplicationContentName: content,
			Source: replicationv1.VolumeGroupReplicationSource{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}},
		},
	})
	want := map[replicationv1.ReplicationState]replicationv1.State{replicationv1.Primary: replicationv1.PrimaryState, replicationv1.Secondary: replicationv1.SecondaryState}[state]
	h.eventually("csi-addons to confirm the group on "+site, func(context.Context) error {
		if g := h.nativeOn(site); g.Status.State != want {
			return fmt.Errorf("%+v", g.Status)
		}
		return nil
	})
}

func (h handmade) nativeOn(site string) *replicationv1.VolumeGroupReplication {
	h.t.Helper()
	var g replicationv1.VolumeGroupReplication
	h.must(h.sites[site].Get(h.t.Context(), client.ObjectKey{Namespace: h.ns, Name: "by-hand"}, &g))
	return &g
}

// TestMigrateGroup takes a VolumeGroupReplication of csi-addons over as it is, moves it, and gives it back. Objects of others
// are refused.
func TestMigrateGroup(t *testing.T) {
	t.Parallel()
	h := handmadeGroup(newScene(t), "data", "logs")
	peer := map[string]string{lab.East: lab.West, lab.West: lab.East}
	migrate := func(site, into string, more ...string) result {
		return h.vgr(append([]string{"migrate", "--from", "csi-addons", "by-hand", "--into", into, "-n", h.ns, "--context", site, "--peer-context", peer[site]}, more...)...)
	}
	object := func() string {
		east, west := h.nativeOn(lab.East), h.nativeOn(lab.West)
		return fmt.Sprint(east.UID, east.Generation, west.UID, west.Generation)
	}
	mark := func(annotations map[string]string) {
		t.Helper()
		g := h.nativeOn(lab.East)
		before := g.DeepCopy()
		if g.Annotations = maps.Clone(g.Annotations); annotations == nil {
			delete(g.Annotations, "argocd.argoproj.io/tracking-id")
			delete(g.Annotations, "drplacementcontrol.ramendr.openshift.io/x")
		}
		maps.Copy(g.Annotations, annotations)
		h.must(h.sites[lab.East].Patch(t.Context(), g, client.MergeFrom(before)))
	}
	before := object()
	h.vgr("create", "db", "-n", h.ns, "--class", gold, "-l", "app=db", "--yes").wants(t, 2, "kubectl vgr migrate --from csi-addons by-hand --into by-hand -n "+h.ns)
	migrate(lab.East, "db").wants(t, 2, "can only be taken over by a group of its name: use --into by-hand")
	mark(map[string]string{"drplacementcontrol.ramendr.openshift.io/x": "y"})
	migrate(lab.East, "by-hand").wants(t, 2, "Ramen (annotation drplacementcontrol.ramendr.openshift.io/x) controls it")
	mark(nil)
	mark(map[string]string{"argocd.argoproj.io/tracking-id": "shop:x/y:z"})
	migrate(lab.East, "by-hand").wants(t, 2, "Argo CD (Application shop) applies it from Git", "then add --accept-gitops")
	migrate(lab.East, "by-hand", "--accept-gitops").wants(t, 0, "Argo CD (Application shop) applies it from Git", "nothing was changed")
	mark(nil)

	for _, site := range []string{lab.East, lab.West} {
		migrate(site, "by-hand", "--apply", "--yes").wants(t, 0, "volumegroupreplication/by-hand")
	}
	h.ready(lab.East, "by-hand", vgrv1.StatePrimary, 2)
	h.ready(lab.West, "by-hand", vgrv1.StateSecondary, 2)
	migrate(lab.East, "by-hand", "--apply", "--yes").wants(t, 0) // again: nothing to do
	if now := object(); now != before {
		t.Fatalf("other objects, or other wishes: %s, before %s", now, before)
	}
	h.done("failover", "by-hand", "-n", h.ns, "--to", lab.West, "--yes")
	h.ready(lab.West, "by-hand", vgrv1.StatePrimary, 2)
	h.ready(lab.East, "by-hand", vgrv1.StateSecondary, 2)

	before = object()
	for _, site := range []string{lab.East, lab.West} {
		h.vgr("migrate", "--rollback", "by-hand", "-n", h.ns, "--context", site, "--yes").wants(t, 0, "1 objects of the backend")
		h.gone(site, h.group("by-hand", "", "", nil))
		if l := h.nativeOn(site).Labels; len(l) > 0 {
			t.Errorf("%s keeps the labels %v", site, l)
		}
	}
	if now := object(); now != before {
		t.Errorf("other objects, or other wishes: %s, before %s", now, before)
	}
}

// TestMigrateWaits has no controller: nothing is handed over to a group whose volumes no controller knows. With
// it the same command resumes.
func TestMigrateWaits(t *testing.T) {
	t.Parallel()
	h := newHandmade(newSceneAlone(t), "data", "logs")
	east, west := h.objects(lab.East), h.objects(lab.West)
	ctx := context.WithoutCancel(t.Context())
	h.must(h.lab.Site(lab.East).StopProc(ctx, lab.Controller))
	h.migrate(lab.East, lab.West, "--apply", "--yes", "--timeout", "10s").wants(t, 3, "waiting for the controller", "the same command resumes")
	for _, vr := range h.replications(lab.East) {
		if vr.Labels[vgrv1.LabelGroup] != "" {
			t.Errorf("%s was handed over to nobody", vr.Name)
		}
	}
	h.must(h.lab.Site(lab.East).StartProc(lab.Controller))
	h.migrate(lab.East, lab.West, "--apply", "--yes").wants(t, 0)
	h.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	h.same(east, west)
}

// TestMigrateMeanwhile has a user change a replication while migrate waits: it is not handed over, since
// the group would take that change back.
func TestMigrateMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHandmade(newSceneAlone(t), "data")
	ctx := context.WithoutCancel(t.Context())
	h.must(h.lab.Site(lab.East).StopProc(ctx, lab.Controller))
	ended := make(chan result)
	go func() { ended <- h.migrate(lab.East, lab.West, "--apply", "--yes") }()
	h.eventually("the group to be made", func(ctx context.Context) error {
		return h.sites[lab.East].Get(ctx, client.ObjectKey{Namespace: h.ns, Name: "db"}, &vgrv1.VolumeGroupReplication{})
	})
	vr := &h.replications(lab.East)[0]
	before := vr.DeepCopy()
	vr.Spec.AutoResync = true
	h.must(h.sites[lab.East].Patch(t.Context(), vr, client.MergeFrom(before)))
	h.must(h.lab.Site(lab.East).StartProc(lab.Controller))
	(<-ended).wants(t, 4, "it was changed since the plan was made")
	if now := h.replications(lab.East)[0]; now.Labels[vgrv1.LabelGroup] != "" || !now.Spec.AutoResync {
		t.Errorf("it is now %+v %+v", now.Labels, now.Spec)
	}
}

// TestMigrateRefuses names what is in the way, and changes nothing.
func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	h := newHandmade(newScene(t), "data", "logs")
	vr := &h.replications(lab.East)[0]
	change := func(how func()) {
		t.Helper()
		before := vr.DeepCopy()
		how()
		h.must(h.sites[lab.East].Patch(t.Context(), vr, client.MergeFrom(before)))
	}
	change(func() { vr.Spec.AutoResync = true })
	h.confirmed(lab.East, replicationv1.PrimaryState)
	h.migrate(lab.East, lab.West, "--apply", "--yes").wants(t, 2, "its volumes differ in auto-resync: false (logs); true (data)", "nothing was changed")
	change(func() { vr.Spec.AutoResync = false })
	h.confirmed(lab.East, replicationv1.PrimaryState)
	change(func() {
		vr.OwnerReferences = []metav1.OwnerReference{{APIVersion: "ramendr.openshift.io/v1alpha1", Kind: "VolumeReplicationGroup", Name: "app", UID: "1", Controller: new(true)}}
	})
	h.migrate(lab.East, lab.West, "--apply", "--yes").wants(t, 2, "Ramen's VolumeReplicationGroup app controls it; two controllers would manage one volume")
	change(func() { vr.OwnerReferences = nil })
	h.cephClaims(lab.East, map[string]string{migration.LabelMember: "db"}, "stray")
	h.migrate(lab.East, lab.West, "--apply", "--yes").wants(t, 2, "PVC stray has the label replication.unified.io/volume-group=db too and would come in")
	h.vgr("migrate", "--from", "csi-addons", "-n", h.ns).wants(t, 1, "no group is named for the volumes")
	h.vgr("migrate", "--from", "dell", "--into", "db", "x").wants(t, 1, `nothing can be migrated from "dell"`)
	h.vgr("migrate", "--from", "csi-addons", "--into", "db", "nobody", "-n", h.ns).wants(t, 2, "there is no nobody in namespace")
}

// TestMigrateSingles makes one group of VolumeReplications of ours and one that is handmade.
func TestMigrateSingles(t *testing.T) {
	t.Parallel()
	h := newHandmade(newScene(t), "data")
	h.cephClaims(lab.East, nil, "logs")
	class := &vgrv1.VolumeReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: h.ns}, Spec: vgrv1.ClassSpec{
		Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "1m", "mirroringMode": "snapshot"},
	}}
	h.create(lab.East, class)
	single := &vgrv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: "logs"},
		Spec:       vgrv1.VolumeReplicationSpec{VolumeReplicationClass: class.Name, PVCName: "logs", ReplicationState: vgrv1.Primary},
	}
	h.create(lab.East, single)
	h.mirrored(lab.East, "data", "logs")
	h.confirmed(lab.East, replicationv1.PrimaryState)
	before := h.objects(lab.East)
	h.vgr("migrate", "--from", "csi-addons", "db-data", "logs", "--into", "db", "-n", h.ns, "--apply", "--yes").
		wants(t, 0, "delete volumereplication/logs of kubectl vgr, and leave its replication", "volumegroupreplication/db: Primary, Promoted")
	h.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	h.gone(lab.East, single)
	if now := h.objects(lab.East); now != before {
		t.Errorf("other objects, or other wishes:\n%s\nbefore:\n%s", now, before)
	}
	h.mirrored(lab.East, "data", "logs")
}

// TestMigrateMirrors takes handmade relationships of Trident over.
func TestMigrateMirrors(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	n.vgr("migrate", "--from", "trident", "--into", "other", "data", "-n", n.ns).wants(t, 2, "belongs to VolumeGroupReplication db already")
	for _, site := range []string{lab.East, lab.West} {
		n.done("delete", "db", "-n", n.ns, "--context", site, "--peer-context", map[string]string{lab.East: lab.West, lab.West: lab.East}[site], "--yes")
		for _, claim := range []string{"data", "logs"} {
			u, err := n.relationship(site, claim)
			n.must(err)
			u.SetLabels(nil)
			u.SetAnnotations(nil)
			n.must(n.sites[site].Update(t.Context(), u))
		}
	}
	copied := func(name string) {
		t.Helper()
		u, err := n.relationship(lab.West, "data")
		n.must(err)
		u.Object["spec"].(map[string]any)["volumeMappings"].([]any)[0].(map[string]any)["localPVCName"] = name
		n.must(n.sites[lab.West].Update(t.Context(), u))
	}
	copied("datadst")
	n.vgr("migrate", "--from", "trident", "data", "logs", "--into", "shop", "-n", n.ns, "--peer-context", lab.West, "--apply", "--yes").
		wants(t, 2, "PVC data in namespace "+n.ns+" is PVC datadst in namespace "+n.ns+" on west", "nothing was changed")
	copied("data")
	before := n.operations()
	for _, site := range []string{lab.East, lab.West} {
		peer := map[string]string{lab.East: lab.West, lab.West: lab.East}[site]
		n.vgr("migrate", "--from", "trident", "data", "logs", "--into", "shop", "-n", n.ns, "--context", site, "--peer-context", peer, "--apply", "--yes").wants(t, 0)
	}
	n.ready(lab.East, "shop", vgrv1.StatePrimary, 2)
	n.ready(lab.West, "shop", vgrv1.StateSecondary, 2)
	if now := n.operations(); !slices.Equal(now, before) {
		t.Errorf("the storage was asked for something: %v", now[len(before):])
	}
	n.done("failover", "shop", "-n", n.ns, "--to", lab.West, "--yes")
	n.ready(lab.West, "shop", vgrv1.StatePrimary, 2)
}

// unified is an object of the old API, whose claim is in the test's namespace.
func (s *scene) unified(name, state, pvc string, labels map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": s.ns, "name": name, "labels": labels, "finalizers": []any{migration.UnifiedFinalizer}},
		"spec": map[string]any{
			"sourceEndpoint":      map[string]any{"cluster": "east", "region": "r1", "storageClass": lab.StorageClass},
			"destinationEndpoint": map[string]any{"cluster": "west", "region": "r2", "storageClass": lab.StorageClass},
			"volumeMapping": map[string]any{
				"source":      map[string]any{"pvcName": pvc, "namespace": s.ns},
				"destination": map[string]any{"volumeHandle": "h", "namespace": s.ns},
			},
			"replicationState": state, "replicationMode": "asynchronous",
			"schedule":   map[string]any{"mode": "interval", "rpo": "15m", "rto": "5m"},
			"extensions": map[string]any{"ceph": map[string]any{"mirroringMode": "snapshot"}, "trident": map[string]any{"actions": []any{map[string]any{"type": "mirror-update"}}}},
		},
	}}
	u.SetGroupVersionKind(migration.Unified())
	return u
}

// serveUnified has east serve the old API, which is a second version of a group that is ours.
func (s *scene) serveUnified() {
	s.t.Helper()
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "unifiedvolumereplications.replication.unified.io"},
		"spec": map[string]any{
			"group": "replication.unified.io", "scope": "Namespaced",
			"names": map[string]any{"kind": "UnifiedVolumeReplication", "listKind": "UnifiedVolumeReplicationList", "plural": "unifiedvolumereplications", "singular": "unifiedvolumereplication"},
			"versions": []any{map[string]any{
				"name": "v1alpha1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
	s.create(lab.East, crd)
	s.t.Cleanup(func() { s.must(s.sites[lab.East].Delete(context.WithoutCancel(s.t.Context()), crd)) })
	s.eventually("the old API to be served", func(ctx context.Context) error {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(migration.Unified())
		return s.sites[lab.East].List(ctx, &list)
	})
}

// TestMigrateUnified makes groups and single volumes of the old API's objects, of which one has the
// VolumeReplication that the old controller made for it.
func TestMigrateUnified(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.vgr("migrate", "-n", s.ns).wants(t, 2, "does not serve the API replication.unified.io/v1alpha1")
	s.serveUnified()
	s.cephClaims(lab.East, nil, "data", "logs", "alone")
	old := []*unstructured.Unstructured{
		s.unified("db-data", "source", "data", map[string]any{"volumeGroup": "db"}),
		s.unified("db-logs", "promoting", "logs", map[string]any{"volumeGroup": "db"}),
		s.unified("alone", "source", "alone", nil),
	}
	for _, u := range old {
		s.create(lab.East, u)
	}
	s.vgr("migrate", "-n", s.ns, "--peer-context", "").wants(t, 2, `it is "promoting"; settle it as source or replica first`, "volumereplication/alone", "1 of 2 cannot be migrated")
	s.must(unstructured.SetNestedField(old[1].Object, "source", "spec", "replicationState"))
	s.must(s.sites[lab.East].Update(t.Context(), old[1]))

	controller := s.deployment("unified-replication-operator")
	s.create(lab.East, controller)
	s.vgr("migrate", "-n", s.ns, "--apply", "--yes").wants(t, 2, "the old controller runs", "scale deployment unified-replication-operator --replicas=0")
	s.must(s.sites[lab.East].Delete(t.Context(), controller))

	s.vgr("migrate", "-n", s.ns).wants(t, 0, "schedulingInterval: 15m", `schedule.rto "5m" has no counterpart`, "kind: VolumeReplication\n", "kind: VolumeGroupReplication\n")
	s.vgr("migrate", "-n", s.ns, "--apply", "--yes").wants(t, 0, "volumegroupreplication/db: Primary, Promoted", "volumereplication/alone: Primary, Promoted")
	s.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	s.mirrored(lab.East, "data", "logs", "alone")
	s.must(s.sites[lab.East].Get(t.Context(), client.ObjectKeyFromObject(old[0]), old[0]))
	if got := old[0].GetAnnotations()[migration.AnnotationTo]; got != "volumegroupreplication/db -n "+s.ns {
		t.Errorf("the old object is marked %q", got)
	}
	s.vgr("migrate", "-n", s.ns, "--apply", "--delete-old", "--yes").wants(t, 0, "unifiedvolumereplication/db-data deleted")
	for _, u := range old {
		s.gone(lab.East, u)
	}
	s.mirrored(lab.East, "data", "logs", "alone")
}

func (s *scene) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/" + name}}}},
		},
	}
}
