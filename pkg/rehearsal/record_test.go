// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestPut: the newest comes first, ten are kept, and what is remembered is bounded.
func TestPut(t *testing.T) {
	g := &vgrv1.VolumeGroupReplication{}
	for i := range 12 {
		r := Record{ID: fmt.Sprintf("%08x", i), Namespace: "db-rehearsal"}
		for k := range 100 {
			r.Volumes = append(r.Volumes, Volume{PVC: fmt.Sprintf("volume-of-some-length-%d", k), Image: strings.Repeat("x", 40)})
		}
		text, err := Put(g, r)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > mostBytes {
			t.Errorf("%d bytes", len(text))
		}
		g.Annotations = map[string]string{vgrv1.AnnotationRehearsals: text}
	}
	all, err := Records(g)
	if err != nil || len(all) != 10 || all[0].ID != "0000000b" || len(all[0].Volumes) != 100 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	r := all[0]
	r.Result = Passed
	text, _ := Put(g, r)
	g.Annotations[vgrv1.AnnotationRehearsals] = text
	if again, _ := Records(g); len(again) != 10 || again[0].Result != Passed {
		t.Error("a record that is changed is added")
	}
}

// TestForged: what this tool does not write is not read.
func TestForged(t *testing.T) {
	for _, text := range []string{
		"{", `[{}]`, `[{"id":"../../..","namespace":"x"}]`, `[{"id":"0a1b2c3d"}]`,
		`[{"id":"0a1b2c3d","namespace":"x","message":"` + strings.Repeat("m", 5000) + `"}]`,
		`[` + strings.Repeat(`{"id":"0a1b2c3d","namespace":"x"},`, 10) + `{"id":"0a1b2c3d","namespace":"x"}]`,
	} {
		g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{vgrv1.AnnotationRehearsals: text}}}
		if all, err := Records(g); err == nil {
			t.Errorf("%.60s: %+v", text, all)
		}
		if _, err := Put(g, Record{ID: "0a1b2c3d", Namespace: "x"}); err == nil {
			t.Errorf("%.60s is overwritten", text)
		}
	}
}

func volume(name string, attributes map[string]string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
		Driver: "rook-ceph.rbd.csi.ceph.com", VolumeHandle: "0001-0009-rook-ceph-0000000000000002-19f4f049-3f41-266d-b066-7422f96faee6", VolumeAttributes: attributes,
		ControllerExpandSecretRef: &corev1.SecretReference{Namespace: "rook-ceph", Name: "provisioner"}, NodeStageSecretRef: &corev1.SecretReference{Namespace: "rook-ceph", Name: "node"},
	}}}}
}

// TestVolumeOf reads volumes as ceph-csi makes them.
func TestVolumeOf(t *testing.T) {
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "data"}}
	for _, test := range []struct {
		attributes map[string]string
		image      string
	}{
		{map[string]string{"clusterID": "c", "pool": "p", "imageName": "csi-vol-1"}, "csi-vol-1"},
		{map[string]string{"clusterID": "c", "pool": "p"}, "csi-vol-19f4f049-3f41-266d-b066-7422f96faee6"},
		{map[string]string{"clusterID": "c", "pool": "p", "volumeNamePrefix": "gold-"}, "gold-19f4f049-3f41-266d-b066-7422f96faee6"},
		{map[string]string{"clusterID": "c", "pool": "p", "encrypted": "true"}, ""},
		{map[string]string{"pool": "p"}, ""},
	} {
		v, err := VolumeOf(Source{pvc, volume("pv", test.attributes)})
		if (err == nil) != (test.image != "") || err == nil && v.Image != test.image {
			t.Errorf("%v: %+v, %v", test.attributes, v, err)
		}
	}
}

