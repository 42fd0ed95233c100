// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// ending is how it ended for one group.
type ending struct {
	namespace, name string
	// object names the backend's own object as kubectl get -o name does; empty for a group of ours.
	object string
	// op is what was done; nil when nothing was begun.
	op  *recovery.Operation
	err error
	// left is how an interruption left the group, and notStarted that nothing was written to it.
	left       string
	notStarted bool
	// readOnly says which sites took no changes.
	readOnly []string
}

// worstEnding returns the error that all end with.
func worstEnding(all []ending) error {
	var errs []error
	for _, o := range all {
		if o.err != nil {
			errs = append(errs, o.err)
		}
	}
	worst := clierror.Worst(errs)
	if len(all) > 1 && slices.ContainsFunc(all, func(o ending) bool { return o.left != "" }) {
		return interruption(all, clierror.Code(worst))
	}
	return worst
}

// interruption returns the error of several groups that were not waited for: those without a primary, and
// the commands that resume, or undo, all of them.
func interruption(all []ending, code int) error {
	var without, unknown []string
	open := 0
	for _, o := range all {
		if o.err != nil {
			open++
		}
		if o.err != nil && strings.HasSuffix(o.left, "no site is primary") {
			without = append(without, o.namespace+"/"+o.name)
		}
		if o.err != nil && strings.HasPrefix(o.left, "whether a site is primary is not known") {
			unknown = append(unknown, o.namespace+"/"+o.name)
		}
	}
	text := fmt.Sprintf("%d of %d groups are not done", open, len(all))
	if len(without) > 0 {
		text += "; no site is primary for " + strings.Join(without, ", ")
	}
	if len(unknown) > 0 {
		text += "; it is not known whether a site is primary for " + strings.Join(unknown, ", ")
	}
	next := slices.Concat(together(all, func(o ending, namespace, name string) string {
		if o.left == "" && !o.notStarted {
			return ""
		}
		return o.op.ResumeCommand(namespace, name)
	}), together(all, func(o ending, namespace, name string) string {
		if o.left == "" || o.notStarted {
			return ""
		}
		return o.op.AbortCommand(namespace, name)
	}))
	return clierror.New(code, strings.Join(next, "\n"), "%s", text)
}

// together returns one command for all groups that have the same one.
func together(all []ending, command func(o ending, namespace, name string) string) []string {
	const name = "\x00"
	several := slices.ContainsFunc(all, func(o ending) bool { return o.namespace != all[0].namespace })
	names := map[string][]string{}
	var commands []string
	for _, o := range all {
		if o.err == nil || o.op == nil {
			continue
		}
		namespace, called := o.namespace, o.name
		if several {
			namespace, called = "", o.namespace+"/"+o.name
		}
		text := command(o, namespace, name)
		if text == "" {
			continue
		}
		if names[text] == nil {
			commands = append(commands, text)
		}
		names[text] = append(names[text], called)
	}
	for i, text := range commands {
		commands[i] = strings.Replace(text, name, strings.Join(names[text], " "), 1)
	}
	return commands
}

// result returns how it ended in one word.
func (o ending) result() string {
	switch {
	case o.op != nil && o.op.Result == recovery.Aborted:
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
	if o.notStarted {
		return "not started"
	}
	switch clierror.Code(o.err) {
	case clierror.CodeRefused:
		return "refused"
	case clierror.CodeTimeout:
		return "timed out"
	case clierror.CodeInterrupted:
		return "interrupted"
	case clierror.CodeUnreachable:
		return "unreachable"
	default:
		return "failed"
	}
}

// sentence returns how it ended for a group alone.
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
		return fmt.Sprintf("follows %s on %s; data loss: %s", o.op.From.Name, o.op.To.Name, present.Loss(*o.op))
	}
	text := "is primary on " + o.op.To.Name
	if d, ok := o.op.Duration(); ok {
		text += fmt.Sprintf(" after %s", d.Round(100*time.Millisecond))
	}
	return text + "; data loss: " + present.Loss(*o.op)
}

// row returns how it ended for one of many: group, result, primary, after, lost. What is not known of a
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
func summarize(e *cli.Env, all []ending) error {
	for _, o := range all {
		for _, why := range o.readOnly {
			fmt.Fprintln(e.ErrOut, e.ErrStyle().Warn(present.Clean(fmt.Sprintf("%s/%s: %s", o.namespace, o.name, why))))
		}
	}
	if len(all) == 1 {
		if o := all[0]; o.err == nil {
			fmt.Fprintf(e.Out, "%s%s\n", present.Clean(cmp.Or(o.object, "volumegroupreplication.replication.unified.io/"+o.name)+" "), present.Clean(o.sentence()))
		}
		return nil
	}
	style, err := e.Style()
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
