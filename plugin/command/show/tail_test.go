// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"strings"
	"testing"
)

// TestTail: of a command that says very much the end is kept, in whole lines, and of others everything.
func TestTail(t *testing.T) {
	for _, lines := range []int{0, 1, 100, 100_000} {
		var said tail
		for i := range lines {
			fmt.Fprintf(&said, "line %d\n", i)
		}
		if n := len(said.kept); n > 2*mostSaid+100 {
			t.Errorf("%d lines: %d bytes are kept", lines, n)
		}
		var b strings.Builder
		if _, err := said.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if lines > 0 && got[len(got)-1] != fmt.Sprintf("line %d", lines-1) {
			t.Errorf("%d lines: it ends with %q", lines, got[len(got)-1])
		}
		if whole := lines <= 100; whole != !strings.HasPrefix(b.String(), "(what came before") || whole && lines > 0 && len(got) != lines || !whole && !strings.HasPrefix(got[1], "line ") {
			t.Errorf("%d lines: it begins with %q", lines, got[:min(len(got), 2)])
		}
	}
}
