// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// commandIn finds a command of the plugin in a text, which may be wrapped, wordIn its subcommand, and contextIn the context
// that it names. groupsIn finds the groups, where a flag or nothing comes behind them: it may be prose.
var (
	groupsIn  = regexp.MustCompile(`^(\s+[^\s;/-][^\s;/]*|(?:\s+[^\s;/-][^\s;/]*/[^\s;/]+)+)(?:\s+-|\s*$)`)
	wordIn    = regexp.MustCompile(`^\s+([a-z]+)`)
	commandIn = regexp.MustCompile(`kubectl\s+vgr\s+([a-z]+)`)
	contextIn = regexp.MustCompile(`--context[\s=]+('[^']*'|[^\s']+)`)
)

// Commands adds to the commands in a text the flags that the user gave about sites, so that they do the same where they are
// pasted. What comes from the environment is there again.
func (e *Env) Commands(text string) string {
	if e.Root == nil || !strings.Contains(text, "vgr") || !e.gave("kubeconfig", "peer-kubeconfig", "context", "peer-context", "as") {
		return text
	}
	all := commandIn.FindAllStringSubmatchIndex(text, -1)
	var b strings.Builder
	done := 0
	for i, at := range all {
		cmd := child(e.Root, text[at[2]:at[3]])
		if cmd == nil {
			continue
		}
		start, end := at[1], len(text)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		if word := wordIn.FindStringSubmatch(text[start:end]); word != nil && child(cmd, word[1]) != nil {
			start += len(word[0])
		}
		rest, _, _ := strings.Cut(text[start:end], ";")
		if strings.HasPrefix(rest, " --help") {
			continue
		}
		if groups := groupsIn.FindStringSubmatch(rest); groups != nil {
			start += len(groups[1])
		}
		b.WriteString(text[done:start])
		b.WriteString(e.given(rest))
		done = start
	}
	return b.String() + text[done:]
}

// child returns the command below another one; nil without one.
func child(parent *cobra.Command, name string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// gave reports whether the user gave one of the flags.
func (e *Env) gave(flags ...string) bool {
	return slices.ContainsFunc(flags, func(name string) bool {
		f := e.Root.PersistentFlags().Lookup(name)
		return f != nil && f.Changed
	})
}

// given returns the flags for a command, without those that it has.
func (e *Env) given(rest string) string {
	flags := ""
	add := func(name, value string) {
		if value != "" && !strings.Contains(rest, "--"+name) {
			flags += " --" + name + " " + present.Clean(recovery.ShellQuote(value)) // after the text around it was cleaned
		}
	}
	value := func(name string) string {
		if !e.gave(name) {
			return ""
		}
		return e.Root.PersistentFlags().Lookup(name).Value.String()
	}
	add("kubeconfig", value("kubeconfig"))
	add("peer-kubeconfig", value("peer-kubeconfig"))
	add("as", value("as"))
	here, peer := value("context"), value("peer-context")
	if names := contextIn.FindStringSubmatch(rest); names != nil && strings.Trim(names[1], "'") != e.Sites.ContextName() {
		if here+peer != "" && value("peer-kubeconfig") == "" { // it is about the other site, whose peer is this one
			peer = e.Sites.ContextName()
		}
	}
	add("context", here)
	add("peer-context", peer)
	return flags
}

// commandWriter has the commands in a text work in the environment in which they are printed.
type commandWriter struct {
	e   *Env
	out io.Writer
}

// Write implements io.Writer.
func (w commandWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.out, w.e.Commands(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
