// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package observed turns what a backend said of a group into the group's status: state, times, conditions, volumes. It is
// pure: the controller writes what it returns, and the plugin shows it of groups that no controller of ours manages.
package observed

import (
	"maps"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Limits of texts in bytes. An API server refuses a longer message of a condition, or note of an event, and with it
// the whole status; of volumes there are many.
const (
	MaxMessage       = 32768
	MaxNote          = 1024
	maxVolumeMessage = 1024
)

// conditionReason is what an API server takes as the reason of a condition.
var conditionReason = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// Limited cuts a text that is too long, and says so at its end.
func Limited(text string, limit int) string {
	const more = "…"
	if len(text) <= limit {
		return text
	}
	end := limit - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// backendConditions returns taken over from the backend with the times it gave them.
func backendConditions() []string {
	return []string{
		vgrv1.ConditionCompleted, vgrv1.ConditionDegraded, vgrv1.ConditionResyncing,
		vgrv1.ConditionReplicating, vgrv1.ConditionValidated,
	}
}

// Request is what asks for a role, and the status that it has so far.
type Request struct {
	Object metav1.Object
	State  vgrv1.ReplicationState
	Status *vgrv1.ReplicationStatus
}

// Facts are what is known of a request beside what its backend said.
type Facts struct {
	// Backend is empty when there is none to ask.
	Backend string
	Problem *backend.Problem
	// Refused are the volumes that were asked for and cannot be replicated, with the reason.
	Refused []vgrv1.VolumeStatus
	// Terminating are the members that are being deleted, by their PVCs, with what is deleted.
	Terminating map[string]string
	// Sizes are the bytes of the members' volumes, by their PVCs.
	Sizes map[string]int64
}

// Put puts what was observed into the status of a request, and returns the status of each volume; nil without a backend.
func Put(r Request, f Facts, obs backend.Observation, now metav1.Time) (volumes []vgrv1.VolumeStatus) {
	now = metav1.NewTime(now.Truncate(time.Second)) // times in the API have no fractions
	st := r.Status
	if f.Backend != "" {
		st.Backend = f.Backend
		takeOver(r, obs, now)
		volumes = sortedVolumes(f.Refused, sized(ending(counting(st, obs.Volumes), f.Terminating), f.Sizes))
	} else if st.State != "" {
		state.Remember(st, vgrv1.StateUnknown, nil, now) // there is no backend to ask any more
		st.LastSyncDuration, st.LastSyncBytes = nil, nil
	}
	ready := verdict(r.State, f.Problem, obs)
	ready.ObservedGeneration = r.Object.GetGeneration()
	if ready.Status == metav1.ConditionTrue {
		confirm(st, r.Object)
	}
	SetCondition(st, ready, now)
	st.Message = Limited(st.Message, MaxMessage)
	if ready.Status == metav1.ConditionFalse && (obs.Message == "" || f.Problem != nil || obs.Problem != nil) {
		st.Message = Limited(ready.Message, MaxMessage)
	}
	return volumes
}

// PutVolumes puts what is of a group only into its status.
func PutVolumes(g *vgrv1.VolumeGroupReplication, obs backend.Observation, volumes []vgrv1.VolumeStatus) {
	g.Status.GroupHandle = obs.GroupHandle
	g.Status.Volumes = volumes
	g.Status.VolumeCount = int32(len(obs.Members)) //nolint:gosec // at most some hundreds
	g.Status.PersistentVolumeClaimsRefList = nil
	for _, name := range obs.Members {
		g.Status.PersistentVolumeClaimsRefList = append(g.Status.PersistentVolumeClaimsRefList, corev1.LocalObjectReference{Name: name})
	}
}

func takeOver(r Request, obs backend.Observation, now metav1.Time) {
	st := r.Status
	if obs.Current {
		st.ObservedGeneration = r.Object.GetGeneration()
	}
	observed := obs.State
	if observed == "" && st.State != "" {
		observed = vgrv1.StateUnknown
	}
	state.Remember(st, observed, reported(obs.LastSyncTime), now)
	state.RememberVolumes(st, obs.Volumes)
	st.Message, st.BackendRef = obs.Message, obs.Ref
	if st.LastSyncDuration, st.LastSyncBytes = obs.LastSyncDuration, obs.LastSyncBytes; st.LastSyncTime == nil {
		st.LastSyncDuration, st.LastSyncBytes = nil, nil // of an earlier role
	}
	st.LastCompletionTime, st.LastSyncRequest, st.LastSnapshotRequest = reported(obs.LastCompletionTime), obs.SyncRequest, obs.SnapshotRequest
	for _, kind := range backendConditions() {
		said := meta.FindStatusCondition(obs.Conditions, kind)
		if said == nil {
			meta.RemoveStatusCondition(&st.Conditions, kind)
			continue
		}
		c := *said
		c.ObservedGeneration, c.Message = st.ObservedGeneration, Limited(c.Message, MaxMessage)
		replaceCondition(&st.Conditions, c, now)
	}
	if c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionGroupConsistent); c != nil {
		c.ObservedGeneration = r.Object.GetGeneration()
		SetCondition(st, *c, now)
	} else if !obs.Exists {
		meta.RemoveStatusCondition(&st.Conditions, vgrv1.ConditionGroupConsistent)
	}
}

// counting returns volumes without the synchronisations that do not belong to the present state of the whole.
func counting(st *vgrv1.ReplicationStatus, volumes []vgrv1.VolumeStatus) []vgrv1.VolumeStatus {
	out := slices.Clone(volumes)
	for i := range out {
		out[i].Message = Limited(out[i].Message, maxVolumeMessage)
		if v := &out[i]; !state.Counts(st, v.LastSyncTime) {
			v.LastSyncTime, v.LastSyncDuration, v.LastSyncBytes = nil, nil, nil
		}
	}
	return out
}

// ending returns volumes with those that are being deleted marked: the backend may call them healthy to the end.
func ending(volumes []vgrv1.VolumeStatus, terminating map[string]string) []vgrv1.VolumeStatus {
	for i := range volumes {
		if why := terminating[volumes[i].Name]; why != "" {
			volumes[i].Health, volumes[i].Message = vgrv1.HealthError, why
		}
	}
	return volumes
}

// sized returns volumes with what their PersistentVolumes can hold.
func sized(volumes []vgrv1.VolumeStatus, sizes map[string]int64) []vgrv1.VolumeStatus {
	for i := range volumes {
		if size, ok := sizes[volumes[i].Name]; ok {
			volumes[i].CapacityBytes = &size
		}
	}
	return volumes
}

// replaceCondition keeps the backend's own transition time, which tells before and after an
// operation apart. An API server refuses the whole status for one condition without a time or a reason: what the
// backend left out is put in.
func replaceCondition(conditions *[]metav1.Condition, c metav1.Condition, now metav1.Time) {
	switch c.Status {
	case metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown:
	default:
		c.Status = metav1.ConditionUnknown
	}
	if !conditionReason.MatchString(c.Reason) {
		c.Reason = vgrv1.ReasonNotReported
	}
	i := slices.IndexFunc(*conditions, func(x metav1.Condition) bool { return x.Type == c.Type })
	if c.LastTransitionTime.IsZero() {
		if c.LastTransitionTime = now; i >= 0 && (*conditions)[i].Status == c.Status {
			c.LastTransitionTime = (*conditions)[i].LastTransitionTime
		}
	}
	if i < 0 {
		*conditions = append(*conditions, c)
		return
	}
	(*conditions)[i] = c
}

// reported returns a time that a backend told, or nil: storage writes the zero of its clock for "never", and an API server
// does not take every zero.
func reported(t *metav1.Time) *metav1.Time {
	if !state.Happened(t) {
		return nil
	}
	return t
}

// SetCondition sets a condition of our own, with the time at which its status changed.
func SetCondition(st *vgrv1.ReplicationStatus, c metav1.Condition, now metav1.Time) {
	c.Message = Limited(c.Message, MaxMessage)
	c.LastTransitionTime = now
	meta.SetStatusCondition(&st.Conditions, c)
}

func sortedVolumes(lists ...[]vgrv1.VolumeStatus) []vgrv1.VolumeStatus {
	byName := map[string]vgrv1.VolumeStatus{}
	for _, list := range lists { // later ones know better
		for _, v := range list {
			byName[v.Name] = v
		}
	}
	var out []vgrv1.VolumeStatus
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out
}

// confirm writes down that the backend has confirmed the present request.
func confirm(st *vgrv1.ReplicationStatus, obj metav1.Object) {
	st.ConfirmedGeneration, st.ConfirmedRetry = obj.GetGeneration(), obj.GetAnnotations()[vgrv1.AnnotationRetry]
}
