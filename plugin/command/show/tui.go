// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/memory"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// NewTUI makes the tui command.
func NewTUI(e *cli.Env) *cobra.Command {
	var sel cli.Selection
	var readOnly bool
	cmd := &cobra.Command{
		Use: "tui [NAME…]", Short: "Watch groups of both sites on one screen, and run actions",
		Example: `  # All groups of all namespaces
  kubectl vgr tui -A

  # View only
  kubectl vgr tui -n production --read-only`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	cmd.Long = `Watch groups of both sites on one screen, and run actions.

The table is live. A site that stops answering is marked STALE. Actions run the same commands as without the screen, which
show their plan and ask for confirmation. Without a terminal the command prints the status once. Press "?" for the keys.`
	sel.AddFlags(cmd, true)
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "refuse actions")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		q, err := sel.Query(e, args, false)
		if err != nil {
			return err
		}
		style, err := e.Style()
		if err != nil {
			return err
		}
		if !terminal(e) {
			return showGroups(cmd.Context(), e, q, &cli.Output{}, false, drawStatus(style, false), nil)
		}
		return screen(e, cmd, q, tui.Options{Style: style, ReadOnly: readOnly})
	}
	return cmd
}

// terminal reports whether there is one to draw on and to type at.
func terminal(e *cli.Env) bool {
	out, _ := e.OutTerminal()
	in, ok := e.In.(*os.File)
	return out && ok && term.IsTerminal(int(in.Fd())) && e.Getenv("TERM") != "dumb"
}

// screen shows groups until it is left.
func screen(e *cli.Env, cmd *cobra.Command, q collect.Query, o tui.Options) error {
	ctx := cmd.Context()
	p, err := e.Pair(ctx)
	if err != nil {
		return err
	}
	// The sites are asked before the screen is taken, which is when a login may have something to ask.
	if p.Login(ctx); ctx.Err() != nil {
		return clierror.New(clierror.CodeInterrupted, "", "interrupted")
	}
	q.Early = len(q.Names) == 0
	follower, stop := collect.Follow(ctx, p.All(), q, e.Clock, nil)
	defer stop()
	known := follower.First(ctx, patience)
	if ctx.Err() != nil {
		return clierror.New(clierror.CodeInterrupted, "", "interrupted")
	}
	first := overview.Build(known, e.Clock.Now())
	if err := nothingAnswered(ctx, p, first); err != nil && (len(first.Groups) == 0 || first.Twice()) {
		return err
	}
	if err := e.Named(ctx, first, q, p.All()); err != nil {
		return err
	}
	o.Here, o.Namespaces = p.Here.Name, q.Namespace == ""
	o.Title = "namespace " + q.Namespace
	if q.Namespace == "" {
		o.Title = "all namespaces"
	}
	global := globalFlags(cmd)
	var cut bytes.Buffer // what commands said whose screen went
	var cutting sync.Mutex
	o.Run = func(ctx context.Context, args []string, out io.Writer) int {
		var said bytes.Buffer
		code := e.RunCommand(ctx, slices.Concat(args, global), io.MultiWriter(out, &said))
		if screen := cmd.Context(); screen.Err() != nil {
			cutting.Lock()
			defer cutting.Unlock()
			_, _ = said.WriteTo(&cut) // a buffer takes everything
		}
		return code
	}
	seen := e.Memory(p.All())
	defer seen.Save()
	feed := func(ctx context.Context, show func(overview.Overview) error) error {
		show = followed(ctx, e, p, seen, show)
		if err := show(first); err != nil {
			return err
		}
		return follower.Show(ctx, show)
	}
	err = tui.Run(ctx, o, e.In, e.Raw.Out, feed)
	_, _ = cut.WriteTo(e.ErrOut) // how it can be gone on with
	if errors.Is(err, context.Canceled) {
		return clierror.New(clierror.CodeInterrupted, "", "interrupted")
	}
	return err
}

// followed shows overviews with what is remembered of sites that do not answer, and remembers what the others say. It
// ends when the two sites turn out to be one cluster: one may have said nothing when the command began.
func followed(ctx context.Context, e *cli.Env, p cli.Pair, seen *memory.Memory, show func(overview.Overview) error) func(overview.Overview) error {
	return func(o overview.Overview) error {
		if err := p.Once(ctx, o); err != nil {
			return err
		}
		seen.Refresh(&o)
		seen.SaveSometimes(e.Clock.Now())
		return show(o)
	}
}

// patience is how long a screen waits for a site that is silent before it opens without it.
const patience = 2 * time.Second

// globalFlags returns those that say which sites are meant, and as whom, as they were given.
func globalFlags(cmd *cobra.Command) []string {
	var out []string
	cmd.InheritedFlags().Visit(func(f *pflag.Flag) {
		if f.Name == "namespace" {
			return // actions name it
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				out = append(out, "--"+f.Name+"="+v)
			}
			return
		}
		out = append(out, "--"+f.Name+"="+f.Value.String())
	})
	return out
}
