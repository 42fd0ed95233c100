// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

func newLoad(s *session) *cobra.Command {
	groups, changes, duration := load.Groups{Namespace: "load", Groups: 2000, Volumes: 5}, 0, time.Minute
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Make many groups and change their status, to see how a screen or a list bears it",
		Long: `Make many groups on both sites and change their status, to see how a screen or a list bears it.

Nothing is behind the groups: run it on a lab without a controller, which would correct them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := s.client()
			if err != nil {
				return err
			}
			running, err := status.Status(cmd.Context())
			if err != nil {
				return err
			}
			sites, err := loadSites(running.Kubeconfig)
			if err != nil {
				return err
			}
			go func() { _ = sites.Lead(cmd.Context()) }() // once it has ended, the groups are shown as without a controller
			began := time.Now()
			if err := groups.Make(cmd.Context(), sites); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d groups of %d volumes on each site after %s\n", groups.Groups, groups.Volumes, time.Since(began).Round(time.Second))
			began = time.Now()
			n, err := groups.Churn(cmd.Context(), sites, changes, duration)
			fmt.Fprintf(cmd.OutOrStdout(), "%d changes in %s\n", n, time.Since(began).Round(time.Second))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&groups.Namespace, "namespace", "n", groups.Namespace, "namespace of the groups")
	f.IntVar(&groups.Groups, "groups", groups.Groups, "how many groups")
	f.IntVar(&groups.Volumes, "volumes", groups.Volumes, "volumes of each group")
	f.IntVar(&changes, "changes", changes, "status changes a second, on both sites together")
	f.DurationVar(&duration, "duration", duration, "how long to make changes")
	return cmd
}

func loadSites(kubeconfig string) (load.Sites, error) {
	var configs [2]*rest.Config
	for i, name := range []string{lab.East, lab.West} {
		var err error
		if configs[i], err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: name}).ClientConfig(); err != nil {
			return load.Sites{}, err
		}
	}
	return load.Connect(configs)
}
