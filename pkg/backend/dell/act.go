// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// annotationIntent on a replication group is the action that we asked for last. It is written
// together with the action, so that there is no moment at which one is known without the other.
const annotationIntent = "replication.unified.io/intent"

// intent is an action with what it was for.
type intent struct {
	// RequestID is the backend.Group's; the same action is never requested twice for one. Older controllers read
	// it too, so it keeps its name.
	RequestID string `json:"wish"`
	Action    string `json:"action"`
	// Before is the time of the replication group's last action when this one was asked for. Another
	// one there means that an action has ended since; no two clocks are compared.
	Before string `json:"before"`
}

func intentOf(rg *ReplicationGroup) intent {
	var i intent
	if json.Unmarshal([]byte(rg.Annotations[annotationIntent]), &i) != nil {
		return intent{}
	}
	return i
}

func lastActionTime(rg *ReplicationGroup) string {
	if t := rg.Status.LastAction.Time; t != nil {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return ""
}

// ask writes the action and the intent in one patch.
func (a *Adapter) ask(ctx context.Context, rg *ReplicationGroup, i intent) error {
	before := rg.DeepCopy()
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	if rg.Annotations == nil {
		rg.Annotations = map[string]string{}
	}
	rg.Annotations[annotationIntent] = string(text)
	rg.Spec.Action = i.Action
	return a.client.Patch(ctx, rg, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// Link states, as the sidecar writes them.
const (
	linkSynchronized = "SYNCHRONIZED"
	linkSyncing      = "SYNC_IN_PROGRESS"
	linkSuspended    = "SUSPENDED"
	linkFailedOver   = "FAILEDOVER"
	linkInvalid      = "INVALID"
	linkUnknown      = "UNKNOWN"
	linkEmpty        = "EMPTY"
)

// busy returns the action that is under way; empty when there is none.
func busy(rg *ReplicationGroup) string {
	if rg.Spec.Action != "" {
		return rg.Spec.Action
	}
	action, _ := strings.CutSuffix(rg.Status.State, "_IN_PROGRESS")
	if action == rg.Status.State {
		return ""
	}
	return action
}

// fresh reports whether the array was heard of lately. A time to come is no better than one that is long ago:
// by a clock that is so wrong, an array that fell silent would be believed until then.
func (in reading) fresh() bool {
	last := in.rg.Status.ReplicationLinkState.LastSuccessfulUpdate
	return last != nil && in.now.Sub(last.Time).Abs() <= freshFor
}

// need is what has to be done for a request.
type need struct {
	// action is to be asked for; asked is true when it was already, for this request.
	action string
	asked  bool
	// problem is why the request cannot be fulfilled from here.
	problem *backend.Problem
}

// refused returns why the array must not be asked to change the roles.
func refused(in reading) *backend.Problem {
	called := replicationGroupKind + " " + in.rg.Name
	switch stateOf(in) {
	case vgrv1.StatePrimary:
		// A hand-over cannot be undone. With the link failed over, a failover may be on its way.
		if in.group.State != vgrv1.Primary && in.group.Changed != nil && in.rg.Status.ReplicationLinkState.State != linkFailedOver {
			return in.group.Changed.Of(called + " is the source")
		}
		return in.group.Switch(true, metav1.Time{}, called+" is the source") // the array's role is never the group's doing
	case vgrv1.StateSecondary:
		return in.group.Switch(false, metav1.Time{}, called+" is the target")
	default:
		return nil
	}
}

// handsOver reports whether a source is asked to hand over, and its link can do so.
func handsOver(in reading) bool {
	link := in.rg.Status.ReplicationLinkState
	return in.group.State == vgrv1.Secondary && link.IsSource && in.group.Peer != vgrv1.PeerLost &&
		slices.Contains([]string{linkSynchronized, linkSyncing}, link.State)
}

// decide finds the action that brings the group where it is to be. It is pure, and asks for nothing
// unless what is known of the link is fresh and says that the action makes sense.
func decide(in reading) need {
	link := in.rg.Status.ReplicationLinkState
	if busy(in.rg) != "" {
		return need{}
	}
	n := need{problem: refused(in)}
	if n.problem != nil {
		return n
	}
	switch {
	case in.group.State == vgrv1.Primary && link.IsSource:
		// The peer's own writes are lost by this, so the request must confirm that there are none, or
		// that they may go.
		may := in.group.Peer == vgrv1.PeerDemoted || in.group.Peer == vgrv1.PeerDiscarded
		if link.State == linkFailedOver && may {
			n.action = reprotectLocal
		}
	case in.group.State == vgrv1.Primary && in.group.Peer == vgrv1.PeerLost && in.group.Unconfirmed == nil:
		n.action = unplannedFailoverLocal
	case handsOver(in):
		if n.action = failoverRemote; in.group.Undirected != nil {
			return need{problem: in.group.Undirected.Of(replicationGroupKind + " " + in.rg.Name + " is the source")}
		}
	}
	if n.action == "" {
		return n
	}
	was := intentOf(in.rg)
	n.asked = was.RequestID == in.group.RequestID && was.Action == n.action
	if !n.asked && !in.fresh() && n.action != unplannedFailoverLocal {
		n.problem = stale(in.rg)
	}
	return n
}
