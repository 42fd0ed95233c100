// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/control"
	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
)

func newStatus(s *session) *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show sites, processes, faults and the array; exits with 1 when the lab is not running",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return fmt.Errorf("no output format %q; use json", output)
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			status, err := client.Status(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) {
				return fmt.Errorf("%w; start it with: lab up", err)
			}
			if err != nil {
				return err
			}
			if output == "json" {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(status)
			}
			printStatus(cmd.OutOrStdout(), status)
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or empty for people")
	return cmd
}

func printStatus(out io.Writer, s lab.Status) {
	printSites(out, s)
	fmt.Fprintf(out, "\nkubeconfig: %s\n", s.Kubeconfig)
	printFaults(out, s.Faults)
	printArray(out, s.Array)
}

func printSites(out io.Writer, s lab.Status) {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "SITE\tAPI\tPROCESSES")
	for _, site := range s.Sites {
		var processes []string
		for _, p := range site.Processes {
			processes = append(processes, describeProcess(p))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", site.Name, site.API, strings.Join(processes, " "))
	}
	table.Flush()
}

func describeProcess(p process.State) string {
	switch {
	case p.PID != 0:
		return fmt.Sprintf("%s(%d)", p.Name, p.PID)
	case p.Stopped:
		return p.Name + "(stopped)"
	default:
		return p.Name + "(down)"
	}
}

func printFaults(out io.Writer, faults []lab.Fault) {
	if len(faults) == 0 {
		fmt.Fprintln(out, "faults: none")
		return
	}
	fmt.Fprintln(out, "faults:")
	for _, f := range faults {
		fmt.Fprintln(out, "  "+f.String())
	}
}

func printArray(out io.Writer, a array.State) {
	if len(a.Images) == 0 {
		fmt.Fprintln(out, "array: no images")
		return
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nIMAGE\tEAST\tWEST\tLAST SYNC\tWRITES")
	for _, image := range a.Images {
		last := "-"
		if image.LastSync != nil {
			last = image.LastSync.Time.Format(time.TimeOnly)
		}
		if image.SplitBrain {
			last = "split brain"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\n", image.Name,
			describeCopy(image, lab.East), describeCopy(image, lab.West), last, image.Acknowledged)
	}
	table.Flush()
}

func describeCopy(image array.ImageState, site array.Site) string {
	c, there := image.Copies[site]
	if !there {
		return "-"
	}
	role := "secondary"
	switch {
	case !image.Mirrored:
		role = "not mirrored"
	case c.Primary:
		role = "primary"
	}
	text := role
	if c.Mirror != "" {
		text += " " + c.Mirror
	}
	if missing := image.Acknowledged - c.Writes; missing > 0 {
		text += fmt.Sprintf(" lacks %d", missing)
	}
	if c.Attached {
		text += " attached"
	}
	return text
}
