// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestGitOps: who is about to move a group is told which tool would move it back.
func TestGitOps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	labels := map[string]string{"group": "orders"}
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
		b.volume(c, "data", "rbd.csi.ceph.com", labels)
	}
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	b.led(b.east, "orders")
	b.led(b.west, "orders")
	replicas := int32(2)
	pods := map[string]string{"app": "web"}
	b.must(b.east.Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", Labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "shop"}},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: pods}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: pods},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "web", Image: "web"}},
				Volumes:    []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}},
			},
		}},
	}))
	plain := b.vgr("validate", "orders", "--peer-context", "west", "--color=never")
	if strings.Contains(plain.out, "gitops") {
		t.Errorf("without a tool:\n%s", plain.out)
	}
	// As Argo CD applies a file, and without any other mark of it.
	file := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": vgrv1.GroupVersion.String(), "kind": "VolumeGroupReplication",
		"metadata": map[string]any{"name": "orders", "namespace": "default"},
		"spec": map[string]any{
			"volumeGroupReplicationClass": "gold", "replicationState": "primary", "selector": map[string]any{"matchLabels": map[string]any{"group": "orders"}},
		},
	}}
	b.must(b.east.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(file), client.FieldOwner("argocd-controller"), client.ForceOwnership))

	const group, workload = "Argo CD applies the group on east and set spec.replicationState last", "Flux (Kustomization shop) applies deployment/web on east: it starts it again"
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"validate", "orders"}, []string{group, "ignoreDifferences"}},
		{[]string{"validate", "orders", "--quiesce"}, []string{group, workload, "suspend the Kustomization"}},
		{[]string{"failover", "orders", "--to", "west", "--quiesce", "--dry-run=client"}, []string{group, workload, "ignoreDifferences"}},
		{[]string{"create", "orders", "--class", "gold", "-l", "group=orders", "--dry-run=client"}, []string{"Argo CD applies the group on east: after a failover it sets the role back", "ignoreDifferences"}},
	} {
		r := b.vgr(slices.Concat(tc.args, []string{"--peer-context", "west", "--color=never"})...)
		// Lines are wrapped nowhere: this is no terminal.
		for _, want := range tc.want {
			if !strings.Contains(r.out+r.errOut, want) {
				t.Errorf("%s: nothing says %q:\n%s%s", strings.Join(tc.args, " "), want, r.out, r.errOut)
			}
		}
	}
}
