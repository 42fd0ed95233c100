// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// TestCRDs compares ours with Trident's own, where those are at hand.
func TestCRDs(t *testing.T) {
	entries, err := CRDs.ReadDir("crds")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "trident") {
			continue
		}
		ours, err := CRDs.ReadFile("crds/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "crds", "trident", "trident.netapp.io_"+e.Name()))
		if err != nil {
			t.Skip("Trident's CRDs are not at hand: ", err)
		}
		var crds [2]apiextensionsv1.CustomResourceDefinition
		for i, text := range [][]byte{theirs, ours} {
			if err := yaml.UnmarshalStrict(text, &crds[i]); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(crds[0], crds[1]); diff != "" {
			t.Errorf("%s (- Trident's, + ours):\n%s", e.Name(), diff)
		}
	}
}
