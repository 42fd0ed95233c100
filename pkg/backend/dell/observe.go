// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// observe says what the replication group reports. It is pure.
func observe(in reading) backend.Observation {
	if in.rg == nil {
		return backend.Observation{Problem: in.problem}
	}
	rg, link := in.rg, in.rg.Status.ReplicationLinkState
	obs := backend.Observation{
		Exists: true, GroupHandle: rg.Name, Problem: in.problem, Message: message(rg),
		Ref: &vgrv1.BackendReference{APIVersion: groupVersion.String(), Kind: replicationGroupKind, Name: rg.Name},
	}
	obs.State = stateOf(in)
	if in.mode == "SYNC" && link.State == linkSynchronized { // only then are both sides known to be the same
		obs.LastSyncTime = link.LastSuccessfulUpdate
	}
	health, text := healthOf(in)
	if in.problem == nil {
		missing := progress(in, decide(in))
		if obs.Current = reached(in); !obs.Current {
			obs.Problem = missing
		} else if missing != nil { // what was asked for is so; what follows from it is not yet
			text += "; " + missing.Message
		}
	}
	obs.Conditions = conditions(in, obs, health, text)
	for _, m := range in.group.Members {
		obs.Members = append(obs.Members, m.PVC)
		obs.Volumes = append(obs.Volumes, vgrv1.VolumeStatus{
			Name: m.PVC, VolumeName: m.PV, VolumeHandle: m.Handle, State: obs.State, Health: health, Message: text,
			LastSyncTime: obs.LastSyncTime, BackendRef: obs.Ref,
		})
	}
	if last := link.LastSuccessfulUpdate; last != nil && in.fresh() {
		obs.Recheck = freshFor - in.now.Sub(last.Time) + time.Second
	}
	return obs
}

// stateOf returns the role as the array reports it, or Unknown when it does not know or was not heard of.
func stateOf(in reading) vgrv1.State {
	link := in.rg.Status.ReplicationLinkState
	known := map[string]bool{linkSynchronized: true, linkSyncing: true, linkSuspended: true, linkFailedOver: true}
	switch {
	case !known[link.State], !in.fresh() && busy(in.rg) == "": // the sidecar does not look while an action runs
		return vgrv1.StateUnknown
	case link.IsSource:
		return vgrv1.StatePrimary
	default:
		return vgrv1.StateSecondary
	}
}

func message(rg *ReplicationGroup) string {
	link := rg.Status.ReplicationLinkState
	if link.State == "" {
		return fmt.Sprintf("%s: the sidecar has not reported the link yet", rg.Name)
	}
	role := "target"
	if link.IsSource {
		role = "source"
	}
	text := fmt.Sprintf("%s: link %s, %s", rg.Name, link.State, role)
	if link.ErrorMessage != "" {
		text += ": " + link.ErrorMessage
	}
	return text
}

func stale(rg *ReplicationGroup) *backend.Problem {
	when := "never"
	if t := rg.Status.ReplicationLinkState.LastSuccessfulUpdate; t != nil {
		when = t.UTC().Format(time.RFC3339)
	}
	return backend.Problemf(vgrv1.ReasonBackendError, "the array was last asked with success: %s (%s); see dell-csi-replicator in the driver's pod", when, rg.Name)
}

// reached reports whether the array reports the role that is wanted. Resync is never reached: a target
// that is up to date cannot be told from one that always was.
func reached(in reading) bool {
	want := map[vgrv1.ReplicationState]vgrv1.State{vgrv1.Primary: vgrv1.StatePrimary, vgrv1.Secondary: vgrv1.StateSecondary, vgrv1.Resync: vgrv1.StateSecondary}
	return stateOf(in) == want[in.group.State]
}

