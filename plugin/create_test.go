// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// creating is two API servers with csi-addons' kinds, and no controllers: the roles are what a test wrote.
type creating struct {
	*bench
	site map[string]client.Client
}

func newCreating(t *testing.T) *creating {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/csi-addons/kubernetes-csi-addons").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := &creating{bench: newBench(t, filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "bases")), site: map[string]client.Client{}}
	gold := vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m", "consistencyGroup": "disabled"}}
	for name, admin := range map[string]client.Client{"east": c.east, "west": c.west} {
		config, err := clientcmd.NewNonInteractiveClientConfig(*must(clientcmd.LoadFromFile(c.kubeconfig)), name, nil, nil).ClientConfig()
		c.must(err)
		scheme := admin.Scheme()
		c.must(replicationv1.AddToScheme(scheme))
		c.site[name], err = client.New(config, client.Options{Scheme: scheme})
		c.must(err)
		c.must(admin.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: gold}))
	}
	return c
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// replicated makes what csi-addons has of a PVC; group is the group of ours that left it, if any.
func (c *creating) replicated(site, pvc, group string, state replicationv1.ReplicationState, labels map[string]string) *replicationv1.VolumeReplication {
	c.t.Helper()
	vr := &replicationv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: pvc, Labels: labels},
		Spec: replicationv1.VolumeReplicationSpec{
			VolumeReplicationClass: "vgr-gold", ReplicationState: state, DataSource: corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: pvc},
		},
	}
	if group != "" {
		vr.Labels = map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByController, vgrv1.LabelGroup: group}
	}
	c.must(c.site[site].Create(c.t.Context(), vr))
	vr.Status.State = map[replicationv1.ReplicationState]replicationv1.State{replicationv1.Primary: replicationv1.PrimaryState, replicationv1.Secondary: replicationv1.SecondaryState}[state]
	c.must(c.site[site].Status().Update(c.t.Context(), vr))
	return vr
}

// refuses runs a create that must be refused, with nothing changed, and say all of that.
func (c *creating) refuses(what string, args []string, says ...string) {
	c.t.Helper()
	before := c.everything()
	r := c.vgr(append([]string{"create", "--class", "gold", "--yes", "--timeout", "2s"}, args...)...)
	if r.code != 2 {
		c.t.Errorf("%s: exit code %d\n%s", what, r.code, r.errOut)
	}
	for _, s := range says {
		if !strings.Contains(r.errOut, s) {
			c.t.Errorf("%s: does not say %q:\n%s", what, s, r.errOut)
		}
	}
	if strings.Contains(r.errOut, "delete those") {
		c.t.Errorf("%s: advises to delete:\n%s", what, r.errOut)
	}
	if diff := cmp.Diff(before, c.everything()); diff != "" {
		c.t.Errorf("%s: something was changed:\n%s", what, diff)
	}
}

