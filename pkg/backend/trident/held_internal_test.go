// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import "testing"

// TestReplicationsOfAllNamespaces: PVCs of one name in two namespaces are two PVCs.
func TestReplicationsOfAllNamespaces(t *testing.T) {
	mirror := func(namespace, name string) Mirror {
		m := Mirror{Spec: MirrorSpec{State: promoted, VolumeMappings: []VolumeMapping{{LocalPVCName: "data"}}}}
		m.Namespace, m.Name = namespace, name
		m.Status.Conditions = []MirrorCondition{{State: promoted}}
		return m
	}
	for _, r := range replicationsOf([]Mirror{mirror("one", "data"), mirror("two", "data")}) {
		if r.NotAdoptable != "" {
			t.Errorf("%s: %s", r.Object.GetNamespace(), r.NotAdoptable)
		}
	}
	for _, r := range replicationsOf([]Mirror{mirror("one", "data"), mirror("one", "again")}) {
		if want := "PVC data is in 2 objects of its kind; Trident serves only one"; r.NotAdoptable != want {
			t.Errorf("%q, want %q", r.NotAdoptable, want)
		}
	}
}
