// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migration

import (
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
)

// FromReplication returns the volume of a backend's object.
func FromReplication(r backend.Replication, group string, pvcLabels map[string]string) Volume {
	v := Volume{
		From: name(r.Object), Object: r.Object, Namespace: r.Object.GetNamespace(), PVC: r.PVC, PVCLabels: pvcLabels,
		Group: group, Alone: r.Object.GetName(), State: r.State, AutoResync: r.AutoResync, Class: r.Class, Whole: r.Whole,
		Handle: r.Handle, PeerHandle: r.PeerHandle, Tracked: gitops.Of(r.Object, r.RoleField),
	}
	if r.NotAdoptable != "" {
		v.Problems = append(v.Problems, r.NotAdoptable)
	}
	if pvcLabels == nil && r.PVC != "" {
		v.Problems = append(v.Problems, fmt.Sprintf("PVC %s does not exist", r.PVC))
	}
	return v
}

// AcceptTracked says what an object from Git means for the group: as an obstacle, or as a note once you accepted it.
func (v *Volume) AcceptTracked(accepted bool) {
	if v.Tracked.None() {
		return
	}
	text := fmt.Sprintf("%s applies it from Git and sets its role back after a failover; %s", v.Tracked, v.Tracked.Remedy())
	if accepted {
		v.Notes = append(v.Notes, text)
		return
	}
	v.problem("%s; then add --accept-gitops", text)
}

// ComparePeer refuses a volume whose copy has another name on the peer: the PVCs of a group are paired by their names, and
// no failover would ever be possible.
func (v *Volume) ComparePeer(peer string, there []backend.Replication) {
	for _, r := range there {
		if v.Handle == "" || v.Handle != r.PeerHandle {
			if v.PeerHandle == "" || v.PeerHandle != r.Handle {
				continue
			}
		}
		if namespace := r.Object.GetNamespace(); namespace != v.Namespace || r.PVC != v.PVC {
			v.problem("PVC %s in namespace %s is PVC %s in namespace %s on %s; a group pairs PVCs by their names: make a copy with the same name first", v.PVC, v.Namespace, r.PVC, namespace, peer)
		}
	}
}

// name names an object of a backend: a group of csi-addons has the kind of one of ours.
func name(obj client.Object) string {
	gvk := obj.GetObjectKind().GroupVersionKind()
	kind := strings.ToLower(gvk.Kind)
	if kind == strings.ToLower(string(backend.VolumeGroupReplicationKind)) {
		kind += "." + gvk.Group
	}
	return kind + "/" + obj.GetName()
}
