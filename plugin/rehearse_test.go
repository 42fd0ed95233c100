// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// actor is what an API server alone does not have: it ends Jobs, binds PVCs, and lets what is deleted go.
type actor struct {
	c client.Client
	// says is what Jobs that clone leave, with how they end; fails is how they end.
	says  atomic.Pointer[string]
	fails atomic.Bool
}

func (a *actor) run(ctx context.Context) {
	for ctx.Err() == nil {
		a.jobs(ctx)
		a.volumes(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (a *actor) jobs(ctx context.Context) {
	var jobs batchv1.JobList
	_ = a.c.List(ctx, &jobs, client.HasLabels{vgrv1.LabelRehearsal})
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if job.DeletionTimestamp != nil {
			_ = a.c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name})
			job.Finalizers = nil
			_ = a.c.Update(ctx, job)
			continue
		}
		if len(job.Status.Conditions) > 0 {
			continue
		}
		labels := map[string]string{batchv1.JobNameLabel: job.Name, vgrv1.LabelRehearsal: job.Labels[vgrv1.LabelRehearsal]}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: job.Name, Labels: labels}, Spec: job.Spec.Template.Spec}
		if a.c.Create(ctx, pod) != nil {
			continue
		}
		now, message, failed := metav1.Now(), "{}", false
		if !strings.HasSuffix(job.Name, "-remove") {
			message, failed = *a.says.Load(), a.fails.Load()
		}
		pod.Status.Phase = corev1.PodSucceeded
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: pod.Spec.Containers[0].Name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: message}}}}
		_ = a.c.Status().Update(ctx, pod)
		job.Status.StartTime = &now
		ends := func(types ...batchv1.JobConditionType) {
			for _, t := range types {
				job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: t, Status: corev1.ConditionTrue, LastTransitionTime: now})
			}
		}
		if failed {
			job.Status.Failed = 1
			ends(batchv1.JobFailureTarget, batchv1.JobFailed)
		} else {
			job.Status.Succeeded, job.Status.CompletionTime = 1, &now
			ends(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
		}
		_ = a.c.Status().Update(ctx, job)
	}
}

func (a *actor) volumes(ctx context.Context) {
	var pvcs corev1.PersistentVolumeClaimList
	_ = a.c.List(ctx, &pvcs, client.HasLabels{vgrv1.LabelRehearsal})
	for i := range pvcs.Items {
		if pvc := &pvcs.Items[i]; pvc.Status.Phase != corev1.ClaimBound {
			pvc.Status.Phase = corev1.ClaimBound
			_ = a.c.Status().Update(ctx, pvc)
		}
	}
	var pvs corev1.PersistentVolumeList
	_ = a.c.List(ctx, &pvs, client.HasLabels{vgrv1.LabelRehearsal})
	for i := range pvs.Items {
		if pv := &pvs.Items[i]; pv.DeletionTimestamp != nil {
			pv.Finalizers = nil
			_ = a.c.Update(ctx, pv)
		}
	}
	var namespaces corev1.NamespaceList
	_ = a.c.List(ctx, &namespaces, client.HasLabels{vgrv1.LabelRehearsal})
	for i := range namespaces.Items {
		ns := &namespaces.Items[i]
		if ns.DeletionTimestamp == nil {
			continue
		}
		for k := range pvcs.Items {
			pvc := &pvcs.Items[k]
			if pvc.Namespace == ns.Name {
				pvc.Finalizers = nil
				_ = a.c.Update(ctx, pvc)
				_ = a.c.Delete(ctx, pvc)
			}
		}
		_ = a.c.DeleteAllOf(ctx, &batchv1.Job{}, client.InNamespace(ns.Name))
		_ = a.c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(ns.Name))
		ns.Spec.Finalizers = nil
		_ = a.c.SubResource("finalize").Update(ctx, ns)
	}
}

// rehearsalRoles are those of the sample.
func (b *bench) rehearsalRoles(c client.Client) {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "samples", "rehearse-rbac.yaml"))
	b.must(err)
	for part := range strings.SplitSeq(string(text), "\n---\n") {
		var role rbacv1.ClusterRole
		b.must(yaml.Unmarshal([]byte(part), &role))
		subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "nobody"}}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind, Name: role.Name}
		if role.Kind == "Role" {
			b.must(c.Create(b.t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: role.Namespace, Name: role.Name}, Rules: role.Rules}))
			b.must(c.Create(b.t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: role.Namespace, Name: role.Name}, RoleRef: ref, Subjects: subjects}))
			continue
		}
		b.must(c.Create(b.t.Context(), &role))
		b.must(c.Create(b.t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: ref, Subjects: subjects}))
	}
}

