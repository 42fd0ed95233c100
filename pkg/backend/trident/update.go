// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// updateName returns that of the transfer for a request. A request that is to be tried again has another
// one, since the request is another one then.
func updateName(g backend.Group, pvc string) string {
	return named(pvc, g.SyncRequest+"\x00"+g.RequestID)
}

// named returns a name that begins like another one and differs for every text.
func named(base, text string) string {
	const longest = 253 - 1 - 8
	return base[:min(len(base), longest)] + "-" + short(text)
}

// short tells texts apart in eight characters.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// update returns the transfer that is to be asked for now: nil when none is, or was asked for already. It
// is pure.
func update(g backend.Group, v volume) *Update {
	m := v.mirror()
	if g.State != vgrv1.Secondary || g.SyncRequest == "" || m == nil || !reached(g, v) || fulfilled(g, v) || asked(g, v) != nil {
		return nil
	}
	return &Update{
		TypeMeta: metav1.TypeMeta{APIVersion: groupVersion.String(), Kind: updateKind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: g.Owner.Namespace, Name: updateName(g, v.member.PVC), Labels: g.Owner.Labels(),
			Annotations: map[string]string{vgrv1.AnnotationSyncRequest: g.SyncRequest},
		},
		Spec: UpdateSpec{MirrorName: m.Name, SnapshotHandle: g.PeerSnapshots[v.member.PVC]},
	}
}

// asked returns the transfer for the present request; nil before it was asked for.
func asked(g backend.Group, v volume) *Update {
	for _, u := range v.updates {
		if u.Name == updateName(g, v.member.PVC) {
			return u
		}
	}
	return nil
}

// fulfilled reports whether a transfer for the present request has come through.
func fulfilled(g backend.Group, v volume) bool {
	for _, u := range v.updates {
		if u.Status.State == succeeded && u.Annotations[vgrv1.AnnotationSyncRequest] == g.SyncRequest {
			return true
		}
	}
	return false
}

// outdated returns our transfers for earlier requests, once there is one for the present request that has
// come through: Trident never removes any.
func outdated(g backend.Group, v volume) []*Update {
	if g.SyncRequest == "" || !fulfilled(g, v) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.updates), func(u *Update) bool {
		return !g.Owner.Owns(u) || u.Annotations[vgrv1.AnnotationSyncRequest] == g.SyncRequest
	})
}

// lastSync returns a time before which all that was written on the peer is here: the transfer that came
// through took a snapshot after it was asked for. Nil when no transfer is known; those of the schedule
// are not shown by Trident.
func lastSync(v volume) *metav1.Time {
	var last *metav1.Time
	for _, u := range v.updates {
		if u.Status.State == succeeded && u.Spec.SnapshotHandle == "" && (last == nil || last.Before(&u.CreationTimestamp)) {
			last = &u.CreationTimestamp
		}
	}
	return last
}

// unfulfilled explains a transfer that has failed; nil when none has.
func unfulfilled(g backend.Group, v volume) *backend.Problem {
	u := asked(g, v)
	if g.SyncRequest == "" || u == nil || u.Status.State != failedUpdate || fulfilled(g, v) {
		return nil
	}
	return backend.Problemf(vgrv1.ReasonBackendError, "the update of PVC %s has failed: %s; set the annotation %s to a new value to retry",
		v.member.PVC, cmp.Or(u.Status.Message, "without a message"), vgrv1.AnnotationRetry)
}
