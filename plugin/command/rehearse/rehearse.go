// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package rehearse has the commands that prove a copy: they clone it beside its replication, have it checked, and remove the
// clones. What comes next is decided by pkg/rehearsal.
package rehearse

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// rehearse is the command's flags.
type rehearse struct {
	cli.Change
	sel         cli.Selection
	concurrency int
	on          string
	check       string
	keep        time.Duration
	network     bool
	namespace   string
	secret      string
	timeout     time.Duration
}

const long = `Prove that the copies of groups work, without a change of their replication.

The command clones each volume, as it was last synchronised, on the site where the group is Secondary, and makes PVCs of the
clones in a namespace of their own. Ceph makes the snapshot for this when the next synchronisation begins, so the command waits
for that, as long as the schedule is. With --check it runs your Job there, with the PVCs that it mounts. Then it records how old
the data was and what the check said, and removes all of it again. No role, schedule or mirror changes, and replication
continues meanwhile.

A Job in the namespace of the CSI driver runs rbd, with the image, the configuration and the Secret of the driver. If the command
ends early, run it again: it continues. Ceph RBD 19.2 or later only.

Several groups are rehearsed at the same time, in the waves of their annotation replication.unified.io/wave, as with failover. A
rehearsal that was kept and has expired is ended before a new one begins.`

// NewRehearse makes the rehearse command.
func NewRehearse(e *cli.Env) *cobra.Command {
	r := &rehearse{}
	cmd := &cobra.Command{
		Use: "rehearse NAME…", Short: "Prove that copies work, without a change of their replication", Long: long,
		Example: `  # Clone the copy on west, and remove the clones again
  kubectl vgr rehearse postgresql -n production --on west

  # Have a Job check the data; keep the clones for four hours
  kubectl vgr rehearse postgresql -n production --on west --check check.yaml --keep 4h
  kubectl vgr rehearse list -n production
  kubectl vgr rehearse end postgresql -n production

  # All groups of all namespaces, each where its copy is
  kubectl vgr rehearse --all -A`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	r.AddFlags(cmd)
	r.sel.AddFlags(cmd, false)
	r.sel.AddNamespaces(cmd)
	f := cmd.Flags()
	f.IntVar(&r.concurrency, "concurrency", 10, "how many groups to rehearse at a time")
	f.StringVar(&r.on, "on", "", "the site whose copy is cloned, by its name or context (default: the site where the group is Secondary)")
	f.StringVar(&r.check, "check", "", "file with a Job that checks the data: it mounts the PVCs by their names in the group")
	f.DurationVar(&r.keep, "keep", 0, "leave the clones for a person to look at, for so long; \"rehearse end --expired\" ends what has expired")
	f.BoolVar(&r.network, "network", false, "let Pods in the rehearsal's namespace use the network")
	f.StringVar(&r.namespace, "namespace-name", "", "the namespace to make, for one group; NAME-rehearsal by default")
	f.StringVar(&r.secret, "secret", "", "the Secret in the driver's namespace by which the Jobs reach the storage; that of the volumes by default")
	f.DurationVar(&r.timeout, "timeout", 30*time.Minute, "time limit for the whole command")
	_ = cmd.RegisterFlagCompletionFunc("on", cli.CompleteSites(e))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return r.run(cmd.Context(), e, args)
	}
	cmd.AddCommand(newList(e), newEnd(e))
	return cmd
}

func (r *rehearse) run(ctx context.Context, e *cli.Env, args []string) error {
	mode, err := r.Mode()
	if err != nil {
		return err
	}
	q, err := r.query(e, args)
	if err != nil {
		return err
	}
	f, err := find(ctx, e, q)
	if err != nil {
		return err
	}
	if err := f.named(&r.on); err != nil {
		return err
	}
	if err := e.Selected(ctx, f.view, q, f.pair.All()); err != nil {
		return err
	}
	if n := len(f.view.Groups); n > 1 && r.namespace != "" {
		return clierror.New(clierror.CodeError, "leave it out: each group has a namespace of its own", "--namespace-name is for one group, and %d are selected", n)
	}
	todo, refused, waves := r.prepare(ctx, e, f)
	if len(todo) == 0 {
		fmt.Fprintln(e.ErrOut, "nothing was changed")
		return clierror.Worst(errorsOf(refused))
	}
	if len(refused) > 0 {
		fmt.Fprintf(e.ErrOut, "%d of %d groups are refused and stay as they are\n", len(refused), len(refused)+len(todo))
	}
	if mode == cli.DryRunServer {
		for _, j := range todo {
			if err := j.dryRun(ctx); err != nil {
				return cli.SiteError(ctx, j.at, "make what the rehearsal of "+j.key.String()+" needs", err)
			}
		}
	}
	if mode != cli.DryRunNone {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	var names []string
	for _, j := range todo {
		if !j.resumed || len(f.view.Groups) > 1 {
			names = append(names, j.key.Name)
		}
	}
	if len(names) > 0 { // one that continues was confirmed when it began
		if err := e.Confirm(r.Yes, names); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, cli.ErrTimeout)
	defer cancel()
	r.runAll(ctx, todo, waves)
	all := slices.Concat(todo, refused)
	if err := summarize(e, all); err != nil {
		return err
	}
	return clierror.Worst(errorsOf(all))
}

// query checks the flags.
func (r *rehearse) query(e *cli.Env, args []string) (collect.Query, error) {
	switch {
	case r.namespace != "" && len(validation.IsDNS1123Label(r.namespace)) > 0:
		return collect.Query{}, clierror.New(clierror.CodeError, "", "--namespace-name %s is not the name of a namespace", r.namespace)
	case r.keep < 0:
		return collect.Query{}, clierror.New(clierror.CodeError, "", "--keep must not be negative")
	case r.concurrency < 1:
		return collect.Query{}, clierror.New(clierror.CodeError, "", "--concurrency must be at least 1")
	}
	return r.sel.Query(e, args, true)
}

func (r *rehearse) readCheck(volumes []rehearsal.Volume) (*batchv1.Job, error) {
	text, err := os.ReadFile(r.check)
	if err != nil {
		return nil, clierror.New(clierror.CodeError, "", "--check: %v", err)
	}
	job, err := rehearsal.ReadCheck(text, volumes)
	if err != nil {
		return nil, clierror.Refused("", "--check %s: %v", r.check, err)
	}
	return job, nil
}

// endCommand ends the rehearsal of a group on a site.
func endCommand(key types.NamespacedName, at *site.Site) string {
	return fmt.Sprintf("kubectl vgr rehearse end %s -n %s --on %s", key.Name, key.Namespace, recovery.ShellQuote(at.Name))
}
