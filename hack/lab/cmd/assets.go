// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
)

func newAssets(s *session) *cobra.Command {
	clean, kubectl, real, oldest := false, false, false, false
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
			if real {
				return printCeph(cmd, options)
			}
			if oldest {
				dir, err := assets.EnsureOldest(cmd.Context(), options)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), dir)
				return nil
			}
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
	cmd.Flags().BoolVar(&real, "ceph", false, "unpack the programs of real Ceph clusters instead, if this machine has none, and print their directory")
	cmd.Flags().BoolVar(&oldest, "oldest", false, "build kube-apiserver and kube-controller-manager "+assets.OldestKubernetes+" instead, the oldest that is supported, and print their directory")
	cmd.Flags().BoolVar(&clean, "clean", false, "remove what was built, of all versions")
	return cmd
}

// printCeph says why not where Ceph cannot run; that is no error.
func printCeph(cmd *cobra.Command, o assets.Options) error {
	programs, err := ceph.Find(cmd.Context(), ceph.Options{Cache: o.Cache, Progress: o.Progress})
	if unavailable, ok := errors.AsType[*ceph.Unavailable](err); ok {
		fmt.Fprintln(cmd.ErrOrStderr(), unavailable.Error())
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), cmp.Or(programs.Root, "/"))
	return nil
}
