// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"cmp"
	"context"
	"fmt"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Observe implements backend.Adapter.
func (a *Adapter) Observe(ctx context.Context, g backend.Group) (backend.Observation, error) {
	f, err := a.find(ctx, g.Owner)
	if err != nil {
		return backend.Observation{}, err
	}
	in := reading{group: g, driverTrouble: ""}
	if in.driverTrouble, err = driverTrouble(ctx, a.client, g.Class.Provisioner); err != nil {
		return backend.Observation{}, err
	}
	if !f.grouped(g) {
		in.volumes = f.volumes
		return readVolumes(in), nil
	}
	if f.group == nil {
		return backend.Observation{Ref: g.Served}, nil // it is made again as it was
	}
	in.backendGroup = f.group
	if in.child, err = a.childOf(ctx, f.group); err != nil {
		return backend.Observation{}, err
	}
	if in.content, err = a.contentOf(ctx, f.group); err != nil {
		return backend.Observation{}, err
	}
	return readGroup(in), nil
}

// childOf finds the VolumeReplication that csi-addons made for a group, or nil.
func (a *Adapter) childOf(ctx context.Context, group *replicationv1.VolumeGroupReplication) (*replicationv1.VolumeReplication, error) {
	var child replicationv1.VolumeReplication
	err := a.client.Get(ctx, client.ObjectKey{Namespace: group.Namespace, Name: childName(group)}, &child)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return &child, err
}

func childName(group *replicationv1.VolumeGroupReplication) string {
	return cmp.Or(group.Spec.VolumeReplicationName, "vr-"+string(group.UID))
}

// driverTrouble says what is wrong with the connection between csi-addons and a driver, or "". Without
// one csi-addons does nothing and writes nothing, so nothing else would tell.
func driverTrouble(ctx context.Context, c client.Reader, provisioner string) (string, error) {
	if provisioner == "" {
		return "", nil
	}
	var nodes csiaddonsv1.CSIAddonsNodeList
	if err := c.List(ctx, &nodes); err != nil {
		return "", err
	}
	trouble := fmt.Sprintf("no CSIAddonsNode for driver %s: is the driver running with the csi-addons sidecar?", provisioner)
	for _, n := range nodes.Items {
		if n.Spec.Driver.Name != provisioner {
			continue
		}
		if n.Status.State == csiaddonsv1.CSIAddonsNodeStateConnected {
			return "", nil
		}
		trouble = fmt.Sprintf("csi-addons is not connected to driver %s: CSIAddonsNode %s/%s is %s: %s",
			provisioner, n.Namespace, n.Name, orUnknown(string(n.Status.State)), n.Status.Message)
	}
	return trouble, nil
}

func orUnknown(s string) string {
	if s == "" {
		return "Unknown"
	}
	return s
}