// TestCreateChangesNoRole: whatever a create finds keeps its role, on both sites.
func TestCreateChangesNoRole(t *testing.T) {
	t.Parallel()
	c := newCreating(t)
	labelled := func(app string) map[string]string { return map[string]string{"app": app} }
	both := func(app string) {
		c.volume(c.east, app, "rbd.csi.ceph.com", labelled(app))
		c.volume(c.west, app, "rbd.csi.ceph.com", labelled(app))
	}
	on := func(app, context, peer string, more ...string) []string {
		return append([]string{app, "-l", "app=" + app, "--context", context, "--peer-context", peer}, more...)
	}

	// What delete leaves on both sites when it keeps replicating.
	both("left")
	c.replicated("east", "left", "left", replicationv1.Primary, nil)
	c.replicated("west", "left", "left", replicationv1.Secondary, nil)
	c.refuses("beside a primary", on("left", "west", "east"),
		"VolumeReplication left of PVC left on west asks for secondary", "east is primary",
		"Next: kubectl vgr create left -n default --class gold -l app=left --context east --peer-context west makes west the secondary")
	c.refuses("a copy without a peer", on("left", "west", ""), "asks for secondary", "--context west --state secondary takes it over as it is")
	c.refuses("a primary as secondary", on("left", "east", "", "--state", "secondary"), "east is primary", "create takes over what exists as it is")
	r := c.vgr("create", "left", "--class", "gold", "-l", "app=left", "--context", "east", "--peer-context", "west", "--yes", "--dry-run=server")
	if r.code != 0 {
		t.Errorf("on the primary's site: exit code %d\n%s", r.code, r.errOut)
	}

	// The group of the peer is primary, and nothing of the backend is here.
	both("grouped")
	c.group(c.east, "grouped", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	c.refuses("beside a group that is primary", []string{"grouped", "-l", "group=grouped", "--context", "west", "--peer-context", "east"}, "matches no PVC")
	c.volume(c.west, "grouped-data", "rbd.csi.ceph.com", map[string]string{"group": "grouped"})
	c.refuses("beside a group that is primary", []string{"grouped", "-l", "group=grouped", "--context", "west", "--peer-context", "east"},
		"east is primary (its group default/grouped is primary)", "--context east --peer-context west")

	both("split")
	c.replicated("east", "split", "split", replicationv1.Primary, nil)
	c.replicated("west", "split", "split", replicationv1.Primary, nil)
	c.refuses("two primaries", on("split", "west", "east"), "west and east are both primary")

	// A copy that nothing replicates any more.
	both("copy")
	var pv corev1.PersistentVolume
	c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "pv-copy"}, &pv))
	pv.Annotations = map[string]string{vgrv1.AnnotationCopyOf: "a-cluster"}
	c.must(c.west.Update(t.Context(), &pv))
	c.refuses("a copy, peer not named", on("copy", "west", ""), "PVCs copy on west are copies of cluster a-cluster", "--peer-context")
	c.refuses("a copy, peer without a primary", on("copy", "west", "east"), "copies of cluster a-cluster", vgrv1.AnnotationCopyOf)
	if r := c.vgr(append([]string{"create", "--class", "gold", "--yes"}, on("copy", "west", "dead")...)...); r.code != 6 {
		t.Errorf("a copy whose peer does not answer: exit code %d\n%s", r.code, r.errOut)
	}

	// Replications of other tools.
	both("hand")
	c.replicated("east", "hand", "", replicationv1.Primary, nil)
	c.refuses("by hand", on("hand", "east", ""), "VolumeReplication hand, which kubectl vgr did not make", "Next: kubectl vgr migrate --from csi-addons hand --into hand -n default --context east")
	both("ramen")
	c.replicated("east", "ramen", "", replicationv1.Primary, map[string]string{"ramendr.openshift.io/owner-name": "drpc"})
	c.refuses("by Ramen", on("ramen", "east", ""), "Ramen's VolumeReplicationGroup drpc controls", "Next: move it with that tool")
	both("other")
	c.replicated("east", "other", "another", replicationv1.Primary, nil)
	c.refuses("by another group", on("other", "east", ""), "belongs to group another of kubectl vgr")
	both("native")
	c.must(c.site["east"].Create(t.Context(), &replicationv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "by-hand"},
		Spec: replicationv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClassName: "a", VolumeReplicationClassName: "b", ReplicationState: replicationv1.Primary,
			Source: replicationv1.VolumeGroupReplicationSource{Selector: &metav1.LabelSelector{MatchLabels: labelled("native")}},
		},
	}))
	c.refuses("a group of csi-addons by hand", on("native", "east", ""), "VolumeGroupReplication by-hand, which kubectl vgr did not make", "Next: kubectl vgr migrate --from csi-addons by-hand --into by-hand -n default --context east")

	// Not settled.
	both("moving")
	vr := c.replicated("east", "moving", "moving", replicationv1.Secondary, nil)
	vr.Spec.ReplicationState = replicationv1.Primary
	c.must(c.site["east"].Update(t.Context(), vr))
	c.refuses("in the middle of a promotion", on("moving", "east", "west"), "asks for primary, and csi-addons says Secondary")
	both("leaving")
	vr = c.replicated("west", "leaving", "leaving", replicationv1.Secondary, nil)
	vr.Finalizers = []string{"example.com/hold"}
	c.must(c.site["west"].Update(t.Context(), vr))
	c.must(c.site["west"].Delete(t.Context(), vr))
	c.refuses("a replication that is being deleted", on("leaving", "east", "west"), "VolumeReplication leaving of PVC leaving on west is being deleted")
}

