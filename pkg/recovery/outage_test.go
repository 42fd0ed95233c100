// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestOutage: an outage begins when the workloads are stopped or the source gives up its role, and ends with a primary.
func TestOutage(t *testing.T) {
	at := func(seconds int) metav1.MicroTime { return metav1.NewMicroTime(time.Unix(int64(seconds), 0)) }
	step := func(id recovery.StepID, began int, finished bool) recovery.StepTimes {
		r := recovery.StepTimes{ID: id, Started: at(began), Asked: true}
		if finished {
			r.Finished = new(at(began + 1))
		}
		return r
	}
	looked := step(recovery.StepDemote, 2, true)
	looked.Asked = false
	for name, tc := range map[string]struct {
		op    recovery.Operation
		since int64 // 0 without an outage
	}{
		"not begun":                {recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{step(recovery.StepRecord, 1, true)}}, 0},
		"demoted":                  {recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{step(recovery.StepDemote, 2, true)}}, 2},
		"stopped before":           {recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{step(recovery.StepQuiesce, 1, true), step(recovery.StepDemote, 2, false)}}, 1},
		"promoting":                {recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{step(recovery.StepDemote, 2, true), step(recovery.StepPromote, 5, false)}}, 2},
		"promoted":                 {recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{step(recovery.StepDemote, 2, true), step(recovery.StepPromote, 5, true)}}, 0},
		"being taken back":         {recovery.Operation{Kind: recovery.Planned, Aborting: true, Steps: []recovery.StepTimes{step(recovery.StepDemote, 2, true)}}, 2},
		"taken back":               {recovery.Operation{Kind: recovery.Planned, Aborting: true, Steps: []recovery.StepTimes{step(recovery.StepDemote, 2, true), step(recovery.StepRestore, 5, true)}}, 0},
		"nothing had to be asked":  {recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{looked}}, 0},
		"the source is lost":       {recovery.Operation{Kind: recovery.Unplanned, Steps: []recovery.StepTimes{step(recovery.StepDemote, 2, true)}}, 0},
		"it has ended with a fail": {recovery.Operation{Kind: recovery.Planned, Result: recovery.Aborted, Steps: []recovery.StepTimes{step(recovery.StepDemote, 2, true)}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			since, ok := tc.op.Outage()
			if ok != (tc.since != 0) || ok && since.Unix() != tc.since {
				t.Errorf("since %v, %v", since, ok)
			}
		})
	}
}
