// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
)

const (
	// StorageClass is the class whose claims get an image in the array.
	StorageClass = "ceph-rbd"
	// FastStorageClass is the class whose claims get a fast image there. It is for who does not care about Ceph's own
	// times: the driver is none of Ceph's, so that a class of replication needs the parameter backend=csi-addons and
	// may have a schedulingInterval in seconds.
	FastStorageClass = "fast-rbd"
)

// sidecar is what makes csi-addons find a driver. It knows a connection by the pod, so each name has its own.
type sidecar struct{ driver, pod, node, namespace string }

func (s *Site) sidecars() []sidecar {
	if !s.simulated() { // where Rook has it, beside its Secret
		return []sidecar{{driver.Name, "csi-rbdplugin-provisioner-0", "lab-" + s.Name, driverNamespace}}
	}
	return []sidecar{
		{driver.Name, "csi-rbdplugin-provisioner-0", "lab-" + s.Name, csiAddonsNamespace},
		{driver.FastName, "csi-fastplugin-provisioner-0", "lab-fast-" + s.Name, csiAddonsNamespace},
	}
}

// simulated: fast volumes are, and so is all of Ceph then.
func (s *Site) simulated() bool {
	_, ok := s.volumes.(driver.Simulated)
	return ok
}

// storage returns what an installation of ceph-csi leaves in a cluster, as far as any program reads it.
func (s *Site) storage() []runtime.Object {
	objects := s.storageClass(StorageClass, driver.Name)
	if s.simulated() {
		objects = append(objects, s.storageClass(FastStorageClass, driver.FastName)...)
	}
	for _, c := range s.sidecars() {
		objects = append(objects, s.sidecar(c)...)
	}
	return objects
}

func (s *Site) storageClass(name, provisioner string) []runtime.Object {
	reclaim, binding, expand := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingImmediate, true
	return []runtime.Object{
		&storagev1.StorageClass{
			TypeMeta:    metav1.TypeMeta{APIVersion: storagev1.SchemeGroupVersion.String(), Kind: "StorageClass"},
			ObjectMeta:  metav1.ObjectMeta{Name: name},
			Provisioner: provisioner, ReclaimPolicy: &reclaim, VolumeBindingMode: &binding, AllowVolumeExpansion: &expand,
			Parameters: map[string]string{
				"clusterID": "rook-ceph", "pool": "replicapool", "imageFeatures": "layering",
				"csi.storage.k8s.io/provisioner-secret-name":      "rook-csi-rbd-provisioner",
				"csi.storage.k8s.io/provisioner-secret-namespace": "rook-ceph",
				"csi.storage.k8s.io/fstype":                       "ext4",
			},
		},
		&storagev1.CSIDriver{
			TypeMeta:   metav1.TypeMeta{APIVersion: storagev1.SchemeGroupVersion.String(), Kind: "CSIDriver"},
			ObjectMeta: metav1.ObjectMeta{Name: provisioner},
		},
	}
}

func (s *Site) sidecar(c sidecar) []runtime.Object {
	holder := leaseName(c.pod)
	return []runtime.Object{
		&corev1.Pod{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.pod},
			Spec: corev1.PodSpec{
				NodeName: "lab-" + s.Name,
				Containers: []corev1.Container{
					{Name: "csi-addons", Image: "quay.io/csiaddons/k8s-sidecar:v0.14.0"},
					{
						Name: "csi-rbdplugin", Image: "quay.io/cephcsi/cephcsi:v3.15.0",
						VolumeMounts: []corev1.VolumeMount{{Name: "ceph-csi-configs", MountPath: "/etc/ceph-csi-config/"}},
					},
				},
				Volumes: []corev1.Volume{{Name: "ceph-csi-configs", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: driverConfigMap},
					Items:                []corev1.KeyToPath{{Key: "csi-cluster-config-json", Path: "config.json"}},
				}}}},
			},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}}},
		},
		// csi-addons asks the holder of this lease and never looks at its expiry.
		&coordinationv1.Lease{
			TypeMeta:   metav1.TypeMeta{APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease"},
			ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: leaseName(c.driver) + "-csi-addons"},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder},
		},
	}
}

// leaseName writes a name as csi-addons does in leases.
func leaseName(name string) string {
	return regexp.MustCompile(`[^a-zA-Z0-9-]`).ReplaceAllString(name, "-")
}

// VolumeHandle finds the image behind "namespace/claim"; anything else is taken for a handle.
func (s *Site) VolumeHandle(ctx context.Context, volume string) (string, error) {
	namespace, name, isClaim := strings.Cut(volume, "/")
	if !isClaim {
		return volume, nil
	}
	client, err := kubernetes.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return "", err
	}
	claim, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("volume of claim %s on site %q: %w", volume, s.Name, err)
	}
	if claim.Spec.VolumeName == "" {
		return "", fmt.Errorf("claim %s on site %q is not bound", volume, s.Name)
	}
	pv, err := client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("volume of claim %s on site %q: %w", volume, s.Name, err)
	}
	if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != driver.Name && pv.Spec.CSI.Driver != driver.FastName {
		return "", fmt.Errorf("claim %s on site %q is not in the array", volume, s.Name)
	}
	return pv.Spec.CSI.VolumeHandle, nil
}
