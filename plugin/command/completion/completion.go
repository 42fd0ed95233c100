// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package completion has the command that prints and installs shell completion.
package completion

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// CompletionLink is the name under which kubectl looks for completions of this plugin.
const CompletionLink = "kubectl_complete-vgr"

// NewCompletion makes the completion command.
func NewCompletion(e *cli.Env) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print a completion script, or make completion work through kubectl",
		Long: `Print a completion script for kubectl-vgr. To complete "kubectl vgr …" through kubectl's own completion,
run "kubectl vgr completion install" once: it links ` + CompletionLink + ` beside the plugin.`,
		Example:   "  kubectl vgr completion install\n  source <(kubectl vgr completion bash)",
		Args:      cli.ExactlyOne("shell (bash, zsh, fish or powershell)"),
		ValidArgs: shells,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(e.Data(), true)
		case "zsh":
			return root.GenZshCompletion(e.Data())
		case "fish":
			return root.GenFishCompletion(e.Data(), true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(e.Data())
		default:
			return clierror.New(clierror.CodeError, "use bash, zsh, fish or powershell", "there is no completion for %q", args[0])
		}
	}
	cmd.AddCommand(newCompletionInstall(e))
	return cmd
}

func newCompletionInstall(e *cli.Env) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "install", Short: "Link " + CompletionLink + " so that kubectl completes vgr", Args: cobra.NoArgs,
		Example: "  kubectl vgr completion install",
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory on the PATH (default: the plugin's)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		self, err := e.Executable()
		if err != nil {
			return clierror.New(clierror.CodeError, "", "cannot find the plugin itself: %v", err)
		}
		if dir == "" {
			dir = filepath.Dir(self)
		}
		return installCompletion(e, self, dir)
	}
	return cmd
}

// installCompletion links the plugin's second name in a directory. A link that is there is renewed; a file
// of another program is left alone.
func installCompletion(e *cli.Env, self, dir string) error {
	link, symlink := filepath.Join(dir, CompletionLink), os.Symlink
	if ext := filepath.Ext(self); ext == ".exe" {
		link, symlink = link+ext, os.Link // Windows has symbolic links for administrators only
	}
	target, err := os.Readlink(link)
	inPlace := err == nil && target == self || err != nil && sameFile(link, self)
	switch {
	case inPlace:
		fmt.Fprintf(e.Out, "%s is in place\n", link)
	case err == nil:
		if err := os.Remove(link); err != nil {
			return clierror.New(clierror.CodeError, "choose another directory on your PATH with --dir", "cannot renew the link: %v", err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return clierror.New(clierror.CodeError, "remove it if it is left over, or choose another directory with --dir", "%s exists and is not a link that kubectl vgr made", link)
	}
	if !inPlace {
		if err := symlink(self, link); err != nil {
			return clierror.New(clierror.CodeError, "choose another directory on your PATH with --dir", "cannot link: %v", err)
		}
		fmt.Fprintf(e.Out, "%s -> %s\n", link, self)
	}
	if !slices.Contains(filepath.SplitList(e.Getenv("PATH")), dir) {
		fmt.Fprintf(e.ErrOut, "- %s is not on your PATH: kubectl does not find it there\n", dir)
	}
	return nil
}

func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
