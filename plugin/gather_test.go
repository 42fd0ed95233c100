// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
)

// planted is a secret that must not be in any file, wherever it was put.
const planted = "hunter2-planted"

// plant puts the secret where people and programs leave one.
func (b *bench) plant() {
	b.t.Helper()
	ctx := b.t.Context()
	b.must(b.east.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: manifests.Namespace}}))
	b.must(b.east.Create(ctx, &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{
		Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m", "adminPassword": planted, "replication.storage.openshift.io/replication-secret-name": "rook"},
	}}))
	b.must(b.east.Create(ctx, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "leaky"}, Provisioner: "p", Parameters: map[string]string{"apiKey": planted, "url": "https://admin:" + planted + "@array"}}))
	b.must(b.east.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "l", Annotations: map[string]string{"note": "token=" + planted}}}))
	b.must(b.east.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "never-read"}, StringData: map[string]string{"innocent": planted}}))
	b.must(b.east.Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "e"}, InvolvedObject: corev1.ObjectReference{Kind: "VolumeGroupReplication", Name: "orders", Namespace: "default"},
		Reason: "Failed", Message: "login with password " + "is " + planted + " failed: Authorization: Bearer " + planted, Type: corev1.EventTypeWarning,
	}))
	labels := map[string]string{"app": "c"}
	b.must(b.east.Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: manifests.Namespace, Name: "c"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "c", Image: "i", Args: []string{"--token", planted}, Command: []string{"sh", "-c", "run --password " + planted}, Env: []corev1.EnvVar{{Name: "DB_PASSWORD", Value: planted}},
		}}}},
	}}))
	b.volume(b.east, "data", "rbd.csi.ceph.com", map[string]string{"group": "orders"})
	var pv corev1.PersistentVolume
	b.must(b.east.Get(ctx, keyOf("", "pv-data"), &pv))
	pv.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": `{"x":"` + planted + `"}`}
	pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "data"}
	b.must(b.east.Update(ctx, &pv))
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	var g vgrv1.VolumeGroupReplication
	b.must(b.east.Get(ctx, keyOf("default", "orders"), &g))
	g.Status.Message = "array said: secret=" + planted
	meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady).Message = `{"password":"` + planted + `"}`
	b.must(b.east.Status().Update(ctx, &g))
	g.Annotations = map[string]string{"note": "-----BEGIN PRIVATE KEY-----\n" + planted + "\n-----END PRIVATE KEY-----"}
	b.must(b.east.Update(ctx, &g))
}

// TestGather writes down two real API servers, with a secret in every corner, and one that is dead.
func TestGather(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.plant()
	dir := filepath.Join(t.TempDir(), "new")
	r := b.vgr("gather", "--dir", dir, "--peer-context", "west")
	if r.code != 0 || strings.TrimSpace(r.out) != filepath.Join(dir, "index.html") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	all := files(t, dir)
	for name, text := range all {
		if strings.Contains(text, planted) {
			at := strings.Index(text, planted)
			t.Errorf("%s has the secret: …%s…", name, text[max(0, at-120):at+len(planted)])
		}
	}
	for name, want := range map[string]string{
		"east/volumegroupreplications.replication.unified.io.yaml":       "name: orders",
		"east/volumegroupreplicationclasses.replication.unified.io.yaml": "replication-secret-name: rook",
		"east/persistentvolumes.yaml":                                    "handle-data",
		"east/persistentvolumeclaims.yaml":                               "name: data",
		"east/events.yaml":                                               "«redacted»",
		"east/deployments.apps.yaml":                                     "name: DB_PASSWORD",
		"east/missing.txt":                                               "there is no Pod of it in namespace vgr-system",
		"overview.json":                                                  `"orders"`,
		"index.html":                                                     "default/orders",
	} {
		if !strings.Contains(all[name], want) {
			t.Errorf("%s does not have %q:\n%.2000s", name, want, all[name])
		}
	}
	for name := range all {
		if strings.Contains(name, "secrets") || strings.Contains(all[name], "never-read") {
			t.Errorf("%s tells of a Secret", name)
		}
	}
	again := b.vgr("gather", "--dir", dir)
	if again.code != 2 || !strings.Contains(again.errOut, "is not an empty directory; nothing was written") {
		t.Errorf("exit code %d, %s", again.code, again.errOut)
	}

	half := filepath.Join(t.TempDir(), "half")
	if r := b.vgr("gather", "--dir", half, "--peer-context", "dead"); r.code != 6 {
		t.Errorf("exit code %d, %s", r.code, r.errOut)
	}
	if all := files(t, half); !strings.Contains(all["index.html"], "Unreachable") || !strings.Contains(all["east/volumegroupreplications.replication.unified.io.yaml"], "orders") || all["dead/missing.txt"] == "" {
		t.Errorf("half a picture has the files %v", names(all))
	}
	forbidden := filepath.Join(t.TempDir(), "forbidden")
	if r := b.vgr("gather", "--dir", forbidden, "--context", "nobody-east"); r.code != 1 {
		t.Errorf("exit code %d, %s", r.code, r.errOut)
	}
	if all := files(t, forbidden); !strings.Contains(all["nobody-east/missing.txt"], "forbidden") {
		t.Errorf("without permission: %v\n%s", names(all), all["nobody-east/missing.txt"])
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func keyOf(namespace, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: name}
}

func names(m map[string]string) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	return out
}