// TestCreateLooksAtPeer: what cannot become a copy on the peer is refused before anything is made, with its name and
// what to do.
func TestCreateLooksAtPeer(t *testing.T) {
	t.Parallel()
	c := newCreating(t)
	create := func(app string, more ...string) []string {
		return append([]string{app, "-l", "app=" + app, "--context", "east", "--peer-context", "west"}, more...)
	}
	source := func(app string) corev1.PersistentVolumeSource {
		return corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "rbd.csi.ceph.com", VolumeHandle: "handle-" + app}}
	}
	volume := func(app string, change func(*corev1.PersistentVolume)) {
		c.volume(c.east, app, "rbd.csi.ceph.com", map[string]string{"app": app})
		pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-" + app}, Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: source(app), PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
		}}
		change(pv)
		c.must(c.west.Create(t.Context(), pv))
	}
	volume("released", func(pv *corev1.PersistentVolume) {
		pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "released", UID: "11111111-2222-3333-4444-555555555555"}
	})
	c.refuses("released", create("released"), "PersistentVolume pv-released on west is released", "patch pv pv-released")
	volume("elsewhere", func(pv *corev1.PersistentVolume) {
		pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "other", Name: "elsewhere"}
	})
	c.refuses("of another namespace", create("elsewhere"), "pv-elsewhere on west belongs to PVC other/elsewhere, not default/elsewhere")
	volume("ending", func(pv *corev1.PersistentVolume) { pv.Finalizers = []string{"example.com/hold"} })
	c.must(c.west.Delete(t.Context(), &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-ending"}}))
	c.refuses("being deleted", create("ending"), "PersistentVolume pv-ending on west is being deleted")
	volume("handle", func(pv *corev1.PersistentVolume) { pv.Spec.CSI.VolumeHandle = "another" })
	c.refuses("another handle", create("handle"), "PersistentVolume pv-handle on west exists", "another", "handle-handle")

	c.volume(c.east, "unlabelled", "rbd.csi.ceph.com", map[string]string{"app": "unlabelled"})
	c.volume(c.west, "unlabelled", "rbd.csi.ceph.com", map[string]string{"velero.io/restore-name": "dr-1"})
	c.refuses("without the labels", create("unlabelled"), "PVC unlabelled on west exists without the labels app=unlabelled",
		"Next: kubectl --context west -n default label pvc unlabelled app=unlabelled")
	c.volume(c.east, "more", "rbd.csi.ceph.com", map[string]string{"app": "more"})
	c.volume(c.west, "stranger", "rbd.csi.ceph.com", map[string]string{"app": "more"})
	c.refuses("a claim more", create("more"), "matches PVC stranger on west too")

	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "small"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"requests.storage": resource.MustParse("1Gi")}}}
	c.must(c.west.Create(t.Context(), quota))
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{"requests.storage": resource.MustParse("512Mi")}}
	c.must(c.west.Status().Update(t.Context(), quota))
	c.volume(c.east, "large", "rbd.csi.ceph.com", map[string]string{"app": "large"})
	c.refuses("over the quota", create("large"), "ResourceQuota small on west does not allow", "requests.storage: 1Gi more, 512Mi of 1Gi used")
	c.must(c.west.Delete(t.Context(), quota))

	c.volume(c.east, "pending", "rbd.csi.ceph.com", map[string]string{"app": "pending"})
	pending := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pending", Labels: map[string]string{"app": "pending"}},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: new("none"),
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	c.must(c.west.Create(t.Context(), pending.DeepCopy()))
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "small"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{Type: corev1.LimitTypePersistentVolumeClaim, Max: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("500Mi")}},
	}}}
	c.must(c.west.Create(t.Context(), limits))
	probe := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "probe"}, Spec: pending.Spec}
	limited := func(want bool) { // admission has a cache
		c.must(wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
			return apierrors.IsForbidden(c.west.Create(ctx, probe.DeepCopy(), client.DryRunAll)) == want, nil
		}))
	}
	limited(true)
	c.refuses("over the limit", create("large"), "maximum storage usage per PersistentVolumeClaim is 500Mi", "Next: a rule of west refuses that, and not your permissions")
	c.must(c.west.Delete(t.Context(), limits))
	limited(false)

	c.refuses("pending", create("pending"), "PersistentVolumeClaim pending on west exists and is another one: it is bound to no volume",
		"Next: kubectl --context west -n default get persistentvolumeclaim pending -o yaml shows it; if it is left over, delete it: with the reclaim policy Delete its data goes with it")

	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "gone"}}
	c.must(c.west.Create(t.Context(), ns))
	c.must(c.west.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "gone", Name: "hold"}}))
	c.must(c.west.Delete(t.Context(), ns)) // no controller here finishes it
	c.must(c.east.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "gone"}}))
	pvc := &corev1.PersistentVolumeClaim{}
	c.must(c.east.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "large"}, pvc))
	moved := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "gone", Name: "large", Labels: pvc.Labels}, Spec: pvc.Spec}
	c.must(c.east.Create(t.Context(), moved))
	moved.Status = pvc.Status
	c.must(c.east.Status().Update(t.Context(), moved))
	c.refuses("namespace being deleted", create("large", "-n", "gone"), "namespace gone on west is being deleted")
}