// driver makes what an installation of ceph-csi has, and the copy of a volume.
func (b *bench) driver(c client.Client) {
	b.t.Helper()
	b.must(c.Create(b.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "rook-ceph"}}))
	b.must(c.Create(b.t.Context(), &csiaddonsv1.CSIAddonsNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: "rook-ceph", Name: "provisioner"},
		Spec:       csiaddonsv1.CSIAddonsNodeSpec{Driver: csiaddonsv1.CSIAddonsNodeDriver{Name: "rbd.csi.ceph.com", NodeID: "n", EndPoint: "pod://provisioner-0.rook-ceph:9070"}},
	}))
	b.must(c.Create(b.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "rook-ceph", Name: "provisioner-0"}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "csi-rbdplugin", Image: "cephcsi", VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/ceph-csi-config"}}}},
		Volumes:    []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}}}},
	}}))
	b.copied(c, "orders", "csi-vol-1")
}

// copied gives a group a volume whose image is a copy on real Ceph.
func (b *bench) copied(c client.Client, group, image string) {
	b.t.Helper()
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-" + group}, Spec: corev1.PersistentVolumeSpec{
		Capacity: size, AccessModes: modes,
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
			Driver: "rbd.csi.ceph.com", VolumeHandle: "handle-" + image, VolumeAttributes: map[string]string{"clusterID": "rook-ceph", "pool": "pool", "imageName": image},
			ControllerExpandSecretRef: &corev1.SecretReference{Namespace: "rook-ceph", Name: "provisioner"},
		}},
	}}
	b.must(c.Create(b.t.Context(), pv))
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: group + "-data"}, Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: new(string), VolumeName: pv.Name, AccessModes: modes, Resources: corev1.VolumeResourceRequirements{Requests: size},
	}}
	b.must(c.Create(b.t.Context(), pvc))
	var g vgrv1.VolumeGroupReplication
	b.must(c.Get(b.t.Context(), keyOf("default", group), &g))
	g.Status.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: pvc.Name}}
	b.must(c.Status().Update(b.t.Context(), &g))
}

