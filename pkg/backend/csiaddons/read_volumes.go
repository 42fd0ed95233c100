// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"fmt"
	"slices"
	"strings"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

type localReference = corev1.LocalObjectReference

// readVolumes aggregates one VolumeReplication per volume: the worst member is the group's state.
func readVolumes(in reading) backend.Observation {
	obs := backend.Observation{Exists: len(in.volumes) > 0, Current: len(in.volumes) == len(in.group.Members)}
	if !obs.Exists {
		for _, m := range in.group.Members {
			obs.Volumes = append(obs.Volumes, volumeStatus(m, backend.Observation{}, false))
		}
		return backend.Observation{Volumes: obs.Volumes}
	}
	byPVC := map[string]backend.Observation{}
	for i := range in.volumes {
		vr := &in.volumes[i]
		one := backend.Observation{Ref: reference(vr.APIVersion, volumeKind, vr.Name)}
		readReplication(&one, vr)
		one.Current = answers(vr, in.group) && vr.DeletionTimestamp.IsZero()
		byPVC[vr.Spec.DataSource.Name] = one
		obs.Members = append(obs.Members, vr.Spec.DataSource.Name)
	}
	slices.Sort(obs.Members)
	obs.Members = slices.Compact(obs.Members) // a PVC may have got a second one by hand
	var members []named
	for _, m := range in.group.Members {
		one, ok := byPVC[m.PVC]
		obs.Current = obs.Current && ok && one.Current
		obs.Volumes = append(obs.Volumes, volumeStatus(m, one, ok))
		members = append(members, named{m.PVC, one})
		delete(byPVC, m.PVC)
	}
	for _, name := range obs.Members {
		if one, leaving := byPVC[name]; leaving {
			obs.Volumes = append(obs.Volumes, vgrv1.VolumeStatus{Name: name, State: one.State, Health: vgrv1.HealthUnknown, BackendRef: one.Ref, Message: "leaving the group"})
		}
	}
	aggregate(&obs, members)
	if in.driverTrouble != "" && obs.Current {
		obs.Message = strings.Join([]string{obs.Message, in.driverTrouble, "what is shown was said before"}, "; ")
	}
	if in.group.Single() {
		obs.Ref = reference("", volumeKind, in.volumes[0].Name)
	}
	obs.Conditions = append(obs.Conditions, oneByOne(in.group, in.native))
	if going := deletedOutside(in.volumes, in.group.Members); len(going) > 0 {
		obs.Problem = backend.Problemf(vgrv1.ReasonBackendError, "csi-addons VolumeReplication %s is being deleted, which ends the replication; the controller creates it again once it is gone%s", strings.Join(names(going), ", "), state.WaitsFor(". "+going[0].Name+" waits for ", going[0]))
	} else if !obs.Current && in.driverTrouble != "" {
		obs.Problem = backend.Problemf(vgrv1.ReasonBackendError, "%s", in.driverTrouble)
	}
	return obs
}

// deletedOutside returns the objects of members that are being deleted, which the controller never does.
func deletedOutside(volumes []replicationv1.VolumeReplication, members []backend.Member) []*replicationv1.VolumeReplication {
	var going []*replicationv1.VolumeReplication
	for i := range volumes {
		vr := &volumes[i]
		member := slices.ContainsFunc(members, func(m backend.Member) bool { return m.PVC == vr.Spec.DataSource.Name })
		if member && !vr.DeletionTimestamp.IsZero() {
			going = append(going, vr)
		}
	}
	return going
}

func names(volumes []*replicationv1.VolumeReplication) []string {
	out := make([]string, 0, len(volumes))
	for _, vr := range volumes {
		out = append(out, vr.Name)
	}
	return out
}

type named struct {
	pvc string
	backend.Observation
}

func volumeStatus(m backend.Member, one backend.Observation, exists bool) vgrv1.VolumeStatus {
	v := vgrv1.VolumeStatus{Name: m.PVC, VolumeName: m.PV, VolumeHandle: m.Handle}
	if !exists {
		v.State, v.Health, v.Message = vgrv1.StateUnknown, vgrv1.HealthUnknown, "not replicated yet"
		return v
	}
	v.State, v.BackendRef = one.State, one.Ref
	v.Health, v.Message = healthOf(one.Conditions)
	v.LastSyncTime, v.LastSyncDuration, v.LastSyncBytes = one.LastSyncTime, one.LastSyncDuration, one.LastSyncBytes
	return v
}

