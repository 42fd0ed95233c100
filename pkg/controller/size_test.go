// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestResizedVolume: the status has the size of each volume, and learns of a new one by itself.
func TestResizedVolume(t *testing.T) {
	t.Parallel()
	w, g, csi := promotedGroup(t)
	var pv corev1.PersistentVolume
	has := func(bytes int64) func(context.Context) bool {
		return func(ctx context.Context) bool {
			if w.Get(ctx, csi.key, g) != nil || len(g.Status.Volumes) == 0 || w.Get(ctx, client.ObjectKey{Name: g.Status.Volumes[0].VolumeName}, &pv) != nil {
				return false
			}
			size := g.Status.Volumes[0].CapacityBytes
			return size != nil && *size == bytes
		}
	}
	w.eventually("its size is published", has(1<<30))
	change(w, &pv, func(pv *corev1.PersistentVolume) {
		pv.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse("2Gi")
	})
	w.eventually("its new size is published", has(2<<30))
}
