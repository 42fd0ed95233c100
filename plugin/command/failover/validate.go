// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// validation is what validate prints as JSON.
type validation struct {
	metav1.TypeMeta `json:",inline"`
	Groups          []validatedGroup `json:"groups"`
}

// validatedGroup are the checks of a planned failover of one group.
type validatedGroup struct {
	Namespace string           `json:"namespace"`
	Name      string           `json:"name"`
	From      string           `json:"from"`
	To        string           `json:"to"`
	Checks    []recovery.Check `json:"checks"`
	// Unplanned is what is left where the source does not answer.
	Unplanned *recovery.Unsourced `json:"unplanned,omitempty"`
}

// DeepCopyObject implements runtime.Object; printers only read.
func (v *validation) DeepCopyObject() runtime.Object { c := *v; return &c }

// NewValidate makes the validate command.
func NewValidate(e *cli.Env) *cobra.Command {
	var sel cli.Selection
	var others cli.Others
	var to string
	var quiesce bool
	cmd := &cobra.Command{
		Use: "validate [NAME…]", Short: "Check whether a failover is possible now, and change nothing",
		Example: `  # Would a planned failover of this group be refused?
  kubectl vgr validate postgresql -n production

  # Could all groups be moved away from east?
  kubectl vgr validate --from east -A`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	cmd.Long = `Check whether a failover is possible now, and change nothing.

The command runs the checks of a planned failover. It ends with exit code 4 if a planned failover would be refused. If the source
does not answer and the other site does, the command shows the checks of an unplanned failover instead, what it would lose, and
the command for it.

A group that another tool manages is moved with that tool. Here its roles, lag and health are checked; a problem ends the command with
exit code 4 too.`
	out := cli.NewOutput(cmd, "")
	sel.AddFlags(cmd, false)
	sel.AddEvacuation(e, cmd)
	others.AddFlags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the site to make primary, by its name or context (default: the site that is not primary)")
	cmd.Flags().BoolVar(&quiesce, "quiesce", false, "check a failover that also stops the Deployments, StatefulSets and VirtualMachines that use the PVCs")
	_ = cmd.RegisterFlagCompletionFunc("to", cli.CompleteSites(e))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return validate(cmd.Context(), e, sel, others, args, to, quiesce, out)
	}
	return cmd
}

// validate shows the checks of the selected groups.
func validate(ctx context.Context, e *cli.Env, sel cli.Selection, others cli.Others, args []string, to string, quiesce bool, out *cli.Output) error {
	q, err := sel.Query(e, args, false)
	if err != nil {
		return err
	}
	others.Put(e, &q)
	s, err := preflight.Read(ctx, e, q, quiesce)
	if err != nil {
		return err
	}
	f := &failover{to: to}
	f.sel.From = sel.From
	if err := f.named(s); err != nil {
		return err
	}
	to, sel.From = f.to, f.sel.From
	if err := e.Selected(ctx, s.View, q, s.Sites[:]); err != nil {
		return err
	}
	leaving := evacuation{from: sel.From}
	leaving.keep(e, s)
	if to == "" {
		to = leaving.away(s)
	}
	v := &validation{TypeMeta: metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: "Validation"}, Groups: []validatedGroup{}}
	refused, troubled, unplanned := 0, 0, 0
	for _, g := range s.View.Groups {
		checked, trouble := judged(e, s, g, leaving, to, quiesce)
		if trouble {
			troubled++
		} else if g.ManagedBy == "" || g.Movable() {
			refused += refusals(checked)
		}
		if u := checked.Unplanned; u != nil && u.Command != "" {
			unplanned++
		}
		v.Groups = append(v.Groups, checked)
	}
	if len(v.Groups) == 0 && sel.From == "" && out.Human() {
		fmt.Fprintln(e.ErrOut, "no groups")
	}
	if out.Human() {
		err = showChecks(e, v)
	} else {
		err = out.Print(e, v)
	}
	if err != nil {
		return err
	}
	return unready(len(v.Groups), refused, troubled, unplanned)
}

