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
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Observe implements backend.Adapter.
func (a *Adapter) Observe(ctx context.Context, g backend.Group) (backend.Observation, error) {
	f, err := a.find(ctx, g.Owner)
	if err != nil {
		return backend.Observation{}, err
	}
	in := reading{group: g}
	if in.driverTrouble, in.capabilities, err = driverTrouble(ctx, a.client, g.Class.Provisioner); err != nil {
		return backend.Observation{}, err
	}
	if !f.grouped(g) {
		in.volumes = f.volumes
		return readVolumes(in), nil
	}
	if f.group == nil {
		obs := backend.Observation{Ref: g.Served} // it is made again as it was
		if f.foreign {
			obs.Volumes = notHandedOver(g)
		}
		return obs, nil
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

// notHandedOver returns the volumes that a group is to have once it gets the object of its name: migrate waits for them.
func notHandedOver(g backend.Group) []vgrv1.VolumeStatus {
	var out []vgrv1.VolumeStatus
	for _, m := range g.Members {
		out = append(out, vgrv1.VolumeStatus{
			Name: m.PVC, VolumeName: m.PV, VolumeHandle: m.Handle, State: vgrv1.StateUnknown, Health: vgrv1.HealthUnknown,
			Message: fmt.Sprintf("replicated by VolumeGroupReplication %s, which kubectl vgr did not make", g.Owner.Name),
		})
	}
	return out
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

// driverTrouble says what is wrong with the connection between csi-addons and a driver, or "", and what a connected one
// is capable of. Without a connection csi-addons does nothing and writes nothing, so nothing else would tell.
func driverTrouble(ctx context.Context, c client.Reader, provisioner string) (trouble string, capabilities []string, err error) {
	if provisioner == "" {
		return "", nil, nil
	}
	var nodes csiaddonsv1.CSIAddonsNodeList
	if err := c.List(ctx, &nodes); err != nil {
		return "", nil, err
	}
	trouble, capabilities = troubleOf(nodes.Items, provisioner)
	return trouble, capabilities, nil
}

// troubleOf is driverTrouble in a list of nodes. It is pure.
func troubleOf(nodes []csiaddonsv1.CSIAddonsNode, provisioner string) (trouble string, capabilities []string) {
	trouble = fmt.Sprintf("no CSIAddonsNode for driver %s: %s", provisioner, enableSidecar(provisioner))
	for _, n := range nodes {
		if n.Spec.Driver.Name != provisioner {
			continue
		}
		if n.Status.State == csiaddonsv1.CSIAddonsNodeStateConnected {
			return "", n.Status.Capabilities
		}
		trouble = fmt.Sprintf("csi-addons is not connected to driver %s: CSIAddonsNode %s/%s is %s: %s",
			provisioner, n.Namespace, n.Name, orUnknown(string(n.Status.State)), n.Status.Message)
	}
	return trouble, nil
}

// unconnected implements backend.Profile.Unconnected.
func unconnected(ctx context.Context, c client.Reader, driver string) (string, error) {
	var nodes csiaddonsv1.CSIAddonsNodeList
	switch err := c.List(ctx, &nodes); {
	case (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) && driver != "":
		return "", nil // the group says so, if it needs it
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return "csi-addons is not installed: the API csiaddons.openshift.io is not served; install its CRDs and controller", nil
	case err != nil:
		return "", err
	case driver != "":
		trouble, _ := troubleOf(nodes.Items, driver)
		return trouble, nil
	case len(nodes.Items) == 0:
		return "there is no CSIAddonsNode, so csi-addons reaches no driver: " + enableSidecar(cephDrivers()[0]), nil
	}
	for _, n := range nodes.Items {
		if trouble, _ := troubleOf(nodes.Items, n.Spec.Driver.Name); trouble != "" {
			return trouble, nil
		}
	}
	return "", nil
}

// enableSidecar says how csi-addons comes to know a driver. Rook 1.20.1 and later leave the sidecar out unless told
// otherwise.
func enableSidecar(provisioner string) string {
	text := "the driver runs without the csi-addons sidecar"
	if backend.ServesDriver(cephDrivers(), provisioner) {
		text += `; Rook: set CSI_ENABLE_CSIADDONS: "true" in the ConfigMap rook-ceph-operator-config and install csi-addons' controller (Rook 1.20.1 and later leave both out)`
	}
	return text
}

func orUnknown(s string) string {
	if s == "" {
		return "Unknown"
	}
	return s
}
