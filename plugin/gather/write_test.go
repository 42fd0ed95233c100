// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/unified-replication/kubectl-vgr/plugin/gather"
)

// TestWrite: only the owner reads what is written, also in a directory that was there; no text turns around what is
// beside it, and no link is followed.
func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "old")
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // what is tested
		t.Fatal(err)
	}
	pod := unstructured.Unstructured{Object: map[string]any{"kind": "Pod", "note": "a \u202egnorw\u2066 b"}}
	r := gather.Report{At: time.Unix(0, 0), Sites: []gather.Site{{Name: "east", Kinds: []gather.Kind{{Name: "pods", Objects: []unstructured.Unstructured{pod}}}}}}
	if err := gather.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, "east": 0o700, "index.html": 0o600, "east/pods.yaml": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %o, want %o", path, got, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "east", "pods.yaml"))
	if err != nil || strings.ContainsAny(string(text), "\u202e\u2066") || !strings.Contains(string(text), "u202e") {
		t.Errorf("%v: %q", err, text)
	}
	other := t.TempDir()
	if err := os.Symlink(filepath.Join(other, "victim"), filepath.Join(other, "index.html")); err != nil {
		t.Fatal(err)
	}
	if err := gather.Write(other, r); err == nil {
		t.Error("a link is followed")
	}
}
