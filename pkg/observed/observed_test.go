// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package observed

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestLimited: a text fits, and stays text.
func TestLimited(t *testing.T) {
	for _, limit := range []int{4, 5, 6, 7, 8, 1024} {
		got := Limited(strings.Repeat("ä", 1000), limit)
		if len(got) > limit || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("limit %d: %d bytes, %q", limit, len(got), got)
		}
	}
	if got := Limited("short", 5); got != "short" {
		t.Errorf("got %q", got)
	}
}
