// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

func mirrorResource() schema.GroupVersionResource {
	return groupVersion.WithResource("tridentmirrorrelationships")
}

func updateResource() schema.GroupVersionResource {
	return groupVersion.WithResource("tridentactionmirrorupdates")
}

// native finds groups in the Mirrors.
func native() *backend.Native {
	return &backend.Native{
		Kinds: []backend.NativeKind{
			{Resource: mirrorResource(), Namespaced: true, Groups: true},
			{Resource: updateResource(), Namespaced: true},
			{Resource: backend.PVCResource(), Namespaced: true, Pairs: true},
			{Resource: backend.PVResource(), Pairs: true},
		},
		Groups: nativeGroups,
	}
}

// listed are the objects of Trident on a site.
type listed struct {
	*backend.Claims
	// mirrors are by their PVCs, and updates by their Mirrors.
	mirrors map[types.NamespacedName][]*Mirror
	updates map[types.NamespacedName][]*Update
}

// nativeGroups implements backend.Native.
func nativeGroups(l backend.Listed, r backend.NativeRequest) []backend.NativeGroup {
	if len(l[mirrorResource()]) == 0 {
		return nil
	}
	in := listed{Claims: backend.ClaimsOf(l), mirrors: map[types.NamespacedName][]*Mirror{}, updates: map[types.NamespacedName][]*Update{}}
	var out []backend.NativeGroup
	var all []*Mirror
	for _, data := range l[mirrorResource()] {
		m := &Mirror{}
		if err := backend.ReadJSON(data, m); err != nil {
			if g, ok := backend.Unreadable(groupVersion, mirrorKind, data, err); ok {
				managed(&g, &metav1.PartialObjectMetadata{ObjectMeta: g.Object})
				out = append(out, g)
			}
			continue
		}
		all = append(all, m)
		claim := types.NamespacedName{Namespace: m.Namespace, Name: m.mapping().LocalPVCName}
		in.mirrors[claim] = append(in.mirrors[claim], m)
	}
	for _, data := range l[updateResource()] {
		u := &Update{}
		if backend.ReadJSON(data, u) == nil {
			key := types.NamespacedName{Namespace: u.Namespace, Name: u.Spec.MirrorName}
			in.updates[key] = append(in.updates[key], u)
		}
	}
	together, labels := map[types.NamespacedName][]*Mirror{}, map[types.NamespacedName]string{}
	for _, m := range all {
		if label, value := r.Group(m.Labels, in.Find(m.Namespace, m.mapping().LocalPVCName)); value != "" {
			key := types.NamespacedName{Namespace: m.Namespace, Name: value}
			together[key], labels[key] = append(together[key], m), label
			continue
		}
		out = append(out, in.group(backend.Owner{Kind: backend.VolumeReplicationKind, NamespacedName: types.NamespacedName{Namespace: m.Namespace, Name: m.Name}}, m))
	}
	for key, mirrors := range together {
		g := in.group(backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: key}, mirrors...)
		if g.Keeper == "" {
			g.Next = backend.Migrate(Name, labels[key])
		}
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b backend.NativeGroup) int {
		return cmp.Or(cmp.Compare(a.Group.Owner.Namespace, b.Group.Owner.Namespace), cmp.Compare(a.Group.Owner.Name, b.Group.Owner.Name))
	})
	return out
}

// managed says who manages a Mirror. Trident Protect has one of its own kind for each, which sets it back.
func managed(g *backend.NativeGroup, m *metav1.PartialObjectMetadata) {
	g.Manager, g.Owned = Name, len(backend.OwnersOf(m)) > 0
	g.Next = backend.Migrate(Name, "")
	c := metav1.GetControllerOf(m)
	if c == nil {
		return
	}
	g.Keeper = c.Kind + " " + c.Name
	api, _, _ := strings.Cut(c.APIVersion, "/")
	g.Next = func(at backend.At) string {
		return fmt.Sprintf("kubectl --context %s describe %ss.%s %s -n %s", at.Kubectl, strings.ToLower(c.Kind), api, c.Name, at.Namespace)
	}
	if c.Kind == "AppMirrorRelationship" {
		g.Manager, g.Keeper = "trident-protect", "Trident Protect's "+g.Keeper
	}
}