// unready is the error of groups that cannot be moved as planned.
func unready(all, refused, troubled, unplanned int) error {
	switch {
	case unplanned > 0 && unplanned == refused:
		return clierror.New(clierror.CodeFailed, "", "%d of %d groups could fail over only with accepted data loss; a planned failover would be refused", unplanned, all)
	case refused > 0:
		return clierror.New(clierror.CodeFailed, "", "a planned failover would be refused for %d of %d groups", refused, all)
	case troubled > 0:
		return clierror.New(clierror.CodeFailed, "", "%d of %d groups have a problem", troubled, all)
	default:
		return nil
	}
}

// judged returns the checks of one group, and whether it has no other problem than its health as another tool's group.
func judged(e *cli.Env, s *preflight.Observation, g overview.Group, leaving evacuation, to string, quiesce bool) (checked validatedGroup, trouble bool) {
	if g.ManagedBy != "" && !g.Movable() {
		checked = validatedGroup{Namespace: g.Namespace, Name: g.Name, Checks: g.Checks()}
		checked.From, checked.To = roles(s, g)
		return checked, len(recovery.Problems(checked.Checks)) > 0
	}
	checked = validated(e, s, g, leaving, to, quiesce)
	if g.ManagedBy == "" {
		return checked, false
	}
	// What its primary reports is no proof for an operation, and yet what is known of its health.
	health := g.Checks()[:1]
	ill := len(recovery.Problems(health)) > 0 && refusals(checked) == 0
	checked.Checks = append(checked.Checks, health...)
	return checked, ill
}

// refusals is 1 when a planned failover would be refused.
func refusals(checked validatedGroup) int {
	if len(recovery.Problems(checked.Checks)) > 0 || checked.Unplanned != nil {
		return 1
	}
	return 0
}

// roles returns the site that is primary, and the other one; the sites in their order while that is not certain.
func roles(s *preflight.Observation, g overview.Group) (from, to string) {
	from, to = s.Sites[0].Name, s.Sites[1].Name
	p, ok := g.Primary()
	if ok && p.Site == to || !ok && s.Inputs[0].Answered && !s.Inputs[1].Answered {
		from, to = to, from
	}
	return from, to
}

// validated returns the checks of one group.
func validated(e *cli.Env, s *preflight.Observation, g overview.Group, leaving evacuation, to string, quiesce bool) validatedGroup {
	facts := s.Facts(e, g)
	target := target(s, g, to)
	from := facts.Other(target)
	ready := recovery.Ready(facts, target, quiesce)
	v := validatedGroup{g.Namespace, g.Name, from.Name, target.Name, ready.Checks, ready.Unplanned}
	if unclear := leaving.refuse(s, facts.Pair); unclear != nil {
		v.Checks = append([]recovery.Check{{ID: "request", Severity: recovery.CheckProblem, Evidence: unclear.Message, Remedy: unclear.Next}}, v.Checks...)
		v.Unplanned = nil
	}
	return v
}

// Readiness returns the sites of a group as validate does, and whether it could be moved.
func Readiness(e *cli.Env, s *preflight.Observation, g overview.Group) (from, to string, ready recovery.Readiness) {
	v := validated(e, s, g, evacuation{}, "", false)
	return v.From, v.To, recovery.Readiness{Checks: v.Checks, Unplanned: v.Unplanned}
}

func showChecks(e *cli.Env, v *validation) error {
	style, err := e.Style()
	if err != nil {
		return err
	}
	for i, g := range v.Groups {
		if i > 0 {
			fmt.Fprintln(e.Out)
		}
		title := fmt.Sprintf("%s/%s from %s to %s", g.Namespace, g.Name, g.From, g.To)
		if g.Unplanned == nil {
			present.Checks(e.Out, style, title, g.Checks)
		} else {
			present.Unsourced(e.Out, style, title, g.From, g.To, *g.Unplanned)
		}
	}
	return nil
}
