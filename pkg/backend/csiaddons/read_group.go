// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// reading is everything that was read for one group. The functions below turn it into an
// observation; they are pure.
type reading struct {
	group         backend.Group
	driverTrouble string
	// native is true of objects that no group of ours has.
	native bool
	// capabilities are those of the driver, as csi-addons lists them.
	capabilities []string

	// of a group
	backendGroup *replicationv1.VolumeGroupReplication
	child        *replicationv1.VolumeReplication
	content      *replicationv1.VolumeGroupReplicationContent

	// one by one
	volumes []replicationv1.VolumeReplication
}

func readGroup(in reading) backend.Observation {
	obs := backend.Observation{
		Exists: true,
		Ref:    reference(in.backendGroup.APIVersion, groupKind, in.backendGroup.Name),
	}
	if in.content != nil {
		obs.GroupHandle = in.content.Spec.VolumeGroupReplicationHandle
	}
	confirmed := confirmedMembers(in)
	obs.Members = slices.Sorted(maps.Keys(confirmed))
	complete := len(confirmed) == len(in.group.Members) && !in.othersLeft()
	if in.othersLeft() {
		obs.Members = append(obs.Members, in.leaving()...)
		slices.Sort(obs.Members)
	}
	if in.child != nil {
		readReplication(&obs, in.child)
		obs.Current = complete && asks(in.backendGroup.Spec.ReplicationState, in.backendGroup.Spec.AutoResync, in.group) && answers(in.child, in.group)
	} else if in.backendGroup.Status.State != "" {
		obs.State = vgrv1.StateUnknown
	}
	obs.Problem = groupProblem(in, obs.Current)
	if obs.Problem == nil && in.driverTrouble != "" {
		obs.Message = strings.Join([]string{obs.Message, in.driverTrouble, "what is shown was said before"}, "; ")
	}
	obs.Conditions = append(obs.Conditions, groupConsistent(obs.GroupHandle != "" && complete))
	obs.Volumes = groupVolumes(in, obs, confirmed)
	return obs
}

// confirmedMembers returns the PVCs whose volumes csi-addons reports to be in the storage group. The
// content's status is written only after the driver has accepted the membership.
func confirmedMembers(in reading) map[string]bool {
	confirmed := map[string]bool{}
	if in.content == nil {
		return confirmed
	}
	for _, m := range in.group.Members {
		inStatus := slices.ContainsFunc(in.content.Status.PersistentVolumeRefList, func(r localReference) bool { return r.Name == m.PV })
		if inStatus && slices.Contains(in.content.Spec.Source.VolumeHandles, m.Handle) {
			confirmed[m.PVC] = true
		}
	}
	return confirmed
}

// othersLeft reports whether volumes are in the storage group, or are handed to it, that are no longer
// wanted there.
func (in reading) othersLeft() bool {
	if in.content == nil {
		return false
	}
	member := func(is func(backend.Member) bool) bool { return slices.ContainsFunc(in.group.Members, is) }
	return slices.ContainsFunc(in.content.Spec.Source.VolumeHandles, func(h string) bool {
		return !member(func(m backend.Member) bool { return m.Handle == h })
	}) || slices.ContainsFunc(in.content.Status.PersistentVolumeRefList, func(r localReference) bool {
		return !member(func(m backend.Member) bool { return m.PV == r.Name })
	})
}

// leaving returns the PVCs that csi-addons still counts in and that are not wanted any more. Without
// othersLeft they are in its books only, until its next pass: it also counts what was never bound.
func (in reading) leaving() []string {
	var names []string
	for _, ref := range in.backendGroup.Status.PersistentVolumeClaimsRefList {
		if !slices.ContainsFunc(in.group.Members, func(m backend.Member) bool { return m.PVC == ref.Name }) && !slices.Contains(names, ref.Name) {
			names = append(names, ref.Name)
		}
	}
	return names
}

// asks reports whether a backend object's spec asks for what the group asks for.
func asks(state replicationv1.ReplicationState, autoResync bool, g backend.Group) bool {
	return string(state) == string(g.State) && autoResync == g.AutoResync
}

