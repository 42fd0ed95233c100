// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

func pod(name, claim, ownerKind, owner string, labels map[string]string) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if owner != "" {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: ownerKind, Name: owner, Controller: new(true)}}
	}
	p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}}}
	return p
}

// TestOf: what uses a group's claims is found with what made it, and nothing else is.
func TestOf(t *testing.T) {
	web := map[string]string{"app": "web"}
	template := corev1.PodTemplateSpec{Spec: pod("", "shared", "", "", nil).Spec}
	owned := metav1.ObjectMeta{Name: "db", ResourceVersion: "7", OwnerReferences: []metav1.OwnerReference{{Kind: "PostgresCluster", Name: "pg", Controller: new(true)}}}
	set := common(statefulSet, &corev1.Pod{ObjectMeta: owned}, new(int32(3)), nil, corev1.PodTemplateSpec{})
	set.claims = []string{"data"}
	s := &Snapshot{
		pods: []corev1.Pod{
			pod("db-0", "data-db-0", "StatefulSet", "db", nil),
			pod("web-1", "shared", "ReplicaSet", "web-6c4", web),
			pod("copy", "shared", "Job", "copy", web),
			pod("shell", "shared", "", "", nil),
			pod("other", "elsewhere", "", "", nil),
		},
		nodes: map[string]attachment{"pv-0": {"worker-1", "csi-0"}, "pv-9": {"worker-2", "csi-9"}},
		workloads: []workload{
			set,
			common(deployment, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, nil, &metav1.LabelSelector{MatchLabels: web}, template),
			common(deployment, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "idle"}}, new(int32(0)), &metav1.LabelSelector{MatchLabels: map[string]string{"app": "idle"}}, template),
			common(deployment, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "unrelated"}}, nil, nil, corev1.PodTemplateSpec{}),
		},
	}
	g := &vgrv1.VolumeGroupReplication{}
	g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data-db-0", VolumeName: "pv-0"}, {Name: "data-db-x"}, {Name: "shared"}}
	want := &recovery.Usage{
		Users: []recovery.User{
			{Kind: "pod", Name: "db-0", Claim: "data-db-0", Workload: "statefulset/db"},
			{Kind: "node", Name: "worker-1", Claim: "data-db-0", Attachment: "csi-0"},
			{Kind: "pod", Name: "web-1", Claim: "shared", Workload: "deployment/web"},
			{Kind: "pod", Name: "copy", Claim: "shared"},
			{Kind: "pod", Name: "shell", Claim: "shared"},
		},
		Workloads: []recovery.Workload{
			{Kind: statefulSet, Name: "db", Claims: []string{"data-db-0"}, Replicas: 3, Owner: "postgrescluster/pg", ResourceVersion: "7"},
			{Kind: deployment, Name: "web", Claims: []string{"shared"}, Replicas: 1},
			{Kind: deployment, Name: "idle", Claims: []string{"shared"}},
		},
	}
	if diff := cmp.Diff(want, s.Of(g)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
