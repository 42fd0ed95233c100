// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"io"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// History tells operations with their steps.
func History(w io.Writer, ops []recovery.Operation) {
	for i := range ops {
		op := &ops[i]
		result := string(op.Result)
		if op.InFlight() {
			result = "in flight, held by " + op.Holder
		}
		fmt.Fprintf(w, "%s  %s  %s  by %s\n", op.Started.UTC().Format(time.RFC3339), Clean(op.String()), Clean(result), Clean(op.By))
		if d, ok := op.Duration(); ok {
			fmt.Fprintf(w, "  primary after %s; data loss: %s\n", d.Round(100*time.Millisecond), Clean(Loss(*op)))
			for _, line := range LossByVolume(*op) {
				fmt.Fprintf(w, "    %s\n", Clean(line))
			}
		}
		for _, x := range op.Stopped {
			at := op.From.Name
			if x.Cluster == op.To.Cluster {
				at = op.To.Name
			}
			fmt.Fprintf(w, "  stopped on %s: %s\n", Clean(at), Clean(x.String()))
		}
		for _, s := range op.Steps {
			took := "not finished"
			if s.Finished != nil {
				took = s.Finished.Sub(s.Started.Time).Round(100 * time.Millisecond).String()
			}
			fmt.Fprintf(w, "  %-12s  %s  %s\n", Clean(string(s.ID)), s.Started.UTC().Format("15:04:05.0"), took)
		}
	}
}

// Loss returns what an operation loses, as far as it is known.
func Loss(op recovery.Operation) string {
	switch {
	case op.Kind == recovery.Unplanned && op.LastSync != nil:
		return fmt.Sprintf("what %s wrote after %s", op.From.Name, op.LastSync.UTC().Format(time.RFC3339))
	case op.Kind == recovery.Unplanned:
		return fmt.Sprintf("what %s wrote and never sent to %s; how much is not known", op.From.Name, op.To.Name)
	case op.Kind == recovery.Promote && op.Force:
		return fmt.Sprintf("the writes that only %s has, if any", op.From.Name)
	case op.Discard && op.LastSync != nil:
		return fmt.Sprintf("what %s wrote after %s", op.To.Name, op.LastSync.UTC().Format(time.RFC3339))
	case op.Discard:
		return fmt.Sprintf("what %s wrote and never sent to %s", op.To.Name, op.From.Name)
	default:
		return "none"
	}
}

// LossByVolume returns the PVCs that lose something else.
func LossByVolume(op recovery.Operation) []string {
	var lines []string
	for _, v := range op.VolumeSyncs {
		if v.LastSync == nil {
			lines = append(lines, v.Name+": how much is not known")
		} else {
			lines = append(lines, fmt.Sprintf("%s: after %s", v.Name, v.LastSync.UTC().Format(time.RFC3339)))
		}
	}
	return lines
}
