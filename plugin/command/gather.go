// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/gather"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// NewGather makes the gather command.
func NewGather(e *Env) *cobra.Command {
	var sel selection
	var dir string
	cmd := &cobra.Command{
		Use: "gather [NAME…]", Short: "Write down what both sites know, as files and one page", ValidArgsFunction: completeGroups(e),
		Long: `Write down what both sites know, for somebody who has to find out what went wrong: groups, the objects of the backends,
PVCs and their volumes, events, the controller's logs, operations, versions, and one page that shows it, without a cluster.

Nothing is changed. Secrets are not read, and what looks like one (passwords, tokens, keys, certificates) is taken out of
everything. Names of Secrets, hosts and volumes stay: look at it before you hand it on.

A site that does not answer is part of what is found: the rest is written, and the exit code is 6.`,
		Example: `  # All groups of a namespace
  kubectl vgr gather -n production

  # Everything, into a directory of your own
  kubectl vgr gather -A --dir ./case-4711`,
	}
	sel.addFlags(cmd, true)
	cmd.Flags().StringVar(&dir, "dir", "", "a directory that is empty or does not exist; vgr-gather-TIME here by default")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		q, err := sel.query(e, args, false)
		if err != nil {
			return err
		}
		return gatherInto(cmd.Context(), e, q, dir)
	}
	return cmd
}

func gatherInto(ctx context.Context, e *Env, q collect.Query, dir string) error {
	at := e.Clock.Now()
	if dir == "" {
		dir = "vgr-gather-" + at.UTC().Format("20060102-150405")
	}
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return failure.Refused("name another one with --dir", "%s is not an empty directory; nothing was written", dir)
	}
	p, err := e.pair(ctx)
	if err != nil {
		return err
	}
	r := gather.Report{At: at, Plugin: version.Get().Version, Sites: make([]gather.Site, len(p.all()))}
	var groups []string
	for _, profile := range e.Profiles {
		groups = append(groups, profile.APIGroups...)
	}
	var inputs []overview.SiteInput
	var asked sync.WaitGroup
	asked.Go(func() { inputs = collect.Sites(ctx, p.all(), q) })
	for i, s := range p.all() {
		asked.Go(func() {
			leads := leader(ctx, s)
			r.Sites[i] = gather.Read(ctx, s, q.Namespace, groups)
			r.Sites[i].Controller = leads.words(version.Get())
		})
	}
	asked.Wait()
	if err := ended(ctx, "", "nothing was written"); err != nil {
		return err
	}
	r.Overview = overview.Build(inputs, e.Clock.Now())
	if err := gather.Write(dir, r); err != nil {
		return failure.New(failure.CodeError, "name another directory with --dir", "cannot write: %v", err)
	}
	return summarise(e, r, inputs, dir)
}

// summarise says what was found where, and fails when a site did not answer.
func summarise(e *Env, r gather.Report, inputs []overview.SiteInput, dir string) error {
	var failed error
	for i, s := range r.Sites {
		fmt.Fprintf(e.ErrOut, "%s: %d objects", present.Clean(s.Name), s.Count())
		if n := len(s.Missing()); n > 0 {
			fmt.Fprintf(e.ErrOut, "; %d could not be had, see missing.txt", n)
		}
		fmt.Fprintln(e.ErrOut)
		if err := silent(inputs[i]); err != nil && failed == nil {
			failed = err
		}
	}
	fmt.Fprintln(e.Out, filepath.Join(dir, gather.Page))
	return failed
}
