// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/version"
)

// TestImage: a released plugin needs no --image, a mirror keeps the digest, and a plugin from source asks.
func TestImage(t *testing.T) {
	const released = "ghcr.io/unified-replication/vgr-controller@sha256:0123"
	for name, tt := range map[string]struct {
		in       installation
		released string
		want     string
	}{
		"released":                   {released: released, want: released},
		"released, another one":      {in: installation{image: "mine:v2"}, released: released, want: "mine:v2"},
		"a mirror":                   {in: installation{registry: "registry.example.com:5000"}, released: released, want: "registry.example.com:5000/vgr-controller@sha256:0123"},
		"a mirror with a path":       {in: installation{registry: "registry.example.com/a/b/"}, released: released, want: "registry.example.com/a/b/vgr-controller@sha256:0123"},
		"both":                       {in: installation{image: "mine:v2", registry: "registry.example.com"}, released: released},
		"from source":                {},
		"from source, with a mirror": {in: installation{registry: "registry.example.com"}},
		"from source, an image":      {in: installation{image: "mine:v2"}, want: "mine:v2"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.in.imageOf(version.Info{Version: "v1", Image: tt.released})
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
