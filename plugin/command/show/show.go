// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package show has the commands that show groups: list, status and tui.
package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// printable makes an overview fit for the printers of cli-runtime.
type printable struct{ overview.Overview }

// DeepCopyObject implements runtime.Object; printers only read.
func (p *printable) DeepCopyObject() runtime.Object { c := *p; return &c }

func printOverview(o *cli.Output, e *cli.Env, view overview.Overview) error {
	if spec, ok := strings.CutPrefix(o.Format, "custom-columns="); ok {
		return customColumns(e.Data(), spec, view.Groups)
	}
	if o.Format == "name" {
		for _, g := range view.Groups {
			name := "volumegroupreplication.replication.unified.io/" + g.Name
			if n := g.Object(); n != nil {
				name = n.ResourceName()
			}
			fmt.Fprintln(e.Out, present.Clean(name))
		}
		return nil
	}
	if o.Format == "json" {
		return present.JSON(e.Data(), view)
	}
	return o.Print(e, &printable{view})
}

// NewList makes the list command.
func NewList(e *cli.Env) *cobra.Command {
	var sel cli.Selection
	var others cli.Others
	var watch bool
	cmd := &cobra.Command{
		Use: "list [NAME…]", Aliases: []string{"ls", "get"}, Short: "Show groups, both sites in one row",
		Example: `  # All groups of the namespace
  kubectl vgr list -n production

  # All groups of all namespaces, live
  kubectl vgr list -A -w`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	out := cli.NewOutput(cmd, "wide")
	sel.AddFlags(cmd, true)
	others.AddFlags(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "watch for changes")
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
		if out.Human() && !watch && len(q.Names) == 0 {
			return listGroups(cmd.Context(), e, q, present.NewRolling(e.Out, style, q.Namespace == "", out.Format == "wide"))
		}
		draw := func(w io.Writer, o overview.Overview) error {
			if !watch {
				present.Refusals(e.ErrOut, o, e.ErrStyle())
			}
			return present.Table(w, o, style, q.Namespace == "", out.Format == "wide")
		}
		return showGroups(cmd.Context(), e, q, out, watch, draw, nil)
	}
	return cmd
}

// NewStatus makes the status command.
func NewStatus(e *cli.Env) *cobra.Command {
	var sel cli.Selection
	var others cli.Others
	var watch, exitCode, interactive bool
	cmd := &cobra.Command{
		Use: "status [NAME…]", Short: "Show details of groups: both sites, each PVC, conditions that are not as wanted",
		Example: `  # One group
  kubectl vgr status postgresql -n production

  # All conditions, handles and names of volumes too
  kubectl vgr status postgresql -n production -o wide

  # For a script: exit code 4 when a group has a problem, 6 when a site does not answer
  kubectl vgr status --exit-code -o json`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	out := cli.NewOutput(cmd, "wide")
	sel.AddFlags(cmd, true)
	others.AddFlags(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "watch for changes")
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "show it on the live screen, as kubectl vgr tui does")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 4 if a group has a problem, 6 if a site cannot be reached")
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
		if interactive && terminal(e) {
			return screen(e, cmd, q, tui.Options{Style: style, Open: true})
		}
		var verdict func(overview.Overview) error
		if exitCode {
			verdict = worst
		}
		return showGroups(cmd.Context(), e, q, out, watch, drawStatus(style, out.Format == "wide"), verdict)
	}
	return cmd
}

// worst returns the exit code of an overview.
func worst(o overview.Overview) error {
	for _, s := range o.Sites {
		if s.Problem == overview.SiteUnreachable || s.Problem == overview.SiteNotAsked {
			return cli.Silent(overview.SiteInput{Site: s})
		}
	}
	for _, g := range o.Groups {
		if g.Verdict.Level == overview.Problem {
			return clierror.New(clierror.CodeFailed, g.Verdict.Next, "%s/%s: %s: %s", g.Namespace, g.Name, g.Verdict.Health(), g.Verdict.Message)
		}
	}
	return nil
}

// drawing draws an overview as text.
type drawing func(w io.Writer, o overview.Overview) error

// drawStatus draws details; wide ones are not cut to the width of the terminal.
func drawStatus(s present.Style, wide bool) drawing {
	if wide {
		s.Width = 0
	}
	return func(w io.Writer, o overview.Overview) error { return present.Status(w, o, s, wide) }
}

// showGroups asks the sites once, or follows them, and draws.
func showGroups(ctx context.Context, e *cli.Env, q collect.Query, out *cli.Output, watch bool, draw drawing, verdict func(overview.Overview) error) error {
	p, err := e.Pair(ctx)
	if err != nil {
		return err
	}
	if watch {
		return followGroups(ctx, e, p, q, out, draw)
	}
	inputs := collect.Sites(ctx, p.All(), q)
	collect.Writers(ctx, p.All(), q, inputs)
	o := overview.Build(inputs, e.Clock.Now())
	if err := nothingAnswered(ctx, p, o); err != nil {
		return err
	}
	seen := e.Memory(p.All())
	seen.Refresh(&o)
	defer seen.Save()
	found := e.Named
	if verdict != nil { // a script is told that there is nothing to judge
		found = e.Selected
	}
	if err := found(ctx, o, q, p.All()); err != nil {
		return err
	}
	if !out.Human() {
		if err := printOverview(out, e, o); err != nil {
			return err
		}
	} else if err := drawOverview(e, e.Out, e.ErrOut, o, q, draw); err != nil {
		return err
	}
	if verdict != nil {
		return verdict(o)
	}
	return nil
}

