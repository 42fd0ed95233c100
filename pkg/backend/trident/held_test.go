// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
)

// TestUnlike: a Mirror that was left over and follows another volume is never kept: the copy would be of that one.
func TestUnlike(t *testing.T) {
	mirror := func(state, pvc, handle string) *trident.Mirror {
		m := &trident.Mirror{Spec: trident.MirrorSpec{State: state, VolumeMappings: []trident.VolumeMapping{{LocalPVCName: pvc, RemoteVolumeHandle: handle}}}}
		m.Name = "data"
		return m
	}
	claim := &corev1.PersistentVolumeClaim{}
	claim.Name, claim.Annotations = "data", map[string]string{"trident.netapp.io/mirrorRelationship": "data"}
	other := claim.DeepCopy()
	other.Annotations = nil
	said := func(m *trident.Mirror, state, handle string) *trident.Mirror {
		m.Status.Conditions = []trident.MirrorCondition{{State: state, RemoteVolumeHandle: handle}}
		return m
	}
	wanted := []client.Object{mirror("established", "data", "svm:data"), claim}
	draft := []client.Object{mirror("established", "data", ""), claim}
	for name, tc := range map[string]struct {
		wanted, there []client.Object
		want          string
	}{
		"nothing is there":               {wanted, []client.Object{nil, nil}, ""},
		"the same":                       {wanted, []client.Object{mirror("established", "data", "svm:data"), claim}, ""},
		"the same, moved before":         {wanted, []client.Object{mirror("reestablished", "data", "svm:data"), claim}, ""},
		"another volume":                 {wanted, []client.Object{mirror("established", "data", "svm:old"), claim}, "follows svm:old, the volume of PVC data is svm:data"},
		"another PVC":                    {wanted, []client.Object{mirror("established", "log", "svm:data"), nil}, "is for PVC log, not data"},
		"promoted":                       {wanted, []client.Object{mirror("promoted", "data", "svm:data"), claim}, "asks for promoted"},
		"a PVC without its Mirror":       {wanted, []client.Object{nil, claim}, "PVC data exists without a TridentMirrorRelationship"},
		"before the handle is known":     {draft, []client.Object{mirror("established", "data", "svm:data"), claim}, ""},
		"promoted, before it is known":   {draft, []client.Object{mirror("promoted", "data", "svm:data"), claim}, "asks for promoted"},
		"a Mirror that has no PVC yet":   {wanted, []client.Object{mirror("established", "data", "svm:data"), nil}, ""},
		"it names no volume to follow":   {wanted, []client.Object{mirror("established", "data", ""), nil}, "svm:data"},
		"a source that follows":          {wanted, []client.Object{said(mirror("reestablished", "data", "svm:data"), "reestablished", "svm:data"), other}, ""},
		"one that is to follow":          {wanted, []client.Object{said(mirror("reestablished", "data", "svm:data"), "reestablishing", "svm:data"), other}, ""},
		"one that follows another":       {wanted, []client.Object{said(mirror("reestablished", "data", "svm:data"), "reestablished", "svm:old"), other}, "follows svm:old, the volume of PVC data is svm:data"},
		"one that Trident refuses":       {wanted, []client.Object{said(mirror("established", "data", "svm:data"), "invalid", "svm:data"), other}, "PVC data was not made as the copy of TridentMirrorRelationship data, of which Trident says \"invalid\""},
		"a Mirror made after its PVC":    {wanted, []client.Object{mirror("established", "data", "svm:data"), other}, "PVC data was not made as the copy"},
		"a source, before the handle":    {draft, []client.Object{said(mirror("reestablished", "data", "svm:data"), "reestablished", "svm:data"), other}, ""},
		"without a PVC, before a handle": {draft, []client.Object{nil, claim}, "exists without"},
	} {
		got := trident.Profile().Unlike(tc.wanted, tc.there)
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
