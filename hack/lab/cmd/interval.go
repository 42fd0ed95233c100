// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/spf13/cobra"
)

func newStatusInterval(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "mirror-status-interval INTERVAL",
		Short: "Change how often Ceph's mirroring daemons look at a volume and tell of it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			interval, err := time.ParseDuration(args[0])
			if err != nil {
				return err
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			return client.SetStatusInterval(cmd.Context(), interval)
		},
	}
}
