// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

type workflow struct {
	Permissions *map[string]string `json:"permissions"`
	Jobs        map[string]struct {
		Steps []struct {
			Uses string         `json:"uses"`
			Run  string         `json:"run"`
			With map[string]any `json:"with"`
		} `json:"steps"`
	} `json:"jobs"`
}

// TestWorkflows: every action is pinned to a commit, no workflow has the default permissions, and every file that is
// published has been attested.
func TestWorkflows(t *testing.T) {
	paths, err := filepath.Glob("../../.github/workflows/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	pinned := regexp.MustCompile(`^[\w-]+/[\w/-]+@[0-9a-f]{40}$`)
	var attested, published []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if w.Permissions == nil {
			t.Errorf("%s takes the default permissions", path)
		}
		for name, job := range w.Jobs {
			for _, step := range job.Steps {
				if step.Uses != "" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s, job %s: %s is not pinned to a commit", path, name, step.Uses)
				}
				if subject, ok := step.With["subject-path"].(string); ok && strings.HasPrefix(step.Uses, "actions/attest-build-provenance@") {
					attested = append(attested, subject)
				}
				if strings.HasPrefix(step.Run, "gh release create") {
					published = slices.DeleteFunc(strings.Fields(step.Run), func(word string) bool { return !strings.HasPrefix(word, "dist/") })
				}
			}
		}
	}
	if len(attested) != 1 || len(published) == 0 {
		t.Fatalf("attested: %q, published: %q", attested, published)
	}
	for _, file := range published {
		if ok, err := filepath.Match(attested[0], strings.ReplaceAll(file, "*", "x")); err != nil || !ok {
			t.Errorf("%s is published, and %s does not attest it: %v", file, attested[0], err)
		}
	}
}
