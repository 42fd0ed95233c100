// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// observeVolume returns what Trident last said of a volume. It never says Healthy: Trident reads a
// relationship when it changes it, and reports neither lag nor a failure that comes later.
func observeVolume(v volume) vgrv1.VolumeStatus {
	out := vgrv1.VolumeStatus{
		Name: v.member.PVC, VolumeName: v.member.PV, VolumeHandle: v.member.Handle,
		State: vgrv1.StateUnknown, Health: vgrv1.HealthUnknown,
	}
	m := v.mirror()
	if m == nil {
		out.Message = "not replicated by Trident"
		return out
	}
	out.BackendRef = &vgrv1.BackendReference{APIVersion: groupVersion.String(), Kind: mirrorKind, Name: m.Name}
	said := m.said()
	out.ReplicationHandle = said.LocalVolumeHandle
	if follows(said.State) || said.State == establishing || said.State == reestablishing {
		out.FollowedHandle = cmp.Or(said.RemoteVolumeHandle, m.mapping().RemoteVolumeHandle)
	}
	since := said.State + " since " + cmp.Or(said.LastTransitionTime, "an unknown time")
	if retrying(m) {
		out.Message = fmt.Sprintf("to be %s once more; Trident last reported at %s", asksFor(m), cmp.Or(said.LastTransitionTime, "an unknown time"))
		return out
	}
	switch said.State {
	case "":
		out.Message = "Trident has said nothing yet: the PVC is not bound, or Trident does not run"
	case promoted:
		out.State, out.Message = vgrv1.StatePrimary, since
		if m.mapping().RemoteVolumeHandle != "" { // it followed, and had to be taken off
			out.Message += "; Trident says so too when it could not ask ONTAP, only a mount for writing proves it"
		}
	case established, reestablished:
		out.State, out.Message = vgrv1.StateSecondary, since+"; Trident reports neither lag nor later failures"
	case establishing, reestablishing:
		out.State, out.Health, out.Message = vgrv1.StateSecondary, vgrv1.HealthResyncing, since
	case invalid:
		out.Health = vgrv1.HealthError
		out.Message = fmt.Sprintf("%s: %s; Trident looks again only when the spec changes or it restarts", since, cmp.Or(said.Message, "without a message"))
	case failed:
		out.Health = vgrv1.HealthError
		if v.native {
			out.Message = fmt.Sprintf("%s: %s; Trident tries again only when the spec changes or it restarts", since, cmp.Or(said.Message, "without a message"))
			break
		}
		out.Message = fmt.Sprintf("%s: %s; fix that, then set the annotation %s to a new value to retry",
			since, cmp.Or(said.Message, "without a message"), vgrv1.AnnotationRetry)
	default: // promoting, released, and what a later version may say
		out.Message = since
	}
	if text := replaced(m); text != "" {
		out.Message += "; " + text
	}
	if !m.DeletionTimestamp.IsZero() {
		out.Message += "; being deleted"
	}
	return out
}

// replaced names what Trident uses instead of what it was asked for: names that it does not know are
// replaced by the backend's, without a word.
func replaced(m *Mirror) string {
	said := m.said()
	if !follows(said.State) {
		return ""
	}
	var all []string
	for _, x := range []struct{ what, asked, used string }{
		{"policy", m.Spec.ReplicationPolicy, said.ReplicationPolicy},
		{"schedule", m.Spec.ReplicationSchedule, said.ReplicationSchedule},
	} {
		if x.asked != "" && x.asked != x.used {
			all = append(all, fmt.Sprintf("it uses %s %q, not %q", x.what, x.used, x.asked))
		}
	}
	return strings.Join(all, "; ")
}

// reached reports whether Trident has confirmed what the group asks of a volume. Generations tell
// nothing: Trident writes them down only when the state changes.
func reached(g backend.Group, v volume) bool {
	m := v.mirror()
	if m == nil || !m.DeletionTimestamp.IsZero() {
		return false
	}
	if g.State == vgrv1.Primary {
		return m.Spec.State == promoted && m.said().State == promoted
	}
	return follows(m.Spec.State) && m.said().State == m.Spec.State
}

// stateOf returns the role of the group: that of its volumes when they agree.
func stateOf(volumes []vgrv1.VolumeStatus) vgrv1.State {
	if len(volumes) == 0 {
		return vgrv1.StateUnknown
	}
	for _, v := range volumes[1:] {
		if v.State != volumes[0].State {
			return vgrv1.StateUnknown
		}
	}
	return volumes[0].State
}

// observe says what Trident reports of the group. It is pure.
func observe(g backend.Group, volumes []volume) backend.Observation {
	if len(volumes) == 0 {
		return backend.Observation{}
	}
	obs := backend.Observation{Current: true, SyncRequest: g.SyncRequest}
	var missing []string
	for _, v := range volumes {
		status := observeVolume(v)
		if status.State == vgrv1.StateSecondary {
			status.LastSyncTime = lastSync(v)
		}
		obs.Volumes = append(obs.Volumes, status)
		if m := v.mirror(); m != nil {
			obs.Exists = true
			obs.Members = append(obs.Members, v.member.PVC)
		}
		if obs.Problem == nil {
			obs.Problem = problemOf(g, v, status)
		}
		if !reached(g, v) {
			obs.Current = false
			missing = append(missing, v.member.PVC+": "+word(v))
		}
		if !fulfilled(g, v) {
			obs.SyncRequest = ""
		}
	}
	if obs.State = stateOf(obs.Volumes); obs.State == vgrv1.StateSecondary {
		obs.LastSyncTime = oldest(obs.Volumes)
	}
	obs.Message = fmt.Sprintf("%d volumes, each mirrored by itself", len(volumes))
	if len(missing) > 0 {
		obs.Message = fmt.Sprintf("%d of %d volumes are as asked; %s", len(volumes)-len(missing), len(volumes), strings.Join(missing, ", "))
		if obs.Problem == nil && obs.Exists {
			obs.Problem = backend.Problemf(vgrv1.ReasonProgressing, "%s", obs.Message)
		}
	}
	obs.Conditions = conditions(g, volumes, obs)
	return obs
}

