// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// peerObjects implements backend.Profile.PeerObjects. Dell's own controller makes the volumes of the
// peer, under the names that they have here, and reserves each for the claim of the same name; what
// is missing are the claims, and the group.
func peerObjects(r backend.PeerRequest) ([]client.Object, error) {
	class := backend.ClassOf(r.Class)
	remoteClass := prefixOf(class) + "/remoteStorageClassName"
	var objs []client.Object
	for _, v := range r.Volumes {
		if v.PV.Spec.CSI == nil || v.PV.Spec.CSI.Driver != class.Provisioner {
			return nil, backend.Problemf(vgrv1.ReasonForeignDriver, "PVC %s is not a volume of %s", v.PVC.Name, class.Provisioner)
		}
		storageClass := v.PV.Annotations[remoteClass]
		switch {
		case storageClass == "" && r.Draft:
			continue // the sidecar may protect it before the group is made
		case storageClass == "":
			return nil, backend.Problemf(vgrv1.ReasonProgressing, "volume %s of PVC %s has no annotation %s yet: Dell's sidecar has not protected it", v.PV.Name, v.PVC.Name, remoteClass)
		}
		objs = append(objs, peerClaim(v, storageClass, prefixOf(class)))
	}
	return append(objs, r.PeerGroup()), nil
}

func peerClaim(v backend.PeerVolume, storageClass, prefix string) *corev1.PersistentVolumeClaim {
	spec := v.ClaimSpec()
	spec.VolumeName, spec.StorageClassName = v.PV.Name, &storageClass
	labels := maps.Clone(v.PVC.Labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return strings.HasPrefix(key, prefix+"/") }) // the sidecar there sets its own
	return &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{Namespace: v.PVC.Namespace, Name: v.PVC.Name, Labels: labels},
		Spec:       *spec,
	}
}
