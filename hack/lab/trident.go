// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/unified-replication/kubectl-vgr/hack/lab/trident"
)

// TridentStorageClass is the class whose claims get a volume on ONTAP.
const TridentStorageClass = "ontap"

// netapp is what a site has of NetApp's. The stand-in for Trident runs in the lab's own process.
type netapp struct {
	log     io.Writer
	trident *trident.Trident
	stop    func()
}

// tridentStorage returns what an installation of Trident leaves in a cluster.
func (s *Site) tridentStorage() []runtime.Object {
	if s.netapp == nil {
		return nil
	}
	reclaim, binding := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingImmediate
	return []runtime.Object{&storagev1.StorageClass{
		TypeMeta:    metav1.TypeMeta{APIVersion: storagev1.SchemeGroupVersion.String(), Kind: "StorageClass"},
		ObjectMeta:  metav1.ObjectMeta{Name: TridentStorageClass},
		Provisioner: trident.Name, ReclaimPolicy: &reclaim, VolumeBindingMode: &binding,
		Parameters: map[string]string{"backendType": "ontap-nas", "trident.netapp.io/replication": "true"},
	}}
}

func (s *Site) startTrident(ctx context.Context) error {
	if s.netapp == nil {
		return nil
	}
	t, err := trident.New(s.Name, s.ontap, s.DirectRESTConfig(), s.netapp.log)
	if err != nil {
		return err
	}
	s.netapp.trident = t
	return s.StartTrident(ctx)
}

// StartTrident starts Trident again after StopTrident.
func (s *Site) StartTrident(ctx context.Context) error {
	stop, err := s.netapp.trident.Start(ctx)
	s.netapp.stop = stop
	return err
}

// StopTrident ends Trident in the middle of whatever it does. It provisions all the same.
func (s *Site) StopTrident() {
	if s.netapp != nil && s.netapp.stop != nil {
		s.netapp.stop()
		s.netapp.stop = nil
	}
}

// ONTAPHandle returns the volume behind a claim, as ONTAP knows it.
func (s *Site) ONTAPHandle(ctx context.Context, namespace, claim string) (string, error) {
	client, err := kubernetes.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return "", err
	}
	pvc, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, claim, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	pv, err := client.CoreV1().PersistentVolumes().Get(ctx, pvc.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("volume of claim %s/%s on site %q: %w", namespace, claim, s.Name, err)
	}
	if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != trident.Name {
		return "", fmt.Errorf("claim %s/%s on site %q is not on ONTAP", namespace, claim, s.Name)
	}
	return trident.Handle(s.Name, pv.Spec.CSI.VolumeAttributes["internalName"]), nil
}
