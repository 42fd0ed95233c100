// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"strings"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/google/uuid"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Application is an application with everything that belongs to it, as it lies in the store: its claims, their
// volumes, its group and what csi-addons has made of that.
type Application struct {
	name    func(n int) string
	store   etcd
	objects map[string]string // by their keys
	uids    map[string]uuid.UUID
}

// Stored reads the only application of a site.
func (a Applications) Stored(ctx context.Context, c client.Client, address string) (Application, error) {
	const ours, theirs = "replication.unified.io/", "replication.storage.openshift.io/"
	kinds := []struct {
		of  schema.GroupVersionKind
		key string
	}{
		{corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaimList"), "persistentvolumeclaims/" + a.Namespace + "/"},
		{corev1.SchemeGroupVersion.WithKind("PersistentVolumeList"), "persistentvolumes/"},
		{vgrv1.GroupVersion.WithKind("VolumeGroupReplicationList"), ours + "volumegroupreplications/" + a.Namespace + "/"},
		{replicationv1.GroupVersion.WithKind("VolumeGroupReplicationList"), theirs + "volumegroupreplications/" + a.Namespace + "/"},
		{replicationv1.GroupVersion.WithKind("VolumeGroupReplicationContentList"), theirs + "volumegroupreplicationcontents/"},
		{replicationv1.GroupVersion.WithKind("VolumeReplicationList"), theirs + "volumereplications/" + a.Namespace + "/"},
	}
	app := Application{name: a.Name, store: etcd(address), objects: map[string]string{}, uids: map[string]uuid.UUID{}}
	for _, kind := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.of)
		if err := c.List(ctx, list); err != nil {
			return app, err
		}
		for _, o := range list.Items {
			id, err := uuid.Parse(string(o.UID))
			if err != nil {
				return app, err
			}
			app.uids[string(o.UID)] = id
			key := "/registry/" + kind.key + o.Name
			if app.objects[key], err = app.store.get(ctx, key); err != nil {
				return app, err
			}
		}
	}
	return app, nil
}

// Copy puts the application into the store again, as those from one number to another: all as if each had been
// made by itself, but that the storage knows of the first one only. The controllers that would work on them must be stopped.
func (app Application) Copy(ctx context.Context, from, to int) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for n := from; n < to; n++ {
		work.Go(func() error { return app.copy(ctx, n) })
	}
	return work.Wait()
}

// Names and UIDs are as long as they were: in the binary form of the built-in kinds the length stands before them.
func (app Application) copy(ctx context.Context, n int) error {
	replace := []string{app.name(0), app.name(n)}
	for uid, id := range app.uids {
		replace = append(replace, uid, uuid.NewSHA1(id, []byte(app.name(n))).String())
	}
	another := strings.NewReplacer(replace...)
	for key, text := range app.objects {
		copied := another.Replace(key)
		if copied == key {
			return fmt.Errorf("%s would be overwritten: its name has nothing of the application", key)
		}
		if err := app.store.put(ctx, copied, another.Replace(text)); err != nil {
			return err
		}
	}
	return nil
}