// progress says what is still missing: what runs, what has failed, what is waited for; nil for nothing.
func progress(in reading, n need) *backend.Problem {
	rg, link := in.rg, in.rg.Status.ReplicationLinkState
	waits := func(format string, args ...any) *backend.Problem {
		return backend.Problemf(vgrv1.ReasonProgressing, format, args...)
	}
	switch action := busy(rg); {
	case action != "":
		p := waits("action %s runs on %s", action, rg.Name)
		if text := rg.Status.LastAction.ErrorMessage; text != "" {
			p.Message += "; it fails so far and is tried again: " + text
		}
		return p
	case n.asked:
		return ended(in, n.action)
	case n.problem != nil:
		return n.problem
	case n.action != "":
		return waits("%s is to be asked for %s", rg.Name, n.action)
	case link.State == "":
		return waits("waiting for Dell's sidecar to report the link of %s", rg.Name)
	case !in.fresh():
		return stale(rg)
	case link.State == linkUnknown, link.State == linkInvalid:
		return backend.Problemf(vgrv1.ReasonBackendError, "%s", message(rg))
	case link.State == linkEmpty:
		return backend.Problemf(vgrv1.ReasonBackendError, "%s: the array group has no volume of this cluster", rg.Name)
	case in.group.State == vgrv1.Primary && !link.IsSource:
		return waits("the peer is the source of %s and has to hand over; kubectl vgr failover does that", rg.Name)
	case in.group.State == vgrv1.Secondary && link.IsSource:
		return waits("%s", waitsToHandOver(in))
	case in.group.State == vgrv1.Resync && link.IsSource:
		return waits("%s is the source; only a target can be brought up to date", rg.Name)
	default:
		return nil
	}
}

// waitsToHandOver says what a source that is to become a target waits for.
func waitsToHandOver(in reading) string {
	owner, link := in.group.Owner, in.rg.Status.ReplicationLinkState
	switch {
	case link.State == linkSuspended:
		return in.rg.Name + " is the source and its link is suspended; it can hand over once that is resumed on the array"
	case in.group.Peer == vgrv1.PeerLost:
		return fmt.Sprintf("%s is the source with link %s, and the other site took over; this one follows once that is reprotected: kubectl vgr reprotect %s -n %s --discard-site SITE (SITE is this site)",
			in.rg.Name, link.State, owner.Name, owner.Namespace)
	default:
		return fmt.Sprintf("%s is the source with link %s, which cannot hand over while the other site does not follow: kubectl vgr promote %s -n %s --context SITE keeps the role here (SITE is the context of this cluster), and kubectl vgr reprotect then has the other site follow",
			in.rg.Name, link.State, owner.Name, owner.Namespace)
	}
}

// ended explains an action that was asked for, is not under way any more, and did not bring what it
// was for.
func ended(in reading, action string) *backend.Problem {
	rg := in.rg
	retry := "; fix that, then set the annotation " + vgrv1.AnnotationRetry + " to a new value to retry"
	last := rg.Status.LastAction
	switch {
	case lastActionTime(rg) == intentOf(rg).Before || !strings.Contains(strings.ToUpper(last.Condition), action):
		return backend.Problemf(vgrv1.ReasonBackendError, "%s took %s back without a result: the driver does not support it, or was busy; see the events of %s%s", rg.Name, action, rg.Name, retry)
	case strings.Contains(last.Condition, "failed"):
		return backend.Problemf(failureOf(in), "%s: %s%s", rg.Name, last.Condition, retry)
	case in.looked():
		return backend.Problemf(failureOf(in), "%s: %s is reported to have succeeded, and the array says %s%s", rg.Name, action, message(rg), retry)
	default:
		return backend.Problemf(vgrv1.ReasonProgressing, "%s: %s has ended; waiting until the array confirms it", rg.Name, action)
	}
}

// looked reports whether the array was asked again since the last action ended.
func (in reading) looked() bool {
	ended, last := in.rg.Status.LastAction.Time, in.rg.Status.ReplicationLinkState.LastSuccessfulUpdate
	const between = 10 * time.Second // the sidecar writes the array's answer to the action some moments after it
	return ended != nil && last != nil && last.Sub(ended.Time) > between
}

func failureOf(in reading) string {
	if in.group.State == vgrv1.Primary {
		return vgrv1.ReasonFailedToPromote
	}
	return vgrv1.ReasonFailedToDemote
}

