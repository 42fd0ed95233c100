// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package failover has the commands that change roles, which the planner carries out: failover, failback, promote, demote, resync; and
// validate, which checks without changing anything.
package failover

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
)

// failover is failover or failback.
type failover struct {
	operation
	kind      recovery.Kind
	to        string
	unplanned bool
	accept    string
	discard   string
	survivor  bool
	// sourceIsLost is the user's word, where nothing shows it.
	sourceIsLost   bool
	quiesce        bool
	start          bool
	discardJournal bool
}

// NewFailover makes the failover command.
func NewFailover(e *cli.Env) *cobra.Command {
	f := &failover{kind: recovery.Planned}
	cmd := f.command(e, "failover", "Move groups to the other site", `  # Planned: both sites work, nothing is lost
  kubectl vgr failover postgresql -n production --to west

  # East is down: accept losing the writes that were not replicated
  kubectl vgr failover postgresql -n production --to west --unplanned --accept-data-loss 10m

  # Move all groups of all namespaces away from east
  kubectl vgr failover --from east -A

  # Undo an operation that has not reached the promotion
  kubectl vgr failover postgresql -n production --abort`)
	cmd.Long = `Move groups to the other site.

A planned failover needs both sites and loses nothing: the source gives up its role, the storage confirms that the sites are in
sync, and only then the target takes over. Where the storage can only confirm that by comparing both sites (Ceph), the command
first waits until the source has synchronised since it became primary: up to about two schedules after the last move.

An unplanned failover needs only the target. You must ask for it with --unplanned and accept the loss with --accept-data-loss.

The command writes each step to the group on both sites. After a crash, run the same command again to resume.

It also moves bare VolumeReplications and VolumeGroupReplications of csi-addons that you name or select with -l, with nothing
installed; no controller guards these against a second primary.`
	cmd.Flags().BoolVar(&f.unplanned, "unplanned", false, "the source is down: promote the target without it")
	cmd.Flags().StringVar(&f.accept, "accept-data-loss", "", "how much an unplanned failover may lose: an age such as 10m, or unknown")
	cmd.Flags().BoolVar(&f.sourceIsLost, "source-is-lost", false, sourceIsLost)
	cmd.Flags().BoolVar(&f.abort, "abort", false, "undo the operation that is in flight")
	cmd.Flags().BoolVar(&f.discardJournal, "discard-journal", false, "show the unusable journal of a group, and remove it; changes no role")
	return cmd
}

// NewFailback makes the failback command.
func NewFailback(e *cli.Env) *cobra.Command {
	f := &failover{kind: recovery.Failback}
	cmd := f.command(e, "failback", "Move groups back to a site that was lost", `  # East is back: discard the writes that only it has, copy from west, and move back
  kubectl vgr failback postgresql -n production --to east --discard-site east`)
	cmd.Long = `Move groups back to a site that was lost.

The old primary may hold writes that never reached the other site. The command discards them; you must confirm that with
--discard-site. Then the old primary becomes a copy of the other site, and a planned failover moves the role back without loss.`
	cmd.Flags().StringVar(&f.discard, "discard-site", "", "the site whose unreplicated writes are discarded")
	cmd.Flags().BoolVar(&f.survivor, "discard-survivor", false, discardSurvivor)
	_ = cmd.RegisterFlagCompletionFunc("discard-site", cli.CompleteSites(e))
	return cmd
}

func (f *failover) command(e *cli.Env, use, short, example string) *cobra.Command {
	cmd := &cobra.Command{Use: use + " NAME…", Short: short, Example: example, ValidArgsFunction: cli.CompleteGroups(e)}
	f.addFlags(e, cmd, f.kind == recovery.Planned)
	cmd.Flags().StringVar(&f.to, "to", "", "the site to make primary, by its name or context (default: the site that is not primary)")
	cmd.Flags().DurationVar(&f.maxOutage, "max-outage", 0, "abort by itself if no site can be written to for so long and the target was not asked to be primary yet; 0 is no limit")
	cmd.Flags().BoolVar(&f.quiesce, "quiesce", false, "first stop the Deployments, StatefulSets and VirtualMachines that use the PVCs")
	cmd.Flags().BoolVar(&f.start, "start-workloads", false, "with --quiesce: scale them up on the other site, where they exist")
	_ = cmd.RegisterFlagCompletionFunc("to", cli.CompleteSites(e))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return f.run(cmd.Context(), e, args)
	}
	return cmd
}

// workloads checks the flags about workloads, and how long they may be without their volumes.
func (f *failover) workloads() error {
	switch {
	case f.maxOutage < 0:
		return clierror.New(clierror.CodeError, "use a duration such as 60s", "--max-outage must not be negative")
	case f.maxOutage > 0 && (f.unplanned || f.abort):
		return clierror.New(clierror.CodeError, "leave it out", "--max-outage is for planned failovers and failbacks")
	case f.start && !f.quiesce:
		return clierror.New(clierror.CodeError, "add --quiesce", "--start-workloads starts what --quiesce has stopped")
	case f.quiesce && f.unplanned:
		return clierror.New(clierror.CodeError, "leave it out", "--quiesce: nothing can be stopped on a site that is lost")
	case f.quiesce && f.abort:
		return clierror.New(clierror.CodeError, "leave it out", "--quiesce: an abort starts again what the operation has stopped")
	default:
		return nil
	}
}

