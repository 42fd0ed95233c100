// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"regexp"
	"slices"
	"strings"
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
	maxMessage       = 32768
	maxNote          = 1024
	maxVolumeMessage = 1024
)

// conditionReason is what an API server takes as the reason of a condition.
var conditionReason = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// limited cuts a text that is too long, and says so at its end.
func limited(text string, limit int) string {
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

// setStatus puts what was observed into the target's status.
func (r *Reconciler) setStatus(s target, res resolution, obs backend.Observation) {
	st := s.status
	generation := s.obj.GetGeneration()
	if res.backend != nil {
		st.Backend = res.backend.Name
		r.takeOver(s, obs)
		s.setVolumes(obs, sortedVolumes(res.refused, sized(ending(counting(st, obs.Volumes), res.terminating), res.sizes)))
	} else if st.State != "" {
		state.Remember(st, vgrv1.StateUnknown, nil, r.now()) // there is no backend to ask any more
		st.LastSyncDuration, st.LastSyncBytes = nil, nil
	}
	ready := verdict(s.state, res.problem, obs)
	ready.ObservedGeneration = generation
	if ready.Status == metav1.ConditionTrue {
		confirm(st, s.obj)
	}
	r.setCondition(st, ready)
	st.Message = limited(st.Message, maxMessage)
	if ready.Status == metav1.ConditionFalse && (obs.Message == "" || res.problem != nil || obs.Problem != nil) {
		st.Message = limited(ready.Message, maxMessage)
	}
}

func (r *Reconciler) takeOver(s target, obs backend.Observation) {
	st := s.status
	if obs.Current {
		st.ObservedGeneration = s.obj.GetGeneration()
	}
	observed := obs.State
	if observed == "" && st.State != "" {
		observed = vgrv1.StateUnknown
	}
	state.Remember(st, observed, reported(obs.LastSyncTime), r.now())
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
		c.ObservedGeneration, c.Message = st.ObservedGeneration, limited(c.Message, maxMessage)
		r.replaceCondition(&st.Conditions, c)
	}
	if c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionGroupConsistent); c != nil {
		c.ObservedGeneration = s.obj.GetGeneration()
		r.setCondition(st, *c)
	} else if !obs.Exists {
		meta.RemoveStatusCondition(&st.Conditions, vgrv1.ConditionGroupConsistent)
	}
}

// counting returns volumes without the synchronisations that do not belong to the present state of the whole.
func counting(st *vgrv1.ReplicationStatus, volumes []vgrv1.VolumeStatus) []vgrv1.VolumeStatus {
	out := slices.Clone(volumes)
	for i := range out {
		out[i].Message = limited(out[i].Message, maxVolumeMessage)
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

// now has no fractions of a second, as times in the API have none.
func (r *Reconciler) now() metav1.Time { return metav1.NewTime(r.Clock.Now().Truncate(time.Second)) }

// replaceCondition keeps the backend's own transition time, which tells before and after an
// operation apart. An API server refuses the whole status for one condition without a time or a reason: what the
// backend left out is put in.
func (r *Reconciler) replaceCondition(conditions *[]metav1.Condition, c metav1.Condition) {
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
		if c.LastTransitionTime = r.now(); i >= 0 && (*conditions)[i].Status == c.Status {
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

// setCondition sets a condition of our own, with the time at which its status changed.
func (r *Reconciler) setCondition(st *vgrv1.ReplicationStatus, c metav1.Condition) {
	c.Message = limited(c.Message, maxMessage)
	c.LastTransitionTime = r.now()
	meta.SetStatusCondition(&st.Conditions, c)
}

// setRemovalStatus says what a deletion waits for, and returns when to look again.
func (r *Reconciler) setRemovalStatus(s target, removal backend.Removal) time.Duration {
	c := metav1.Condition{
		Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonDeleting,
		Message: removal.Waiting, ObservedGeneration: s.obj.GetGeneration(),
	}
	again := blockedAfter - r.Clock.Since(s.obj.GetDeletionTimestamp().Time)
	if again <= 0 {
		c.Reason, again = vgrv1.ReasonDeletionBlocked, removal.Recheck // else only a change wakes us from here on
	}
	r.setCondition(s.status, c)
	s.status.Message = limited(removal.Waiting, maxMessage)
	return again
}

// setReleasedStatus reports that the controller has released a deleted target, which finalizers of others keep.
func (r *Reconciler) setReleasedStatus(s target) {
	r.setCondition(s.status, metav1.Condition{
		Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonDeleting, ObservedGeneration: s.obj.GetGeneration(),
		Message: "the controller has released this object, which waits for the finalizers " + strings.Join(s.obj.GetFinalizers(), ", "),
	})
}

// announce tells a change of the verdict as an event.
func (r *Reconciler) announce(s target, old *vgrv1.ReplicationStatus) {
	was := meta.FindStatusCondition(old.Conditions, vgrv1.ConditionReady)
	is := meta.FindStatusCondition(s.status.Conditions, vgrv1.ConditionReady)
	if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return
	}
	kind := corev1.EventTypeWarning
	if is.Status == metav1.ConditionTrue || slices.Contains([]string{vgrv1.ReasonProgressing, vgrv1.ReasonResyncing, vgrv1.ReasonDeleting}, is.Reason) {
		kind = corev1.EventTypeNormal
	}
	r.Events.Eventf(s.obj, nil, kind, is.Reason, "Reconcile", "%s", limited(is.Message, maxNote))
}