// TestRecover: the volumes alone tell what has to be removed.
func TestRecover(t *testing.T) {
	group := types.NamespacedName{Namespace: "production", Name: "db"}
	r := Record{ID: "0a1b2c3d", Namespace: "db-rehearsal", Driver: "rook-ceph.rbd.csi.ceph.com", Secret: "provisioner", Volumes: []Volume{{PVC: "data", Cluster: "c", Pool: "p", Bytes: 1}, {PVC: "logs", Cluster: "c", Pool: "p", Bytes: 1}}}
	var pvs []corev1.PersistentVolume
	for i, v := range r.Volumes {
		pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: group.Namespace, Name: v.PVC}}
		pv, claim := r.VolumeObjects(group, i, Source{pvc, volume("pv", map[string]string{"imageFeatures": "layering"})})
		if pv.Spec.CSI.VolumeHandle != r.Clone(i) || pv.Spec.CSI.VolumeAttributes["staticVolume"] != "true" || pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain || *claim.Spec.StorageClassName != "" {
			t.Errorf("%+v %+v", pv.Spec, claim.Spec)
		}
		pvs = append(pvs, *pv)
	}
	for _, left := range [][]corev1.PersistentVolume{pvs, pvs[1:]} {
		got := Recover(left)
		if got == nil || got.ID != r.ID || got.Namespace != r.Namespace || got.Secret != r.Secret || len(got.Volumes) != 2 || got.Clone(1) != r.Clone(1) || got.Volumes[0].Pool != "p" || !got.Ending {
			t.Errorf("%+v", got)
		}
	}
	if Recover(nil) != nil || Recover([]corev1.PersistentVolume{*volume("pv", nil)}) != nil {
		t.Error("something is made of nothing")
	}
}

// TestRunnerOf takes the configuration from the driver's Pod, and no token and no Secret.
func TestRunnerOf(t *testing.T) {
	config := corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "rook-ceph", Name: "provisioner"}, Spec: corev1.PodSpec{
		ServiceAccountName: "rook-csi-rbd-provisioner-sa",
		Volumes:            []corev1.Volume{{Name: "config", VolumeSource: config}, {Name: "ceph", VolumeSource: config}, {Name: "keys", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}}},
		Containers: []corev1.Container{{Name: "csi-provisioner", Image: "sidecar"}, {Name: "csi-rbdplugin", Image: "cephcsi", VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/ceph-csi-config/"}, {Name: "ceph", MountPath: "/etc/ceph"}, {Name: "keys", MountPath: "/tmp/csi/keys"},
		}}},
	}}
	run, err := RunnerOf(pod)
	if err != nil {
		t.Fatal(err)
	}
	r := Record{ID: "0a1b2c3d", Secret: "provisioner", Volumes: []Volume{{PVC: "data"}}}
	job, err := r.StorageJob(types.NamespacedName{Namespace: "production", Name: "db"}, StepClone, run)
	if err != nil {
		t.Fatal(err)
	}
	spec := job.Spec.Template.Spec
	if spec.Containers[0].Image != "cephcsi" || *spec.AutomountServiceAccountToken || len(spec.Volumes) != 3 || spec.Volumes[2].Secret.SecretName != "provisioner" || job.Namespace != "rook-ceph" {
		t.Errorf("%+v", spec)
	}
	pod.Spec.Containers = pod.Spec.Containers[:1]
	if _, err := RunnerOf(pod); err == nil {
		t.Error("a Pod without the configuration is taken")
	}
}

// TestReadCheck refuses what would check nothing, or something else.
func TestReadCheck(t *testing.T) {
	const job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: check}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}], volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}}\n"
	volumes := []Volume{{PVC: "data"}}
	read, err := ReadCheck([]byte(job), volumes)
	if err != nil {
		t.Fatal(err)
	}
	r := Record{ID: "0a1b2c3d", Namespace: "db-rehearsal"}
	made := r.CheckObject(types.NamespacedName{Namespace: "production", Name: "db"}, read)
	if made.Namespace != "db-rehearsal" || made.Labels[vgrv1.LabelRehearsal] != r.ID || made.Spec.Template.Labels[vgrv1.LabelRehearsal] != r.ID || *made.Spec.ActiveDeadlineSeconds != checkDeadline {
		t.Errorf("%+v", made)
	}
	for _, wrong := range []string{
		"x", "kind: Pod", strings.Replace(job, "claimName: data", "claimName: other", 1), strings.Replace(job, "persistentVolumeClaim: {claimName: data}", "emptyDir: {}", 1),
		strings.Replace(job, "restartPolicy", "restartpolicie", 1), strings.Replace(job, "name: check", "namespace: x", 1),
	} {
		if _, err := ReadCheck([]byte(wrong), volumes); err == nil {
			t.Errorf("%.80s is accepted", wrong)
		}
	}
}
