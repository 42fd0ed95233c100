// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
)

// Completion must not make a shell wait.
const (
	completionTimeout = 2 * time.Second
	completionLimit   = 500
)

// CompletionLink is the name under which kubectl looks for completions of this plugin.
const CompletionLink = "kubectl_complete-vgr"

type completer = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

func completeGroups(e *Env) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		names := e.names(cmd.Context(), vgrv1.GroupVersion.WithKind("VolumeGroupReplicationList"), e.Sites.Namespace())
		given := map[string]bool{}
		for _, a := range args {
			given[a] = true
		}
		var out []string
		for _, n := range names {
			if !given[n] {
				out = append(out, n)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

func completeClasses(e *Env) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if cmd.Name() == "describe" && len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return e.names(cmd.Context(), vgrv1.GroupVersion.WithKind("VolumeGroupReplicationClassList"), ""), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteNamespaces completes -n.
func CompleteNamespaces(e *Env) completer {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return e.names(cmd.Context(), corev1.SchemeGroupVersion.WithKind("NamespaceList"), ""), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteContexts completes --context and --peer-context.
func CompleteContexts(e *Env) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return typeable(e.Sites.Contexts()), cobra.ShellCompDirectiveNoFileComp
	}
}

// typeable leaves out names that a shell would not take as they are. Of several that match, shells insert what is common
// to them without quotes, so that a name could bring a command with it.
func typeable(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		plain := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
		other := func(r rune) bool { return !plain(r) && !strings.ContainsRune("-_./:@%+=,", r) }
		first, _ := utf8.DecodeRuneInString(name)
		return !plain(first) || strings.ContainsFunc(name, other)
	})
}

// names lists object names, as metadata only; nothing when the site does not answer in time.
func (e *Env) names(ctx context.Context, kind schema.GroupVersionKind, namespace string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	here, err := e.Sites.Here()
	if err != nil {
		return nil
	}
	c, err := here.Client()
	if err != nil {
		return nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	if err := c.List(ctx, list, client.InNamespace(namespace), client.Limit(completionLimit)); err != nil {
		return nil
	}
	var out []string
	for i := range list.Items {
		accessor, err := meta.Accessor(&list.Items[i])
		if err == nil {
			out = append(out, accessor.GetName())
		}
	}
	return typeable(out)
}

// NewCompletion makes the completion command.
func NewCompletion(e *Env) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print a completion script, or make completion work through kubectl",
		Long: `Print a completion script for kubectl-vgr. To complete "kubectl vgr …" through kubectl's own completion,
run "kubectl vgr completion install" once: it links ` + CompletionLink + ` beside the plugin.`,
		Example:   "  kubectl vgr completion install\n  source <(kubectl vgr completion bash)",
		Args:      exactlyOne("shell (bash, zsh, fish or powershell)"),
		ValidArgs: shells,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(e.data(), true)
		case "zsh":
			return root.GenZshCompletion(e.data())
		case "fish":
			return root.GenFishCompletion(e.data(), true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(e.data())
		default:
			return failure.New(failure.CodeError, "use bash, zsh, fish or powershell", "there is no completion for %q", args[0])
		}
	}
	cmd.AddCommand(newCompletionInstall(e))
	return cmd
}

func newCompletionInstall(e *Env) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "install", Short: "Link " + CompletionLink + " so that kubectl completes vgr", Args: cobra.NoArgs,
		Example: "  kubectl vgr completion install",
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory on the PATH; that of the plugin by default")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		self, err := e.Executable()
		if err != nil {
			return failure.New(failure.CodeError, "", "cannot find the plugin itself: %v", err)
		}
		if dir == "" {
			dir = filepath.Dir(self)
		}
		return e.installCompletion(self, dir)
	}
	return cmd
}

// installCompletion links the plugin's second name in a directory. A link that is there is renewed; a file
// of somebody else is left alone.
func (e *Env) installCompletion(self, dir string) error {
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
			return failure.New(failure.CodeError, "choose another directory on your PATH with --dir", "cannot renew the link: %v", err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return failure.New(failure.CodeError, "remove it if it is left over, or choose another directory with --dir", "%s exists and is no link of ours", link)
	}
	if !inPlace {
		if err := symlink(self, link); err != nil {
			return failure.New(failure.CodeError, "choose another directory on your PATH with --dir", "cannot link: %v", err)
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
