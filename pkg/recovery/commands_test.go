// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestShellQuote: a name from a journal cannot become a second command where a user pastes it.
func TestShellQuote(t *testing.T) {
	for text, want := range map[string]string{
		"west": "west", "arn:aws:eks:eu-1:1:cluster/west": "arn:aws:eks:eu-1:1:cluster/west", "": "''",
		"a; rm -rf ~": "'a; rm -rf ~'", "$(id)": "'$(id)'", "it's": `'it'\''s'`, "a b": "'a b'", "x;y": "'x;y'",
	} {
		if got := recovery.ShellQuote(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
