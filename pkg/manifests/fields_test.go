// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// older returns a CRD from before status remembered roles.
func older(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "before-the-guard", "replication.unified.io_"+name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestCRDsOnlyGrow: no version takes off a field that an earlier one had, so that an older controller works with newer
// CRDs, and install may take every field that it does not know for one of a newer version.
func TestCRDsOnlyGrow(t *testing.T) {
	now, err := CRDs()
	if err != nil || len(now) != 4 {
		t.Fatal(len(now), err)
	}
	for _, crd := range now {
		plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
		was := older(t, plural)
		if lost := Lacks(crd, was); len(lost) > 0 {
			t.Errorf("%s has lost %q", plural, lost)
		}
		if grown := Lacks(was, crd); plural == "volumegroupreplications" && !slices.Equal(grown, []string{
			"status.confirmedGeneration", "status.confirmedRetry", "status.demotedAfterSync", "status.lastRole", "status.stateSince",
			"status.syncTimeBefore", "status.volumes[].capacityBytes", "status.volumes[].followedHandle",
		}) {
			t.Errorf("%s has %q more", plural, grown)
		}
	}
}
