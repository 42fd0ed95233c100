// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestDiffer: only a PVC of both sites is compared.
func TestDiffer(t *testing.T) {
	volume := func(name, handle string) vgrv1.VolumeStatus {
		return vgrv1.VolumeStatus{Name: name, VolumeHandle: handle}
	}
	here := []vgrv1.VolumeStatus{volume("a", "1"), volume("b", "2")}
	for name, tc := range map[string]struct {
		there []vgrv1.VolumeStatus
		want  bool
	}{
		"the same":     {[]vgrv1.VolumeStatus{volume("b", "2"), volume("a", "1")}, false},
		"fewer":        {[]vgrv1.VolumeStatus{volume("b", "2")}, false},
		"another one":  {[]vgrv1.VolumeStatus{volume("a", "1"), volume("b", "3")}, true},
		"another name": {[]vgrv1.VolumeStatus{volume("a", "1"), volume("c", "2")}, false},
	} {
		if got := differ(here, tc.there); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
