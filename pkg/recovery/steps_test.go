// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestPlans has the plan of every kind of operation with every kind of backend.
func TestPlans(t *testing.T) {
	demoted := []recovery.StepTimes{{ID: recovery.StepDemote, Asked: true}}
	ops := map[string]recovery.Operation{
		"planned, taken back before the demotion": {Kind: recovery.Planned, Aborting: true},
		"planned":                        {Kind: recovery.Planned},
		"planned, taken back":            {Kind: recovery.Planned, Aborting: true, Steps: demoted},
		"unplanned":                      {Kind: recovery.Unplanned},
		"failback":                       {Kind: recovery.Failback},
		"failback, something to discard": {Kind: recovery.Failback, Discard: true},
		"planned, quiesced":              {Kind: recovery.Planned, Quiesce: true, Start: true, Stopped: stopped[:1]},
		"planned, quiesced, taken back":  {Kind: recovery.Planned, Aborting: true, Steps: demoted, Quiesce: true, Start: true, Stopped: stopped[:1]},
		"planned, VirtualMachines": {Kind: recovery.Planned, Quiesce: true, Start: true, Stopped: []recovery.StoppedWorkload{
			stopped[0], {Cluster: sites[east].Cluster, Kind: recovery.VirtualMachine, Name: "vm", Replicas: 1, RunStrategy: "RerunOnFailure"},
		}},
		"planned, nothing to quiesce":   {Kind: recovery.Planned, Quiesce: true},
		"promotion":                     {Kind: recovery.Promote},
		"promotion, forced":             {Kind: recovery.Promote, Force: true},
		"demotion":                      {Kind: recovery.Demote},
		"demotion, forced":              {Kind: recovery.Demote, Force: true},
		"demotion, taken back":          {Kind: recovery.Demote, Aborting: true, Steps: demoted},
		"demotion of a spec":            {Kind: recovery.Demote, SpecOnly: true},
		"resync":                        {Kind: recovery.Resync, Discard: true},
		"unplanned, workloads are owed": {Kind: recovery.Unplanned, Start: true, Stopped: stopped[:1]},
		"failback, quiesced":            {Kind: recovery.Failback, Discard: true, Quiesce: true, Start: true, Stopped: stopped},
	}
	var b strings.Builder
	for _, storage := range slices.Sorted(maps.Keys(storages)) {
		for _, name := range slices.Sorted(maps.Keys(ops)) {
			op := ops[name]
			op.From, op.To, op.Snapshot = sites[east], sites[west], storage == bySnapshot
			fmt.Fprintf(&b, "%s: %s\n", storage, name)
			for i, s := range recovery.Steps(op, storages[storage]) {
				fmt.Fprintf(&b, "  %d %-12s %-4s  %s\n%22suntil %s\n", i+1, s.ID, s.Site.Name, s.Does, "", s.Proof)
			}
		}
	}
	golden.Compare(t, "plans.golden", b.String())
}
