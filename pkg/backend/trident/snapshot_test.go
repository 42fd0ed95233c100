// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// TestMoment: a snapshot of the group counts when it has a part of every volume, and not before.
func TestGroupSnapshot(t *testing.T) {
	g := group(vgrv1.Primary, "")
	g.Class.Parameters = map[string]string{vgrv1.ParameterGroupSnapshots: "true"}
	g.SnapshotRequest = "op/snapshot-0"
	volumes := []volume{
		{member: backend.Member{PVC: "data", Handle: "pvc-1"}, mirrors: []*Mirror{mirrorOf(promoted, promoted)}},
		{member: backend.Member{PVC: "logs", Handle: "pvc-2"}, mirrors: []*Mirror{mirrorOf(promoted, promoted)}},
	}
	broken := newGroupSnapshot(g)
	broken.Status = &GroupSnapshotStatus{}
	broken.Status.Error = &struct {
		Message string `json:"message,omitempty"`
	}{"no such class"}
	other := g
	other.SnapshotRequest = "op/snapshot-1"
	if newGroupSnapshot(g).Name == newGroupSnapshot(other).Name {
		t.Error("two requests have the same snapshot")
	}
	for name, tc := range map[string]struct {
		m       groupSnapshot
		done    bool
		recheck bool
		problem string
	}{
		"not asked for yet":   {groupSnapshot{}, false, true, ""},
		"not ready":           {groupSnapshot{object: newGroupSnapshot(g)}, false, true, ""},
		"failed":              {groupSnapshot{object: broken}, false, true, "no such class"},
		"without the kind":    {groupSnapshot{absent: "this cluster has none"}, false, false, "this cluster has none"},
		"one part is missing": {groupSnapshot{object: newGroupSnapshot(g), handles: map[string]string{"pvc-1": "pvc-1/s"}}, false, false, "no snapshot of PVC logs"},
		"complete":            {groupSnapshot{object: newGroupSnapshot(g), handles: map[string]string{"pvc-1": "pvc-1/s", "pvc-2": "pvc-2/s"}}, true, false, ""},
	} {
		obs := observe(g, volumes)
		observeGroupSnapshot(g, volumes, tc.m, &obs)
		said := ""
		if obs.Problem != nil {
			said = obs.Problem.Message
		}
		if done := obs.SnapshotRequest == g.SnapshotRequest; done != tc.done || (obs.Recheck > 0) != tc.recheck || !strings.Contains(said, tc.problem) || tc.problem == "" && said != "" {
			t.Errorf("%s: done %v, recheck %s, problem %q", name, done, obs.Recheck, said)
		}
		if named := obs.Volumes[0].SnapshotHandle != ""; named != tc.done {
			t.Errorf("%s: snapshot %q", name, obs.Volumes[0].SnapshotHandle)
		}
	}
}

// TestPromoteAtSnapshot: a copy is promoted at the snapshot that it was told of, and not before that has
// come through; Trident would fail for good.
func TestPromoteAtSnapshot(t *testing.T) {
	g := group(vgrv1.Primary, "")
	g.PeerSnapshots = map[string]string{"data": "pvc-1/s"}
	v := volume{member: backend.Member{PVC: "data"}, mirrors: []*Mirror{mirrorOf(established, established)}}
	if spec, problem := decide(g, v); problem == nil {
		t.Errorf("it asks for %+v without the snapshot", spec)
	}
	v.updates = []*Update{transfer(g, "op/1", succeeded, "")}
	if spec, problem := decide(g, v); problem == nil {
		t.Errorf("it asks for %+v after an update to another moment", spec)
	}
	v.updates[0].Spec.SnapshotHandle = "pvc-1/s"
	spec, problem := decide(g, v)
	if problem != nil || spec == nil || spec.VolumeMappings[0].PromotedSnapshotHandle != "pvc-1/s" {
		t.Errorf("it asks for %+v, problem %v", spec, problem)
	}
	v.mirrors[0].Spec = *spec
	back := group(vgrv1.Secondary, vgrv1.PeerPrimary)
	if spec, problem = decide(back, v); problem != nil || spec == nil || spec.VolumeMappings[0].PromotedSnapshotHandle != "" {
		t.Errorf("to follow again it asks for %+v, problem %v", spec, problem)
	}
}
