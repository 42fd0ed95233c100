// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Applications have real claims in the array, and groups that a controller replicates.
type Applications struct {
	Namespace string
	// Volumes is how many each has.
	Volumes int
	// StorageClass is the lab's when empty.
	StorageClass string
}

// Name returns that of an application, of its group, and of the label app of its claims.
func (a Applications) Name(n int) string { return fmt.Sprintf("app-%05d", n) }

// Namespace creates a namespace unless it is there.
func Namespace(ctx context.Context, c client.Client, name string) error {
	err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// Make creates the claims of the applications from one number to another, and returns when all are bound.
func (a Applications) Make(ctx context.Context, c client.Client, from, to int) error {
	if err := Namespace(ctx, c, a.Namespace); err != nil {
		return err
	}
	work, creating := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for n := from; n < to; n++ {
		for i := range a.Volumes {
			work.Go(func() error { return c.Create(creating, a.claim(n, i)) })
		}
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return a.bound(ctx, c, to*a.Volumes)
}

func (a Applications) claim(n, i int) *corev1.PersistentVolumeClaim {
	class := a.StorageClass
	if class == "" {
		class = "ceph-rbd"
	}
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: fmt.Sprintf("%s-data-%d", a.Name(n), i), Labels: map[string]string{"app": a.Name(n)}},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

// bound waits until as many claims of the namespace are bound.
func (a Applications) bound(ctx context.Context, c client.Client, want int) error {
	const interval = 250 * time.Millisecond
	for {
		var list corev1.PersistentVolumeClaimList
		if err := c.List(ctx, &list, client.InNamespace(a.Namespace)); err != nil {
			return err
		}
		bound := 0
		for _, pvc := range list.Items {
			if pvc.Status.Phase == corev1.ClaimBound {
				bound++
			}
		}
		if bound >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d claims are bound: %w", bound, want, ctx.Err())
		case <-time.After(interval):
		}
	}
}

// Protect creates a primary group for each application.
func (a Applications) Protect(ctx context.Context, c client.Client, class string, groups int) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for n := range groups {
		work.Go(func() error { return c.Create(ctx, a.Group(class, n)) })
	}
	return work.Wait()
}

// Group returns the primary group of an application. Its replication ends with it.
func (a Applications) Group(class string, n int) *vgrv1.VolumeGroupReplication {
	return &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: a.Namespace, Name: a.Name(n), Annotations: map[string]string{vgrv1.AnnotationDeletionPolicy: vgrv1.DeletionPolicyDelete},
		},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: class, ReplicationState: vgrv1.Primary,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": a.Name(n)}},
		},
	}
}
