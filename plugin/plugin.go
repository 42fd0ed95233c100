// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package plugin is kubectl vgr: its root command, global flags and the way it ends. The
// commands themselves are in plugin/command, a package for each or for a family.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/command/class"
	"github.com/unified-replication/kubectl-vgr/plugin/command/completion"
	"github.com/unified-replication/kubectl-vgr/plugin/command/failover"
	"github.com/unified-replication/kubectl-vgr/plugin/command/gather"
	"github.com/unified-replication/kubectl-vgr/plugin/command/group"
	"github.com/unified-replication/kubectl-vgr/plugin/command/history"
	"github.com/unified-replication/kubectl-vgr/plugin/command/install"
	"github.com/unified-replication/kubectl-vgr/plugin/command/migrate"
	"github.com/unified-replication/kubectl-vgr/plugin/command/rehearse"
	reportcommand "github.com/unified-replication/kubectl-vgr/plugin/command/report"
	"github.com/unified-replication/kubectl-vgr/plugin/command/show"
	sitecommand "github.com/unified-replication/kubectl-vgr/plugin/command/site"
	versioncommand "github.com/unified-replication/kubectl-vgr/plugin/command/version"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Config is what the plugin gets from outside.
type Config struct {
	// Args are the arguments with the program's name.
	Args []string
	genericiooptions.IOStreams
	Getenv     func(string) string
	Clock      clock.WithTicker
	Profiles   backend.Profiles
	Executable func() (string, error)
	// Patience is how long a site may take before the command says that it waits for it; 0 is for ever.
	Patience time.Duration

	// screen is set when another command runs this one.
	screen *cli.Screen
}

// Main runs one command and returns the exit code.
func Main(ctx context.Context, c Config) int {
	root, e := newRoot(c) //nolint:contextcheck // completions take the context of their command
	args := c.Args[1:]
	if strings.TrimSuffix(filepath.Base(c.Args[0]), ".exe") == completion.CompletionLink {
		args = append([]string{cobra.ShellCompRequestCmd}, args...) // kubectl asks for completions
	}
	root.SetArgs(args)
	completes := slices.ContainsFunc(args, func(a string) bool { return a == cobra.ShellCompRequestCmd || a == cobra.ShellCompNoDescRequestCmd })
	if !completes { // a shell has its user's line on the terminal
		ctx = e.Waiting(ctx, c.Patience)
	}
	err := root.ExecuteContext(ctx)
	e.Waited()
	if err == nil {
		return clierror.CodeOK
	}
	var f *clierror.Error
	if !errors.As(err, &f) {
		f = &clierror.Error{Message: err.Error()}
		if strings.HasPrefix(f.Message, "unknown ") {
			f.Next = "kubectl vgr --help"
		}
	}
	fmt.Fprintf(c.ErrOut, "Error: %s\n", present.Clean(e.Commands(f.Message)))
	lead := "Next:"
	for line := range strings.Lines(f.Next) {
		fmt.Fprintf(c.ErrOut, "%5s %s\n", lead, present.Clean(e.Commands(strings.TrimSuffix(line, "\n"))))
		lead = "or:"
	}
	return clierror.Code(err)
}

const long = `Replicate groups of volumes between two clusters, and move them.

A group is a VolumeGroupReplication: all PVCs that a selector matches, replicated as one unit. Commands read both
sites: this one (--context) and its peer (--peer-context, or the one that "create" remembered). Every command that
changes something shows its plan, asks for confirmation, and waits until the storage has confirmed the change.

Exit codes: 0 done, 1 usage or unexpected error, 2 refused before any change, 3 timed out and still running,
4 failed or degraded, 5 not confirmed, 6 a needed site cannot be reached, 130 interrupted.`

// NewRoot makes the root command with all others.
func NewRoot(c Config) *cobra.Command {
	root, _ := newRoot(c)
	return root
}

