// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// TestOthersMirrors: a relationship that a controller keeps is never handed over.
func TestOthersMirrors(t *testing.T) {
	for want, meta := range map[string]metav1.ObjectMeta{
		"": {Labels: map[string]string{"app": "db"}},
		"App x controls it; two controllers would manage one volume":                                                                     {OwnerReferences: []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "App", Name: "x", Controller: new(true)}}},
		"Trident Protect (owner AppMirrorRelationship shop) controls it; two controllers would manage one volume":                        {OwnerReferences: []metav1.OwnerReference{{APIVersion: "protect.trident.netapp.io/v1", Kind: "AppMirrorRelationship", Name: "shop"}}},
		"Trident Protect (label protect.trident.netapp.io/app-mirror-relationship) controls it; two controllers would manage one volume": {Labels: map[string]string{"protect.trident.netapp.io/app-mirror-relationship": "shop"}},
	} {
		m := Mirror{ObjectMeta: meta, Spec: MirrorSpec{State: promoted, VolumeMappings: []VolumeMapping{{LocalPVCName: "data"}}}}
		m.Status.Conditions = []MirrorCondition{{State: promoted}}
		if got := replicationsOf([]Mirror{m})[0].NotAdoptable; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if h := heldBy(&m); h.Migrates != (want == "") || h.Open != (want == "") {
			t.Errorf("%q: %+v", want, h)
		}
	}
}
