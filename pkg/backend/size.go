// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend

import corev1 "k8s.io/api/core/v1"

// ClaimSpec returns a claim's for the peer: it asks for the size that the volume has. What was asked for may be smaller than
// that, and after a resize that has not ended it is more than the copy has to offer.
func (v PeerVolume) ClaimSpec() *corev1.PersistentVolumeClaimSpec {
	spec := v.PVC.Spec.DeepCopy()
	spec.DataSource, spec.DataSourceRef = nil, nil // the data arrives by replication
	if size, known := v.PV.Spec.Capacity[corev1.ResourceStorage]; known {
		if spec.Resources.Requests == nil {
			spec.Resources.Requests = corev1.ResourceList{}
		}
		spec.Resources.Requests[corev1.ResourceStorage] = size
	}
	return spec
}
