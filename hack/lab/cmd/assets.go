// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
)

func newAssets(s *session) *cobra.Command {
	clean, kubectl := false, false
	var backends []string
	cmd := &cobra.Command{
		Use:   "assets",
		Short: "Build the programs the lab runs, if need be, and print their directory",
		Long: `Build the programs the lab runs, if need be, and print their directory, which can be used as
KUBEBUILDER_ASSETS. When KUBEBUILDER_ASSETS is set, what it has is used instead. With --backend only what a lab
with these backends needs is built, which takes a part of the time.`,
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
			if len(backends) > 0 {
				options.Programs = assets.ForLab(slices.Contains(backends, "dell"))
				if kubectl {
					options.Programs = append(options.Programs, assets.Kubectl)
				}
			}
			set, err := assets.Ensure(cmd.Context(), options)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), set.EnvtestDir())
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&backends, "backend", nil, "storage that the lab simulates: ceph, dell or trident; everything is built when empty")
	cmd.Flags().BoolVar(&kubectl, "kubectl", false, "with --backend, build kubectl too")
	cmd.Flags().BoolVar(&clean, "clean", false, "remove what was built, of all versions")
	return cmd
}
