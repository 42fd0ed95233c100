// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migration

import (
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// FromReplication returns the volume of a backend's object.
func FromReplication(r backend.Replication, group string, pvcLabels map[string]string) Volume {
	v := Volume{
		From: name(r.Object), Object: r.Object, Namespace: r.Object.GetNamespace(), PVC: r.PVC, PVCLabels: pvcLabels,
		Group: group, Alone: r.Object.GetName(), State: r.State, AutoResync: r.AutoResync, Class: r.Class,
		Handle: r.Handle, PeerHandle: r.PeerHandle,
	}
	if r.NotAdoptable != "" {
		v.Problems = append(v.Problems, r.NotAdoptable)
	}
	if pvcLabels == nil {
		v.Problems = append(v.Problems, fmt.Sprintf("PVC %s does not exist", r.PVC))
	}
	return v
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

func name(obj client.Object) string {
	return strings.ToLower(obj.GetObjectKind().GroupVersionKind().Kind) + "/" + obj.GetName()
}
