// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

// TestOlderCRDs: the controller does not start with CRDs of an older version.
func TestOlderCRDs(t *testing.T) {
	at := testserver.StartWithout(t, filepath.Join("..", "..", "pkg", "manifests", "testdata", "before-the-guard"))
	c := at.Client(t)
	install(t, c)
	user := at.User(t, "system:serviceaccount:vgr-system:vgr-controller")
	err := run(t.Context(), user.Config(), options{metrics: "0", probes: "0", leaderElect: true, leaderNamespace: "vgr-system"})
	if err == nil || !strings.Contains(err.Error(), "is of an older version: it has no status.confirmedGeneration, ") {
		t.Errorf("it says %v", err)
	}
	var leases coordinationv1.LeaseList
	must(t, c.List(t.Context(), &leases, client.InNamespace("vgr-system")))
	if len(leases.Items) > 0 {
		t.Errorf("it leads: %v", leases.Items)
	}
}
