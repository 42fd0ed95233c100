// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package garbage

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// TestWait: the first collection brings Go's own pace back.
func TestWait(t *testing.T) {
	percent := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	wait()
	if p := percent(); p != later {
		t.Errorf("at first %d", p)
	}
	for percent() != usual { // if it never is, the test's time ends it
		runtime.GC()
		runtime.Gosched()
	}
}
