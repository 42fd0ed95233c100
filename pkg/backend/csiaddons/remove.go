// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"context"
	"fmt"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Remove implements backend.Adapter. The csi-addons manager takes its own objects apart in the
// order it needs (replication, group, PVC marks); we delete only what we made, and the classes last,
// because nothing leaves without its class.
func (a *Adapter) Remove(ctx context.Context, o backend.Owner, retain bool) (backend.Removal, error) {
	if retain {
		return backend.Removal{Done: true}, nil
	}
	f, err := a.find(ctx, o)
	if err != nil {
		return backend.Removal{}, err
	}
	var left []client.Object
	if f.group != nil {
		left = append(left, f.group)
	}
	for i := range f.volumes {
		left = append(left, &f.volumes[i])
	}
	for _, obj := range left {
		if !obj.GetDeletionTimestamp().IsZero() {
			continue
		}
		if err := client.IgnoreNotFound(a.client.Delete(ctx, obj, uidOf(obj))); err != nil {
			return backend.Removal{}, err
		}
	}
	if len(left) > 0 {
		waiting, err := a.whyStays(ctx, f)
		return backend.Removal{Waiting: waiting}, err
	}
	return backend.Removal{Done: true}, a.collectClasses(ctx)
}

// whyStays explains what csi-addons is doing. It reports the reason for a removal that hangs
// only in its own log, so this is what can be known from outside.
func (a *Adapter) whyStays(ctx context.Context, f found) (string, error) {
	replication, what := (*replicationv1.VolumeReplication)(nil), ""
	if f.group != nil {
		child, err := a.childOf(ctx, f.group)
		if err != nil {
			return "", err
		}
		replication, what = child, fmt.Sprintf("VolumeGroupReplication %q", f.group.Name)
	} else {
		replication, what = &f.volumes[0], fmt.Sprintf("VolumeReplication %q", f.volumes[0].Name)
	}
	waiting := fmt.Sprintf("waiting for csi-addons to remove its %s", what)
	if replication == nil {
		return waiting, nil
	}
	var class replicationv1.VolumeReplicationClass
	err := a.client.Get(ctx, client.ObjectKey{Name: replication.Spec.VolumeReplicationClass}, &class)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return "", err
	case apierrors.IsNotFound(err):
		return waiting + fmt.Sprintf("; its VolumeReplicationClass %q is gone and must be created again", replication.Spec.VolumeReplicationClass), nil
	}
	driver, err := a.driver(ctx, class.Spec.Provisioner)
	if err != nil {
		return "", err
	}
	if driver != "" {
		return waiting + "; " + driver, nil
	}
	if replication.Status.State == replicationv1.SecondaryState {
		waiting += "; Ceph disables a secondary only while its peer is primary: if this lasts, promote the peer"
	}
	return waiting, nil
}
