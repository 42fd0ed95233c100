// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site_test

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// TestRelay: what a login plugin prints is shown, but not megabytes of it; what it says last is shown at the end.
func TestRelay(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"little":  {`echo open https://sso.example.com; echo session expired`, "open https://sso.example.com\nsession expired\n"},
		"nothing": {"true", ""},
		"much": {
			`head -c 3000000 /dev/zero | tr '\0' x; echo; echo session expired`,
			strings.Repeat("x", 16<<10) + "\n… (the login plugin printed more)\nsession expired\n",
		},
	} {
		var out bytes.Buffer
		file, closed, err := site.Relay(&out)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", tc.script)
		cmd.Stdout = file
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		closed()
		if out.String() != tc.want {
			t.Errorf("%s: %d bytes, ends with %.200q", name, out.Len(), out.String()[max(0, out.Len()-200):])
		}
	}
}

// TestRelayLeft: a plugin that is left behind does not hold up the end of the command.
func TestRelayLeft(t *testing.T) {
	file, closed, err := site.Relay(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	closed()
	if err := cmd.Process.Kill(); err != nil { // it still runs
		t.Error(err)
	}
	_ = cmd.Wait()
}