// answers reports whether a VolumeReplication's status is the answer to what the group asks for.
// Its observedGeneration moves only with an outcome, unlike that of a VolumeGroupReplication.
func answers(vr *replicationv1.VolumeReplication, g backend.Group) bool {
	return asks(vr.Spec.ReplicationState, vr.Spec.AutoResync, g) && vr.Status.ObservedGeneration == vr.Generation && vr.Status.State != ""
}

// readReplication takes over what one VolumeReplication says.
func readReplication(obs *backend.Observation, vr *replicationv1.VolumeReplication) {
	obs.State = stateOf(vr.Status.State)
	if vr.Status.Message != "" {
		obs.Message = fmt.Sprintf("VolumeReplication %s: %s", vr.Name, vr.Status.Message)
	}
	for _, c := range vr.Status.Conditions {
		// Left over from the primary era for some seconds after a demotion, or for as long as a
		// resync fails.
		if c.Type == vgrv1.ConditionReplicating && obs.State != vgrv1.StatePrimary {
			continue
		}
		obs.Conditions = append(obs.Conditions, withoutStatus(c))
	}
	obs.LastCompletionTime = vr.Status.LastCompletionTime
	if obs.State == vgrv1.StatePrimary {
		obs.LastSyncTime = vr.Status.LastSyncTime
		obs.LastSyncDuration = vr.Status.LastSyncDuration
		obs.LastSyncBytes = vr.Status.LastSyncBytes
	}
}

// withoutStatus is a condition that says in plain words that the driver reports no status: csi-addons then writes the
// same as for a failure, with no cause behind it.
func withoutStatus(c metav1.Condition) metav1.Condition {
	_, cause, found := strings.Cut(c.Message, "replication status is unknown:")
	if c.Type != vgrv1.ConditionReplicating || c.Status != metav1.ConditionUnknown || !found || strings.TrimSpace(cause) != "" {
		return c
	}
	c.Reason = vgrv1.ReasonStatusNotReported
	c.Message = "the driver does not report whether it replicates, as ceph-csi 3.12; only the age of the last synchronisation tells"
	return c
}

// stateOf returns a state in the words of the API, which takes no others; empty while nothing was said.
func stateOf(said replicationv1.State) vgrv1.State {
	switch said {
	case "", replicationv1.PrimaryState, replicationv1.SecondaryState:
		return vgrv1.State(said)
	default:
		return vgrv1.StateUnknown
	}
}

// groupProblem finds what keeps csi-addons from getting on and is not in the conditions.
func groupProblem(in reading, current bool) *backend.Problem {
	g := in.backendGroup
	switch {
	case !g.DeletionTimestamp.IsZero():
		return backend.Problemf(vgrv1.ReasonBackendError, "csi-addons VolumeGroupReplication %s is being deleted, which ends the replication; the controller creates it again once it is gone%s", g.Name, state.WaitsFor(". It waits for ", g))
	case in.content != nil && !in.content.DeletionTimestamp.IsZero():
		return backend.Problemf(vgrv1.ReasonBackendError, "VolumeGroupReplicationContent %s is being deleted, which ends the replication%s", in.content.Name, state.WaitsFor(". It waits for ", in.content))
	case refusedGroup(in) != "":
		return backend.Problemf(vgrv1.ReasonGroupRefused, "%s", refusedGroup(in))
	case groupFailed(in):
		return backend.Problemf(vgrv1.ReasonBackendError, "VolumeGroupReplication %s: %s%s", g.Name, g.Status.Message, listedForEver(in))
	case current:
		return nil
	case in.driverTrouble != "":
		return backend.Problemf(vgrv1.ReasonBackendError, "%s", in.driverTrouble)
	case g.Spec.VolumeGroupReplicationContentName == "":
		return backend.Problemf(vgrv1.ReasonProgressing, "waiting for the csi-addons manager to take up VolumeGroupReplication %s", g.Name)
	case in.content == nil:
		return backend.Problemf(vgrv1.ReasonBackendError, "VolumeGroupReplicationContent %s does not exist", g.Spec.VolumeGroupReplicationContentName)
	case in.content.Spec.VolumeGroupReplicationHandle == "":
		return backend.Problemf(vgrv1.ReasonProgressing,
			"the driver has not created the volume group for VolumeGroupReplicationContent %s yet; csi-addons writes the cause of a failure to its manager's log only", in.content.Name)
	}
	if waiting := unconfirmed(in); len(waiting) > 0 {
		return backend.Problemf(vgrv1.ReasonProgressing,
			"the driver has not confirmed the membership of %s yet (VolumeGroupReplicationContent %s); csi-addons writes the cause of a failure to its manager's log only",
			strings.Join(waiting, ", "), in.content.Name)
	}
	return nil
}