// roleOf returns what a Mirror asks for as a state of a group; empty when it asks for nothing that is known.
func roleOf(m *Mirror) vgrv1.ReplicationState {
	switch asks := asksFor(m); {
	case asks == promoted:
		return vgrv1.Primary
	case follows(asks):
		return vgrv1.Secondary
	default:
		return ""
	}
}

// group makes a group of Mirrors, of which there is at least one.
func (in *listed) group(owner backend.Owner, mirrors ...*Mirror) backend.NativeGroup {
	slices.SortFunc(mirrors, func(a, b *Mirror) int { return cmp.Compare(a.mapping().LocalPVCName, b.mapping().LocalPVCName) })
	first := mirrors[0]
	g := backend.NativeGroup{
		APIVersion: groupVersion.String(), Kind: mirrorKind, Object: first.ObjectMeta, Pairing: backend.ByCopies,
		Group:   backend.Group{Owner: owner, State: roleOf(first), Class: backend.Class{Provisioner: "csi.trident.netapp.io"}},
		Handles: map[string]string{}, Copies: map[string]string{},
	}
	managed(&g, &metav1.PartialObjectMetadata{ObjectMeta: first.ObjectMeta})
	var volumes []volume
	var asking, doubts []string
	alike := true
	for _, m := range mirrors {
		pvc := m.mapping().LocalPVCName
		claim := types.NamespacedName{Namespace: m.Namespace, Name: pvc}
		if slices.ContainsFunc(volumes, func(v volume) bool { return v.member.PVC == pvc }) {
			continue // two name one PVC, which the volume says
		}
		one := backend.NativeGroup{}
		managed(&one, &metav1.PartialObjectMetadata{ObjectMeta: m.ObjectMeta})
		if g.Owned = g.Owned && one.Owned; one.Manager != Name {
			g.Manager, g.Keeper, g.Next = one.Manager, one.Keeper, one.Next
		}
		v := volume{member: in.Member(m.Namespace, pvc), mirrors: in.mirrors[claim], updates: in.updates[types.NamespacedName{Namespace: m.Namespace, Name: m.Name}], native: true}
		volumes, g.Group.Members = append(volumes, v), append(g.Group.Members, v.member)
		g.Handles[pvc], g.Copies[pvc] = m.said().LocalVolumeHandle, cmp.Or(m.mapping().RemoteVolumeHandle, m.said().RemoteVolumeHandle)
		alike = alike && roleOf(m) == g.Group.State
		asking = append(asking, fmt.Sprintf("%s for %s", m.Name, cmp.Or(asksFor(m), "nothing")))
		switch {
		case pvc == "":
			doubts = append(doubts, fmt.Sprintf("%s %s names no PVC", mirrorKind, m.Name))
		case roleOf(m) == "":
			doubts = append(doubts, fmt.Sprintf("%s %s asks for %s", mirrorKind, m.Name, cmp.Or(asksFor(m), "nothing")))
		case in.Listed && in.Find(m.Namespace, pvc) == nil:
			doubts = append(doubts, fmt.Sprintf("PVC %s does not exist", pvc))
		}
	}
	g.Observation = observe(g.Group, volumes)
	if owner.Kind == backend.VolumeReplicationKind {
		g.Observation.Message = g.Observation.Volumes[0].Message
	}
	if !alike {
		doubts = append(doubts, fmt.Sprintf("the %ss ask for different roles: %s", mirrorKind, strings.Join(asking, ", ")))
	}
	if g.Unproven = strings.Join(doubts, "; "); g.Unproven != "" {
		g.Observation.Problem = nil
	}
	for _, m := range mirrors {
		if m.DeletionTimestamp != nil {
			g.Observation.Problem = backend.Problemf(vgrv1.ReasonBackendError, "%s %s is being deleted, which ends the replication%s", mirrorKind, m.Name, state.WaitsFor("; it waits for ", m))
		}
	}
	g.Since = since(mirrors)
	g.Sizes, g.Terminating = in.Sizes(g.Group.Members), in.Ending(first.Namespace, g.Group.Members)
	return g
}

// since returns when Trident last reported another state of one of the Mirrors; nil when one does not tell.
func since(mirrors []*Mirror) *metav1.Time {
	var last *metav1.Time
	for _, m := range mirrors {
		t, err := time.Parse(time.RFC3339, m.said().LastTransitionTime)
		if err != nil {
			return nil
		}
		if last == nil || t.After(last.Time) {
			last = new(metav1.NewTime(t))
		}
	}
	return last
}
