// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// ExactlyOne refuses a command line without exactly one argument.
func ExactlyOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return clierror.New(clierror.CodeError, cmd.CommandPath()+" --help", "exactly one %s is needed, not %d", what, len(args))
		}
		return nil
	}
}
