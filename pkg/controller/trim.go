// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// The Trim functions are cache transforms: a cluster can have tens of thousands of volumes, and
// the reconcilers read a few fields of each.

// TrimVolume keeps what identifies a PersistentVolume on its storage, the Secret that it names, its size, and that it is a
// copy.
func TrimVolume(obj any) (any, error) {
	pv, ok := obj.(*corev1.PersistentVolume)
	if !ok {
		return obj, nil
	}
	small := &corev1.PersistentVolume{ObjectMeta: trimMeta(pv.ObjectMeta)}
	small.Annotations = nil
	if of, ok := pv.Annotations[vgrv1.AnnotationCopyOf]; ok {
		small.Annotations = map[string]string{vgrv1.AnnotationCopyOf: of}
	}
	small.Spec.ClaimRef, small.Spec.StorageClassName = pv.Spec.ClaimRef, pv.Spec.StorageClassName
	if size, ok := pv.Spec.Capacity[corev1.ResourceStorage]; ok {
		small.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: size}
	}
	if csi := pv.Spec.CSI; csi != nil {
		small.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: csi.Driver, VolumeHandle: csi.VolumeHandle, ControllerExpandSecretRef: csi.ControllerExpandSecretRef}
	}
	return small, nil
}

// TrimClaim keeps what makes a PersistentVolumeClaim a member.
func TrimClaim(obj any) (any, error) {
	pvc, ok := obj.(*corev1.PersistentVolumeClaim)
	if !ok {
		return obj, nil
	}
	small := &corev1.PersistentVolumeClaim{ObjectMeta: trimMeta(pvc.ObjectMeta)}
	small.Spec.VolumeName = pvc.Spec.VolumeName
	small.Status.Phase = pvc.Status.Phase
	return small, nil
}

// TrimCRD keeps whether a CustomResourceDefinition is served.
func TrimCRD(obj any) (any, error) {
	crd, ok := obj.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return obj, nil
	}
	small := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: trimMeta(crd.ObjectMeta)}
	small.Annotations, small.Labels = nil, nil
	small.Status.Conditions = crd.Status.Conditions
	return small, nil
}

func trimMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	m.ManagedFields = nil
	return m
}
