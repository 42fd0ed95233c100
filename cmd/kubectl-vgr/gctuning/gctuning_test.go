// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gctuning

import (
	"os"
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
	collect := func() {
		t.Helper()
		for range 1000 {
			runtime.GC()
			if percent() == usual {
				return
			}
			runtime.Gosched()
		}
		t.Fatalf("after all these collections %d", percent())
	}
	if os.Getenv("GOGC") == "" {
		collect() // what the start of the test has done
	}
	wait()
	if p := percent(); p != later {
		t.Errorf("at first %d", p)
	}
	collect()
}
