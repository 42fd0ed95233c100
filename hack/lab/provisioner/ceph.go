// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package provisioner

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// Ceph makes RBD images, and volumes as ceph-csi describes them.
type Ceph struct {
	Array  *array.Array
	Site   array.Site
	Driver string
	// Fast makes fast images.
	Fast bool
}

// Create implements Storage.
func (c Ceph) Create(_ context.Context, claim *corev1.PersistentVolumeClaim, parameters map[string]string) (*corev1.CSIPersistentVolumeSource, error) {
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	create := c.Array.CreateImage
	if c.Fast {
		create = c.Array.CreateFastImage
	}
	handle := create(c.Site, fmt.Sprintf("%s/%s#%.8s", claim.Namespace, claim.Name, claim.UID), size.Value())
	uuid := handle[len(handle)-36:] // the last part of every handle
	secret := &corev1.SecretReference{Name: "rook-csi-rbd-node", Namespace: "rook-ceph"}
	return &corev1.CSIPersistentVolumeSource{
		Driver: c.Driver, VolumeHandle: handle, FSType: "ext4",
		NodeStageSecretRef: secret, ControllerExpandSecretRef: secret,
		VolumeAttributes: map[string]string{
			"clusterID": parameters["clusterID"], "pool": parameters["pool"], "journalPool": parameters["pool"],
			"imageFeatures": "layering", "imageName": "csi-vol-" + uuid,
			"storage.kubernetes.io/csiProvisionerIdentity": "1700000000000-1-" + c.Driver,
		},
	}, nil
}

// Delete implements Storage.
func (c Ceph) Delete(handle string) error {
	if err := c.Array.DeleteImage(c.Site, handle); err != nil && array.CodeOf(err) != array.NotFound {
		return err
	}
	return nil
}
