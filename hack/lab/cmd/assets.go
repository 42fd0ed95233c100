// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
)

func newAssets(s *session) *cobra.Command {
	clean := false
	cmd := &cobra.Command{
		Use:   "assets",
		Short: "Build the programs the lab runs, if need be, and print their directory",
		Long: `Build the programs the lab runs, if need be, and print their directory, which can be used as
KUBEBUILDER_ASSETS. When KUBEBUILDER_ASSETS is set, what it has is used instead.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := assets.DefaultOptions(s.getenv)
			if err != nil {
				return err
			}
			if clean {
				return assets.Clean(options)
			}
			options.Progress = cmd.ErrOrStderr()
			set, err := assets.Ensure(cmd.Context(), options)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), set.EnvtestDir())
			return nil
		},
	}
	cmd.Flags().BoolVar(&clean, "clean", false, "remove what was built, of all versions")
	return cmd
}
