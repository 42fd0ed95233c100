// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package docs_test holds the documentation against the tree.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// named is a file or folder of ours in backquotes.
	named = regexp.MustCompile("`((?:cmd|docs|hack|krew-manifest|pkg|plugin)/[A-Za-z0-9_./-]+)`")
	// link is a link that leads to a file.
	link = regexp.MustCompile(`\]\(([A-Za-z0-9_./-]+)(?:#[a-z0-9-]*)?\)`)
)

// pages are the pages that users and developers read, by their paths from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all[file] = string(text)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

// TestPaths: every file and folder that a page names is there, except in the changelog, which tells of the past.
func TestPaths(t *testing.T) {
	for page, text := range pages(t) {
		if filepath.Base(page) == "CHANGELOG.md" {
			continue
		}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names %s: %v", page, m[1], err)
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

// TestArchitecture: the page names every package that a newcomer has to find first.
func TestArchitecture(t *testing.T) {
	text := pages(t)[filepath.Join("..", "docs", "architecture.md")]
	for _, name := range []string{
		"plugin/plugin.go", "plugin/command", "plugin/site", "plugin/collect", "plugin/operate", "plugin/present", "plugin/tui",
		"pkg/recovery", "pkg/overview", "pkg/state", "pkg/controller", "pkg/backend",
	} {
		if !strings.Contains(text, "`"+name) {
			t.Errorf("docs/architecture.md does not name %s", name)
		}
	}
}