// aggregate sets what is said of the whole: the state that all share, the oldest sync, and of
// each condition the worst.
func aggregate(obs *backend.Observation, members []named) {
	var messages []string
	for i, m := range members {
		if i == 0 {
			obs.State, obs.LastSyncTime, obs.LastCompletionTime = m.State, m.LastSyncTime, m.LastCompletionTime
		}
		if m.State != obs.State {
			obs.State = vgrv1.StateUnknown
		}
		obs.LastSyncTime = oldest(obs.LastSyncTime, m.LastSyncTime)
		obs.LastCompletionTime = oldest(obs.LastCompletionTime, m.LastCompletionTime)
		if m.Message != "" && !slices.Contains(messages, m.Message) {
			messages = append(messages, m.Message)
		}
	}
	if len(members) == 1 {
		obs.LastSyncDuration, obs.LastSyncBytes = members[0].LastSyncDuration, members[0].LastSyncBytes
	}
	obs.Message = strings.Join(messages, "; ")
	for _, c := range []struct {
		kind  string
		worst metav1.ConditionStatus
	}{
		{vgrv1.ConditionCompleted, metav1.ConditionFalse},
		{vgrv1.ConditionDegraded, metav1.ConditionTrue},
		{vgrv1.ConditionResyncing, metav1.ConditionTrue},
		{vgrv1.ConditionReplicating, metav1.ConditionFalse},
		{vgrv1.ConditionValidated, metav1.ConditionFalse},
	} {
		if cond := worst(c.kind, c.worst, members); cond != nil {
			obs.Conditions = append(obs.Conditions, *cond)
		}
	}
}

// oldest returns the earlier time, or nil when one of them is not known.
func oldest(a, b *metav1.Time) *metav1.Time {
	if a == nil || b == nil {
		return nil
	}
	if b.Before(a) {
		return b
	}
	return a
}

// worst picks the condition that stands for all members: one with the bad status if there is
// any, then one that is Unknown or absent, else the latest of the good ones.
func worst(kind string, bad metav1.ConditionStatus, members []named) *metav1.Condition {
	var picked *metav1.Condition
	var absent, bads []string
	rank := func(s metav1.ConditionStatus) int {
		switch s {
		case bad:
			return 2
		case metav1.ConditionUnknown:
			return 1
		default:
			return 0
		}
	}
	for _, m := range members {
		c := meta.FindStatusCondition(m.Conditions, kind)
		if c == nil {
			absent = append(absent, m.pvc)
			continue
		}
		if c.Status == bad {
			bads = append(bads, m.pvc)
		}
		if picked == nil || rank(c.Status) > rank(picked.Status) ||
			rank(c.Status) == rank(picked.Status) && picked.LastTransitionTime.Before(&c.LastTransitionTime) {
			picked = c
		}
	}
	if picked == nil {
		return nil
	}
	out := *picked
	if len(bads) > 0 && len(members) > 1 {
		out.Message = fmt.Sprintf("%s: %s", strings.Join(bads, ", "), out.Message)
	}
	if len(absent) > 0 && out.Status != bad {
		if kind == vgrv1.ConditionValidated || kind == vgrv1.ConditionReplicating {
			return &out // absent says nothing: only some volumes ever have it
		}
		out.Status, out.Message = metav1.ConditionUnknown, "nothing said yet about "+strings.Join(absent, ", ")
	}
	return &out
}

func oneByOne(g backend.Group, native bool) metav1.Condition {
	if g.Single() {
		return metav1.Condition{
			Type: vgrv1.ConditionGroupConsistent, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonSingleVolume,
			Message: "one volume is consistent with itself",
		}
	}
	message := "csi-addons replicates each volume on its own: after an unplanned failover each has a point in time of its own; " +
		"a planned failover is consistent, as no volume is promoted before all are demoted and in sync"
	if native {
		message = "csi-addons replicates each volume on its own: after a failover each has a point in time of its own"
	}
	if how := g.Class.Parameters[vgrv1.ParameterGroupConsistency]; how != "" {
		message += fmt.Sprintf("; groupConsistency %q of class %q holds for each volume, not for the group", how, g.Class.Name)
	}
	return metav1.Condition{Type: vgrv1.ConditionGroupConsistent, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonPerVolume, Message: message}
}
