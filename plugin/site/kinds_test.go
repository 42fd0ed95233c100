// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestItemsOfAKind: an item of another kind in a list of groups is an error, and never "no such group".
func TestItemsOfAKind(t *testing.T) {
	item := func(kind string) vgrv1.VolumeGroupReplication {
		return vgrv1.VolumeGroupReplication{TypeMeta: metav1.TypeMeta{Kind: kind, APIVersion: vgrv1.GroupVersion.String()}}
	}
	list := func(kinds ...string) *vgrv1.VolumeGroupReplicationList {
		var l vgrv1.VolumeGroupReplicationList
		for _, kind := range kinds {
			l.Items = append(l.Items, item(kind))
		}
		return &l
	}
	known, err := newKinds(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		list *vgrv1.VolumeGroupReplicationList
		bad  bool
	}{
		"none":              {list(), false},
		"right":             {list("VolumeGroupReplication", "VolumeGroupReplication"), false},
		"without a kind":    {list("", "VolumeGroupReplication"), false}, // as built-in types are listed
		"of another kind":   {list("VolumeGroupReplication", "ConfigMap"), true},
		"of another's kind": {list("VolumeGroupReplicationList"), true},
	} {
		err := itemsAre(known.scheme, tc.list, "volumegroupreplications")
		if (err != nil) != tc.bad {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "answered with kind") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
