// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// history is what history prints as JSON.
type history struct {
	metav1.TypeMeta `json:",inline"`
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	// Operations are newest first.
	Operations []recovery.Operation `json:"operations"`
}

// DeepCopyObject implements runtime.Object; printers only read.
func (h *history) DeepCopyObject() runtime.Object { c := *h; return &c }

// NewHistory makes the history command.
func NewHistory(e *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "history NAME", Short: "Show the failovers and failbacks of a group", Args: cobra.ExactArgs(1),
		Example:           "  kubectl vgr history postgresql -n production",
		ValidArgsFunction: completeGroups(e),
	}
	cmd.Long = `Show the failovers and failbacks of a group.

They are read from the group on both sites, where each operation writes its journal. The last ten are kept.`
	out := newOutput(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		p, err := e.pair(cmd.Context())
		if err != nil {
			return err
		}
		q := collect.Query{Namespace: e.Sites.Namespace(), Names: args}
		inputs := collect.Sites(cmd.Context(), p.all(), q)
		if err := missing(overview.Build(inputs, e.Clock.Now()), q, p.here.Name); err != nil {
			return err
		}
		for _, in := range inputs {
			if !in.Answered {
				fmt.Fprintf(e.ErrOut, "%s: %s: %s; what it alone knows is missing\n", in.Name, in.Problem, present.Clean(in.Message))
			}
		}
		h := &history{TypeMeta: metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: "History"}, Namespace: q.Namespace, Name: args[0]}
		if h.Operations, err = operations(inputs); err != nil {
			return err
		}
		if !out.human() {
			return out.print(e, h)
		}
		showHistory(e, h)
		return nil
	}
	return cmd
}

// operations are those of both sites, newest first. A site that was lost knows less of one.
func operations(inputs []overview.SiteInput) ([]recovery.Operation, error) {
	newest := map[string]recovery.Operation{}
	for _, in := range inputs {
		for i := range in.Groups {
			last, err := recovery.Journal(&in.Groups[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", in.Name, err)
			}
			ops := recovery.History(&in.Groups[i])
			if last != nil {
				ops = append(ops, *last)
			}
			for _, op := range ops {
				if known, ok := newest[op.ID]; !ok || op.Revision > known.Revision {
					newest[op.ID] = op
				}
			}
		}
	}
	all := make([]recovery.Operation, 0, len(newest))
	for _, op := range newest {
		all = append(all, op)
	}
	slices.SortFunc(all, func(a, b recovery.Operation) int { return cmp.Compare(b.Revision, a.Revision) })
	return all, nil
}

func showHistory(e *Env, h *history) {
	if len(h.Operations) == 0 {
		fmt.Fprintf(e.ErrOut, "%s/%s has not been moved\n", present.Clean(h.Namespace), present.Clean(h.Name))
	}
	for i := range h.Operations {
		op := &h.Operations[i]
		result := string(op.Result)
		if op.InFlight() {
			result = "in flight, held by " + op.Holder
		}
		fmt.Fprintf(e.Out, "%s  %s  %s  by %s\n", op.Started.UTC().Format(time.RFC3339), present.Clean(op.String()), present.Clean(result), present.Clean(op.By))
		if d, ok := op.Duration(); ok {
			fmt.Fprintf(e.Out, "  primary after %s; lost: %s\n", d.Round(100*time.Millisecond), present.Clean(lossOf(*op)))
			for _, line := range lossByVolume(*op) {
				fmt.Fprintf(e.Out, "    %s\n", present.Clean(line))
			}
		}
		for _, w := range op.Stopped {
			at := op.From.Name
			if w.Cluster == op.To.Cluster {
				at = op.To.Name
			}
			fmt.Fprintf(e.Out, "  stopped on %s: %s\n", present.Clean(at), present.Clean(w.String()))
		}
		for _, s := range op.Steps {
			took := "not finished"
			if s.Finished != nil {
				took = s.Finished.Sub(s.Started.Time).Round(100 * time.Millisecond).String()
			}
			fmt.Fprintf(e.Out, "  %-9s  %s  %s\n", s.ID, s.Started.UTC().Format("15:04:05.0"), took)
		}
	}
}
