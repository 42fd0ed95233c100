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
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/memory"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// NewTUI makes the tui command.
func NewTUI(e *cli.Env) *cobra.Command {
	var sel cli.Selection
	var others cli.Others
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
	others.AddFlags(cmd)
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "refuse actions")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		q, err := sel.Query(e, args, false)
		if err != nil {
			return err
		}
		others.Put(e, &q)
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
	ctx = site.Quietly(ctx)
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
	o.Namespace = q.Namespace
	o.Elsewhere = func(args []string) string { return elsewhere(e, p, args) }
	o.CannotCopy, o.Events = cannotCopy(e.Getenv), followEvents(eventSources(p.All()), e.Clock)
	var cut unshown
	o.Run = cut.runs(e, cmd, p, o.ReadOnly)
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
	_, _ = cut.said.WriteTo(e.ErrOut) // the commands that resume them
	if errors.Is(err, context.Canceled) {
		return clierror.New(clierror.CodeInterrupted, "", "interrupted")
	}
	return err
}

// unshown is what commands said whose screen was left meanwhile.
type unshown struct {
	mu   sync.Mutex
	said bytes.Buffer
}

// runs returns what runs a command in the screen's console.
func (u *unshown) runs(e *cli.Env, cmd *cobra.Command, p cli.Pair, readOnly bool) func(context.Context, []string, tui.Talk) int {
	global := globalFlags(cmd)
	return func(ctx context.Context, args []string, t tui.Talk) int {
		var said tail
		talk := cli.Screen{Out: io.MultiWriter(t.Out, &said), Confirm: t.Confirm, Progress: t.Progress}
		if readOnly {
			talk.Confirm = func(string) bool { return false }
		}
		code := e.RunCommand(ctx, forSite(args, global, p.Here.Context), talk)
		if cmd.Context().Err() != nil {
			u.mu.Lock()
			defer u.mu.Unlock()
			_, _ = said.WriteTo(&u.said) // a buffer takes everything
		}
		return code
	}
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
	global := cmd.Root().PersistentFlags()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if global.Lookup(f.Name) == nil || f.Name == "namespace" { // actions name the namespace
			return
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

// forSite returns the arguments of an action with the flags that the user gave to the screen. An action on the other site has
// this one as its peer.
func forSite(args, global []string, here string) []string {
	site := ""
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--context="); ok {
			site = value
		} else if arg == "--context" && i+1 < len(args) {
			site = args[i+1]
		}
	}
	if site == "" || site == here {
		return slices.Concat(args, global)
	}
	out, named := slices.Clone(args), false
	for _, flag := range global {
		if strings.HasPrefix(flag, "--context=") || strings.HasPrefix(flag, "--peer-context=") {
			named = true
			continue
		}
		out = append(out, flag)
	}
	if named {
		out = append(out, "--peer-context="+here)
	}
	return out
}

// elsewhere returns a command line that does the same in any shell: with the contexts, wherever this one has them from.
func elsewhere(e *cli.Env, p cli.Pair, args []string) string {
	words := []string{"kubectl vgr"}
	for _, a := range args {
		words = append(words, recovery.ShellQuote(a))
	}
	text := e.Commands(strings.Join(words, " "))
	if !strings.Contains(text, " --context") {
		text += " --context " + p.Here.Flag()
	}
	if p.Peer != nil && !strings.Contains(text, " --peer-context") {
		text += " --peer-context " + p.Peer.Flag()
	}
	return text
}

// cannotCopy names the terminal when it is known to ignore a text for the clipboard.
func cannotCopy(getenv func(string) string) string {
	switch program, kind := getenv("TERM_PROGRAM"), getenv("TERM"); {
	case program == "Apple_Terminal":
		return "Apple's Terminal"
	case kind == "linux", strings.HasPrefix(kind, "vt"):
		return "this terminal (" + kind + ")"
	case getenv("STY") != "":
		return "screen"
	default:
		return ""
	}
}
