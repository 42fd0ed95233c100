// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
)

// result is what one comparison has found.
type result struct {
	Title string `json:"title"`
	// Ours and Peer are what was run, Again the command that measures it again.
	Ours  string `json:"ours"`
	Peer  string `json:"peer,omitempty"`
	Again string `json:"again"`
	Rows  []row  `json:"rows"`
	// Notes say what a reader must know.
	Notes []string `json:"notes,omitempty"`
}

// row is one figure of both, each the median of the runs.
type row struct {
	Measure string   `json:"measure"`
	Unit    string   `json:"unit,omitempty"`
	Ours    float64  `json:"ours"`
	Peer    *float64 `json:"peer,omitempty"`
	// Ratio is ours to the peer's, the median of the ratios of the runs that stood beside each other.
	Ratio *float64 `json:"ratio,omitempty"`
	// Limit is what physics or the servers leave: the same bytes fetched and thrown away, and the like.
	Limit *float64 `json:"limit,omitempty"`
}

func (r result) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n  ours:  %s\n", r.Title, r.Ours)
	if r.Peer != "" {
		fmt.Fprintf(w, "  peer:  %s\n", r.Peer)
	}
	fmt.Fprintf(w, "  again: %s\n", r.Again)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\t\tOURS\tPEER\tRATIO\tLIMIT\t")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", row.Measure, row.Unit, number(&row.Ours), number(row.Peer), number(row.Ratio), number(row.Limit))
	}
	t.Flush()
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  - %s\n", n)
	}
}

// number has three significant digits, and all those before the point.
func number(f *float64) string {
	switch {
	case f == nil:
		return "-"
	case *f >= 100 || *f == 0:
		return strconv.FormatFloat(*f, 'f', 0, 64)
	default:
		return strconv.FormatFloat(*f, 'g', 3, 64)
	}
}

func writeJSON(file string, results []result) error {
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
