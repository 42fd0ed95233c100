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
	}
	if r.NotAdoptable != "" {
		v.Problems = append(v.Problems, r.NotAdoptable)
	}
	if pvcLabels == nil {
		v.Problems = append(v.Problems, fmt.Sprintf("PVC %s does not exist", r.PVC))
	}
	return v
}

func name(obj client.Object) string {
	return strings.ToLower(obj.GetObjectKind().GroupVersionKind().Kind) + "/" + obj.GetName()
}
