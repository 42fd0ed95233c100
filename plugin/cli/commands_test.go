// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// TestCommands: a command that is printed has the flags about sites that the user gave, whichever site it is about.
func TestCommands(t *testing.T) {
	both := []string{"--context", "east", "--peer-context", "west"}
	for name, tc := range map[string]struct {
		given      []string
		text, want string
	}{
		"nothing was given":            {nil, "Next: kubectl vgr failover db -n shop --to west", "Next: kubectl vgr failover db -n shop --to west"},
		"both sites":                   {both, "Next: kubectl vgr failover db -n shop --to west", "Next: kubectl vgr failover db --context east --peer-context west -n shop --to west"},
		"this site":                    {[]string{"--context", "east"}, "kubectl vgr status db", "kubectl vgr status db --context east"},
		"the peer":                     {[]string{"--peer-context", "west"}, "kubectl vgr status db", "kubectl vgr status db --peer-context west"},
		"about the other site":         {both, "kubectl vgr promote db --context west", "kubectl vgr promote db --peer-context east --context west"},
		"about the other, which is it": {[]string{"--context", "east"}, "kubectl vgr promote db --context west", "kubectl vgr promote db --peer-context east --context west"},
		"about this site":              {both, "kubectl vgr demote db --context east", "kubectl vgr demote db --peer-context west --context east"},
		"several":                      {both, "kubectl vgr failback db; kubectl vgr promote db --context west", "kubectl vgr failback db --context east --peer-context west; kubectl vgr promote db --peer-context east --context west"},
		"groups of several namespaces": {both, "kubectl vgr failover a/b c/d --to east", "kubectl vgr failover a/b c/d --context east --peer-context west --to east"},
		"words that are no groups":     {both, "kubectl vgr status shows both sites", "kubectl vgr status --context east --peer-context west shows both sites"},
		"a subcommand":                 {both, "kubectl vgr class list shows the classes", "kubectl vgr class list --context east --peer-context west shows the classes"},
		"help":                         {both, "kubectl vgr failover --help", "kubectl vgr failover --help"},
		"no command":                   {both, "written by x, and not by kubectl vgr since", "written by x, and not by kubectl vgr since"},
		"another command":              {both, "kubectl get vgr -A", "kubectl get vgr -A"},
		"wrapped":                      {both, "add: kubectl vgr\n      failover db", "add: kubectl vgr\n      failover db --context east --peer-context west"},
		"names that a shell would split": {
			[]string{"--context", "a b", "--kubeconfig", "/tmp/x y"},
			"kubectl vgr failover db --context 'a b'",
			"kubectl vgr failover db --kubeconfig '/tmp/x y' --context 'a b'",
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := genericclioptions.NewConfigFlags(false)
			connector := &site.Connector{Flags: flags, Env: func(string) string { return "" }}
			e := &cli.Env{Sites: connector, Root: &cobra.Command{Use: "kubectl-vgr"}}
			for _, verb := range []string{"failover", "failback", "promote", "demote", "status"} {
				e.Root.AddCommand(&cobra.Command{Use: verb})
			}
			class := &cobra.Command{Use: "class"}
			class.AddCommand(&cobra.Command{Use: "list"})
			e.Root.AddCommand(class)
			flags.AddFlags(e.Root.PersistentFlags())
			e.Root.PersistentFlags().StringVar(&connector.PeerContext, "peer-context", "", "")
			if err := e.Root.ParseFlags(tc.given); err != nil {
				t.Fatal(err)
			}
			if *flags.Context == "" {
				*flags.Context = "east" // as it is when the sites have been connected to
			}
			if got := e.Commands(tc.text); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
