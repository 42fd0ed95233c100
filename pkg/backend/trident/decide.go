// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package trident drives NetApp Trident (trident.netapp.io): one TridentMirrorRelationship for each
// PVC of a group.
//
// Three facts shape it. Trident fences nothing: a promotion leaves the source writable. It cannot
// demote either: a volume that was written to follows its peer only by giving up all that it alone
// has. And its status is written when a state changes and never again, so that it proves what was,
// not what is.
package trident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// States of a Mirror; the spec can ask for the first three.
const (
	promoted       = "promoted"
	established    = "established"
	reestablished  = "reestablished"
	establishing   = "establishing"
	reestablishing = "reestablishing"
	failed         = "failed"
	invalid        = "invalid"
)

// Class parameters.
const (
	replicationPolicy   = "replicationPolicy"
	replicationSchedule = "replicationSchedule"
	groupSnapshotClass  = "volumeGroupSnapshotClassName"
	// synchronous is the policy whose mirrors Trident refuses to update.
	synchronous = "Sync"
)

func follows(state string) bool { return state == established || state == reestablished }

// volume is one PVC of a group with the Mirrors that name it, of which Trident serves only one, and
// the Updates of those.
type volume struct {
	member  backend.Member
	mirrors []*Mirror
	updates []*Update
	// native is true when no controller of ours manages the Mirrors.
	native bool
}

func (v volume) mirror() *Mirror {
	if len(v.mirrors) != 1 {
		return nil
	}
	return v.mirrors[0]
}

// decide says what a volume's Mirror is to ask for: nil when that is so already, or a problem when it
// may not be asked for. It is pure.
func decide(g backend.Group, v volume) (*MirrorSpec, *backend.Problem) {
	if len(v.mirrors) > 1 {
		var names []string
		for _, m := range v.mirrors {
			names = append(names, m.Name)
		}
		slices.Sort(names)
		return nil, backend.Problemf(vgrv1.ReasonObjectConflict, "PVC %s is in %d objects of kind %s (%s); Trident serves only one", v.member.PVC, len(names), mirrorKind, strings.Join(names, ", "))
	}
	if m := v.mirror(); m != nil && !m.DeletionTimestamp.IsZero() {
		return nil, ends(g, m, v.member.PVC)
	}
	if m := v.mirror(); m != nil && hasRole(g, asksFor(m)) {
		return retrySpec(g, m), nil
	}
	if problem := refused(g, v); problem != nil {
		return nil, problem
	}
	if g.State == vgrv1.Primary {
		return promoteSpec(g, v)
	}
	return follow(g, v)
}

// ends says what the deletion of a volume's Mirror leads to, and what it waits for.
func ends(g backend.Group, m *Mirror, pvc string) *backend.Problem {
	then := "the copy becomes writable and gets no more updates; a new copy needs a new PVC"
	if g.State == vgrv1.Primary {
		then = "the controller creates it again once it is gone"
	}
	return backend.Problemf(vgrv1.ReasonBackendError, "%s %s is being deleted, which ends the replication of PVC %s: %s%s", mirrorKind, m.Name, pvc, then, state.WaitsFor(". It waits for ", m))
}

// refused returns why a volume must not change its role, or get one.
func refused(g backend.Group, v volume) *backend.Problem {
	m := v.mirror()
	if m == nil {
		return g.Begin()
	}
	is := fmt.Sprintf("%s %s asks for %s", mirrorKind, m.Name, cmp.Or(asksFor(m), "nothing"))
	if g.State != vgrv1.Primary && g.Changed != nil { // to follow discards what the volume alone has
		return g.Changed.Of(is)
	}
	return g.Switch(asksFor(m) == promoted, m.CreationTimestamp, is)
}

// promoteSpec makes a volume writable. Its Mirror publishes the handle by which the peer can follow it. Where it
// is to go back to a snapshot, that must have come through: else Trident fails for good.
func promoteSpec(g backend.Group, v volume) (*MirrorSpec, *backend.Problem) {
	if m := v.mirror(); m != nil {
		spec := m.DeepCopy().Spec
		spec.State = promoted
		switch snapshot := g.PeerSnapshots[v.member.PVC]; {
		case len(g.PeerSnapshots) == 0 || len(spec.VolumeMappings) == 0:
		case snapshot == "" || !arrived(v, snapshot):
			return nil, backend.Problemf(vgrv1.ReasonProgressing, "PVC %s is to be promoted at a snapshot of the group, which has not come through to it", v.member.PVC)
		default:
			spec.VolumeMappings[0].PromotedSnapshotHandle = snapshot
		}
		return &spec, nil
	}
	return &MirrorSpec{
		State:               promoted,
		ReplicationPolicy:   g.Class.Parameters[replicationPolicy],
		ReplicationSchedule: g.Class.Parameters[replicationSchedule],
		VolumeMappings:      []VolumeMapping{{LocalPVCName: v.member.PVC}},
	}, nil
}

// follow has a volume replicate from its peer. One that was writable loses all that it alone has, so
// the request must confirm that the peer was seen as primary.
func follow(g backend.Group, v volume) (*MirrorSpec, *backend.Problem) {
	m := v.mirror()
	if m == nil {
		return nil, backend.Problemf(vgrv1.ReasonBackendError,
			"PVC %s has no %s; a volume can only follow when that was there before its PVC, which kubectl vgr create --peer-context sees to", v.member.PVC, mirrorKind)
	}
	handle, known := g.PeerHandles[v.member.PVC], m.said().RemoteVolumeHandle
	switch {
	case g.Peer != vgrv1.PeerPrimary:
		return nil, backend.Problemf(vgrv1.ReasonProgressing,
			"PVC %s is writable; to follow the peer discards the writes that only it has, which kubectl vgr failover or failback sees to", v.member.PVC)
	case handle == "":
		return nil, backend.Problemf(vgrv1.ReasonProgressing, "the peer has not reported the handle of its volume for PVC %s", v.member.PVC)
	case known != "" && known != handle:
		return nil, backend.Problemf(vgrv1.ReasonObjectConflict,
			"%s %s was made to follow %s, which Trident does not let change; the peer's volume is %s now", mirrorKind, m.Name, known, handle)
	default:
		return &MirrorSpec{
			State:               reestablished,
			ReplicationPolicy:   m.Spec.ReplicationPolicy,
			ReplicationSchedule: m.Spec.ReplicationSchedule,
			VolumeMappings:      []VolumeMapping{{LocalPVCName: v.member.PVC, RemoteVolumeHandle: handle}},
		}, nil
	}
}
