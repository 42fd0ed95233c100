// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// TestRequests: a change of a backend's object wakes whom the backend names: its owners, or those that want its PVCs.
func TestRequests(t *testing.T) {
	named := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: name} }
	group := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: named("orders")}
	single := backend.Owner{Kind: backend.VolumeReplicationKind, NamespacedName: named("one")}
	b := NewBackends(nil)
	b.serve(group.Kind, nil, func(_ context.Context, claim client.ObjectKey) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: named("wants-" + claim.Name)}}
	})
	b.serve(single.Kind, nil, func(context.Context, client.ObjectKey) []reconcile.Request { return nil })
	labelled := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: group.Labels()}}
	for name, tc := range map[string]struct {
		watch         backend.Watch
		obj           client.Object
		group, single []string
	}{
		"by its labels":   {backend.Watch{}, labelled, []string{"orders"}, nil},
		"nobody's":        {backend.Watch{}, &corev1.ConfigMap{}, nil, nil},
		"by what it says": {backend.Watch{Owners: func(context.Context, client.Object) []backend.Owner { return []backend.Owner{single} }}, labelled, nil, []string{"one"}},
		"by its PVCs": {backend.Watch{Claims: func(context.Context, client.Object) []types.NamespacedName {
			return []types.NamespacedName{named("a"), named("b")}
		}}, labelled, []string{"wants-a", "wants-b"}, nil},
		"that has no claim": {backend.Watch{Claims: func(context.Context, client.Object) []types.NamespacedName { return nil }}, labelled, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, want := range map[backend.OwnerKind][]string{group.Kind: tc.group, single.Kind: tc.single} {
				var got []string
				for _, r := range b.requests(tc.watch, kind)(t.Context(), tc.obj) {
					got = append(got, r.Name)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

// TestNotListed: only what a watch begins with is left out.
func TestNotListed(t *testing.T) {
	p := notListed()
	for what, tc := range map[string]struct{ got, want bool }{
		"was there":  {p.Create(event.CreateEvent{IsInInitialList: true}), false},
		"is created": {p.Create(event.CreateEvent{}), true},
		"changes":    {p.Update(event.UpdateEvent{}), true},
		"is deleted": {p.Delete(event.DeleteEvent{}), true},
	} {
		if tc.got != tc.want {
			t.Errorf("what %s: passed %v, want %v", what, tc.got, tc.want)
		}
	}
}
