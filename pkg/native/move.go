// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package native

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// kept are the annotations of kubectl vgr on the objects of a backend.
func kept() []string {
	return []string{vgrv1.AnnotationOperation, vgrv1.AnnotationHistory, vgrv1.AnnotationRemembered, vgrv1.AnnotationWave}
}

// keptOf returns those of an object.
func keptOf(annotations map[string]string) map[string]string {
	var out map[string]string
	for _, name := range kept() {
		if text, ok := annotations[name]; ok {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = text
		}
	}
	return out
}

// movable reports whether the commands that change roles may work on the objects of a group, and why not where no other tool
// decides over them. A command must find the same object again under the same name, also while one site is down.
func (p paired) movable(key types.NamespacedName, alone bool, sites []Site) (may bool, why string) {
	var first *entry
	for i, e := range p.entries {
		switch {
		case e == nil && len(p.entries) > 1 && sites[i].Listed != nil:
			why = "no object on " + sites[i].Name + " is known to be of the same volumes"
		case e == nil:
		case !e.Bare || e.Keeper != "":
			return false, ""
		case first != nil && first.identity() != e.identity():
			why = fmt.Sprintf("the object is %s %s on %s, and %s %s on %s", first.Kind, first.Group.Owner.NamespacedName, sites[first.site].Name, e.Kind, e.Group.Owner.NamespacedName, sites[e.site].Name)
		case e.Group.Owner.NamespacedName != key || !alone:
			first, why = e, "another group has the same name"
		case first == nil:
			first = e
		case !slices.Equal(first.claims(), e.claims()):
			why = "the PVCs have other names on the other site"
		}
	}
	if p.unproven != "" {
		why = p.unproven
	}
	return why == "", why
}

// claims are the names of the PVCs.
func (e *entry) claims() []string {
	var out []string
	for _, m := range e.Group.Members {
		out = append(out, m.PVC)
	}
	slices.Sort(out)
	return out
}

// Recalled returns a group whose status says no more of its role than what is proven.
func Recalled(g *vgrv1.VolumeGroupReplication, u state.Unwatched) *vgrv1.VolumeGroupReplication {
	out := g.DeepCopy()
	u.Recall(out)
	return out
}

// Change returns what an object of a backend is to be changed to, from the version that was seen: its role, the journal and
// what is remembered, in one patch. Of all else that a write says, a backend's own object knows nothing.
func Change(seen, wanted *vgrv1.VolumeGroupReplication, u state.Unwatched, now metav1.Time) (after *vgrv1.VolumeGroupReplication, patch []byte, err error) {
	after = wanted.DeepCopy()
	after.Annotations = keptOf(after.Annotations)
	if err := u.Remember(seen, after, now); err != nil {
		return nil, nil, err
	}
	annotations, spec := map[string]any{}, map[string]any{}
	for _, name := range kept() {
		switch text, ok := after.Annotations[name]; {
		case ok:
			annotations[name] = text
		case seen.Annotations[name] != "":
			annotations[name] = nil
		}
	}
	if after.Spec.ReplicationState != seen.Spec.ReplicationState {
		spec["replicationState"] = after.Spec.ReplicationState
	}
	if after.Spec.AutoResync != nil && (seen.Spec.AutoResync == nil || *after.Spec.AutoResync != *seen.Spec.AutoResync) {
		spec["autoResync"] = *after.Spec.AutoResync
	}
	metadata := map[string]any{"uid": seen.UID, "annotations": annotations}
	if seen.ResourceVersion != "" {
		metadata["resourceVersion"] = seen.ResourceVersion
	}
	body := map[string]any{"metadata": metadata}
	if len(spec) > 0 {
		body["spec"] = spec
	}
	patch, err = json.Marshal(body)
	return after, patch, err
}

// named counts the groups of each name, over all kinds and both sites.
func named(sites []Site, pairs []paired) map[types.NamespacedName]int {
	out := map[types.NamespacedName]int{}
	for _, s := range sites {
		for _, key := range s.Taken {
			out[key]++
		}
	}
	for _, p := range pairs {
		keys := map[types.NamespacedName]bool{}
		for _, e := range p.entries {
			if e != nil {
				keys[e.Group.Owner.NamespacedName] = true
			}
		}
		for key := range maps.Keys(keys) {
			out[key]++
		}
	}
	return out
}