// word returns Trident's last word on a volume.
func word(v volume) string {
	if m := v.mirror(); m != nil && !m.DeletionTimestamp.IsZero() {
		return "its " + mirrorKind + " is being deleted"
	}
	if m := v.mirror(); m != nil {
		return cmp.Or(m.said().State, "no word yet (the PVC is not bound, or Trident does not run)")
	}
	return "not replicated"
}

// problemOf says why a volume does not get on.
func problemOf(g backend.Group, v volume, status vgrv1.VolumeStatus) *backend.Problem {
	if _, p := decide(g, v); p != nil {
		return p
	}
	if status.Health == vgrv1.HealthError {
		reason := vgrv1.ReasonFailedToDemote
		if g.State == vgrv1.Primary {
			reason = vgrv1.ReasonFailedToPromote
		}
		return backend.Problemf(reason, "PVC %s: %s", status.Name, status.Message)
	}
	return unfulfilled(g, v)
}

// oldest returns the last time at which every volume was synchronised; nil if that of one is not known.
func oldest(volumes []vgrv1.VolumeStatus) *metav1.Time {
	var first *metav1.Time
	for _, v := range volumes {
		if v.LastSyncTime == nil {
			return nil
		}
		if first == nil || v.LastSyncTime.Before(first) {
			first = v.LastSyncTime
		}
	}
	return first
}

// conditions returns those of csi-addons, as far as Trident says anything of the kind.
func conditions(g backend.Group, volumes []volume, obs backend.Observation) []metav1.Condition {
	at := lastTransition(volumes)
	var out []metav1.Condition
	add := func(kind string, status metav1.ConditionStatus, reason, text string) {
		out = append(out, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: text, LastTransitionTime: at})
	}
	switch {
	case !obs.Current:
	case obs.State == vgrv1.StatePrimary:
		add(vgrv1.ConditionCompleted, metav1.ConditionTrue, vgrv1.ReasonPromoted, "Trident reports every volume promoted")
	case obs.State == vgrv1.StateSecondary:
		add(vgrv1.ConditionCompleted, metav1.ConditionTrue, vgrv1.ReasonDemoted, "Trident reports that every volume follows")
	}
	var broken, receiving, other []string
	for i, status := range obs.Volumes {
		switch status.Health {
		case vgrv1.HealthError:
			broken = append(broken, status.Name+": "+status.Message)
		case vgrv1.HealthResyncing:
			receiving = append(receiving, status.Name)
		default:
		}
		if m := volumes[i].mirror(); m != nil && replaced(m) != "" {
			other = append(other, status.Name+": "+replaced(m))
		}
	}
	switch {
	case len(broken) > 0:
		add(vgrv1.ConditionDegraded, metav1.ConditionTrue, "Error", strings.Join(broken, "; "))
	case obs.State != vgrv1.StatePrimary:
		add(vgrv1.ConditionDegraded, metav1.ConditionUnknown, vgrv1.ReasonNotReported, "Trident reports a relationship only when it changes it")
	}
	if obs.State == vgrv1.StatePrimary {
		add(vgrv1.ConditionReplicating, metav1.ConditionUnknown, vgrv1.ReasonNotReported, "Trident shows neither what its schedule transfers nor whether it can")
	}
	if len(receiving) > 0 {
		add(vgrv1.ConditionResyncing, metav1.ConditionTrue, "Mirroring", "data is received for "+strings.Join(receiving, ", "))
	}
	if len(other) > 0 {
		add(vgrv1.ConditionValidated, metav1.ConditionFalse, "ParametersReplaced", strings.Join(other, "; "))
	}
	switch {
	case g.Single():
		add(vgrv1.ConditionGroupConsistent, metav1.ConditionTrue, vgrv1.ReasonSingleVolume, "one volume is consistent with itself")
	case atOneSnapshot(g, volumes):
		add(vgrv1.ConditionGroupConsistent, metav1.ConditionTrue, vgrv1.ReasonGroupSnapshots, "every volume was promoted at a snapshot of all of them")
	case usesGroupSnapshots(g):
		add(vgrv1.ConditionGroupConsistent, metav1.ConditionFalse, vgrv1.ReasonGroupSnapshots, "SnapMirror replicates each volume by itself; a planned failover goes through a snapshot of all of them, an unplanned one does not")
	default:
		add(vgrv1.ConditionGroupConsistent, metav1.ConditionFalse, vgrv1.ReasonPerVolume, "SnapMirror replicates each volume by itself: each has a point in time of its own")
	}
	return out
}

// lastTransition returns when Trident last reported another state of one of the volumes.
func lastTransition(volumes []volume) metav1.Time {
	var last metav1.Time
	for _, v := range volumes {
		m := v.mirror()
		if m == nil {
			continue
		}
		if t, err := time.Parse(time.RFC3339, m.said().LastTransitionTime); err == nil && t.After(last.Time) {
			last = metav1.NewTime(t)
		} else if last.IsZero() {
			last = m.CreationTimestamp
		}
	}
	return last
}
