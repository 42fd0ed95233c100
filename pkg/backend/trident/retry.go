// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"cmp"
	"strings"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Trident leaves what has failed as it is until the spec changes. To have it tried again a Mirror asks
// for nothing for a moment, which Trident answers with invalid and does nothing about, and then for
// the same as before. The answer in between is waited for: without it a second failure could not be
// told from the first.

// annotationLastApplied on a Mirror is the request of the group that it was last written for, and the state that
// it is to be in: "<hash>/<state>". Older controllers read it too, so it keeps its name.
const annotationLastApplied = "replication.unified.io/told"

func lastApplied(m *Mirror) (request, state string) {
	request, state, _ = strings.Cut(m.Annotations[annotationLastApplied], "/")
	return request, state
}

func requestOf(g backend.Group) string { return short(g.RequestID) }

// asksFor returns the state that a Mirror is to be in, also while it asks for nothing.
func asksFor(m *Mirror) string {
	_, state := lastApplied(m)
	return cmp.Or(m.Spec.State, state)
}

// retrying is true from the moment in which a Mirror asks for nothing, until Trident has answered what
// it asks for then.
func retrying(m *Mirror) bool {
	_, state := lastApplied(m)
	return state != "" && (m.Spec.State == "" || m.said().State == invalid && m.said().ObservedGeneration < m.Generation)
}

// retrySpec returns the next write of a retry: nil when none is due. There is one for each request.
func retrySpec(g backend.Group, m *Mirror) *MirrorSpec {
	spec := m.DeepCopy().Spec
	request, state := lastApplied(m)
	switch {
	case m.Spec.State == "" && m.said().State == invalid:
		spec.State = state
	case m.Spec.State != "" && m.said().State == failed && request != requestOf(g):
		spec.State = ""
	default:
		return nil
	}
	return &spec
}

// hasRole reports whether a Mirror that asks for a state plays the group's role.
func hasRole(g backend.Group, state string) bool {
	if g.State == vgrv1.Primary {
		return state == promoted
	}
	return follows(state)
}
