// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Ramen makes csi-addons' objects for its VolumeReplicationGroups. A site that is settled as secondary has none of those: there
// the VolumeReplicationGroup is all that tells of the group.
const (
	ramenKind     = "VolumeReplicationGroup"
	ramenOwner    = ramenGroup + "/owner-name"
	ramenOwnerAt  = ramenGroup + "/owner-namespace-name"
	ramenDispatch = "drplacementcontrol.ramendr.openshift.io/drpc-name"
	ramenSpace    = "drplacementcontrol.ramendr.openshift.io/drpc-namespace"
)

func ramenVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: ramenGroup, Version: "v1alpha1"}
}

func ramenResource() schema.GroupVersionResource {
	return ramenVersion().WithResource("volumereplicationgroups")
}

// ramenVRG is a VolumeReplicationGroup, reduced to what is read of it.
type ramenVRG struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ReplicationState vgrv1.ReplicationState `json:"replicationState"`
		Async            *struct {
			SchedulingInterval string `json:"schedulingInterval"`
		} `json:"async"`
		Sync                *struct{} `json:"sync"`
		ProtectedNamespaces []string  `json:"protectedNamespaces"`
	} `json:"spec"`
	Status struct {
		State                 string             `json:"state"`
		ObservedGeneration    int64              `json:"observedGeneration"`
		ProtectedPVCs         []ramenPVC         `json:"protectedPVCs"`
		Conditions            []metav1.Condition `json:"conditions"`
		LastGroupSyncTime     *metav1.Time       `json:"lastGroupSyncTime"`
		LastGroupSyncDuration *metav1.Duration   `json:"lastGroupSyncDuration"`
		LastGroupSyncBytes    *int64             `json:"lastGroupSyncBytes"`
	} `json:"status"`
}

// ramenPVC is what Ramen says of one PVC.
type ramenPVC struct {
	Namespace          string             `json:"namespace"`
	Name               string             `json:"name"`
	ProtectedByVolSync bool               `json:"protectedByVolSync"`
	LastSyncTime       *metav1.Time       `json:"lastSyncTime"`
	Conditions         []metav1.Condition `json:"conditions"`
}

// Conditions of Ramen, and reasons of those that are no more than on their way.
const (
	dataReady     = "DataReady"
	dataProtected = "DataProtected"
	ramenError    = "Error"
)

// conditionsOfRamen are those that tell of a fault when they are False, but for what is on its way.
func conditionsOfRamen() []string {
	return []string{dataReady, dataProtected, "ClusterDataProtected", "ClusterDataReady", "NoClusterDataConflict"}
}

// faultOf returns what is wrong by Ramen's conditions; empty for nothing. DataProtected is False while a primary
// replicates: only what Ramen calls an error or a conflict is one.
func faultOf(conditions []metav1.Condition) string {
	for _, kind := range conditionsOfRamen() {
		c := meta.FindStatusCondition(conditions, kind)
		if c != nil && c.Status == metav1.ConditionFalse && (strings.Contains(c.Reason, ramenError) || strings.Contains(c.Reason, "Conflict") || strings.HasSuffix(c.Reason, "NotFound")) {
			return fmt.Sprintf("%s is False (%s): %s", kind, c.Reason, c.Message)
		}
	}
	return ""
}

