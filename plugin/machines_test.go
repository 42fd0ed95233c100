// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// TestVirtualMachines: who may not see VirtualMachines can stop what there is where KubeVirt is not installed, and is told so
// where it is; a plan names what it halts, and what would start it again.
func TestVirtualMachines(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	labels := map[string]string{"group": "orders"}
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{vgrv1.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{APIGroups: []string{""}, Resources: []string{"pods", "events", "namespaces"}, Verbs: []string{"*"}},
		{APIGroups: []string{"coordination.k8s.io", "apps", "storage.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"*"}},
	}
	sees := rbacv1.PolicyRule{APIGroups: []string{"kubevirt.io"}, Resources: []string{"virtualmachines"}, Verbs: []string{"list"}}
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
		b.volume(c, "data", "rbd.csi.ceph.com", labels)
		b.must(c.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "mover"}, Rules: rules}))
		b.must(c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "mover"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "mover"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "nobody"}},
		}))
	}
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	b.led(b.east, "orders")
	b.led(b.west, "orders")
	mover := func(code int, says ...string) {
		t.Helper()
		b.has(b.vgr("validate", "orders", "--quiesce", "--context", "nobody-east", "--peer-context", "nobody-west", "--color=never"), code, says...)
	}
	mover(0, "nothing uses the PVCs on nobody-east")

	volumes := []any{map[string]any{"name": "v", "persistentVolumeClaim": map[string]any{"claimName": "data"}}}
	b.loose(b.east, site.VirtualMachine(), "virtualmachines", true,
		map[string]any{
			"metadata": map[string]any{"namespace": "default", "name": "shop", "labels": map[string]any{"argocd.argoproj.io/instance": "shop"}},
			"spec":     map[string]any{"runStrategy": "RerunOnFailure", "template": map[string]any{"spec": map[string]any{"volumes": volumes}}},
		})
	launcher := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "virt-launcher-shop-x", OwnerReferences: []metav1.OwnerReference{{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "shop", UID: "1", Controller: new(true)}}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "compute", Image: "i"}},
			Volumes:    []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}},
		},
	}
	b.must(b.east.Create(t.Context(), launcher))
	mover(4, "the PVCs on nobody-east are in use by pod/virt-launcher-shop-x (data); which workloads use the PVCs is not known: virtualmachines.kubevirt.io is forbidden")

	var role rbacv1.ClusterRole
	b.must(b.east.Get(t.Context(), client.ObjectKey{Name: "mover"}, &role))
	role.Rules = append(role.Rules, sees)
	b.must(b.east.Update(t.Context(), &role))
	for range 100 { // the authorizer hears of it a little later
		if r := b.vgr("validate", "orders", "--quiesce", "--context", "nobody-east", "--peer-context", "nobody-west", "--color=never"); !strings.Contains(r.out, "is forbidden") {
			break
		}
	}
	mover(4, "you may not get virtualmachines, patch virtualmachines")

	plan := func(code int, args []string, says ...string) {
		t.Helper()
		b.has(b.vgr(append([]string{"failover", "orders", "--to", "west", "--peer-context", "west", "--color=never", "--dry-run=client"}, args...)...), code, says...)
	}
	plan(2, nil, "the PVCs on east are in use by pod/virt-launcher-shop-x (data)", "--quiesce does that for Deployments, StatefulSets and VirtualMachines")
	plan(0, []string{"--quiesce", "--start-workloads"}, "halt: virtualmachine/shop (RerunOnFailure)", "start where it exists: virtualmachine/shop (RerunOnFailure)",
		"Argo CD (Application shop) applies virtualmachine/shop on east: it starts it again", "have Argo CD ignore /spec/runStrategy")
}
