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

// TestGarbage: the package begins before the one that allocates most.
func TestGCTuning(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "version", "--client")
	cmd.Env = append(os.Environ(), asPlugin+"=1", "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	ours, theirs := strings.Index(string(out), "kubectl-vgr/gctuning @"), strings.Index(string(out), "init k8s.io/client-go/kubernetes/scheme @")
	if err != nil || !strings.Contains(string(out), "kubectl vgr") || ours < 0 || theirs < ours {
		t.Errorf("%v: the package is at %d of the trace, the scheme of client-go at %d", err, ours, theirs)
	}
}