// ofRamen makes a group of a VolumeReplicationGroup and csi-addons' objects that Ramen has made for it.
func (in *listed) ofRamen(vrg *ramenVRG) backend.NativeGroup {
	owner := types.NamespacedName{Namespace: vrg.Namespace, Name: vrg.Name}
	if spaces := slices.Sorted(slices.Values(vrg.Spec.ProtectedNamespaces)); len(spaces) > 0 { // it is in Ramen's own namespace then
		owner.Namespace = spaces[0]
	}
	drpc := types.NamespacedName{Namespace: cmp.Or(vrg.Annotations[ramenSpace], vrg.Namespace), Name: cmp.Or(vrg.Annotations[ramenDispatch], vrg.Name)}
	g := backend.NativeGroup{
		APIVersion: ramenVersion().String(), Kind: ramenKind, Object: vrg.ObjectMeta, Manager: "ramen", Pairing: backend.ByName,
		Keeper: "Ramen's DRPlacementControl " + drpc.String() + " on its hub", Next: dispatch(drpc.Namespace, drpc.Name),
		Group: backend.Group{Owner: backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: owner}, State: vrg.Spec.ReplicationState},
	}
	if vrg.Spec.Async != nil {
		g.Schedule = vrg.Spec.Async.SchedulingInterval
	}
	g.VolumesUnknown = vrg.Spec.ReplicationState != vgrv1.Primary
	volSync := len(vrg.Status.ProtectedPVCs) > 0
	for _, pvc := range vrg.Status.ProtectedPVCs {
		m := in.Member(cmp.Or(pvc.Namespace, vrg.Namespace), pvc.Name)
		m.PVC = called(owner.Namespace, cmp.Or(pvc.Namespace, vrg.Namespace), pvc.Name)
		g.Group.Members = append(g.Group.Members, m)
		volSync = volSync && pvc.ProtectedByVolSync
	}
	g.Observation, g.Since = vrg.observe(g.Group)
	switch {
	case volSync:
		g.Backend = "volsync"
	case vrg.Spec.Sync != nil && vrg.Spec.Async == nil:
		g.Unproven = fmt.Sprintf("%s %s replicates synchronously, and Ramen does not report whether the storage does", ramenKind, vrg.Name)
	}
	made := in.madeFor(vrg)
	for _, c := range made {
		if c.Group.State != g.Group.State {
			g.Unproven = cmp.Or(g.Unproven, fmt.Sprintf("%s %s asks for %s, and %s %s for %s", ramenKind, vrg.Name, g.Group.State, c.Kind, c.Object.Name, c.Group.State))
		}
		g.Unproven = cmp.Or(g.Unproven, c.Unproven)
		for i := range c.Observation.Volumes {
			v := &c.Observation.Volumes[i]
			v.Name = called(owner.Namespace, c.Object.Namespace, v.Name)
		}
		worsen(&g.Observation, c.Observation)
		g.Since = latest([]*metav1.Time{g.Since, c.Since})
	}
	if len(made) > 1 {
		meta.SetStatusCondition(&g.Observation.Conditions, metav1.Condition{
			Type: vgrv1.ConditionGroupConsistent, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonPerVolume, Message: "Ramen replicates the volumes in several parts",
		})
	}
	if vrg.DeletionTimestamp != nil {
		g.Observation.Problem = backend.Problemf(vgrv1.ReasonBackendError, "%s %s is being deleted, which ends the protection%s", ramenKind, vrg.Name, state.WaitsFor("; it waits for ", &vrg.ObjectMeta))
	}
	g.Sizes, g.Terminating = in.Sizes(g.Group.Members), in.Ending(owner.Namespace, g.Group.Members)
	return g
}

// called names a PVC of a group: by its namespace too, when that is another one.
func called(group, namespace, name string) string {
	if namespace == group {
		return name
	}
	return namespace + "/" + name
}

// observe says what Ramen reports, and since when a synchronisation is of the present role. Ramen's state is that of the spec that it
// had seen when the data was ready: both must be of this generation.
func (vrg *ramenVRG) observe(g backend.Group) (backend.Observation, *metav1.Time) {
	obs := backend.Observation{
		Exists: true, State: vgrv1.StateUnknown, Ref: &vgrv1.BackendReference{APIVersion: ramenVersion().String(), Kind: ramenKind, Name: vrg.Name},
	}
	ready := meta.FindStatusCondition(vrg.Status.Conditions, dataReady)
	if ready != nil {
		obs.Message = ready.Message
	}
	wanted := map[vgrv1.ReplicationState]vgrv1.State{vgrv1.Primary: vgrv1.StatePrimary, vgrv1.Secondary: vgrv1.StateSecondary}[vrg.Spec.ReplicationState]
	switch said := vgrv1.State(vrg.Status.State); said {
	case vgrv1.StatePrimary, vgrv1.StateSecondary:
		obs.State = said
	default:
	}
	obs.Current = wanted != "" && obs.State == wanted && vrg.Status.ObservedGeneration == vrg.Generation &&
		ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == vrg.Generation
	if obs.Current {
		reason := vgrv1.ReasonDemoted
		if wanted == vgrv1.StatePrimary {
			reason = vgrv1.ReasonPromoted
		}
		obs.Conditions = append(obs.Conditions, metav1.Condition{
			Type: vgrv1.ConditionCompleted, Status: metav1.ConditionTrue, Reason: reason, Message: "Ramen reports the data ready as " + string(obs.State), LastTransitionTime: ready.LastTransitionTime,
		})
	}
	if fault := faultOf(vrg.Status.Conditions); fault != "" {
		obs.Conditions = append(obs.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "Error", Message: "Ramen: " + fault})
		if !obs.Current {
			obs.Problem = backend.Problemf(vgrv1.ReasonBackendError, "Ramen: %s", fault)
		}
	}
	if obs.State == vgrv1.StatePrimary {
		obs.LastSyncTime, obs.LastSyncDuration, obs.LastSyncBytes = vrg.Status.LastGroupSyncTime, vrg.Status.LastGroupSyncDuration, vrg.Status.LastGroupSyncBytes
	}
	for i, pvc := range vrg.Status.ProtectedPVCs {
		m := g.Members[i]
		v := vgrv1.VolumeStatus{Name: m.PVC, VolumeName: m.PV, VolumeHandle: m.Handle, State: obs.State, Health: vgrv1.HealthUnknown, BackendRef: obs.Ref}
		if fault := faultOf(pvc.Conditions); fault != "" {
			v.Health, v.Message = vgrv1.HealthError, "Ramen: "+fault
		}
		if obs.State == vgrv1.StatePrimary {
			v.LastSyncTime = pvc.LastSyncTime
		}
		obs.Members, obs.Volumes = append(obs.Members, v.Name), append(obs.Volumes, v)
	}
	if ready == nil || ready.LastTransitionTime.IsZero() {
		return obs, nil
	}
	return obs, &ready.LastTransitionTime
}

