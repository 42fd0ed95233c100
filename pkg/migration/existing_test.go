// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migration_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
)

// TestNamesOnThePeer: copies with other names are refused, from whichever side it is looked.
func TestNamesOnThePeer(t *testing.T) {
	mirror := func(namespace, pvc, handle, peer string) backend.Replication {
		return backend.Replication{Object: &trident.Mirror{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pvc}}, PVC: pvc, Handle: handle, PeerHandle: peer}
	}
	const other = "PVC mydata in namespace prod is PVC mydatadst in namespace prod on west; a group pairs PVCs by their names: make a copy with the same name first"
	const elsewhere = "PVC mydata in namespace prod is PVC mydata in namespace dr on west; a group pairs PVCs by their names: make a copy with the same name first"
	for name, tc := range map[string]struct {
		here, there backend.Replication
		want        []string
	}{
		"the same":               {mirror("prod", "mydata", "e:1", ""), mirror("prod", "mydata", "w:1", "e:1"), nil},
		"another, of a source":   {mirror("prod", "mydata", "e:1", ""), mirror("prod", "mydatadst", "w:1", "e:1"), []string{other}},
		"another, of a copy":     {mirror("prod", "mydata", "e:1", "w:1"), mirror("prod", "mydatadst", "w:1", ""), []string{other}},
		"another namespace":      {mirror("prod", "mydata", "e:1", ""), mirror("dr", "mydata", "w:1", "e:1"), []string{elsewhere}},
		"another volume":         {mirror("prod", "mydata", "e:1", ""), mirror("prod", "mydatadst", "w:1", "e:2"), nil},
		"nothing is known of it": {mirror("prod", "mydata", "", ""), mirror("prod", "mydatadst", "", ""), nil},
	} {
		v := migration.FromReplication(tc.here, "g", map[string]string{})
		if v.ComparePeer("west", []backend.Replication{tc.there}); !slices.Equal(v.Problems, tc.want) {
			t.Errorf("%s: %q", name, v.Problems)
		}
	}
}
