// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// View is a group or a single volume as the predicates see it. The zero value is one that does not exist, of
// which nothing is true.
type View struct {
	obj     metav1.Object
	desired vgrv1.ReplicationState
	status  *vgrv1.ReplicationStatus
	volumes []vgrv1.VolumeStatus
}

// Of returns the view of a group, which may be nil.
func Of(g *vgrv1.VolumeGroupReplication) View {
	if g == nil {
		return View{}
	}
	return View{obj: g, desired: g.Spec.ReplicationState, status: &g.Status.ReplicationStatus, volumes: g.Status.Volumes}
}

// OfSingle returns the view of a single volume, which may be nil.
func OfSingle(v *vgrv1.VolumeReplication) View {
	if v == nil {
		return View{}
	}
	return View{obj: v, desired: v.Spec.ReplicationState, status: &v.Status.ReplicationStatus}
}

// Exists reports whether there is an object.
func (v View) Exists() bool { return v.obj != nil }

// Desired returns the state that the spec asks for.
func (v View) Desired() vgrv1.ReplicationState { return v.desired }

// State returns the observed state.
func (v View) State() vgrv1.State {
	if v.status == nil {
		return ""
	}
	return v.status.State
}

// Condition finds a condition; nil without it.
func (v View) Condition(kind string) *metav1.Condition {
	if v.status == nil {
		return nil
	}
	return meta.FindStatusCondition(v.status.Conditions, kind)
}

// Ready returns the condition Ready if it is about the present spec; nil otherwise.
func (v View) Ready() *metav1.Condition {
	c := v.Condition(vgrv1.ConditionReady)
	if c == nil || c.ObservedGeneration != v.obj.GetGeneration() {
		return nil
	}
	return c
}

// ReadyReason returns the reason of Ready if it is about the present spec; empty otherwise.
func (v View) ReadyReason() string {
	if r := v.Ready(); r != nil {
		return r.Reason
	}
	return ""
}

// Current reports whether controller and backend have answered the present spec. One that is being deleted is
// not, unless the controller holds it: it is not managed any more, and its status proves nothing.
func (v View) Current() bool {
	return v.Ready() != nil && (!v.Deleting() || v.Held()) && v.status.ObservedGeneration == v.obj.GetGeneration()
}

// Settled reports whether the backend confirms what the present spec asks for, whatever that is.
func (v View) Settled() bool { return v.Current() && v.Ready().Status == metav1.ConditionTrue }

// Is reports whether the spec asks for a state and the backend confirms it.
func (v View) Is(want vgrv1.ReplicationState) bool {
	observed := map[vgrv1.ReplicationState]vgrv1.State{vgrv1.Primary: vgrv1.StatePrimary, vgrv1.Secondary: vgrv1.StateSecondary}[want]
	return v.desired == want && v.Settled() && v.State() == observed
}

// Deleting reports whether the object is being deleted.
func (v View) Deleting() bool { return v.obj != nil && v.obj.GetDeletionTimestamp() != nil }

// Held reports whether the controller says that it keeps a deleted object, and serves it, for an operation in flight.
func (v View) Held() bool {
	return v.Deleting() && !v.Released() && meta.IsStatusConditionTrue(v.status.Conditions, vgrv1.ConditionDeletionHeld)
}

// Guarded reports whether the site is secondary and its spec asks for primary, which the controller refuses:
// another tool, such as GitOps, has changed the spec.
func (v View) Guarded() bool {
	return (!v.Deleting() || v.Held()) && v.desired == vgrv1.Primary && v.State() == vgrv1.StateSecondary && Refuses(v.ReadyReason()) &&
		!MayPromote(v.obj, v.status)
}

// Refuses reports whether a reason of Ready says that the controller does not obey a spec that asks for primary.
func Refuses(reason string) bool {
	return reason == vgrv1.ReasonPromotionNotConfirmed || reason == vgrv1.ReasonRoleChangedOutside
}

// AskedToLead reports whether the site may become primary by what its spec asks for.
func (v View) AskedToLead() bool { return v.desired == vgrv1.Primary && !v.Guarded() }

// Demoted reports whether the site has given up the role, whatever its copy is like.
func (v View) Demoted() bool {
	return v.desired == vgrv1.Secondary && v.Current() && v.State() == vgrv1.StateSecondary || v.Guarded()
}

// SaysInSync reports whether the backend of a demoted site says that it and its peer hold the same. That may
// be left over from an earlier hand-over.
func (v View) SaysInSync() bool {
	return v.Demoted() && meta.IsStatusConditionFalse(v.status.Conditions, vgrv1.ConditionDegraded)
}

// InSync reports whether a demoted site and its peer are proven to hold the same.
func (v View) InSync() bool { return v.SaysInSync() && v.status.DemotedAfterSync }

// Replicates reports whether a primary says that it reaches its peer.
func (v View) Replicates() bool {
	return v.status != nil && meta.IsStatusConditionTrue(v.status.Conditions, vgrv1.ConditionReplicating)
}

// Replicated reports whether a primary has synchronised with its peer since it became primary, and its backend confirms,
// where it reports that, that it still does.
func (v View) Replicated() bool {
	return v.State() == vgrv1.StatePrimary && v.LastSync() != nil && doubt(v.status) == nil
}

