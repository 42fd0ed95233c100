// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"fmt"
	"slices"
	"strings"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// claim is which csi-addons objects may have a PVC.
type claim struct{ volume, group string }

// pvcIndex finds the VolumeReplications of a PVC.
const pvcIndex = "csi-addons-pvc"

func pvcKeys(obj client.Object) []string {
	if vr, ok := obj.(*replicationv1.VolumeReplication); ok && vr.Spec.DataSource.Kind == pvcKind {
		return []string{vr.Spec.DataSource.Name}
	}
	return nil
}

const pvcKind = "PersistentVolumeClaim"

// checkClaims refuses PVCs that csi-addons replicates already for another owner. csi-addons itself lets a group take a
// PVC from a single replication, and from then on that one fails without a word.
func (a *Adapter) checkClaims(ctx context.Context, g backend.Group, members []backend.Member, may claim) error {
	var groups replicationv1.VolumeGroupReplicationList
	if err := a.client.List(ctx, &groups, client.InNamespace(g.Owner.Namespace)); err != nil {
		return err
	}
	var taken []string
	for _, m := range members {
		var pvc corev1.PersistentVolumeClaim
		if err := a.client.Get(ctx, client.ObjectKey{Namespace: g.Owner.Namespace, Name: m.PVC}, &pvc); err != nil {
			return err
		}
		var volumes replicationv1.VolumeReplicationList
		if err := a.client.List(ctx, &volumes, client.InNamespace(g.Owner.Namespace), client.MatchingFields{pvcIndex: m.PVC}); err != nil {
			return err
		}
		taken = append(taken, claimedBy(&pvc, volumes.Items, groups.Items, may)...)
	}
	if len(taken) == 0 {
		return nil
	}
	return backend.Problemf(vgrv1.ReasonVolumeConflict, "csi-addons replicates already: %s; hand them over with kubectl vgr migrate or leave them to who made them, and take the labels off; to delete a replication can remove its copy", strings.Join(taken, ", "))
}

// claimedBy returns which other objects of csi-addons have a PVC, or will have it: it marks the PVC only when it takes up an
// object, which it does not do while it is stopped. Which of ours has a PVC was decided before. It is pure.
func claimedBy(pvc *corev1.PersistentVolumeClaim, volumes []replicationv1.VolumeReplication, groups []replicationv1.VolumeGroupReplication, may claim) []string {
	var taken []string
	add := func(kind, name, allowed string) {
		text := fmt.Sprintf("%s by %s %s", pvc.Name, kind, name)
		if name != "" && name != allowed && !slices.Contains(taken, text) {
			taken = append(taken, text)
		}
	}
	add(volumeKind, pvc.Annotations[replicationv1.VolumeReplicationNameAnnotation], may.volume)
	add(groupKind, pvc.Annotations[replicationv1.VolumeGroupReplicationNameAnnotation], may.group)
	for i := range volumes {
		if vr := &volumes[i]; slices.Contains(pvcKeys(vr), pvc.Name) && backend.OwnersOf(vr) == nil {
			add(volumeKind, vr.Name, may.volume)
		}
	}
	for i := range groups {
		if group := &groups[i]; hasMember(group, pvc) && backend.OwnersOf(group) == nil {
			add(groupKind, group.Name, may.group)
		}
	}
	return taken
}
