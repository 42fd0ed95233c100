// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// DryRun is the value of --dry-run.
type DryRun string

// What --dry-run may be.
const (
	DryRunNone   DryRun = "none"
	DryRunClient DryRun = "client"
	DryRunServer DryRun = "server"
)

// Change are the flags of every command that changes something.
type Change struct {
	Yes    bool
	dryRun string
}

// AddFlags adds --dry-run and --yes.
func (c *Change) AddFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.Yes, "yes", "y", false, "skip the confirmation prompt")
	cmd.Flags().StringVar(&c.dryRun, "dry-run", "none", "none, client (stop after the plan) or server (send the writes as dry run)")
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{"none", "client", "server"}, cobra.ShellCompDirectiveNoFileComp))
}

// Mode returns what --dry-run asks for.
func (c *Change) Mode() (DryRun, error) {
	switch m := DryRun(c.dryRun); m {
	case DryRunNone, DryRunClient, DryRunServer:
		return m, nil
	default:
		return "", clierror.New(clierror.CodeError, "use --dry-run=client to see the plan", "--dry-run must be none, client or server, not %q", c.dryRun)
	}
}

// Confirm asks for the group's name, or for the number of several groups.
func (e *Env) Confirm(yes bool, names []string) error {
	want, what := names[0], "the name of the group"
	if len(names) > 1 {
		want, what = strconv.Itoa(len(names)), "the number of groups"
	}
	return e.ConfirmWord(yes, want, what)
}

// ConfirmContext asks for the name of the site that is changed as a whole.
func (e *Env) ConfirmContext(yes bool, context string) error {
	return e.ConfirmWord(yes, context, "the name of the context")
}

// ConfirmWord has the user type a word, unless yes; what says what the word is.
func (e *Env) ConfirmWord(yes bool, want, what string) error {
	if yes {
		return nil
	}
	if e.Screen != nil {
		if e.Screen.Confirm(want) {
			return nil
		}
		return clierror.New(clierror.CodeNotConfirmed, "", "not confirmed; nothing was changed")
	}
	in, ok := e.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return clierror.New(clierror.CodeNotConfirmed, "add --yes", "not confirmed: standard input is not a terminal; nothing was changed")
	}
	fmt.Fprintf(e.ErrOut, "\nType %s (%s) to continue: ", what, present.Clean(want))
	line, err := bufio.NewReader(e.In).ReadString('\n')
	if err != nil && err != io.EOF || strings.TrimSpace(line) != want {
		return clierror.New(clierror.CodeNotConfirmed, "", "not confirmed; nothing was changed")
	}
	return nil
}
