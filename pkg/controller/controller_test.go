// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// TestSplit: an error that passes is tried again, whatever it was joined with.
func TestSplit(t *testing.T) {
	refusal, passing := backend.Problemf("VolumeConflict", "taken"), errors.New("timeout")
	for name, tc := range map[string]struct {
		err     error
		refused bool
		passing bool
	}{
		"nothing":            {nil, false, false},
		"a refusal":          {refusal, true, false},
		"a wrapped refusal":  {fmt.Errorf("volume: %w", refusal), true, false},
		"an error":           {passing, false, true},
		"both":               {errors.Join(passing, refusal), true, true},
		"both, nested":       {errors.Join(nil, errors.Join(refusal), errors.Join(refusal, passing)), true, true},
		"refusals only":      {errors.Join(refusal, refusal), true, false},
		"both in one format": {fmt.Errorf("%w and %w", refusal, passing), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := split(tc.err)
			if (got != nil) != tc.refused || errors.Is(err, passing) != tc.passing || !tc.passing && err != nil {
				t.Errorf("got %v and %v", got, err)
			}
		})
	}
}

// TestLimited: a text fits, and stays text.
func TestLimited(t *testing.T) {
	for _, limit := range []int{4, 5, 6, 7, 8, 1024} {
		got := limited(strings.Repeat("ä", 1000), limit)
		if len(got) > limit || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("limit %d: %d bytes, %q", limit, len(got), got)
		}
	}
	if got := limited("short", 5); got != "short" {
		t.Errorf("got %q", got)
	}
}