// refusedGroup says that the driver does not replicate groups, and what to do, from wherever that shows; empty when it
// does not. A group that has a role was not refused.
func refusedGroup(in reading) string {
	if state := in.backendGroup.Status.State; state == replicationv1.PrimaryState || state == replicationv1.SecondaryState {
		return ""
	}
	key := in.group.Owner.NamespacedName
	remedy := fmt.Sprintf("no upstream Ceph mirrors groups: kubectl vgr delete %s -n %s --end-replication, on both sites, then create the group with a class whose consistencyGroup is %q, so that each volume is replicated on its own",
		key.Name, key.Namespace, "disabled")
	if in.native {
		remedy = "no upstream Ceph mirrors groups: replicate each volume by a VolumeReplication of its own"
	}
	if in.content != nil && in.content.Spec.VolumeGroupReplicationHandle == "" {
		if !slices.Contains(in.capabilities, volumeGroupCapability) && len(in.capabilities) > 0 {
			return fmt.Sprintf("driver %s does not create volume groups (its CSIAddonsNode does not list the capability %s); %s", in.group.Class.Provisioner, volumeGroupCapability, remedy)
		}
		if missing := in.withoutPlace(); missing != "" {
			return fmt.Sprintf("the driver refuses to create a volume group without the parameter %s, which class %q does not have; %s", missing, in.group.Class.Name, remedy)
		}
		return ""
	}
	messages := []string{in.backendGroup.Status.Message}
	conditions := in.backendGroup.Status.Conditions
	if in.child != nil {
		messages = append(messages, in.child.Status.Message)
		conditions = append(slices.Clone(conditions), in.child.Status.Conditions...)
	}
	for _, c := range conditions {
		messages = append(messages, c.Message)
	}
	said := strings.Join(messages, " ")
	handle := ""
	if in.content != nil {
		handle = in.content.Spec.VolumeGroupReplicationHandle
	}
	if handle == "" || !strings.Contains(said, handle+" not found") && !strings.Contains(said, "code = Unimplemented") {
		return ""
	}
	return fmt.Sprintf("driver %s has created the volume group %s and does not replicate it (%s); %s", in.group.Class.Provisioner, handle, refusal(conditions), remedy)
}

// refusal is the error of the driver.
func refusal(conditions []metav1.Condition) string {
	for _, c := range conditions {
		if c.Type == vgrv1.ConditionDegraded && c.Status == metav1.ConditionTrue {
			return c.Message
		}
	}
	return "not found"
}

// volumeGroupCapability is how csi-addons writes that a driver creates groups.
const volumeGroupCapability = "volume_group.VOLUME_GROUP"

// withoutPlace names what ceph-csi creates no group without, where the class does not have it.
func (in reading) withoutPlace() string {
	c := in.group.Class
	if c.Name == "" || !backend.ServesDriver(cephDrivers(), c.Provisioner) {
		return ""
	}
	missing := slices.DeleteFunc(placeOfGroup(), func(key string) bool { return c.Parameters[key] != "" })
	return strings.Join(missing, " and ")
}

func unconfirmed(in reading) []string {
	confirmed := confirmedMembers(in)
	var names []string
	for _, m := range in.group.Members {
		if !confirmed[m.PVC] {
			names = append(names, m.PVC)
		}
	}
	if in.othersLeft() {
		for _, name := range in.leaving() {
			names = append(names, name+" (leaving)")
		}
	}
	return names
}

// groupFailed reports whether the group's own pass failed. Such a failure changes only state and
// message of the VolumeGroupReplication and leaves the conditions of its child in place.
func groupFailed(in reading) bool {
	message := in.backendGroup.Status.Message
	if message == "" || in.backendGroup.Status.ObservedGeneration != in.backendGroup.Generation {
		return false
	}
	if strings.HasPrefix(message, "Operation cannot be fulfilled") { // a conflict; tried again at once
		return false
	}
	if in.child == nil {
		return true
	}
	return message != in.child.Status.Message && !strings.HasPrefix(message, "volume is ")
}