// storage makes a bound PVC of app vm on east, of some StorageClass and modes.
func (c *creating) storage(name, class string, mode corev1.PersistentVolumeMode, access corev1.PersistentVolumeAccessMode) {
	c.t.Helper()
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": "vm"}}, Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: &class, VolumeName: "pv-" + name, VolumeMode: &mode, AccessModes: []corev1.PersistentVolumeAccessMode{access}, Resources: corev1.VolumeResourceRequirements{Requests: size},
	}}
	c.must(c.east.Create(c.t.Context(), pvc))
	c.must(c.east.Create(c.t.Context(), &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-" + name}, Spec: corev1.PersistentVolumeSpec{
		Capacity: size, AccessModes: pvc.Spec.AccessModes, VolumeMode: &mode, StorageClassName: class,
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "rbd.csi.ceph.com", VolumeHandle: "handle-" + name}},
	}}))
	pvc.Status.Phase, pvc.Status.Capacity = corev1.ClaimBound, size
	c.must(c.east.Status().Update(c.t.Context(), pvc))
}

// TestCreateForUnlikeClusters: the copies have a StorageClass of the peer's, and are blocks or shared as their sources are.
func TestCreateForUnlikeClusters(t *testing.T) {
	t.Parallel()
	c := newCreating(t)
	class := func(name, provisioner string) {
		c.must(c.west.Create(t.Context(), &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: provisioner}))
	}
	class("west-rbd", "rbd.csi.ceph.com")
	class("local", "kubernetes.io/no-provisioner")
	c.storage("disk-vm-0", "east-rbd", corev1.PersistentVolumeBlock, corev1.ReadWriteMany)
	c.must(c.east.Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "vm"}, Spec: appsv1.StatefulSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "vm"}},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "vm"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}},
	}}))
	on := []string{"vm", "-l", "app=vm", "--context", "east", "--peer-context", "west"}
	with := func(more ...string) []string { return append(slices.Clone(on), more...) }

	c.refuses("a class that the peer does not have", with("--storage-class-map", "east-rbd=rbd"), `there is no StorageClass "rbd" on west, which the copy of PVC disk-vm-0 needs`,
		"Next: kubectl --context west get storageclass shows those of west; name one of them with --storage-class-map east-rbd=NAME")
	c.refuses("a class of another driver", with("--storage-class-map", "east-rbd=local"), `StorageClass "local" on west is of kubernetes.io/no-provisioner, the copy of PVC disk-vm-0 needs rbd.csi.ceph.com`)
	c.refuses("a class that no PVC has", with("--storage-class-map", "east=west-rbd"), `no PVC of the group on east has the StorageClass "east"`, "Next: name a StorageClass that they have: east-rbd")
	c.refuses("another namespace", with("--peer-namespace", "vms-dr"), "a group and its PVCs have the same namespace on both sites", "Next: leave --peer-namespace out")
	for what, args := range map[string][]string{"malformed": with("--storage-class-map", "east-rbd"), "no peer": {"vm", "-l", "app=vm", "--context", "east", "--storage-class-map", "east-rbd=west-rbd"}} {
		if r := c.vgr(append([]string{"create", "--class", "gold", "--yes"}, args...)...); r.code != 1 || !strings.Contains(r.errOut, "--storage-class-map") {
			t.Errorf("%s: exit code %d\n%s", what, r.code, r.errOut)
		}
	}

	dry := func(says string, args ...string) {
		t.Helper()
		c.has(c.vgr(append([]string{"create", "--class", "gold", "--dry-run=client"}, args...)...), 0, says)
	}
	dry("there is no StorageClass east-rbd; without it the copies cannot be expanded there; kubectl --context west get storageclass shows those of west; name one of them with --storage-class-map east-rbd=NAME", on...)
	dry("    with StorageClass west-rbd for east-rbd\n", with("--storage-class-map", "east-rbd=west-rbd")...)
	c.has(c.vgr("__complete", "create", "vm", "--context", "east", "--peer-context", "west", "--storage-class-map", "east-rbd="), 0, "east-rbd=local\neast-rbd=west-rbd\n")
	dry("PVCs that StatefulSet vm makes for new replicas will not be in the group", on...)

	g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "vm"}, Spec: vgrv1.VolumeGroupReplicationSpec{
		VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "vm"}},
	}}
	c.must(c.east.Create(t.Context(), &g))
	g.Status.State, g.Status.ObservedGeneration = vgrv1.StatePrimary, 1
	isReady := ready("Promoted")
	isReady.ObservedGeneration, isReady.LastTransitionTime = 1, metav1.Now()
	g.Status.Conditions = []metav1.Condition{isReady}
	c.must(c.east.Status().Update(t.Context(), &g))

	// No controller confirms the secondary, so each command ends with its time.
	create := func(args ...string) {
		t.Helper()
		if r := c.vgr(append([]string{"create", "--class", "gold", "--yes", "--timeout", "5s"}, args...)...); r.code != 3 {
			t.Fatalf("exit code %d\n%s", r.code, r.errOut)
		}
	}
	create(with("--storage-class-map", "east-rbd=west-rbd")...)
	copied := func(name string) {
		t.Helper()
		var pv corev1.PersistentVolume
		c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "pv-" + name}, &pv))
		var pvc corev1.PersistentVolumeClaim
		c.must(c.west.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, &pvc))
		for what, got := range map[string]string{
			"volume": fmt.Sprintf("%s %s %v", pv.Spec.StorageClassName, *pv.Spec.VolumeMode, pv.Spec.AccessModes),
			"PVC":    fmt.Sprintf("%s %s %v", *pvc.Spec.StorageClassName, *pvc.Spec.VolumeMode, pvc.Spec.AccessModes),
		} {
			if want := "west-rbd Block [ReadWriteMany]"; got != want {
				t.Errorf("%s %s: %s, want %s", what, name, got, want)
			}
		}
	}
	copied("disk-vm-0")
	// A PVC that comes later gets what the others have, without the flag.
	c.storage("disk-vm-1", "east-rbd", corev1.PersistentVolumeBlock, corev1.ReadWriteMany)
	dry("    with StorageClass west-rbd for east-rbd\n", on...)
	create(on...)
	copied("disk-vm-1")
	c.resized(on)
	// A volume without its claim is bound only by a claim of its StorageClass.
	for _, name := range []string{"disk-vm-0", "disk-vm-1"} {
		var pvc corev1.PersistentVolumeClaim
		c.must(c.west.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, &pvc))
		pvc.Finalizers = nil
		c.must(c.west.Update(t.Context(), &pvc))
		c.must(c.west.Delete(t.Context(), &pvc))
	}
	c.refuses("a volume of another class", on, `PersistentVolume pv-disk-vm-0 on west has the StorageClass "west-rbd", and PVC disk-vm-0 would have "east-rbd": they would never be bound`,
		"Next: run the same command again with --storage-class-map east-rbd=west-rbd")
}

