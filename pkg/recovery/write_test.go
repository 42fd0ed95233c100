// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// TestConfirmedPeer: what an earlier write told of the peer does not count again with a later one.
func TestConfirmedPeer(t *testing.T) {
	g := newWorld(backend.Traits{PromoteFirst: true}, recovery.Planned, 0).groups[west].DeepCopy()
	g.Annotations = map[string]string{vgrv1.AnnotationPeer: "primary/old-1", vgrv1.AnnotationPeerHandles: `{"data":"old"}`, vgrv1.AnnotationBoundTo: "west/0"}
	w := recovery.Write{RequestSync: "op/0", PeerSnapshots: map[string]string{"data": "s"}, Operation: recovery.Operation{ID: "op"}}
	if err := w.Apply(g); err != nil {
		t.Fatal(err)
	}
	if !state.IsBound(g) || state.Peer(g) != "" || g.Annotations[vgrv1.AnnotationPeerHandles] != "" {
		t.Errorf("told: %v", g.Annotations)
	}
}
