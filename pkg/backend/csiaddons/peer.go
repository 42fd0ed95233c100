// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"maps"
	"slices"
	"strings"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// peerObjects implements backend.Profile.PeerObjects. A mirrored RBD image has the same volume
// handle on both sides, so the peer gets the volumes and claims with the handles they have here, unless csi-addons tells others for the copies,
// bound to each other, and the handle of the group; nothing is provisioned there.
func peerObjects(r backend.PeerRequest) ([]client.Object, error) {
	class := backend.Class{Name: r.Class.Name, Provisioner: r.Class.Spec.Provisioner, Parameters: r.Class.Spec.Parameters}
	grouped := r.GroupHandle != "" || served(r.Group, groupKind) || !perVolume(class) && !served(r.Group, volumeKind)
	if grouped && r.GroupHandle == "" && !r.Draft {
		return nil, backend.Problemf(vgrv1.ReasonProgressing, "group %s/%s has no handle yet; wait until it is Ready as primary", r.Group.Namespace, r.Group.Name)
	}
	var objs []client.Object
	for _, v := range r.Volumes {
		if v.PV.Spec.CSI == nil || v.PV.Spec.CSI.Driver != class.Provisioner {
			return nil, backend.Problemf(vgrv1.ReasonForeignDriver, "PVC %s is not a volume of %s", v.PVC.Name, class.Provisioner)
		}
		objs = append(objs, peerVolume(v, r.Cluster), peerClaim(v))
	}
	group := r.PeerGroup()
	if grouped {
		if len(r.Volumes) > 0 {
			class = withSecret(class, secretOf(&r.Volumes[0].PV))
		}
		content := peerContent(r, class)
		apiGroup := replicationv1.GroupVersion.Group
		group.Spec.Source = &corev1.TypedLocalObjectReference{APIGroup: &apiGroup, Kind: content.Kind, Name: content.Name}
		objs = append(objs, content)
	}
	return append(objs, group), nil
}

// served reports whether a group is replicated by objects of a kind, on the site that has it.
func served(g *vgrv1.VolumeGroupReplication, kind string) bool {
	is := func(ref *vgrv1.BackendReference) bool { return ref != nil && ref.Kind == kind }
	return is(g.Status.BackendRef) || slices.ContainsFunc(g.Status.Volumes, func(v vgrv1.VolumeStatus) bool { return is(v.BackendRef) })
}

// peerContent hands the group's handle over. It has no reference yet: csi-addons fills that in
// when the group that names it appears.
func peerContent(r backend.PeerRequest, class backend.Class) *replicationv1.VolumeGroupReplicationContent {
	return &replicationv1.VolumeGroupReplicationContent{
		TypeMeta: metav1.TypeMeta{APIVersion: replicationv1.GroupVersion.String(), Kind: "VolumeGroupReplicationContent"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   "vgr-" + shorten(r.Group.Namespace+"-"+r.Group.Name, 200) + "-" + digest(r.Group.Namespace+"/"+r.Group.Name),
			Labels: map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByPlugin},
			// Its name can be guessed, and spec.source of a group can name any.
			Annotations: map[string]string{vgrv1.AnnotationPreparedFor: r.Group.Namespace + "/" + r.Group.Name},
		},
		Spec: replicationv1.VolumeGroupReplicationContentSpec{
			VolumeGroupReplicationHandle:    r.GroupHandle,
			VolumeGroupReplicationClassName: derivedClassName(class),
			Provisioner:                     class.Provisioner,
			// The group's own members are filled in by csi-addons; null would be refused.
			Source: replicationv1.VolumeGroupReplicationContentSource{VolumeHandles: []string{}},
		},
	}
}

// peerVolume marks the copy as one: a promotion of it needs to be confirmed.
func peerVolume(v backend.PeerVolume, cluster string) *corev1.PersistentVolume {
	spec := v.PV.Spec.DeepCopy()
	if v.PeerHandle != "" {
		spec.CSI.VolumeHandle = v.PeerHandle
	}
	spec.ClaimRef = &corev1.ObjectReference{APIVersion: "v1", Kind: pvcKind, Namespace: v.PVC.Namespace, Name: v.PVC.Name}
	// Deleting the copy of a claim must never delete the image.
	spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
	spec.NodeAffinity = nil // names nodes of the other cluster
	return &corev1.PersistentVolume{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   v.PV.Name,
			Labels: copiedLabels(v.PV.Labels), Annotations: volumeAnnotations(v.PV.Annotations, cluster),
		},
		Spec: *spec,
	}
}

func peerClaim(v backend.PeerVolume) *corev1.PersistentVolumeClaim {
	spec := v.ClaimSpec()
	spec.VolumeName = v.PV.Name
	return &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: pvcKind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v.PVC.Namespace, Name: v.PVC.Name,
			// The labels are what the selector matches.
			Labels: maps.Clone(v.PVC.Labels), Annotations: copiedAnnotations(v.PVC.Annotations),
		},
		Spec: *spec,
	}
}

// volumeAnnotations keeps who made the volume. Others may have come from the claim, and a tenant's annotations have no
// business on an object of the whole cluster.
func volumeAnnotations(annotations map[string]string, cluster string) map[string]string {
	const provisionedBy = "pv.kubernetes.io/provisioned-by"
	out := map[string]string{}
	if by := annotations[provisionedBy]; by != "" {
		out[provisionedBy] = by
	}
	if cluster != "" {
		out[vgrv1.AnnotationCopyOf] = cluster
	}
	return out
}

func copiedLabels(labels map[string]string) map[string]string {
	out := map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByPlugin}
	maps.Copy(out, labels)
	return out
}

// copiedAnnotations drops what describes the binding and the replication in the other cluster.
func copiedAnnotations(annotations map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range annotations {
		local := strings.HasPrefix(key, "pv.kubernetes.io/bind-completed") ||
			strings.HasPrefix(key, "pv.kubernetes.io/bound-by-controller") ||
			strings.HasPrefix(key, "volume.kubernetes.io/") ||
			strings.HasPrefix(key, "volume.beta.kubernetes.io/") ||
			strings.HasPrefix(key, "kubectl.kubernetes.io/") ||
			strings.HasPrefix(key, reservedPrefix)
		if !local {
			out[key] = value
		}
	}
	return out
}