// resized: create again gives a copy the size that its source has got meanwhile, as far as west takes it, and shrinks none.
func (c *creating) resized(on []string) {
	c.t.Helper()
	var pv corev1.PersistentVolume
	c.must(c.east.Get(c.t.Context(), client.ObjectKey{Name: "pv-disk-vm-0"}, &pv))
	pv.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse("2Gi")
	c.must(c.east.Update(c.t.Context(), &pv))
	var pvc corev1.PersistentVolumeClaim
	c.must(c.west.Get(c.t.Context(), client.ObjectKey{Namespace: "default", Name: "disk-vm-0"}, &pvc))
	pvc.Status.Phase, pvc.Status.Capacity = corev1.ClaimBound, pvc.Spec.Resources.Requests
	c.must(c.west.Status().Update(c.t.Context(), &pvc))
	again := func(says ...string) {
		c.t.Helper()
		c.has(c.vgr(append([]string{"create", "--class", "gold", "--yes", "--timeout", "5s"}, on...)...), 3, says...)
	}
	sizes := func(volume, claim string) {
		c.t.Helper()
		c.must(c.west.Get(c.t.Context(), client.ObjectKey{Name: "pv-disk-vm-0"}, &pv))
		c.must(c.west.Get(c.t.Context(), client.ObjectKey{Namespace: "default", Name: "disk-vm-0"}, &pvc))
		if got := pv.Spec.Capacity.Storage().String() + " " + pvc.Spec.Resources.Requests.Storage().String(); got != volume+" "+claim {
			c.t.Errorf("the copy has %s, want %s %s", got, volume, claim)
		}
	}
	c.has(c.vgr(append([]string{"create", "--class", "gold", "--dry-run=client"}, on...)...), 0,
		"  keep PersistentVolume pv-disk-vm-0, with the size 2Gi of its source instead of 1Gi\n", "  keep PersistentVolumeClaim disk-vm-0, with the size 2Gi of its source instead of 1Gi\n", "  keep PersistentVolume pv-disk-vm-1\n")
	sizes("1Gi", "1Gi")
	again("west: PersistentVolume pv-disk-vm-0 has 2Gi now, as its source, and not 1Gi\n",
		"cannot write the size 2Gi of its source on PersistentVolumeClaim disk-vm-0 on west, which says 1Gi: ", "must support resize")
	sizes("2Gi", "1Gi")
	var class storagev1.StorageClass
	c.must(c.west.Get(c.t.Context(), client.ObjectKey{Name: "west-rbd"}, &class))
	class.AllowVolumeExpansion = new(true)
	c.must(c.west.Update(c.t.Context(), &class))
	c.must(wait.PollUntilContextTimeout(c.t.Context(), 50*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) { // admission has a cache
		larger := pvc.DeepCopy()
		larger.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("2Gi")
		return c.west.Update(ctx, larger, client.DryRunAll) == nil, nil
	}))
	again("west: PersistentVolumeClaim disk-vm-0 has 2Gi now, as its source, and not 1Gi\n")
	sizes("2Gi", "2Gi")
	c.must(c.east.Get(c.t.Context(), client.ObjectKey{Name: "pv-disk-vm-0"}, &pv))
	pv.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse("1Gi")
	c.must(c.east.Update(c.t.Context(), &pv))
	again()
	sizes("2Gi", "2Gi")
}

