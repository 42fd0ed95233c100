// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// ending is how it ended for one group.
type ending struct {
	namespace, name string
	// op is what was done; nil when nothing was begun.
	op  *recovery.Operation
	err error
}

func worstEnding(all []ending) error {
	var errs []error
	for _, o := range all {
		if o.err != nil {
			errs = append(errs, o.err)
		}
	}
	return failure.Worst(errs)
}

// result is how it ended in one word.
func (o ending) result() string {
	switch {
	case o.err == nil && o.op.Result == recovery.Aborted:
		return "taken back"
	case o.err == nil && o.op.Kind == recovery.Promote:
		return "promoted"
	case o.err == nil && o.op.Kind == recovery.Demote:
		return "demoted"
	case o.err == nil && o.op.Kind == recovery.Resync:
		return "resynced"
	case o.err == nil:
		return "moved"
	}
	switch failure.Code(o.err) {
	case failure.CodeRefused:
		return "refused"
	case failure.CodeTimeout:
		return "timed out"
	case failure.CodeInterrupted:
		return "interrupted"
	case failure.CodeUnreachable:
		return "unreachable"
	default:
		return "failed"
	}
}

// sentence is how it ended for a group alone.
func (o ending) sentence() string {
	switch {
	case o.op.Result == recovery.Aborted && o.op.Kind == recovery.Promote:
		return fmt.Sprintf("was not promoted on %s; the promotion was taken back", o.op.To.Name)
	case o.op.Result == recovery.Aborted:
		return fmt.Sprintf("is primary on %s again; the operation was taken back", o.op.From.Name)
	case o.op.Kind == recovery.Demote && o.op.SpecOnly:
		return fmt.Sprintf("is secondary on %s, and its spec says so again", o.op.From.Name)
	case o.op.Kind == recovery.Demote:
		return fmt.Sprintf("is secondary on %s; no site can write until one is promoted", o.op.From.Name)
	case o.op.Kind == recovery.Resync:
		return fmt.Sprintf("follows %s on %s; lost: %s", o.op.From.Name, o.op.To.Name, present.Loss(*o.op))
	}
	text := "is primary on " + o.op.To.Name
	if d, ok := o.op.Duration(); ok {
		text += fmt.Sprintf(" after %s", d.Round(100*time.Millisecond))
	}
	return text + "; lost: " + present.Loss(*o.op)
}

// row is how it ended for one of many: group, result, primary, after, lost. What is not known of a
// group that did not get there is not told.
func (o ending) row() []string {
	row := []string{o.namespace + "/" + o.name, o.result(), "-", "-", "-"}
	if o.err != nil {
		return row
	}
	if o.op.Result == recovery.Aborted {
		return append(row[:2], o.op.From.Name, "-", "nothing")
	}
	row[2], row[4] = o.op.To.Name, present.Loss(*o.op)
	switch o.op.Kind {
	case recovery.Demote:
		row[2] = "-"
	case recovery.Resync:
		row[2] = o.op.From.Name
	default:
	}
	if d, ok := o.op.Duration(); ok {
		row[3] = d.Round(100 * time.Millisecond).String()
	}
	return row
}

// summarize prints how it ended: a table for many groups, with the reasons below it.
func summarize(e *Env, all []ending) error {
	if len(all) == 1 {
		if o := all[0]; o.err == nil {
			fmt.Fprintf(e.Out, "volumegroupreplication.replication.unified.io/%s\n", present.Clean(o.name+" "+o.sentence()))
		}
		return nil
	}
	style, err := e.style()
	if err != nil {
		return err
	}
	var rows [][]string
	done := 0
	for _, o := range all {
		rows = append(rows, o.row())
		if o.err == nil {
			done++
		}
	}
	if err := present.Rows(e.Out, style, []string{"GROUP", "RESULT", "PRIMARY", "AFTER", "LOST"}, rows); err != nil {
		return err
	}
	for _, o := range all {
		if o.err != nil {
			fmt.Fprintf(e.ErrOut, "%s: %s\n", o.result(), present.Clean(o.err.Error()))
		}
	}
	if done < len(all) {
		fmt.Fprintf(e.ErrOut, "%d of %d groups are done\n", done, len(all))
	}
	return nil
}
