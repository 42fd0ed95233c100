// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"regexp"
	"strings"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// Repeat returns a writer that puts flags into every command of kubectl vgr which it is given: one that is printed must find
// the same sites when it is pasted. flags may be known only once the command line is read, and may be empty.
func Repeat(out io.Writer, flags func() string) io.Writer { return repeater{out, flags} }

type repeater struct {
	out   io.Writer
	flags func() string
}

var command = regexp.MustCompile(`\bkubectl vgr ([a-z])`)

// Write implements io.Writer.
func (r repeater) Write(p []byte) (int, error) {
	flags := r.flags()
	if flags == "" {
		return r.out.Write(p)
	}
	flags = strings.ReplaceAll(flags, "$", "$$")
	if _, err := r.out.Write(command.ReplaceAll(p, []byte("kubectl vgr "+flags+" $1"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// PeerFlags returns those that named the other site's kubeconfig on this command line, ready for a shell; empty without.
func PeerFlags(kubeconfig, context string) string {
	if kubeconfig == "" {
		return ""
	}
	text := "--peer-kubeconfig " + recovery.ShellQuote(kubeconfig)
	if context != "" {
		text += " --peer-context " + recovery.ShellQuote(context)
	}
	return text
}