// TestCreatePreparesCopies: what create makes on the peer says what it is, takes the handle that the backend tells for
// the copy, and is no freer than the source.
func TestCreatePreparesCopies(t *testing.T) {
	t.Parallel()
	c := newCreating(t)
	var east corev1.Namespace
	c.must(c.east.Get(t.Context(), client.ObjectKey{Name: "kube-system"}, &east))
	c.must(c.east.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted", "team": "db"}}}))
	c.volume(c.east, "data", "rbd.csi.ceph.com", map[string]string{"app": "db"})
	var pvc corev1.PersistentVolumeClaim
	c.must(c.east.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "data"}, &pvc))
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "data", Labels: pvc.Labels}, Spec: pvc.Spec}
	c.must(c.east.Create(t.Context(), claim))
	claim.Status = pvc.Status
	c.must(c.east.Status().Update(t.Context(), claim))
	var pv corev1.PersistentVolume
	c.must(c.east.Get(t.Context(), client.ObjectKey{Name: "pv-data"}, &pv))
	pv.Annotations = map[string]string{"pv.kubernetes.io/provisioned-by": "rbd.csi.ceph.com", "example.com/grant": "everything"}
	c.must(c.east.Update(t.Context(), &pv))

	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db"}, Spec: vgrv1.VolumeGroupReplicationSpec{
		VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
	}}
	c.must(c.east.Create(t.Context(), g))
	g.Status.State, g.Status.ObservedGeneration = vgrv1.StatePrimary, 1
	isReady := ready("Promoted")
	isReady.ObservedGeneration, isReady.LastTransitionTime = 1, metav1.Now()
	g.Status.Conditions = []metav1.Condition{isReady}
	c.must(c.east.Status().Update(t.Context(), g))

	// csi-addons after v0.14 tells the handle of the copy, in a field that ours does not know.
	vr := &replicationv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db-data", Labels: map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByController, vgrv1.LabelGroup: "db"}},
		Spec: replicationv1.VolumeReplicationSpec{
			VolumeReplicationClass: "vgr-gold", ReplicationState: replicationv1.Primary, DataSource: corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "data"},
		},
	}
	c.must(c.site["east"].Create(t.Context(), vr))
	vr.Status.Conditions = []metav1.Condition{{Type: "DestinationInfoAvailable", Status: metav1.ConditionFalse, Reason: "Pending", Message: "the array was not asked yet", LastTransitionTime: metav1.Now()}}
	c.must(c.site["east"].Status().Update(t.Context(), vr))
	r := c.vgr("create", "db", "-n", "prod", "--class", "gold", "-l", "app=db", "--context", "east", "--peer-context", "west", "--yes", "--timeout", "3s")
	if r.code != 4 || !strings.Contains(r.errOut, "has not reported the handle of the copy of PVC data: the array was not asked yet") {
		t.Fatalf("exit code %d\n%s", r.code, r.errOut)
	}
	c.destination(vr, "handle-of-the-copy")

	// No controller confirms the secondary, so the command ends with the time.
	const told = "volume handle of the copy of data: handle-of-the-copy; here "
	if r = c.vgr("create", "db", "-n", "prod", "--class", "gold", "-l", "app=db", "--context", "east", "--peer-context", "west", "--dry-run=client"); !strings.Contains(r.errOut, told) || strings.Contains(r.errOut, "same volume handles") {
		t.Errorf("the plan:\n%s", r.errOut)
	}
	r = c.vgr("create", "db", "-n", "prod", "--class", "gold", "-l", "app=db", "--context", "east", "--peer-context", "west", "--yes", "--timeout", "3s")
	if r.code != 3 {
		t.Fatalf("exit code %d\n%s", r.code, r.errOut)
	}
	var copied corev1.PersistentVolume
	c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "pv-data"}, &copied))
	want := map[string]string{vgrv1.AnnotationCopyOf: string(east.UID), "pv.kubernetes.io/provisioned-by": "rbd.csi.ceph.com"}
	if diff := cmp.Diff(want, copied.Annotations); diff != "" {
		t.Errorf("annotations of the copy:\n%s", diff)
	}
	if handle := copied.Spec.CSI.VolumeHandle; handle != "handle-of-the-copy" {
		t.Errorf("the copy has the handle %s", handle)
	}
	var ns corev1.Namespace
	c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "prod"}, &ns))
	if ns.Labels["pod-security.kubernetes.io/enforce"] != "restricted" || ns.Labels["team"] != "" {
		t.Errorf("labels of the namespace: %v", ns.Labels)
	}
	// A copy that was there before is marked too.
	copied.Annotations = nil
	c.must(c.west.Update(t.Context(), &copied))
	if r := c.vgr("create", "db", "-n", "prod", "--class", "gold", "-l", "app=db", "--context", "east", "--peer-context", "west", "--yes", "--timeout", "3s"); r.code != 3 {
		t.Fatalf("exit code %d\n%s", r.code, r.errOut)
	}
	c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "pv-data"}, &copied))
	if copied.Annotations[vgrv1.AnnotationCopyOf] != string(east.UID) {
		t.Errorf("the copy that was kept: %v", copied.Annotations)
	}
}

