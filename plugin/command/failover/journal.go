// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// longestJournal is how much of a journal is shown; every user who may edit a group may write any amount.
const longestJournal = 2000

// journal is one that is to be removed.
type journal struct {
	site  *site.Site
	group *vgrv1.VolumeGroupReplication
}

// discardJournals shows the journals of groups and removes them where they are still what was shown. Nothing
// else of the group is changed.
func (f *failover) discardJournals(ctx context.Context, e *cli.Env, args []string) error {
	if f.to != "" || f.sel.From != "" || f.unplanned || f.abort || f.quiesce || f.start || f.accept != "" {
		return clierror.New(clierror.CodeError, "run it alone first, and the failover afterwards", "--discard-journal cannot be combined with a failover")
	}
	mode, err := f.Mode()
	if err != nil {
		return err
	}
	q, err := f.sel.Query(e, args, true)
	if err != nil {
		return err
	}
	s, err := preflight.Read(ctx, e, q, false)
	if err != nil {
		return err
	}
	if err := e.Selected(ctx, s.View, q, s.Sites[:]); err != nil {
		return err
	}
	all, names := journals(e, s)
	if len(all) == 0 {
		fmt.Fprintln(e.ErrOut, "there is no journal; nothing was changed")
		return nil
	}
	if mode == cli.DryRunClient {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	var opts []client.PatchOption
	if mode == cli.DryRunServer {
		opts = append(opts, client.DryRunAll)
	} else if err := e.Confirm(f.Yes, names); err != nil {
		return err
	}
	for _, j := range all {
		if err := j.remove(ctx, opts...); err != nil {
			return clierror.New(clierror.CodeFailed, "run the same command again", "cannot remove the journal of group %s/%s on %s: %v", j.group.Namespace, j.group.Name, j.site.Name, err)
		}
		if mode == cli.DryRunNone {
			fmt.Fprintf(e.ErrOut, "%s/%s: the journal on %s is removed\n", present.Clean(j.group.Namespace), present.Clean(j.group.Name), present.Clean(j.site.Name))
		}
	}
	if mode != cli.DryRunNone {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
	}
	return nil
}

// journals shows and returns the journals of all groups, and the names of those that have one.
func journals(e *cli.Env, s *preflight.Observation) (all []journal, names []string) {
	for _, g := range s.View.Groups {
		found := false
		for i, in := range s.Inputs {
			on := in.Group(g.Namespace, g.Name)
			if !in.Answered || on == nil || on.Annotations[vgrv1.AnnotationOperation] == "" {
				continue
			}
			all, found = append(all, journal{s.Sites[i], on}), true
			showJournal(e, s.Sites[i].Name, on)
			if w := s.Facts(e, g).Writers[i]; !w.None() {
				fmt.Fprintln(e.ErrOut, e.ErrStyle().Hang("  ", present.Clean(fmt.Sprintf("it was last written by %s, and not by kubectl vgr", w))))
			}
		}
		if found {
			names = append(names, g.Name)
		}
	}
	return all, names
}

func showJournal(e *cli.Env, at string, g *vgrv1.VolumeGroupReplication) {
	w, style := e.ErrOut, e.ErrStyle()
	fmt.Fprintf(w, "%s/%s: the journal on %s\n", present.Clean(g.Namespace), present.Clean(g.Name), present.Clean(at))
	op, err := recovery.Journal(g)
	switch {
	case err != nil:
		fmt.Fprintf(w, "  it cannot be read\n")
	case op.InFlight():
		fmt.Fprintln(w, style.Hang("  ", present.Clean(fmt.Sprintf("%s, in flight, begun by %s; without it the operation can neither be resumed nor aborted", op, op.By))))
	default:
		fmt.Fprintln(w, style.Hang("  ", present.Clean(fmt.Sprintf("%s, %s", op, op.Result))))
	}
	if op.InFlight() && len(op.AutoResync) > 0 {
		fmt.Fprintln(w, style.Hang("  ", "it holds back spec.autoResync: set it again by hand"))
	}
	if op.InFlight() && len(op.Stopped) > 0 {
		var words []string
		for _, x := range op.Stopped {
			words = append(words, x.String())
		}
		fmt.Fprintln(w, style.Hang("  ", present.Clean("it may have stopped "+strings.Join(words, ", ")+": start them by hand")))
	}
	text := g.Annotations[vgrv1.AnnotationOperation]
	if len(text) > longestJournal {
		text = strings.ToValidUTF8(text[:longestJournal], "") + fmt.Sprintf("… (%d bytes in all)", len(text))
	}
	fmt.Fprintln(w, style.Hang("  ", present.Clean(text)))
}

func (j journal) remove(ctx context.Context, opts ...client.PatchOption) error {
	c, err := j.site.Client()
	if err != nil {
		return err
	}
	g := j.group.DeepCopy()
	delete(g.Annotations, vgrv1.AnnotationOperation)
	return c.Patch(ctx, g, client.MergeFromWithOptions(j.group, client.MergeFromWithOptimisticLock{}), append(opts, site.FieldManager)...)
}
