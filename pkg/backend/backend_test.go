// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// TestOwners: who owns an object hears of it and finds it, each time in the same way, whatever labels others have put
// on it.
func TestOwners(t *testing.T) {
	name := types.NamespacedName{Namespace: "shop", Name: "db"}
	group := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: name}
	volume := backend.Owner{Kind: backend.VolumeReplicationKind, NamespacedName: name}
	const managed, ours = vgrv1.LabelManagedBy, vgrv1.ManagedByController
	for what, tc := range map[string]struct {
		labels map[string]string
		owners []backend.Owner
	}{
		"a group's":       {group.Labels(), []backend.Owner{group}},
		"a volume's":      {volume.Labels(), []backend.Owner{volume}},
		"of both":         {map[string]string{managed: ours, vgrv1.LabelGroup: "db", vgrv1.LabelVolumeReplication: "db"}, []backend.Owner{group, volume}},
		"somebody else's": {map[string]string{managed: "me", vgrv1.LabelGroup: "db"}, nil},
		"nobody's":        {nil, nil},
	} {
		obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Labels: tc.labels}}
		var keys []string
		for _, o := range tc.owners {
			keys = append(keys, string(o.Kind)+"/db")
		}
		for range 20 { // it must not hang on the order of a map
			if diff := cmp.Diff(tc.owners, backend.OwnersOf(obj)) + cmp.Diff(keys, backend.OwnerKeys(obj)); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", what, diff)
			}
		}
	}
}
