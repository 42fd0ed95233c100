// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// TestScreen: what is made visible is what JSON has for it; of colours, ours stay.
func TestScreen(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b[31mred\x1b[0m":      "\x1b[31mred\x1b[0m",
		"\x1b[41mground\x1b[m":    `\u001b[41mground\u001b[m`,
		"\x1b[1;31mboth":          `\u001b[1;31mboth`,
		"\x1b]0;\x1b[31m\x07":     "\\u001b]0;\x1b[31m\\u0007",
		"\x1b\x1b[0m":             "\\u001b\x1b[0m",
		"\u009b31m":               `\u009b31m`,
		"line\n\tmore":            "line\n\tmore",
		"\U000e0041\u115f\u2029é": `\udb40\udc41\u115f\u2029é`,
	} {
		if got := present.Screen(text, true); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if got := present.Screen(text, false); strings.Contains(got, "\x1b") {
			t.Errorf("without colours %q becomes %q", text, got)
		}
		var back string
		quoted := `"` + strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(present.Visible(text)) + `"`
		if err := json.Unmarshal([]byte(quoted), &back); err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}