// listedForEver says how csi-addons gets over a PVC that is gone. It removes its finalizer from a PVC that leaves before it
// writes its list of members; when that write fails, each later pass fails at the PVC.
func listedForEver(in reading) string {
	g := in.backendGroup
	for i, ref := range g.Status.PersistentVolumeClaimsRefList {
		if !strings.Contains(g.Status.Message, fmt.Sprintf("PersistentVolumeClaim %q not found", ref.Name)) {
			continue
		}
		path := fmt.Sprintf("/status/persistentVolumeClaimsRefList/%d", i)
		return fmt.Sprintf("; it never gets over that, since its list of members still has %s: "+
			`kubectl -n %s patch volumegroupreplications.replication.storage.openshift.io %s --subresource=status --type=json -p '[{"op":"test","path":"%s/name","value":"%s"},{"op":"remove","path":"%s"}]'`,
			ref.Name, g.Namespace, g.Name, path, ref.Name, path)
	}
	return ""
}

func groupConsistent(yes bool) metav1.Condition {
	if yes {
		return metav1.Condition{
			Type: vgrv1.ConditionGroupConsistent, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonNativeGroup,
			Message: "the volumes are replicated as one group, to one point in time",
		}
	}
	return metav1.Condition{
		Type: vgrv1.ConditionGroupConsistent, Status: metav1.ConditionUnknown, Reason: vgrv1.ReasonNotConfirmed,
		Message: "the storage has not confirmed the group with all its volumes yet",
	}
}

func groupVolumes(in reading, obs backend.Observation, confirmed map[string]bool) []vgrv1.VolumeStatus {
	health, message := healthOf(obs.Conditions)
	var out []vgrv1.VolumeStatus
	for _, m := range in.group.Members {
		v := vgrv1.VolumeStatus{Name: m.PVC, VolumeName: m.PV, VolumeHandle: m.Handle, BackendRef: obs.Ref}
		if confirmed[m.PVC] {
			v.State, v.Health, v.Message = obs.State, health, message
			v.LastSyncTime, v.LastSyncDuration, v.LastSyncBytes = obs.LastSyncTime, obs.LastSyncDuration, obs.LastSyncBytes
		} else {
			v.State, v.Health, v.Message = vgrv1.StateUnknown, vgrv1.HealthUnknown, "not confirmed to be in the storage group"
		}
		out = append(out, v)
	}
	message = "not in the storage group; csi-addons removes it at its next synchronisation"
	if in.othersLeft() {
		message = "leaving the group"
	}
	for _, name := range in.leaving() {
		out = append(out, vgrv1.VolumeStatus{Name: name, State: vgrv1.StateUnknown, Health: vgrv1.HealthUnknown, BackendRef: obs.Ref, Message: message})
	}
	return out
}

// healthOf reads the health of a volume from its conditions; the message explains anything but
// Healthy.
func healthOf(conditions []metav1.Condition) (vgrv1.Health, string) {
	degraded := meta.FindStatusCondition(conditions, vgrv1.ConditionDegraded)
	replicating := meta.FindStatusCondition(conditions, vgrv1.ConditionReplicating)
	switch {
	case degraded == nil:
		return vgrv1.HealthUnknown, ""
	case degraded.Status == metav1.ConditionTrue && degraded.Reason == replicationv1.Error:
		return vgrv1.HealthError, degraded.Message
	case meta.IsStatusConditionTrue(conditions, vgrv1.ConditionResyncing):
		return vgrv1.HealthResyncing, meta.FindStatusCondition(conditions, vgrv1.ConditionResyncing).Message
	case degraded.Status == metav1.ConditionTrue:
		return vgrv1.HealthDegraded, degraded.Message
	case replicating != nil && replicating.Status == metav1.ConditionFalse:
		return vgrv1.HealthDegraded, replicating.Message
	case replicating != nil && replicating.Status == metav1.ConditionUnknown:
		return vgrv1.HealthUnknown, replicating.Message
	}
	return vgrv1.HealthHealthy, ""
}

func reference(apiVersion, kind, name string) *vgrv1.BackendReference {
	if apiVersion == "" { // typed clients drop it
		apiVersion = replicationv1.GroupVersion.String()
	}
	return &vgrv1.BackendReference{APIVersion: apiVersion, Kind: kind, Name: name}
}
