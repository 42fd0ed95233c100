// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package provisioner

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// Images makes and deletes RBD images, which have a handle.
type Images interface {
	// CreateImage gives the same image when it is asked again for the same name.
	CreateImage(ctx context.Context, name string, size int64) (handle string, err error)
	// DeleteImage succeeds when the image is gone already.
	DeleteImage(ctx context.Context, handle string) error
}

// Ceph makes RBD images, and volumes as ceph-csi describes them.
type Ceph struct {
	Images Images
	Driver string
}

// Create implements Storage.
func (c Ceph) Create(ctx context.Context, claim *corev1.PersistentVolumeClaim, parameters map[string]string) (*corev1.CSIPersistentVolumeSource, error) {
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	handle, err := c.Images.CreateImage(ctx, fmt.Sprintf("%s/%s#%.8s", claim.Namespace, claim.Name, claim.UID), size.Value())
	if err != nil {
		return nil, err
	}
	uuid := handle[len(handle)-36:] // the last part of every handle
	return &corev1.CSIPersistentVolumeSource{
		Driver: c.Driver, VolumeHandle: handle, FSType: "ext4",
		NodeStageSecretRef:        &corev1.SecretReference{Name: "rook-csi-rbd-node", Namespace: "rook-ceph"},
		ControllerExpandSecretRef: &corev1.SecretReference{Name: "rook-csi-rbd-provisioner", Namespace: "rook-ceph"},
		VolumeAttributes: map[string]string{
			"clusterID": parameters["clusterID"], "pool": parameters["pool"], "journalPool": parameters["pool"],
			"imageFeatures": parameters["imageFeatures"], "imageName": "csi-vol-" + uuid,
			"storage.kubernetes.io/csiProvisionerIdentity": "1700000000000-1-" + c.Driver,
		},
	}, nil
}

// Delete implements Storage.
func (c Ceph) Delete(handle string) error {
	return c.Images.DeleteImage(context.Background(), handle)
}
