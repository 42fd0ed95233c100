// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// guard puts into a group what its backend may not be asked for. It is pure.
func guard(s target, g *backend.Group) {
	g.Changed = changedOutside(s)
	if g.State == vgrv1.Primary && !state.MayPromote(s.obj, s.status) {
		if g.Unconfirmed = g.Changed; g.Unconfirmed == nil {
			g.Unconfirmed = notConfirmed(s)
		}
	}
	if g.State != vgrv1.Primary && !mayHandOver(s) {
		g.Undirected = undirected(s)
	}
	g.Copy = isCopy(s.status, g.Members)
	if s.status.ObservedGeneration == 0 {
		g.Since = s.obj.GetCreationTimestamp()
	}
}

// mayHandOver reports whether a demotion may give the role to the peer: the write that requests it must
// confirm that the peer was checked, or the guard is off.
func mayHandOver(s target) bool {
	return state.IsBound(s.obj) || s.obj.GetAnnotations()[vgrv1.AnnotationPromotion] == vgrv1.PromotionUnguarded
}

// undirected returns what to say of a demotion that would hand the role over.
func undirected(s target) *backend.Problem {
	return backend.Problemf(vgrv1.ReasonRoleDiffers,
		"with this storage a demotion is a failover to the other site, which only kubectl vgr can check, so the backend is asked for nothing; %s, or set spec.replicationState to primary",
		remedy(s, "the context of the other cluster", ""))
}

// isCopy reports whether the volumes are a copy of the peer's: by their last role, or by the marks of
// those that were prepared as copies.
func isCopy(st *vgrv1.ReplicationStatus, members []backend.Member) bool {
	role := st.LastRole
	if role == "" {
		role = st.State // an older controller remembers no role
	}
	return role == vgrv1.StateSecondary || role != vgrv1.StatePrimary && slices.ContainsFunc(members, func(m backend.Member) bool { return m.Copy })
}

// changedOutside returns what to say when the backend plays another role than the one that it has confirmed for
// the present spec; nil when it has confirmed none, or is asked to try again.
func changedOutside(s target) *backend.Problem {
	st := s.status
	if st.ConfirmedGeneration != s.obj.GetGeneration() || st.ConfirmedRetry != s.obj.GetAnnotations()[vgrv1.AnnotationRetry] {
		return nil
	}
	return backend.Problemf(vgrv1.ReasonRoleChangedOutside,
		"the backend had confirmed %s, and its role was changed outside of this object since; the controller does not change it back by itself; %s",
		s.state, accept(s))
}

// accept returns the commands that keep a role which was changed outside, or give it back.
func accept(s target) string {
	if s.owner.Kind == backend.VolumeReplicationKind {
		role := vgrv1.Primary
		if s.state == vgrv1.Primary {
			role = vgrv1.Secondary
		}
		return fmt.Sprintf("set spec.replicationState to %s to keep the new role", role)
	}
	command := func(verb string) string {
		return fmt.Sprintf("kubectl vgr %s %s -n %s --context SITE", verb, s.owner.Name, s.owner.Namespace)
	}
	const here = " (SITE is the context of this cluster)"
	if s.state == vgrv1.Primary {
		return "if the other site is primary now, run " + command("demote") + here + "; if none is, run " + command("promote")
	}
	return "if this site is to be primary and the other one is not, run " + command("promote") + here + "; if the other site is primary, run " +
		strings.Replace(command("reprotect"), "--context", "--discard-site", 1) + ", which discards what only this site has"
}

// notConfirmed returns what to say of a promotion that nothing permits.
func notConfirmed(s target) *backend.Problem {
	return backend.Problemf(vgrv1.ReasonPromotionNotConfirmed,
		"nothing that was written with the spec confirms that the peer has given up the role of primary, so the backend is asked for nothing; %s; the annotation %s: %s has every request for primary obeyed",
		remedy(s, "the context of this cluster", vgrv1.PeerDemoted), vgrv1.AnnotationPromotion, vgrv1.PromotionUnguarded)
}

// remedy returns the command that moves the role with what it needs to know of the peer. Nothing of ours moves a single
// volume: there the user says what the peer is, once for this generation.
func remedy(s target, site string, peer vgrv1.PeerState) string {
	if s.owner.Kind == backend.VolumeReplicationKind {
		command := fmt.Sprintf("kubectl -n %s annotate --overwrite volumereplications.replication.unified.io %s %s=%s", s.owner.Namespace, s.owner.Name,
			vgrv1.AnnotationBoundTo, state.Bound(s.obj, s.obj.GetGeneration()))
		if peer == "" {
			return "if you have checked that: " + command
		}
		return fmt.Sprintf("if it has: %s %s=%s/checked", command, vgrv1.AnnotationPeer, peer)
	}
	return fmt.Sprintf("run kubectl vgr failover %s -n %s --to SITE (SITE is %s)", s.owner.Name, s.owner.Namespace, site)
}