// madeFor returns what Ramen has made for a VolumeReplicationGroup, as groups, and has it shown as no group of its own.
func (in *listed) madeFor(vrg *ramenVRG) []backend.NativeGroup {
	byNamespace := map[string][]*replicationv1.VolumeReplication{}
	var out []backend.NativeGroup
	for key, vr := range in.volumes {
		if vr.Spec.DataSource.Kind == pvcKind && isMadeFor(&vr.ObjectMeta, vrg) {
			byNamespace[vr.Namespace] = append(byNamespace[vr.Namespace], vr)
			in.made[key] = true
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		volumes := byNamespace[namespace]
		slices.SortFunc(volumes, func(a, b *replicationv1.VolumeReplication) int { return strings.Compare(a.Name, b.Name) })
		owner := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: types.NamespacedName{Namespace: namespace, Name: vrg.Name}}
		if len(volumes) == 1 {
			owner.Kind = backend.VolumeReplicationKind
		}
		out = append(out, in.ofVolumes(owner, volumes...))
	}
	for _, key := range slices.SortedFunc(maps.Keys(in.groups), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		if group := in.groups[key]; isMadeFor(&group.ObjectMeta, vrg) {
			out = append(out, in.ofGroup(group))
			in.madeGroups[key] = true
		}
	}
	return out
}

// isMadeFor reports whether Ramen has made an object for a VolumeReplicationGroup.
func isMadeFor(obj metav1.Object, vrg *ramenVRG) bool {
	if c := metav1.GetControllerOf(obj); c != nil {
		return c.Kind == ramenKind && c.Name == vrg.Name && obj.GetNamespace() == vrg.Namespace
	}
	l := obj.GetLabels()
	return l[ramenOwner] == vrg.Name && cmp.Or(l[ramenOwnerAt], obj.GetNamespace()) == vrg.Namespace
}

// worsen puts into an observation what another one of a part of the group makes worse.
func worsen(obs *backend.Observation, part backend.Observation) {
	obs.Current = obs.Current && part.Current
	if obs.State != part.State {
		obs.State = vgrv1.StateUnknown
	}
	if obs.Problem == nil {
		obs.Problem = part.Problem
	}
	if part.LastSyncTime == nil || obs.LastSyncTime == nil || part.LastSyncTime.Before(obs.LastSyncTime) {
		obs.LastSyncTime = part.LastSyncTime
	}
	for _, v := range part.Volumes {
		if i := slices.IndexFunc(obs.Volumes, func(x vgrv1.VolumeStatus) bool { return x.Name == v.Name }); i >= 0 {
			obs.Volumes[i] = v
			continue
		}
		obs.Volumes, obs.Members = append(obs.Volumes, v), append(obs.Members, v.Name)
	}
	for _, c := range part.Conditions {
		if was := meta.FindStatusCondition(obs.Conditions, c.Type); was == nil {
			obs.Conditions = append(obs.Conditions, c)
		} else if badness(c) > badness(*was) {
			*was = c
		}
	}
}

// badness orders the conditions of a type.
func badness(c metav1.Condition) int {
	bad := metav1.ConditionFalse
	if c.Type == vgrv1.ConditionDegraded || c.Type == vgrv1.ConditionResyncing {
		bad = metav1.ConditionTrue
	}
	switch c.Status {
	case bad:
		return 2
	case metav1.ConditionTrue, metav1.ConditionFalse:
		return 0
	default:
		return 1
	}
}
