// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"slices"
	"strings"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// refusesRehearsal implements backend.Rehearsal.Refuses: csi-addons has no call that clones a copy, so it takes the storage's
// own program, and only Ceph's is known.
func refusesRehearsal(driver string) string {
	if backend.ServesDriver(cephDrivers(), driver) {
		return ""
	}
	return "the driver " + driver + " is not one of Ceph RBD, and csi-addons has no call that clones a copy"
}

// driverPods implements backend.Rehearsal.Pods: a CSIAddonsNode says which Pod has the driver's sidecar.
func driverPods(ctx context.Context, c client.Reader, driver string) ([]types.NamespacedName, error) {
	var nodes csiaddonsv1.CSIAddonsNodeList
	if err := c.List(ctx, &nodes); err != nil {
		return nil, err
	}
	var pods []types.NamespacedName
	for _, n := range nodes.Items {
		if pod, ok := podOf(n.Spec.Driver.EndPoint); ok && n.Spec.Driver.Name == driver && !slices.Contains(pods, pod) {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// podOf reads an endpoint: pod://NAME.NAMESPACE:PORT. A name may have dots, a namespace has none.
func podOf(endpoint string) (types.NamespacedName, bool) {
	rest, ok := strings.CutPrefix(endpoint, "pod://")
	host, _, _ := strings.Cut(rest, ":")
	dot := strings.LastIndex(host, ".")
	if !ok || dot <= 0 || dot == len(host)-1 {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: host[dot+1:], Name: host[:dot]}, true
}
