// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package dell drives Dell CSM Replication (replication.storage.dell.com) for arrays such as
// PowerStore. The group is made by Dell's sidecar when volumes are provisioned; the adapter finds
// it by its volumes, asks it for actions, and never creates, owns or deletes one.
//
// Three facts shape it. An action is a word that the sidecar removes when it is done, with or
// without a result; so what was asked for is written down in the same write. Its success does not
// prove anything; only the link state does, as the array reports it later. And an action changes
// both sites: to give up the role of source hands it to the peer.
package dell

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Name is what users read in the BACKEND column.
const Name = "dell"

// Actions of csm-replication.
const (
	failoverRemote         = "FAILOVER_REMOTE"
	unplannedFailoverLocal = "UNPLANNED_FAILOVER_LOCAL"
	reprotectLocal         = "REPROTECT_LOCAL"
)

// drivers returns those whose actions are known to have the meaning that the adapter relies on: after a
// failover the target is the source. Which actions a driver supports is published nowhere.
func drivers() []string { return []string{powerStore} }

// freshFor is three times the sidecar's default monitoring interval: a link state older than that is
// not known any more.
const freshFor = 3 * time.Minute

// Adapter is the Dell backend of one cluster.
type Adapter struct {
	client client.Client
	clock  clock.PassiveClock
}

// New makes the adapter. The client must read from a cache: observations list objects.
func New(c client.Client, k clock.PassiveClock) *Adapter { return &Adapter{client: c, clock: k} }

// Driver returns the backend for the programs.
func Driver() backend.Driver {
	return backend.Driver{Profile: Profile(), New: func(c client.Client, _ client.Reader, now clock.PassiveClock) backend.Adapter { return New(c, now) }}
}

// Profile describes the backend without a cluster.
func Profile() backend.Profile {
	return backend.Profile{
		Name:             Name,
		Provisioners:     drivers(),
		Traits:           backend.Traits{Fences: true, HandsOver: true},
		Parameters:       parameters(),
		CheckParameters:  checkParameters,
		AddToScheme:      AddToScheme,
		APIGroups:        []string{groupVersion.Group},
		ClusterScoped:    []string{"DellCSIReplicationGroup"},
		Retains:          true,
		PeerVolumes:      "persistentvolumeclaims for the volumes that Dell's controller has made there",
		PeerObjects:      peerObjects,
		NamesPeerClasses: "the parameter remoteStorageClassName of the source's StorageClass",
		Held:             held,
		Native:           native(),
		Rehearsal:        backend.Rehearsal{Refuses: refusesRehearsal, Instead: insteadOfRehearsal},
	}
}

// CRDs implements backend.Adapter.
func (a *Adapter) CRDs() []string { return []string{"dellcsireplicationgroups." + groupVersion.Group} }

// Watches implements backend.Adapter.
func (a *Adapter) Watches() []backend.Watch {
	return []backend.Watch{
		{Object: &ReplicationGroup{}, Claims: a.claimsOfGroup, Indexes: map[string]client.IndexerFunc{arrayIndex: arrayGroup}},
		{Object: &corev1.PersistentVolume{}, Claims: a.claimsOfVolume, Indexes: map[string]client.IndexerFunc{groupIndex: groupsOf}},
		{Object: &storagev1.StorageClass{}, Owners: func(context.Context, client.Object) []backend.Owner { return nil }},
	}
}

// groupIndex has the replication groups that the labels of a volume name, whatever their prefix is.
const groupIndex = "dell replication group"

func groupsOf(pv client.Object) []string {
	var names []string
	for key, value := range pv.GetLabels() {
		if value != "" && strings.HasSuffix(key, groupLabel) {
			names = append(names, value)
		}
	}
	return names
}