func newRoot(c Config) (*cobra.Command, *cli.Env) {
	flags := genericclioptions.NewConfigFlags(true)
	connector := &site.Connector{
		Flags: flags, Env: c.Getenv, Profiles: c.Profiles, Clock: c.Clock, UserAgent: "kubectl-vgr/" + version.Get().Version,
	}
	e := &cli.Env{Raw: c.IOStreams, Sites: connector, Profiles: c.Profiles, Clock: c.Clock, Getenv: c.Getenv, Executable: c.Executable}
	e.Guard()
	connector.Warn = func(text string) { fmt.Fprintln(e.ErrOut, present.Clean(text)) }
	e.Screen = c.screen
	e.RunCommand = func(ctx context.Context, args []string, s cli.Screen) int {
		again := c
		again.Args, again.screen = append([]string{"kubectl-vgr"}, args...), &s
		again.IOStreams = genericiooptions.IOStreams{In: strings.NewReader(""), Out: s.Out, ErrOut: s.Out}
		return Main(ctx, again)
	}
	root := &cobra.Command{
		Use: "kubectl-vgr", Short: "Disaster recovery of groups of volumes", Long: long,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl vgr"},
		SilenceErrors: true, SilenceUsage: true, // Main says what went wrong, once
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(c.In)
	root.SetOut(e.Out)
	root.SetErr(e.ErrOut)
	flags.AddFlags(root.PersistentFlags())
	// kubectl's own words say that 0 is without end, and a site that is down would be waited for without end.
	root.PersistentFlags().Lookup("request-timeout").Usage = "How long a request to a site may take, such as 30s; 0 is 10s."
	root.PersistentFlags().StringVar(&connector.PeerContext, "peer-context", "", "kubeconfig context of the other site")
	root.PersistentFlags().StringVar(&connector.PeerKubeconfig, "peer-kubeconfig", "", "kubeconfig file of the other site, where it is not in that of this site")
	root.PersistentFlags().StringVar(&e.Color, "color", "auto", "auto, always or never")
	hideRare(root)
	for name, complete := range map[string]func(*cli.Env) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective){
		"context": cli.CompleteContexts, "peer-context": cli.CompletePeerContexts, "namespace": cli.CompleteNamespaces,
	} {
		_ = root.RegisterFlagCompletionFunc(name, complete(e))
	}
	_ = root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	addGroups(root, e)
	e.Root = root
	return root, e
}

// hideRare keeps help readable: these flags work as in kubectl, and few need them.
func hideRare(root *cobra.Command) {
	for _, name := range []string{
		"as-group", "as-uid", "as-user-extra", "cache-dir", "certificate-authority", "client-certificate", "client-key", "cluster",
		"disable-compression", "insecure-skip-tls-verify", "server", "tls-server-name", "token", "user",
	} {
		if f := root.PersistentFlags().Lookup(name); f != nil {
			f.Hidden = true
		}
	}
}

func addGroups(root *cobra.Command, e *cli.Env) {
	const look, act, admin = "look", "act", "admin"
	root.AddGroup(
		&cobra.Group{ID: look, Title: "See:"},
		&cobra.Group{ID: act, Title: "Change:"},
		&cobra.Group{ID: admin, Title: "Set up:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(look, show.NewList(e), show.NewStatus(e), show.NewTUI(e), failover.NewValidate(e), history.NewHistory(e), reportcommand.NewReport(e), gather.NewGather(e))
	add(act, failover.NewFailover(e), failover.NewFailback(e), group.NewCreate(e), failover.NewPromote(e), failover.NewDemote(e), failover.NewResync(e), failover.NewReprotect(e), rehearse.NewRehearse(e), group.NewDelete(e), migrate.NewMigrate(e))
	add(admin, install.NewInstall(e), install.NewUninstall(e), class.NewClass(e), sitecommand.NewSite(e), completion.NewCompletion(e), versioncommand.NewVersion(e))
	root.SetHelpCommandGroupID(admin)
}
