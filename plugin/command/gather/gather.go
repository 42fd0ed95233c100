// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package gather has the command that writes down what both sites know.
package gather

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
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/gather"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// NewGather makes the gather command.
func NewGather(e *cli.Env) *cobra.Command {
	var sel cli.Selection
	var others cli.Others
	var dir string
	cmd := &cobra.Command{
		Use: "gather [NAME…]", Short: "Collect the state of both sites into files and one page", ValidArgsFunction: cli.CompleteGroups(e),
		Long: `Collect the state of both sites, for a person who has to find out what went wrong: groups, the objects of the backends,
PVCs and their volumes, events, the controller's logs, operations, versions, and one page that shows all of it offline.

The command changes nothing and does not read Secrets. It removes whatever looks like a secret (passwords, tokens, keys,
certificates) from everything else. It keeps names of Secrets, hosts and volumes: check the files before you pass them on.

If a site does not answer, the command collects the rest and ends with exit code 6.`,
		Example: `  # All groups of a namespace
  kubectl vgr gather -n production

  # Everything, into a directory of your own
  kubectl vgr gather -A --dir ./case-4711`,
	}
	sel.AddFlags(cmd, true)
	others.AddFlags(cmd)
	cmd.Flags().StringVar(&dir, "dir", "", "a directory that is empty or does not exist (default: vgr-gather-TIME in the current directory)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		q, err := sel.Query(e, args, false)
		if err != nil {
			return err
		}
		others.Put(e, &q)
		return gatherInto(cmd.Context(), e, q, dir)
	}
	return cmd
}

func gatherInto(ctx context.Context, e *cli.Env, q collect.Query, dir string) error {
	at := e.Clock.Now()
	if dir == "" {
		dir = "vgr-gather-" + at.UTC().Format("20060102-150405")
	}
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return clierror.Refused("name another one with --dir", "%s is not an empty directory; nothing was written", dir)
	}
	p, err := e.Pair(ctx)
	if err != nil {
		return err
	}
	r := gather.Report{At: at, Plugin: version.Get().Version, Sites: make([]gather.Site, len(p.All()))}
	var groups []string
	for _, profile := range e.Profiles {
		groups = append(groups, profile.APIGroups...)
	}
	var inputs []overview.SiteInput
	var asked sync.WaitGroup
	asked.Go(func() { inputs = collect.Sites(ctx, p.All(), q) })
	for i, s := range p.All() {
		asked.Go(func() {
			leads := preflight.Leader(ctx, s)
			r.Sites[i] = gather.Read(ctx, s, q.Namespace, groups)
			r.Sites[i].Controller = leads.Words(version.Get())
		})
	}
	asked.Wait()
	if err := cli.Ended(ctx, "", "nothing was written"); err != nil {
		return err
	}
	r.Overview = overview.Build(inputs, e.Clock.Now())
	if err := p.Once(ctx, r.Overview); err != nil {
		return err
	}
	if err := gather.Write(dir, r); err != nil {
		return clierror.New(clierror.CodeError, "name another directory with --dir", "cannot write: %v", err)
	}
	return summarise(e, r, inputs, dir)
}

// summarise says what was found where, and fails when a site did not answer.
func summarise(e *cli.Env, r gather.Report, inputs []overview.SiteInput, dir string) error {
	var failed error
	for i, s := range r.Sites {
		fmt.Fprintf(e.ErrOut, "%s: %d objects", present.Clean(s.Name), s.Count())
		if n := len(s.Missing()); n > 0 {
			fmt.Fprintf(e.ErrOut, "; %d could not be had, see missing.txt", n)
		}
		fmt.Fprintln(e.ErrOut)
		if err := cli.Silent(inputs[i]); err != nil && failed == nil {
			failed = err
		}
	}
	fmt.Fprintln(e.Out, filepath.Join(dir, gather.Page))
	return failed
}
