// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package provisioner does for one site what the provisioning side of a CSI driver does: a claim of
// the driver's StorageClass gets a volume on the simulated storage and a PersistentVolume. Binding is
// left to Kubernetes, and replication to the storage.
package provisioner

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
)

// provisionedBy marks volumes that a driver made, as external-provisioner does.
const provisionedBy = "pv.kubernetes.io/provisioned-by"

// Storage makes and deletes volumes.
type Storage interface {
	// Create makes the volume of a claim, once; it is called again after an error.
	Create(ctx context.Context, claim *corev1.PersistentVolumeClaim, parameters map[string]string) (*corev1.CSIPersistentVolumeSource, error)
	// Delete succeeds when the volume is gone already.
	Delete(handle string) error
}

// Provisioner serves the claims of one site.
type Provisioner struct {
	Client kubernetes.Interface
	// Driver is the CSI driver's name, which StorageClasses name as their provisioner.
	Driver  string
	Storage Storage

	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister
	queue   workqueue.TypedRateLimitingInterface[string]
}

// Run works until the context ends.
func (p *Provisioner) Run(ctx context.Context) error {
	// Slow retries only: the usual reason for one is an image that is still mirrored.
	p.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 5*time.Second))
	defer p.queue.ShutDown()
	factory := informers.NewSharedInformerFactory(p.Client, 0)
	claims, volumes := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes()
	classes := factory.Storage().V1().StorageClasses()
	p.claims, p.volumes, p.classes = claims.Lister(), volumes.Lister(), classes.Lister()
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer()} {
		if _, err := informer.AddEventHandler(p.handler()); err != nil {
			return fmt.Errorf("provisioner of %s: %w", p.Driver, err)
		}
	}
	classes.Informer()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	factory.WaitForCacheSync(ctx.Done())
	go func() {
		<-ctx.Done()
		p.queue.ShutDown()
	}()
	for p.next(ctx) {
	}
	return nil
}

// handler queues "namespace/claim" and, for volumes, the bare name.
func (p *Provisioner) handler() cache.ResourceEventHandler {
	add := func(obj any) {
		if key, err := cache.MetaNamespaceKeyFunc(obj); err == nil {
			p.queue.Add(key)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, obj any) { add(obj) }}
}

func (p *Provisioner) next(ctx context.Context) bool {
	key, shutdown := p.queue.Get()
	if shutdown {
		return false
	}
	defer p.queue.Done(key)
	var err error
	if namespace, name, isClaim := strings.Cut(key, "/"); isClaim {
		err = p.provision(ctx, namespace, name)
	} else {
		err = p.reclaim(ctx, key)
	}
	if err != nil {
		p.queue.AddRateLimited(key)
	} else {
		p.queue.Forget(key)
	}
	return true
}

// provision makes the image and the volume of a claim that has none.
func (p *Provisioner) provision(ctx context.Context, namespace, name string) error {
	claim, err := p.claims.PersistentVolumeClaims(namespace).Get(name)
	if err != nil {
		return ignoreNotFound(err)
	}
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil || claim.Spec.StorageClassName == nil {
		return nil
	}
	class, err := p.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || class.Provisioner != p.Driver {
		return ignoreNotFound(err)
	}
	source, err := p.Storage.Create(ctx, claim, class.Parameters)
	if err != nil {
		return err
	}
	_, err = p.Client.CoreV1().PersistentVolumes().Create(ctx, p.volume(claim, class, source), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (p *Provisioner) volume(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, source *corev1.CSIPersistentVolumeSource) *corev1.PersistentVolume {
	annotations := map[string]string{provisionedBy: p.Driver}
	for _, what := range []string{"name", "namespace"} {
		if secret := class.Parameters["csi.storage.k8s.io/provisioner-secret-"+what]; secret != "" {
			annotations["volume.kubernetes.io/provisioner-deletion-secret-"+what] = secret
		}
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pvc-" + string(claim.UID), Annotations: annotations},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      claim.Spec.Resources.Requests,
			StorageClassName:              *claim.Spec.StorageClassName,
			PersistentVolumeReclaimPolicy: ptr.Deref(class.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete),
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name,
				UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: source},
		},
	}
}

// reclaim deletes the storage of a volume that was released, once it is not mirrored any more.
func (p *Provisioner) reclaim(ctx context.Context, name string) error {
	volume, err := p.volumes.Get(name)
	if err != nil {
		return ignoreNotFound(err)
	}
	ours := volume.Annotations[provisionedBy] == p.Driver && volume.Spec.CSI != nil && volume.Spec.CSI.Driver == p.Driver
	if !ours || volume.Status.Phase != corev1.VolumeReleased || volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	if err := p.Storage.Delete(volume.Spec.CSI.VolumeHandle); err != nil {
		return err
	}
	return ignoreNotFound(p.Client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{}))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