// Doubt returns what the backend of a primary that has synchronised says instead of confirming that it still does. Empty
// if it does, or never reports that.
func (v View) Doubt() string {
	if v.State() != vgrv1.StatePrimary || v.LastSync() == nil || doubt(v.status) == nil {
		return ""
	}
	return doubt(v.status).Message
}

// Broken returns the error that a copy reports: it may be split from its peer; see Diverged. Empty without one.
func (v View) Broken() string {
	d := v.Condition(vgrv1.ConditionDegraded)
	if d == nil || v.State() == vgrv1.StatePrimary || d.Status != metav1.ConditionTrue || d.Reason != ReasonError {
		return ""
	}
	return d.Message
}

// LinkTrouble returns what is wrong with the link by the word of an array that judges it by itself, on a secondary too.
// Empty without.
func (v View) LinkTrouble() string {
	d := v.Condition(vgrv1.ConditionDegraded)
	if d == nil || d.Status != metav1.ConditionTrue || d.Reason != vgrv1.ReasonLinkNotInSync && d.Reason != vgrv1.ReasonGroupError {
		return ""
	}
	return d.Message
}

// Diverged returns the error of a copy whose backend calls it split from its peer: it has writes of its own, and does not
// follow. Empty without one.
func (v View) Diverged() string {
	text := v.Broken()
	words := strings.NewReplacer("-", "", " ", "", "_", "").Replace(strings.ToLower(text))
	if !strings.Contains(words, "splitbrain") && !strings.Contains(words, "diverged") {
		return ""
	}
	return text
}

// Stalled is what it may mean that ceph-csi tells no synchronisation of a copy that is to follow, which it also does for
// a moment after each change of roles. Empty of other errors, and without one.
func (v View) Stalled() string {
	if !strings.Contains(v.Broken(), "no snapshot details") {
		return ""
	}
	return "on Ceph, this is reported of a copy whose rbd-mirror does not run, and of one in split brain"
}

// ReasonError is the reason of Degraded with which a backend reports an error of a copy.
const ReasonError = "Error"

// LastSync returns the last synchronisation if it is proven to be of the present state. An older controller, which
// does not say since when it observes the state, proves none.
func (v View) LastSync() *metav1.Time {
	if v.status == nil || !Counts(v.status, v.status.LastSyncTime) {
		return nil
	}
	return v.status.LastSyncTime
}

// Unproven reports whether there is a synchronisation time that an older controller has written, which may be
// of an earlier role.
func (v View) Unproven() bool {
	return v.status != nil && v.status.LastSyncTime != nil && v.status.StateSince == nil
}

// Apart names the volumes that have another role than the group; nil where the backend does not tell their
// roles.
func (v View) Apart() []vgrv1.VolumeStatus {
	var primaries, secondaries []vgrv1.VolumeStatus
	for _, x := range v.volumes {
		switch x.State {
		case vgrv1.StatePrimary:
			primaries = append(primaries, x)
		case vgrv1.StateSecondary:
			secondaries = append(secondaries, x)
		default:
		}
	}
	switch {
	case len(primaries) == 0 || len(secondaries) == 0:
		return nil
	case v.desired == vgrv1.Primary:
		return secondaries
	default:
		return primaries
	}
}

// Finalizers returns those of other tools that keep a deleted object.
func (v View) Finalizers() []string {
	if v.obj == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.obj.GetFinalizers()), func(f string) bool { return f == vgrv1.Finalizer })
}

// Released reports whether the controller has released a deleted object.
func (v View) Released() bool {
	return v.Deleting() && !slices.Contains(v.obj.GetFinalizers(), vgrv1.Finalizer)
}

// Gone says what keeps an object that is being deleted; empty when it is not.
func (v View) Gone() string {
	switch foreign := v.Finalizers(); {
	case !v.Deleting():
		return ""
	case v.Held():
		return "being deleted; " + v.Condition(vgrv1.ConditionDeletionHeld).Message
	case !v.Released():
		return "being deleted; the controller has not released it yet"
	case len(foreign) > 0:
		return fmt.Sprintf("deleted; the controller has released it, and another tool's finalizer keeps it: %s", strings.Join(foreign, ", "))
	default:
		return "being deleted"
	}
}

// Terminal reports whether a reason of Ready needs a change by you: waiting does not help. All others pass
// by themselves, or may.
func Terminal(reason string) bool {
	switch reason {
	case vgrv1.ReasonClassNotFound, vgrv1.ReasonInvalidParameters, vgrv1.ReasonBackendNotInstalled, vgrv1.ReasonBackendUnknown,
		vgrv1.ReasonVolumeConflict, vgrv1.ReasonForeignDriver, vgrv1.ReasonTooManyVolumes, vgrv1.ReasonSourceInvalid,
		vgrv1.ReasonObjectConflict, vgrv1.ReasonNoVolumes, vgrv1.ReasonInvalidSelector, vgrv1.ReasonPromotionNotConfirmed,
		vgrv1.ReasonRoleChangedOutside, vgrv1.ReasonRoleDiffers, vgrv1.ReasonGroupRefused:
		return true
	default:
		return false
	}
}

// Calm reports whether a reason of Ready belongs to every change of a state and is no failure.
func Calm(reason string) bool {
	return reason == vgrv1.ReasonProgressing || reason == vgrv1.ReasonResyncing || reason == vgrv1.ReasonDeleting
}
