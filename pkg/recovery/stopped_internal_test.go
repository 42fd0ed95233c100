// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import "testing"

// TestStoppedOnAnUnknownCluster: a cluster that is not known is not the same as another one that is not known.
func TestStoppedOnAnUnknownCluster(t *testing.T) {
	w := Workload{Kind: "statefulset", Name: "db", Replicas: 3}
	op := &Operation{Stopped: []StoppedWorkload{{Kind: w.Kind, Name: w.Name, Replicas: 3}}}
	if got := op.stopped("", w); got != nil {
		t.Errorf("stopped: %v", got)
	}
	if got := op.toStart(); len(got) != 0 {
		t.Errorf("to start: %v", got)
	}
	op.Stopped = nil
	if op.toStop(&Site{Usage: &Usage{Workloads: []Workload{w}}}); len(op.Stopped) != 0 {
		t.Errorf("to stop: %v", op.Stopped)
	}
}