// volumesOf returns the volumes of replication groups, from the cache, to be read only.
func (a *Adapter) volumesOf(ctx context.Context, groups ...string) ([]corev1.PersistentVolume, error) {
	var all []corev1.PersistentVolume
	for _, name := range groups {
		var volumes corev1.PersistentVolumeList
		if err := a.client.List(ctx, &volumes, client.MatchingFields{groupIndex: name}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, err
		}
		all = append(all, volumes.Items...)
	}
	return all, nil
}

// arrayIndex has the group of the array that a replication group stands for.
const arrayIndex = "dell array group"

func arrayGroup(obj client.Object) []string {
	if rg, ok := obj.(*ReplicationGroup); ok && rg.Spec.ProtectionGroupID != "" {
		return []string{rg.Spec.DriverName + "/" + rg.Spec.ProtectionGroupID}
	}
	return nil
}

// twins returns the names of the replication groups that stand for the same group of the array, this one among them. Dell's
// sidecar can make more than one when two volumes come into a new group at about the same time: it looks for the first
// one in a cache.
func (a *Adapter) twins(ctx context.Context, rg *ReplicationGroup) ([]string, error) {
	names := []string{rg.Name}
	for _, key := range arrayGroup(rg) {
		var same ReplicationGroupList
		if err := a.client.List(ctx, &same, client.MatchingFields{arrayIndex: key}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, err
		}
		for i := range same.Items {
			names = append(names, same.Items[i].Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// claimsOfGroup returns the PVCs of a replication group and of its twins: their volumes say which.
func (a *Adapter) claimsOfGroup(ctx context.Context, obj client.Object) []types.NamespacedName {
	rg, ok := obj.(*ReplicationGroup)
	if !ok {
		return nil
	}
	twins, err := a.twins(ctx, rg)
	if err != nil {
		return nil // the cache is stopping
	}
	return a.claims(ctx, twins...)
}

// claimsOfVolume returns the PVCs of the replication group that a volume has joined or left, and its own.
func (a *Adapter) claimsOfVolume(ctx context.Context, obj client.Object) []types.NamespacedName {
	pv, ok := obj.(*corev1.PersistentVolume)
	groups := groupsOf(obj)
	if !ok || len(groups) == 0 {
		return nil
	}
	return append(a.claims(ctx, groups...), claimOf(pv)...)
}

func (a *Adapter) claims(ctx context.Context, groups ...string) []types.NamespacedName {
	volumes, err := a.volumesOf(ctx, groups...)
	if err != nil {
		return nil // the cache is stopping
	}
	var claims []types.NamespacedName
	for i := range volumes {
		claims = append(claims, claimOf(&volumes[i])...)
	}
	return claims
}

func claimOf(pv *corev1.PersistentVolume) []types.NamespacedName {
	if ref := pv.Spec.ClaimRef; ref != nil {
		return []types.NamespacedName{{Namespace: ref.Namespace, Name: ref.Name}}
	}
	return nil
}

// Observe implements backend.Adapter.
func (a *Adapter) Observe(ctx context.Context, g backend.Group) (backend.Observation, error) {
	in, err := a.read(ctx, g)
	if err != nil {
		return backend.Observation{}, err
	}
	return observe(in), nil
}

// Apply implements backend.Adapter. It writes at most one action, together with what it is for, and
// fails if anything of the replication group has changed since it was read.
func (a *Adapter) Apply(ctx context.Context, g backend.Group) error {
	in, err := a.read(ctx, g)
	if err != nil {
		return err
	}
	if in.problem != nil {
		return in.problem
	}
	switch n := decide(in); {
	case n.problem != nil:
		return n.problem
	case n.action == "" || n.asked || g.Blocked != nil:
		return nil //nolint:nilerr // it takes the other case's problem for an error
	default:
		return a.ask(ctx, in.rg, intent{RequestID: g.RequestID, Action: n.action, Before: lastActionTime(in.rg)})
	}
}

// Remove implements backend.Adapter. To delete a replication group would delete it on the array, on
// both sides, so it always stays.
func (a *Adapter) Remove(context.Context, backend.Owner, bool) (backend.Removal, error) {
	return backend.Removal{Done: true}, nil
}
