// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Write is one change of the group on one site.
type Write struct {
	Site SiteRef
	// ResourceVersion is what was observed; the write must fail when the group has changed since.
	ResourceVersion string
	// State is the new spec.replicationState; empty leaves it.
	State vgrv1.ReplicationState
	// AutoResync is the new spec.autoResync; nil leaves it.
	AutoResync *bool
	// Peer is what is known of the other copy, for backends that act on it.
	Peer vgrv1.PeerState
	// PeerHandles are the peer's volumes, for backends that have to be told; nil leaves them.
	PeerHandles map[string]string
	// RequestSync asks for an update of the copy, under this name; empty for none.
	RequestSync string
	// RequestSnapshot asks for a snapshot of all volumes, under this name; empty for none.
	RequestSnapshot string
	// PeerSnapshots are the peer's snapshots that the update ends at; nil for the present. They are
	// forgotten with the next State, unless KeepSnapshots is set, and when the operation is over.
	PeerSnapshots map[string]string
	KeepSnapshots bool
	// Scale is for workloads; nothing of the group is changed then.
	Scale []Scale
	// Operation is the journal as it is to be written.
	Operation Operation
}

// Apply makes the change to an object, which must be the one that was observed.
func (w Write) Apply(g *vgrv1.VolumeGroupReplication) error {
	generation := g.Generation
	if w.State != "" && w.State != g.Spec.ReplicationState || w.AutoResync != nil && !ptr.Equal(w.AutoResync, g.Spec.AutoResync) {
		generation++ // the API server counts changes of the spec
	}
	w.clearStale(g)
	if w.State != "" && generation == g.Generation { // else the controller takes it for what the backend has confirmed already
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationRetry, fmt.Sprintf("%s-%d", w.Operation.ID, w.Operation.Revision))
	}
	if w.State != "" {
		g.Spec.ReplicationState = w.State
	}
	if w.AutoResync != nil {
		g.Spec.AutoResync = w.AutoResync
	}
	if err := w.annotate(g); err != nil {
		return err
	}
	if w.confirms() {
		g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, generation)
	}
	if err := archive(g, w.Operation); err != nil {
		return err
	}
	data, err := json.Marshal(w.Operation)
	g.Annotations[vgrv1.AnnotationOperation] = string(data)
	return err
}

// clearStale takes off what an earlier write told and asked for, which must not count again.
func (w Write) clearStale(g *vgrv1.VolumeGroupReplication) {
	stale := w.confirms() && !state.IsBound(g)
	over := w.Operation.Result != "" // or a promotion would go back to what is left of it
	for annotation, gone := range map[string]bool{
		vgrv1.AnnotationPeer:            stale || w.State != "",
		vgrv1.AnnotationPeerHandles:     stale,
		vgrv1.AnnotationPeerSnapshots:   over || w.RequestSync != "" || !w.KeepSnapshots && (stale || w.State != ""),
		vgrv1.AnnotationSnapshotRequest: over || w.State != "",
	} {
		if gone {
			delete(g.Annotations, annotation)
		}
	}
}

// annotate writes what is known of the peer, and what is asked of the backend.
func (w Write) annotate(g *vgrv1.VolumeGroupReplication) error {
	if g.Annotations == nil {
		g.Annotations = map[string]string{}
	}
	told := map[string]string{vgrv1.AnnotationSyncRequest: w.RequestSync, vgrv1.AnnotationSnapshotRequest: w.RequestSnapshot}
	if w.Peer != "" {
		told[vgrv1.AnnotationPeer] = fmt.Sprintf("%s/%s-%d", w.Peer, w.Operation.ID, w.Operation.Revision)
	}
	for annotation, byPVC := range map[string]map[string]string{vgrv1.AnnotationPeerHandles: w.PeerHandles, vgrv1.AnnotationPeerSnapshots: w.PeerSnapshots} {
		if len(byPVC) == 0 {
			continue
		}
		text, err := json.Marshal(byPVC)
		if err != nil {
			return err
		}
		told[annotation] = string(text)
	}
	for annotation, text := range told {
		if text != "" {
			g.Annotations[annotation] = text
		}
	}
	return nil
}

// confirms reports whether the write says anything of the peer. That counts for the generation that the
// write makes, and for no later one.
func (w Write) confirms() bool {
	return w.State != "" || w.Peer != "" || len(w.PeerHandles) > 0 || len(w.PeerSnapshots) > 0
}
