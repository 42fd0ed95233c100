// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
)

func newWrite(s *session) *cobra.Command {
	count := int64(1)
	cmd := &cobra.Command{
		Use:   "write SITE HANDLE|NAMESPACE/CLAIM",
		Short: "Write to a volume as an application would; status shows what the peer lacks",
		Args:  cobra.ExactArgs(2), ValidArgsFunction: sites,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			return client.Write(cmd.Context(), args[0], args[1], count)
		},
	}
	cmd.Flags().Int64VarP(&count, "count", "n", count, "how many writes")
	return cmd
}