// listGroups draws groups while the sites still tell of them. What is missing from the picture is said as soon as
// that is known.
func listGroups(ctx context.Context, e *cli.Env, q collect.Query, rolling *present.Rolling) error {
	p, err := e.Pair(ctx)
	if err != nil {
		return err
	}
	groups, noted := 0, map[string]bool{}
	var sites []overview.Site
	seen := e.Memory(p.All())
	defer seen.Save()
	err = collect.Stream(ctx, p.All(), q, func(batch []overview.SiteInput) error {
		o := overview.Build(batch, e.Clock.Now())
		if err := nothingAnswered(ctx, p, o); err != nil {
			return err
		}
		seen.Refresh(&o)
		sites = o.Sites
		news := o
		news.Sites = slices.DeleteFunc(slices.Clone(o.Sites), func(s overview.Site) bool { return noted[s.Name] })
		present.Notes(e.ErrOut, news, e.ErrStyle())
		present.Refusals(e.ErrOut, o, e.ErrStyle())
		for _, s := range o.Sites {
			noted[s.Name] = noted[s.Name] || !s.Answered || len(s.Unread) > 0 || s.Controller != nil && s.Controller.Message != ""
		}
		groups += len(o.Groups)
		return rolling.Add(o)
	})
	switch {
	case errors.Is(err, context.Canceled):
		return clierror.New(clierror.CodeInterrupted, "", "interrupted")
	case err == nil && groups == 0:
		noGroups(e.ErrOut, q, sites)
	}
	return err
}

// drawOverview writes the groups to out, and what is missing from the picture to notes.
func drawOverview(e *cli.Env, out, notes io.Writer, o overview.Overview, q collect.Query, draw drawing) error {
	present.Notes(notes, o, e.ErrStyle())
	if len(o.Groups) == 0 {
		noGroups(notes, q, o.Sites)
		return nil
	}
	return draw(out, o)
}

// noGroups says that there are none, and how there will be. A site that does not answer may have some.
func noGroups(w io.Writer, q collect.Query, sites []overview.Site) {
	where := "namespace " + q.Namespace
	if q.Namespace == "" {
		where = "any namespace"
	}
	if q.Selector != nil && !q.Selector.Empty() {
		where += " with labels " + q.Selector.String()
	}
	silent := func(s overview.Site) bool { return !s.Answered || s.Incomplete }
	if slices.ContainsFunc(sites, silent) {
		for _, s := range slices.DeleteFunc(slices.Clone(sites), silent) {
			fmt.Fprintln(w, present.Clean(fmt.Sprintf("No groups on %s in %s.", s.Name, where)))
		}
		return
	}
	if i := slices.IndexFunc(sites, func(s overview.Site) bool { return s.NativeOnly }); i >= 0 {
		fmt.Fprintf(w, "No groups in %s: no other tool replicates there, and the CRDs of kubectl vgr are not installed on %s.\nNext: kubectl vgr install --context %s installs them; -A shows all\n",
			present.Clean(where), present.Clean(sites[i].Name), sites[i].Flag)
		return
	}
	fmt.Fprintf(w, "No groups in %s.\nNext: kubectl vgr create NAME --class CLASS -l SELECTOR creates one; -A shows all\n", present.Clean(where))
}

// nothingAnswered returns an error when no site could be asked at all.
func nothingAnswered(ctx context.Context, p cli.Pair, o overview.Overview) error {
	if err := cli.Ended(ctx, "", "not all sites were waited for"); err != nil {
		return err
	}
	if err := p.Once(ctx, o); err != nil {
		return err
	}
	if slices.ContainsFunc(o.Sites, func(s overview.Site) bool { return s.Answered }) {
		return nil
	}
	return cli.Silent(overview.SiteInput{Site: o.Sites[0]})
}

// followGroups redraws on a terminal, and prints what changed elsewhere.
func followGroups(ctx context.Context, e *cli.Env, p cli.Pair, q collect.Query, out *cli.Output, draw drawing) error {
	if !out.Human() {
		return clierror.New(clierror.CodeError, "leave out -o", "-w shows a table; -o %s cannot be followed", out.Format)
	}
	ctx = site.Quietly(ctx)
	if terminal, _ := e.OutTerminal(); terminal {
		return live(ctx, e, p, q, draw)
	}
	last := map[string]string{}
	seen := e.Memory(p.All())
	defer seen.Save()
	err := collect.Watch(ctx, p.All(), q, e.Clock, followed(ctx, e, p, seen, func(o overview.Overview) error {
		if !changed(last, o) {
			return nil
		}
		return drawOverview(e, e.Out, e.ErrOut, o, q, draw)
	}))
	if errors.Is(err, context.Canceled) {
		return clierror.New(clierror.CodeInterrupted, "", "interrupted")
	}
	return err
}

// changed reports whether anything but ages differs from the last call.
func changed(last map[string]string, o overview.Overview) bool {
	now := map[string]string{}
	for _, s := range o.Sites {
		now["site "+s.Name] = fmt.Sprint(s.Answered, s.Problem, s.Controller != nil && s.Controller.Silent)
	}
	for _, g := range o.Groups {
		said := []any{g.Verdict.Phase, g.Verdict.Impact}
		for _, gs := range g.Sites {
			said = append(said, gs.State, gs.Desired, gs.Ready, gs.Current, len(gs.Volumes))
		}
		now[g.Namespace+"/"+g.Name] = fmt.Sprint(said...)
	}
	differs := !maps.Equal(now, last)
	clear(last)
	maps.Copy(last, now)
	return differs
}