// destination has east's csi-addons tell the handle of a copy, as its later versions do.
func (c *creating) destination(vr *replicationv1.VolumeReplication, handle string) {
	c.t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	c.must(c.east.Get(c.t.Context(), client.ObjectKey{Name: "volumereplications.replication.storage.openshift.io"}, &crd))
	for _, v := range crd.Spec.Versions {
		v.Schema.OpenAPIV3Schema.Properties["status"].Properties["destinationVolumeID"] = apiextensionsv1.JSONSchemaProps{Type: "string"}
	}
	c.must(c.east.Update(c.t.Context(), &crd))
	patch := fmt.Sprintf(`{"status":{"destinationVolumeID":%q,"conditions":[]}}`, handle)
	for range 100 { // the API server takes the new schema up a little later
		told := &unstructured.Unstructured{}
		told.SetGroupVersionKind(replicationv1.GroupVersion.WithKind("VolumeReplication"))
		told.SetNamespace(vr.Namespace)
		told.SetName(vr.Name)
		c.must(c.site["east"].Status().Patch(c.t.Context(), told, client.RawPatch(types.MergePatchType, []byte(patch))))
		if got, _, _ := unstructured.NestedString(told.Object, "status", "destinationVolumeID"); got == handle {
			return
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // polls a real server
	}
	c.t.Fatal("the field is not stored")
}
