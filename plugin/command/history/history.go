// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package history has the command that shows past operations.
package history

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
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
	// Rehearsals are newest first, those of both sites.
	Rehearsals []overview.RehearsedOn `json:"rehearsals,omitempty"`
}

// DeepCopyObject implements runtime.Object; printers only read.
func (h *history) DeepCopyObject() runtime.Object { c := *h; return &c }

// NewHistory makes the history command.
func NewHistory(e *cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "history NAME", Short: "Show the failovers, failbacks and rehearsals of a group", Args: cobra.ExactArgs(1),
		Example:           "  kubectl vgr history postgresql -n production",
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	cmd.Long = `Show the failovers, failbacks and rehearsals of a group.

The command reads the journals that operations and rehearsals write to the group on both sites. The group keeps the last ten of
each.`
	out := cli.NewOutput(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		p, err := e.Pair(cmd.Context())
		if err != nil {
			return err
		}
		q, err := e.Names(args, false)
		if err != nil {
			return err
		}
		q.Native = &collect.Native{Profiles: e.Profiles}
		inputs := collect.Sites(cmd.Context(), p.All(), q)
		if err := cli.Ended(cmd.Context(), "", "not all sites were waited for"); err != nil {
			return err
		}
		o := overview.Build(inputs, e.Clock.Now())
		if len(o.Groups) == 0 { // it may be one of another tool, beside groups of kubectl vgr
			q.Native.ManagedBy = collect.EveryManager
			inputs = collect.Sites(cmd.Context(), p.All(), q)
			o = overview.Build(inputs, e.Clock.Now())
		}
		if err := p.Once(cmd.Context(), o); err != nil {
			return err
		}
		if err := e.Named(cmd.Context(), o, q, p.All()); err != nil {
			return err
		}
		for _, in := range inputs {
			if !in.Answered {
				fmt.Fprintf(e.ErrOut, "%s: %s: %s; the operations that only it knows are missing\n", present.Clean(in.Name), in.Problem, present.Clean(in.Message))
			}
		}
		h := &history{TypeMeta: metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: "History"}, Namespace: q.Namespace, Name: q.Names[0]}
		for _, g := range o.Groups { // it is one
			if h.Operations, err = g.Timeline(); err != nil {
				return err
			}
			if h.Rehearsals, err = g.Rehearsals(); err != nil {
				return err
			}
		}
		if !out.Human() {
			return out.Print(e, h)
		}
		return h.show(e)
	}
	return cmd
}

func (h *history) show(e *cli.Env) error {
	style, err := e.Style()
	if err != nil {
		return err
	}
	if len(h.Operations) == 0 {
		fmt.Fprintf(e.ErrOut, "%s/%s has not been moved\n", present.Clean(h.Namespace), present.Clean(h.Name))
	}
	present.History(e.Out, h.Operations)
	for _, r := range h.Rehearsals {
		present.Rehearsal(e.Out, style, r.Site, r.Record, e.Clock.Now())
	}
	return nil
}
