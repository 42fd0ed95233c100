// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package version_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/unified-replication/kubectl-vgr/pkg/version"
)

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		"v0.1.0": "v0.1.0", "v0.0.0-20261123-abc+dirty": "v0.0.0-20261123-abc_dirty", "(devel)": "devel", "v1+": "v1",
		strings.Repeat("a", 70): strings.Repeat("a", 63),
	} {
		got := version.Info{Version: in}.Label()
		if got != want || len(validation.IsValidLabelValue(got)) > 0 {
			t.Errorf("%q: got %q, want %q, a valid label", in, got, want)
		}
	}
	if v := version.Get(); v.Version == "" || len(validation.IsValidLabelValue(v.Label())) > 0 {
		t.Errorf("this build has no version that fits a label: %+v", v)
	}
}
