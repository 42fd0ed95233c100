// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package observed

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// verdict decides the Ready condition from what was asked and what was observed. It is pure, and
// says yes only when the backend has answered the present request.
func verdict(desired vgrv1.ReplicationState, problem *backend.Problem, obs backend.Observation) metav1.Condition {
	not := func(reason, message string) metav1.Condition {
		if roles := apart(obs.Volumes); roles != "" && reason == vgrv1.ReasonProgressing { // on the way each volume changes by itself
			message += "; so far " + roles
		} else if roles != "" {
			message += "; the volumes have different roles: " + roles
		}
		return metav1.Condition{Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	}
	switch {
	case problem != nil:
		return not(problem.Reason, problem.Message)
	case obs.Problem != nil:
		return not(obs.Problem.Reason, obs.Problem.Message)
	case !obs.Exists:
		return not(vgrv1.ReasonProgressing, "the backend has been asked")
	case !obs.Current:
		return not(vgrv1.ReasonProgressing, "waiting for the backend's answer to "+string(desired))
	}
	completed := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionCompleted)
	if completed != nil && completed.Status == metav1.ConditionFalse {
		return not(completed.Reason, failureMessage(obs, completed))
	}
	reason, message, ok := reached(desired, completed, obs)
	if !ok {
		return not(reason, message)
	}
	return metav1.Condition{Type: vgrv1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// apart names the volumes of each role; empty unless some are primary and some secondary.
func apart(volumes []vgrv1.VolumeStatus) string {
	byRole := map[vgrv1.State][]string{}
	for _, v := range volumes {
		role := cmp.Or(v.State, vgrv1.StateUnknown)
		byRole[role] = append(byRole[role], v.Name)
	}
	if len(byRole[vgrv1.StatePrimary]) == 0 || len(byRole[vgrv1.StateSecondary]) == 0 {
		return ""
	}
	var roles []string
	for _, role := range []vgrv1.State{vgrv1.StatePrimary, vgrv1.StateSecondary, vgrv1.StateUnknown} {
		if names := byRole[role]; len(names) > 0 {
			roles = append(roles, fmt.Sprintf("%s is %s", strings.Join(names, ", "), role))
		}
	}
	return strings.Join(roles, "; ")
}

// reached reports whether the desired state is confirmed. Completed alone is no proof: the
// reason and the state must fit as well.
func reached(desired vgrv1.ReplicationState, completed *metav1.Condition, obs backend.Observation) (reason, message string, ok bool) {
	done := completed != nil && completed.Status == metav1.ConditionTrue
	switch desired {
	case vgrv1.Primary:
		if done && completed.Reason == vgrv1.ReasonPromoted && obs.State == vgrv1.StatePrimary {
			return vgrv1.ReasonPromoted, "the backend reports primary", true
		}
	case vgrv1.Secondary:
		if done && completed.Reason == vgrv1.ReasonDemoted && obs.State == vgrv1.StateSecondary {
			return vgrv1.ReasonDemoted, "the backend reports secondary", true
		}
	case vgrv1.Resync:
		if meta.IsStatusConditionTrue(obs.Conditions, vgrv1.ConditionResyncing) {
			return vgrv1.ReasonResyncing, "a resync runs; a backend may report this for as long as the peer is primary", false
		}
		if done && obs.State == vgrv1.StateSecondary && meta.IsStatusConditionFalse(obs.Conditions, vgrv1.ConditionDegraded) {
			return vgrv1.ReasonResynced, "the backend reports a secondary in sync", true
		}
	}
	return vgrv1.ReasonProgressing, "waiting for the backend to confirm " + string(desired), false
}

// failureMessage takes the condition that has the error of the storage system in it.
func failureMessage(obs backend.Observation, completed *metav1.Condition) string {
	if degraded := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionDegraded); degraded != nil && degraded.Status == metav1.ConditionTrue {
		if validated := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionValidated); validated != nil && validated.Status == metav1.ConditionFalse {
			return degraded.Message + ": " + validated.Message
		}
		return degraded.Message
	}
	return completed.Message
}