// TestRehearse runs rehearsals as a user who has just the documented roles; an actor ends the Jobs.
func TestRehearse(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/csi-addons/kubernetes-csi-addons").Output()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "bases"))
	c := b.west
	b.must(csiaddonsv1.AddToScheme(c.Scheme()))
	see := documented(t)[0]
	gold := vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}
	for _, at := range []client.Client{b.east, b.west} {
		b.must(at.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: gold}))
		b.must(at.Create(t.Context(), see.DeepCopy()))
		b.must(at.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "see"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: see.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "nobody"}},
		}))
	}
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	b.driver(c)
	a := &actor{c: c}
	now := time.Now().Unix() //nolint:forbidigo // the plugin reads the clock of this machine
	clones := fmt.Sprintf(`{"volumes":[[7,%d,%d,1048576]]}`, now-10, now-90)
	a.says.Store(&clones)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.run(ctx) }()
	defer func() { cancel(); <-ended }()

	run := func(code int, says string, args ...string) string {
		t.Helper()
		r := b.vgr(slices.Concat(args, []string{"--context", "nobody-east", "--peer-context", "nobody-west"})...)
		if all := r.out + r.errOut; r.code != code || !strings.Contains(all, says) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", strings.Join(args, " "), r.code, code, says, all)
		}
		return r.out + r.errOut
	}
	rehearse := []string{"rehearse", "orders", "--on", "nobody-west", "--yes"}
	with := func(more ...string) []string { return slices.Concat(rehearse, more) }
	run(1, "forbidden", rehearse...)
	b.rehearsalRoles(c)
	run(2, "is Primary on nobody-east", "rehearse", "orders", "--on", "nobody-east", "--yes")
	run(0, "nothing was changed", with("--dry-run=server")...)
	b.nothing(c)

	if out := run(0, "passed", rehearse...); !regexp.MustCompile(`orders-data: data of \S+Z, \S+ old then, 1Mi`).MatchString(out) {
		t.Errorf("what was recovered is not told:\n%s", out)
	}
	b.nothing(c)
	run(0, "last rehearsal", "status", "orders")
	run(0, "rehearsal", "history", "orders")
	run(0, "passed", "rehearse", "list")

	check := filepath.Join(t.TempDir(), "check.yaml")
	b.must(os.WriteFile(check, []byte("apiVersion: batch/v1\nkind: Job\nmetadata: {name: count}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}], volumes: [{name: v, persistentVolumeClaim: {claimName: orders-data}}]}}}\n"), 0o600))
	run(0, "check count passed", with("--check", check)...)
	run(2, "it is no Job", with("--check", filepath.Join("..", "docs", "samples", "volumereplication.yaml"))...)

	run(0, "kept until", with("--keep", "1h")...)
	run(2, "is kept in namespace orders-rehearsal", rehearse...)
	for _, says := range []string{"ended", "no rehearsal is left to end"} {
		run(0, says, "rehearse", "end", "orders", "--on", "nobody-west", "--yes")
	}
	b.nothing(c)

	old := `{"refused":"the driver's image has Ceph 18.2; Ceph 19.2 or later can clone the snapshot of a mirror"}`
	a.says.Store(&old)
	a.fails.Store(true)
	run(4, "Ceph 19.2 or later", rehearse...)
	b.nothing(c)
	a.says.Store(&clones)
	a.fails.Store(false)

	b.must(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "taken"}}))
	run(2, "the namespace taken exists", with("--namespace-name", "taken")...)

	b.rehearsesExpired(run)
	b.rehearsesSeveral(a, run)

	var g vgrv1.VolumeGroupReplication
	b.must(c.Get(t.Context(), keyOf("default", "orders"), &g))
	if g.Generation != 1 || g.Spec.ReplicationState != vgrv1.Secondary {
		t.Errorf("the spec was changed: %+v", g.Spec)
	}
	run(0, "kept until", with("--keep", "1h")...)
	b.must(c.Get(t.Context(), keyOf("default", "orders"), &g))
	forged := g.DeepCopy()
	forged.Annotations[vgrv1.AnnotationRehearsals] = "[{}]"
	b.must(c.Patch(t.Context(), forged, client.MergeFrom(&g)))
	run(4, "cannot be read", rehearse...)
	b.must(c.Delete(t.Context(), &g))
	run(0, "the group is gone", "rehearse", "list")
	run(0, "no rehearsal has expired", "rehearse", "end", "--expired", "-A", "--yes")
	run(0, "ended", "rehearse", "end", "orders", "--yes") // by its volumes: the record is gone with the group
	b.nothing(c)
}

// says runs a command as the user, and expects its exit code and a part of its output.
type says func(code int, says string, args ...string) string

// rehearsesExpired: what was kept is shown when its time is up, and ended by a command for all, or by the next rehearsal.
func (b *bench) rehearsesExpired(run says) {
	b.t.Helper()
	keep := []string{"rehearse", "orders", "--keep", "1ms", "--yes"}
	run(0, "kept, expired", keep...)
	run(0, "kept, expired at", "status", "orders")
	run(0, "kept, expired", "rehearse", "list")
	run(0, ", kept, expired", "list", "-o", "wide")
	run(5, "not confirmed", "rehearse", "end", "--expired")
	run(0, "ended", "rehearse", "end", "--expired", "-A", "--yes")
	run(0, "no rehearsal has expired", "rehearse", "end", "--expired", "-A", "--yes")
	b.nothing(b.west)
	run(0, "kept, expired", keep...)
	run(0, "It is ended first", "rehearse", "orders", "--yes") // to the site where the copy is, without --on
	b.nothing(b.west)
	run(1, "one of them", "rehearse", "end", "orders", "--expired")
	run(1, "one of them", "rehearse", "end")
	run(1, "--expired only", "rehearse", "end", "orders", "-A")
}

