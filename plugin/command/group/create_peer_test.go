// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestUnlikeClaim: what exists on the peer is kept when it is what would be made, so that a create that
// was cut short can be run again, and refused when it is something else.
func TestUnlikeClaim(t *testing.T) {
	claim := func(volume, mirror string) *corev1.PersistentVolumeClaim {
		pvc := &corev1.PersistentVolumeClaim{}
		pvc.Spec.VolumeName = volume
		if mirror != "" {
			pvc.Annotations = map[string]string{"mirror": mirror}
		}
		return pvc
	}
	bound := claim("pv-1", "data")
	bound.Annotations["pv.kubernetes.io/bind-completed"] = "yes"
	labelled := claim("pv-1", "")
	labelled.Annotations = map[string]string{"team": "db"}
	for name, tc := range map[string]struct {
		wanted, there *corev1.PersistentVolumeClaim
		want          string
	}{
		"the same volume":             {claim("pv-1", ""), claim("pv-1", ""), ""},
		"an annotation of a user":     {labelled, claim("pv-1", ""), ""},
		"another volume":              {claim("pv-1", ""), claim("pv-2", ""), "bound to another volume"},
		"Pending":                     {claim("pv-1", ""), claim("", ""), "bound to no volume, and the copy is pv-1"},
		"a volume the driver made":    {claim("", "data"), bound, ""},
		"not bound to any volume yet": {claim("", "data"), claim("", "data"), ""},
	} {
		got := unlike(tc.wanted, tc.there)
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
