// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// TestWaitsFor: each finalizer is named, with who holds it and what to do.
func TestWaitsFor(t *testing.T) {
	for finalizer, says := range map[string]string{
		"kubernetes.io/pvc-protection":                         "kubernetes.io/pvc-protection (Kubernetes, while a Pod uses the PVC: kubectl describe pvc data -n shop names the Pods)",
		"kubernetes.io/pv-protection":                          "kubectl get pv data names the PVC",
		"external-attacher/rbd-csi-ceph-com":                   "attacher, while a node has the volume: kubectl get volumeattachments",
		"external-provisioner.volume.kubernetes.io/finalizer":  "the CSI driver's provisioner",
		"replication.storage.openshift.io":                     "csi-addons, until its CSI driver has ended the replication",
		"replication.storage.openshift.io/pvc-protection":      "csi-addons, until the PVC's VolumeReplication is gone",
		"trident.netapp.io":                                    "Trident, ",
		"replication.storage.dell.com/replicationProtection":   "Dell's CSM Replication, ",
		"replication.storage.openshift.io.example.com/another": "of another tool",
		"foregroundDeletion":                                   "Kubernetes, until the objects that it owns are gone",
		vgrv1.Finalizer:                                        "the controller of kubectl vgr",
		"example.com/backup":                                   "example.com/backup (of another tool, which must take it off)",
	} {
		obj := &metav1.ObjectMeta{Namespace: "shop", Name: "data", Finalizers: []string{finalizer, "example.com/last"}}
		if got := state.WaitsFor(": ", obj); !strings.HasPrefix(got, ": "+finalizer+" (") || !strings.Contains(got, says) || !strings.Contains(got, "), example.com/last (of") {
			t.Errorf("%s: %q, want %q", finalizer, got, says)
		}
	}
	if got := state.WaitsFor(": ", &metav1.ObjectMeta{}); got != "" {
		t.Errorf("without any: %q", got)
	}
}
