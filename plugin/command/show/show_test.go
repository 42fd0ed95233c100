// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
)

// TestNoGroups: what a silent site has is not known, so nothing is said of it.
func TestNoGroups(t *testing.T) {
	east, west := overview.Site{Name: "east", Answered: true}, overview.Site{Name: "west", Answered: true}
	bare := overview.Site{Name: "east", Flag: "east-admin", Answered: true, NativeOnly: true}
	silent := overview.Site{Name: "west", Problem: overview.SiteUnreachable}
	for _, tc := range []struct {
		sites     []overview.Site
		namespace string
		want      string
	}{
		{[]overview.Site{east, west}, "shop", "No groups in namespace shop.\nNext: kubectl vgr create NAME --class CLASS -l SELECTOR creates one; -A shows all\n"},
		{[]overview.Site{bare, west}, "shop", "No groups in namespace shop: no other tool replicates there, and the CRDs of kubectl vgr are not installed on east.\nNext: kubectl vgr install --context east-admin installs them; -A shows all\n"},
		{[]overview.Site{east, silent}, "shop", "No groups on east in namespace shop.\n"},
		{[]overview.Site{east, silent}, "", "No groups on east in any namespace.\n"},
	} {
		var b strings.Builder
		if noGroups(&b, collect.Query{Namespace: tc.namespace}, tc.sites); b.String() != tc.want {
			t.Errorf("%v: %q, want %q", tc.sites, b.String(), tc.want)
		}
	}
}

// TestGlobalFlags: what the screen runs gets the sites that the user named for the screen, wherever the flags stood.
func TestGlobalFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--context", "west", "--peer-context=east", "--as-group=a", "--as-group=b", "-n", "shop", "tui", "--read-only"},
		{"tui", "--read-only", "-n", "shop", "--peer-context", "east", "--as-group", "a,b", "--context=west"},
	} {
		root := &cobra.Command{Use: "kubectl-vgr"}
		root.PersistentFlags().String("context", "", "")
		root.PersistentFlags().String("peer-context", "", "")
		root.PersistentFlags().String("kubeconfig", "", "")
		root.PersistentFlags().StringSlice("as-group", nil, "")
		root.PersistentFlags().StringP("namespace", "n", "", "")
		var got []string
		screen := &cobra.Command{Use: "tui", Run: func(cmd *cobra.Command, _ []string) { got = globalFlags(cmd) }}
		screen.Flags().Bool("read-only", false, "")
		root.AddCommand(screen)
		root.SetArgs(args)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"--as-group=a", "--as-group=b", "--context=west", "--peer-context=east"}, got); diff != "" {
			t.Errorf("%q: %s", args, diff)
		}
	}
}
