// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asPlugin is the variable that has the test be the plugin.
const asPlugin = "VGR_TEST_IS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestGarbage: a small command ends before anything is collected, also while packages begin.
func TestGarbage(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		env       string
		collected bool
	}{{"GOGC=", false}, {"GOGC=50", true}} {
		cmd := exec.CommandContext(t.Context(), self, "version", "--client")
		cmd.Env = append(os.Environ(), asPlugin+"=1", "GODEBUG=gctrace=1", tc.env)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "kubectl vgr") || strings.Contains(string(out), "gc 1 @") != tc.collected {
			t.Errorf("%q: %v\n%s", tc.env, err, out)
		}
	}
}