// direction refuses an operation of which it is not clear where it goes.
func (f *failover) direction() error {
	const next = "add --to SITE"
	switch {
	case f.unplanned && !f.abort && f.to == "" && f.sel.From == "":
		return clierror.New(clierror.CodeError, next, "--unplanned needs the site that is to be primary")
	case f.to == "" && f.kind == recovery.Failback:
		return clierror.New(clierror.CodeError, next, "a failback needs the site that is to be primary again")
	case f.to == "" && f.sel.From == "" && !f.abort && f.Yes:
		return clierror.New(clierror.CodeError, next, "without --to the direction depends on where the group is now, and --yes skips the prompt that shows it")
	default:
		return nil
	}
}

// loss reads --accept-data-loss and what goes with it.
func (f *failover) loss() (recovery.Loss, error) {
	if err := f.workloads(); err != nil {
		return recovery.Loss{}, err
	}
	switch {
	case f.unplanned && f.abort:
		return recovery.Loss{}, clierror.New(clierror.CodeError, "leave one of them out", "--abort and --unplanned cannot be used together")
	case f.accept != "" && !f.unplanned:
		return recovery.Loss{}, clierror.New(clierror.CodeError, "leave it out, or add --unplanned if the source is lost", "--accept-data-loss: a planned failover loses nothing")
	case f.sourceIsLost && !f.unplanned:
		return recovery.Loss{}, clierror.New(clierror.CodeError, "leave it out, or add --unplanned", "--source-is-lost: a planned failover needs the source")
	}
	if err := f.direction(); err != nil {
		return recovery.Loss{}, err
	}
	switch f.accept {
	case "":
		return recovery.Loss{}, nil // the planner says what would be lost
	case "unknown":
		return recovery.Loss{Unknown: true}, nil
	}
	age, err := time.ParseDuration(f.accept)
	if err != nil || age <= 0 {
		return recovery.Loss{}, clierror.New(clierror.CodeError, "use an age such as 10m or 1h30m, or unknown", "--accept-data-loss %q is not a duration", f.accept)
	}
	return recovery.Loss{Age: age}, nil
}

func (f *failover) run(ctx context.Context, e *cli.Env, args []string) error {
	if f.discardJournal {
		return f.discardJournals(ctx, e, args)
	}
	loss, err := f.loss()
	if err != nil {
		return err
	}
	return f.operation.run(ctx, e, args, f.quiesce, func(s *preflight.Observation) (requester, error) {
		if err := f.named(s); err != nil {
			return nil, err
		}
		if !f.abort && f.to == "" {
			f.to = evacuation{from: f.sel.From}.away(s)
		}
		return func(g overview.Group, facts recovery.Facts) recovery.Request {
			req := recovery.Request{
				Kind: f.kind, Abort: f.abort, Accept: loss, Discard: f.discard, DiscardSurvivor: f.survivor, SourceIsLost: f.sourceIsLost,
				Quiesce: f.quiesce, Start: f.start, To: target(s, g, f.to),
			}
			if f.unplanned {
				req.Kind = recovery.Unplanned
			}
			if last, err := recovery.Newest(facts.Pair); err == nil && last.InFlight() && f.to == "" {
				req.To = last.To // where it was going
			}
			return req
		}, nil
	})
}

// named refuses a site that is none of the two, and notes the others by their display names.
func (f *failover) named(s *preflight.Observation) error {
	for _, flag := range []struct {
		name  string
		value *string
	}{{"--from", &f.sel.From}, {"--to", &f.to}, {"--discard-site", &f.discard}} {
		if err := cli.OneOf(flag.value, flag.name, s.Sites); err != nil {
			return err
		}
	}
	if f.to != "" && f.to == f.sel.From {
		return clierror.New(clierror.CodeError, "leave one of them out", "--from and --to name the same site, %s", f.to)
	}
	return nil
}

// target returns the site that was named, or else the one that is not primary. Where neither is known to be, a site that
// does not answer is the one to move away from.
func target(s *preflight.Observation, g overview.Group, to string) recovery.SiteRef {
	at := 1
	if s.Inputs[0].Answered && !s.Inputs[1].Answered {
		at = 0
	}
	for i, x := range s.Sites {
		gs := g.On(x.Name)
		switch {
		case to == x.Name:
			at = i
		case to == "" && (gs.State == vgrv1.StatePrimary || gs.Desired == vgrv1.Primary):
			at = 1 - i
		}
	}
	return operate.Ref(s.Sites[at], operate.Cluster(s.Inputs, s.Clusters, at, g.Namespace, g.Name))
}