// rehearsesSeveral: groups are selected, ordered and refused as for failover, and one that is refused does not stop the others.
func (b *bench) rehearsesSeveral(a *actor, run says) {
	b.t.Helper()
	c := b.west
	for _, name := range []string{"billing", "ledger"} {
		b.group(b.east, name, vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
		b.group(c, name, vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
		b.copied(c, name, "csi-vol-"+name)
	}
	run(1, "name groups, or use -l or --all", "rehearse", "--yes")
	run(1, "--concurrency must be at least 1", "rehearse", "--all", "--concurrency", "0", "--yes")
	run(1, "--keep must not be negative", "rehearse", "--all", "--keep", "-1s", "--yes")
	run(1, "--namespace-name is for one group", "rehearse", "--all", "--namespace-name", "x", "--yes")
	run(1, "neither of the two sites", "rehearse", "--all", "--on", "nowhere", "--yes")
	run(2, "no group", "rehearse", "-l", "app=none", "--yes")
	run(2, "no group lost", "rehearse", "orders", "lost", "--yes")
	run(5, "not confirmed", "rehearse", "--all")
	run(0, "nothing was changed", "rehearse", "--all", "--dry-run=server")
	run(2, "is Primary on nobody-east", "rehearse", "--all", "--on", "nobody-east", "--yes")
	b.nothing(c)

	run(0, "3 of 3 groups passed", "rehearse", "--all", "--concurrency", "2", "--yes")
	run(0, "2 of 2 groups passed", "rehearse", "billing", "ledger", "--yes")
	b.nothing(c)

	b.group(b.east, "unborn", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	if out := run(2, "Secondary on no site", "rehearse", "--all", "--yes"); !strings.Contains(out, "3 of 4 groups passed") || !strings.Contains(out, "1 of 4 groups are refused and stay as they are") {
		b.t.Errorf("one that is refused stops the others:\n%s", out)
	}
	b.nothing(c)

	wave := func(name, n string) {
		for _, at := range []client.Client{b.east, c} {
			var g vgrv1.VolumeGroupReplication
			b.must(at.Get(b.t.Context(), keyOf("default", name), &g))
			old := g.DeepCopy()
			metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationWave, n)
			b.must(at.Patch(b.t.Context(), &g, client.MergeFrom(old)))
		}
	}
	wave("ledger", "1")
	a.fails.Store(true)
	out := run(4, "default/ledger on nobody-west: not started, because wave 0 is not done", "rehearse", "orders", "ledger", "--yes")
	a.fails.Store(false)
	if !strings.Contains(out, "0 of 2 groups passed") || strings.Contains(out, "nobody-west  default/ledger  clone") {
		b.t.Errorf("a wave does not wait for the one before:\n%s", out)
	}
	run(0, "2 of 2 groups passed", "rehearse", "orders", "ledger", "--yes")
	wave("ledger", "soon")
	run(2, "is not a number", "rehearse", "ledger", "--yes")
	b.nothing(c)

	silent := func(code int, says string, args ...string) {
		b.t.Helper()
		r := b.vgr(append([]string{"rehearse", "billing", "--yes"}, args...)...)
		if all := r.out + r.errOut; r.code != code || !strings.Contains(all, says) {
			b.t.Errorf("%v: exit code %d, want %d and %q\n%s", args, r.code, code, says, all)
		}
	}
	silent(0, "dead does not answer", "--context", "nobody-west", "--peer-context", "dead")
	silent(6, "", "--context", "nobody-west", "--peer-context", "dead", "--on", "dead")
	silent(6, "", "--context", "nobody-east", "--peer-context", "dead")
	b.nothing(c)
}

// nothing fails the test if anything is left of a rehearsal.
func (b *bench) nothing(c client.Client) {
	b.t.Helper()
	var pvs corev1.PersistentVolumeList
	var namespaces corev1.NamespaceList
	var jobs batchv1.JobList
	for _, list := range []client.ObjectList{&pvs, &namespaces, &jobs} {
		b.must(c.List(b.t.Context(), list, client.HasLabels{vgrv1.LabelRehearsal}))
	}
	jobs.Items = slices.DeleteFunc(jobs.Items, func(j batchv1.Job) bool { return j.DeletionTimestamp != nil })
	if len(pvs.Items)+len(namespaces.Items)+len(jobs.Items) > 0 {
		b.t.Errorf("left are %d volumes, %d namespaces, %d Jobs", len(pvs.Items), len(namespaces.Items), len(jobs.Items))
	}
}