// conditions returns those of csi-addons, as the link means them.
func conditions(in reading, obs backend.Observation, health vgrv1.Health, text string) []metav1.Condition {
	link := in.rg.Status.ReplicationLinkState
	at := in.rg.CreationTimestamp
	if t := in.rg.Status.LastAction.Time; t != nil {
		at = *t
	}
	var out []metav1.Condition
	add := func(kind string, status metav1.ConditionStatus, reason, text string) {
		out = append(out, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: text, LastTransitionTime: at})
	}
	switch {
	case !obs.Current:
	case in.group.State == vgrv1.Primary && obs.State == vgrv1.StatePrimary:
		add(vgrv1.ConditionCompleted, metav1.ConditionTrue, vgrv1.ReasonPromoted, "the array is the source")
	case obs.State == vgrv1.StateSecondary:
		add(vgrv1.ConditionCompleted, metav1.ConditionTrue, vgrv1.ReasonDemoted, "the array is the target")
	}
	switch health {
	case vgrv1.HealthHealthy, vgrv1.HealthResyncing:
		add(vgrv1.ConditionDegraded, metav1.ConditionFalse, vgrv1.ReasonLinkInSync, text)
	case vgrv1.HealthError:
		add(vgrv1.ConditionDegraded, metav1.ConditionTrue, "Error", text)
	case vgrv1.HealthDegraded:
		reason := vgrv1.ReasonLinkNotInSync
		if inError(in) {
			reason = vgrv1.ReasonGroupError
		}
		add(vgrv1.ConditionDegraded, metav1.ConditionTrue, reason, text)
	default:
		add(vgrv1.ConditionDegraded, metav1.ConditionUnknown, "Unknown", text)
	}
	if obs.State == vgrv1.StatePrimary {
		status, reason := metav1.ConditionTrue, vgrv1.ReasonLinkInSync
		if health != vgrv1.HealthHealthy && health != vgrv1.HealthResyncing && !inError(in) {
			status, reason = metav1.ConditionFalse, vgrv1.ReasonLinkNotInSync
		}
		add(vgrv1.ConditionReplicating, status, reason, text)
	} else if in.group.State == vgrv1.Resync || link.State == linkSyncing {
		status := metav1.ConditionFalse
		if link.State == linkSyncing {
			status = metav1.ConditionTrue
		}
		add(vgrv1.ConditionResyncing, status, "LinkState", text)
	}
	add(vgrv1.ConditionGroupConsistent, metav1.ConditionTrue, vgrv1.ReasonNativeGroup, "the array replicates the volumes as one group")
	return out
}

// groupError is the state of a replication group whose last action has failed. It stays until the next one.
const groupError = "Error"

// inError reports whether a replication group is in error although its link replicates.
func inError(in reading) bool {
	link := in.rg.Status.ReplicationLinkState.State
	return in.rg.Status.State == groupError && (link == linkSynchronized || link == linkSyncing)
}

// healthOf reads the link.
func healthOf(in reading) (vgrv1.Health, string) {
	link := in.rg.Status.ReplicationLinkState
	if stateOf(in) == vgrv1.StateUnknown && link.State != linkInvalid && link.State != linkEmpty {
		return vgrv1.HealthUnknown, message(in.rg)
	}
	if inError(in) {
		after := ""
		if action := in.rg.Status.LastAction.Condition; action != "" {
			after = fmt.Sprintf(" after %q", action)
		}
		return vgrv1.HealthDegraded, fmt.Sprintf("%s is in state %s%s, although its link is %s; see the events of %s", in.rg.Name, groupError, after, link.State, in.rg.Name)
	}
	switch link.State {
	case linkSynchronized:
		return vgrv1.HealthHealthy, "link " + link.State
	case linkSyncing:
		return vgrv1.HealthResyncing, "link " + link.State
	case linkFailedOver:
		// A site that has handed over holds nothing of its own; one that was given up may.
		if link.IsSource || intentOf(in.rg).Action == failoverRemote {
			return vgrv1.HealthDegraded, "the link is failed over: nothing is replicated until the new source reprotects it"
		}
		return vgrv1.HealthError, "the link is failed over, and this site did not hand over: the writes that only it has are discarded when the source reprotects it"
	case linkSuspended:
		return vgrv1.HealthDegraded, "the link is suspended: nothing is replicated"
	default:
		return vgrv1.HealthError, message(in.rg)
	}
}
