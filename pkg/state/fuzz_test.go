// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state_test

import (
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// FuzzInterval: an interval is a second at least, and three of it are a duration still: that is where a lag
// becomes a problem.
func FuzzInterval(f *testing.F) {
	for _, seed := range []string{"5m", "2h", "1d", "1d12h", "300s", "1h30m", "", "m", "0m", "-5m", "+5m", "5", "99999999999m", "2147483647d", "1d-1h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := state.Interval(text)
		if ok != (d >= time.Second) {
			t.Errorf("%q: %s, %v", text, d, ok)
		}
		if 3*d/3 != d {
			t.Errorf("%q: 3 times %s is %s", text, d, 3*d)
		}
	})
}
