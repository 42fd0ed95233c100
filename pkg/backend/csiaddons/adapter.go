// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package csiaddons drives Ceph RBD mirroring, and any other driver that answers
// kubernetes-csi-addons (replication.storage.openshift.io): one VolumeReplication per volume, or one
// VolumeGroupReplication per group where the driver can. It reads what the csi-addons manager reports and never talks
// to a storage system itself.
//
// Two facts about csi-addons shape it. Its VolumeGroupReplication carries the status of a child
// VolumeReplication under its own generation, so only the child says which request an answer
// belongs to. And it reads PVC labels only when something else wakes it, so a changed
// membership is handed over through the VolumeGroupReplicationContent.
package csiaddons

import (
	"context"
	"time"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Name is what users read in the BACKEND column.
const Name = "csi-addons"

// csi-addons' kinds of replication.
const (
	groupKind  = "VolumeGroupReplication"
	volumeKind = "VolumeReplication"
)

// maxVolumes is the csi-addons manager's default and upper limit for --max-group-pvc.
const maxVolumes = 100

// cephDrivers returns those whose parameters we know. Rook names the driver after the operator's namespace. CephFS has a
// driver too, which does not replicate.
func cephDrivers() []string {
	return []string{"rbd.csi.ceph.com", backend.AnyNamespace + "rbd.csi.ceph.com"}
}

// Adapter is the csi-addons backend of one cluster.
type Adapter struct {
	client client.Client
	live   client.Reader
	clock  clock.PassiveClock
}

// New makes the adapter. The client must read from a cache, since observations list objects, and live
// from the API server.
func New(c client.Client, live client.Reader, now clock.PassiveClock) *Adapter {
	return &Adapter{client: c, live: live, clock: now}
}

// AddToScheme registers the csi-addons kinds that the adapter uses.
func AddToScheme(s *runtime.Scheme) error {
	if err := replicationv1.AddToScheme(s); err != nil {
		return err
	}
	return csiaddonsv1.AddToScheme(s)
}

// Driver returns the backend for the programs.
func Driver() backend.Driver {
	return backend.Driver{Profile: Profile(), New: func(c client.Client, live client.Reader, now clock.PassiveClock) backend.Adapter {
		return New(c, live, now)
	}}
}

// Profile describes the backend without a cluster.
func Profile() backend.Profile {
	return backend.Profile{
		Name:            Name,
		Provisioners:    append(cephDrivers(), "block.csi.ibm.com"),
		Traits:          backend.Traits{Fences: true, ConfirmsSync: true, MaxVolumes: maxVolumes, SyncPause: 30 * time.Second, SyncNow: `on Ceph, "rbd mirror image snapshot POOL/IMAGE" on the primary`},
		Parameters:      parameters(),
		CheckParameters: checkParameters,
		AddToScheme:     AddToScheme,
		APIGroups:       []string{"replication.storage.openshift.io", "csiaddons.openshift.io"},
		ClusterScoped:   []string{"VolumeGroupReplicationClass", "VolumeReplicationClass", "VolumeGroupReplicationContent", "NetworkFence", "NetworkFenceClass"},
		PeerVolumes:     "persistentvolumes and persistentvolumeclaims, with the volume handles that csi-addons tells for the copies, else those of their sources, and the group's handle; nothing is provisioned",
		PeerObjects:     peerObjects,
		Replications:    replications,
		Held:            held,
		Unconnected:     unconnected,
		Unlike:          unlike,
		Native:          native(),
		Ending:          ending(),
		Rehearsal:       backend.Rehearsal{Refuses: refusesRehearsal, Pods: driverPods},
	}
}

// CRDs implements backend.Adapter.
func (a *Adapter) CRDs() []string {
	return []string{
		"csiaddonsnodes.csiaddons.openshift.io",
		"volumegroupreplicationclasses.replication.storage.openshift.io",
		"volumegroupreplicationcontents.replication.storage.openshift.io",
		"volumegroupreplications.replication.storage.openshift.io",
		"volumereplicationclasses.replication.storage.openshift.io",
		"volumereplications.replication.storage.openshift.io",
	}
}

// Watches implements backend.Adapter.
func (a *Adapter) Watches() []backend.Watch {
	return []backend.Watch{
		{Object: &replicationv1.VolumeGroupReplication{}, Owners: a.ownersOfGroup},
		{Object: &replicationv1.VolumeReplication{}, Owners: a.ownersOfReplication, Indexes: map[string]client.IndexerFunc{backend.OwnerIndex: backend.OwnerKeys, pvcIndex: pvcKeys}},
		{Object: &replicationv1.VolumeGroupReplicationContent{}, Owners: a.ownersOfContent},
		{Object: &replicationv1.VolumeGroupReplicationClass{}, Owners: a.ownersOfClass},
		{Object: &replicationv1.VolumeReplicationClass{}, Owners: a.ownersOfClass},
		{Object: &csiaddonsv1.CSIAddonsNode{}, Owners: a.ownersOfNode},
	}
}

// ownersOfReplication finds the group of a VolumeReplication: ours by label, or csi-addons' own
// child of a VolumeGroupReplication by its data source.
func (a *Adapter) ownersOfReplication(ctx context.Context, obj client.Object) []backend.Owner {
	if owners := backend.OwnersOf(obj); owners != nil {
		return owners
	}
	vr, ok := obj.(*replicationv1.VolumeReplication)
	if !ok || vr.Spec.DataSource.Kind != groupKind {
		return a.waiting(ctx, obj)
	}
	return []backend.Owner{groupOwner(vr.Namespace, vr.Spec.DataSource.Name)}
}

// ownersOfGroup finds our group, or those that may have waited for the PVCs of another one.
func (a *Adapter) ownersOfGroup(ctx context.Context, obj client.Object) []backend.Owner {
	if owners := backend.OwnersOf(obj); owners != nil {
		return owners
	}
	return a.waiting(ctx, obj)
}

// waiting finds what may want the PVCs of an object of others that is leaving: all in its namespace, as that is rare.
func (a *Adapter) waiting(ctx context.Context, obj client.Object) []backend.Owner {
	if obj.GetDeletionTimestamp().IsZero() && len(obj.GetFinalizers()) > 0 {
		return nil
	}
	return a.all(ctx, client.InNamespace(obj.GetNamespace()))
}

// ownersOfContent finds the groups that a content serves or that wait for it.
func (a *Adapter) ownersOfContent(ctx context.Context, obj client.Object) []backend.Owner {
	content, ok := obj.(*replicationv1.VolumeGroupReplicationContent)
	if !ok {
		return nil
	}
	if ref := content.Spec.VolumeGroupReplicationRef; ref != nil {
		return []backend.Owner{groupOwner(ref.Namespace, ref.Name)}
	}
	var groups vgrv1.VolumeGroupReplicationList
	if err := a.client.List(ctx, &groups); err != nil {
		return nil // the cache is stopping
	}
	var owners []backend.Owner
	for _, g := range groups.Items {
		if g.Spec.Source != nil && g.Spec.Source.Name == content.Name {
			owners = append(owners, groupOwner(g.Namespace, g.Name))
		}
	}
	return owners
}

// ownersOfClass finds the groups that use a derived class, so that one that was deleted comes back.
func (a *Adapter) ownersOfClass(ctx context.Context, obj client.Object) []backend.Owner {
	if obj.GetLabels()[vgrv1.LabelManagedBy] != vgrv1.ManagedByController {
		return nil
	}
	var groups replicationv1.VolumeGroupReplicationList
	var volumes replicationv1.VolumeReplicationList
	if a.client.List(ctx, &groups) != nil || a.client.List(ctx, &volumes) != nil {
		return nil // the cache is stopping
	}
	var owners []backend.Owner
	for i := range groups.Items {
		spec := groups.Items[i].Spec
		if spec.VolumeGroupReplicationClassName == obj.GetName() || spec.VolumeReplicationClassName == obj.GetName() {
			owners = append(owners, backend.OwnersOf(&groups.Items[i])...)
		}
	}
	for i := range volumes.Items {
		if volumes.Items[i].Spec.VolumeReplicationClass == obj.GetName() {
			owners = append(owners, backend.OwnersOf(&volumes.Items[i])...)
		}
	}
	return unique(owners)
}

// ownersOfNode finds every group: a driver that comes or goes concerns all that wait for it, and
// it rarely does.
func (a *Adapter) ownersOfNode(ctx context.Context, _ client.Object) []backend.Owner {
	return a.all(ctx)
}

// all finds every group and single volume.
func (a *Adapter) all(ctx context.Context, in ...client.ListOption) []backend.Owner {
	var groups vgrv1.VolumeGroupReplicationList
	var volumes vgrv1.VolumeReplicationList
	if a.client.List(ctx, &groups, in...) != nil || a.client.List(ctx, &volumes, in...) != nil {
		return nil // the cache is stopping
	}
	var owners []backend.Owner
	for _, g := range groups.Items {
		owners = append(owners, groupOwner(g.Namespace, g.Name))
	}
	for _, v := range volumes.Items {
		owners = append(owners, backend.Owner{Kind: backend.VolumeReplicationKind, NamespacedName: client.ObjectKeyFromObject(&v)})
	}
	return owners
}

func groupOwner(namespace, name string) backend.Owner {
	return backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}
}

func unique(owners []backend.Owner) []backend.Owner {
	var out []backend.Owner
	known := map[backend.Owner]bool{}
	for _, o := range owners {
		if !known[o] {
			known[o] = true
			out = append(out, o)
		}
	}
	return out
}
