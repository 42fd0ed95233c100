// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"strings"
	"testing"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestInstallNamesUnreachedDrivers: csi-addons is installed, and reaches no driver, as with Rook 1.20.1 and later. Nothing else
// would tell: the controller would wait without end.
func TestInstallNamesUnreachedDrivers(t *testing.T) {
	t.Parallel()
	c := newCreating(t)
	east := c.site["east"]
	c.must(csiaddonsv1.AddToScheme(east.Scheme()))
	install := func(wants string) {
		t.Helper()
		r := c.vgr("install", "--image", "controller:v1", "--dry-run=client")
		if r.code != 0 || wants != "" && !strings.Contains(r.errOut, wants) || wants == "" && strings.Contains(r.errOut, "CSIAddonsNode") {
			t.Errorf("exit code %d, want %q\n%s%s", r.code, wants, r.out, r.errOut)
		}
	}
	install(`  - csi-addons: there is no CSIAddonsNode, so csi-addons reaches no driver: the driver runs without the csi-addons sidecar; Rook: set CSI_ENABLE_CSIADDONS: "true"`)
	node := &csiaddonsv1.CSIAddonsNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "rbd-1"},
		Spec:       csiaddonsv1.CSIAddonsNodeSpec{Driver: csiaddonsv1.CSIAddonsNodeDriver{Name: "rbd.csi.ceph.com", EndPoint: "pod://rbd-1", NodeID: "worker-1"}},
	}
	c.must(east.Create(t.Context(), node))
	install("csi-addons is not connected to driver rbd.csi.ceph.com: CSIAddonsNode default/rbd-1 is Unknown")
	node.Status.State = csiaddonsv1.CSIAddonsNodeStateConnected
	c.must(east.Status().Update(t.Context(), node))
	install("")
}
