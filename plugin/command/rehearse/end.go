// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// end is the flags of rehearse end.
type end struct {
	cli.Change
	on      string
	timeout time.Duration
}

func newEnd(e *cli.Env) *cobra.Command {
	r := &end{}
	cmd := &cobra.Command{
		Use: "end NAME", Short: "Remove what a rehearsal has made", Args: cobra.ExactArgs(1),
		Long: `Remove what a rehearsal has made: its namespace, the clones, and their PersistentVolumes.

It works in any state of the rehearsal, twice, and also when the group is gone. The record of the rehearsal stays.`,
		Example:           "  kubectl vgr rehearse end postgresql -n production",
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	r.AddFlags(cmd)
	cmd.Flags().StringVar(&r.on, "on", "", "the site of the rehearsal; both by default")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 15*time.Minute, "time limit for the whole command")
	_ = cmd.RegisterFlagCompletionFunc("on", cli.CompleteSites(e))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return r.run(cmd.Context(), e, args)
	}
	return cmd
}

func (r *end) run(ctx context.Context, e *cli.Env, args []string) error {
	mode, err := r.Mode()
	if err != nil {
		return err
	}
	f, err := find(ctx, e, args)
	if err != nil {
		return err
	}
	sites, inputs := f.pair.All(), f.inputs
	if r.on != "" {
		at, in, err := f.on(ctx, r.on)
		if err != nil {
			return err
		}
		sites, inputs = []*site.Site{at}, []overview.SiteInput{*in}
	}
	var places []*place
	var silent error
	for i, at := range sites {
		if err := cli.Answered(ctx, inputs[i]); err != nil {
			silent = err
			continue
		}
		p, err := open(ctx, e, at, f.key, inputs[i].Group(f.key.Namespace, f.key.Name))
		switch {
		case err != nil: // the rehearsal may be on the other site
			silent = err
		case p != nil:
			places = append(places, p)
		}
	}
	if len(places) == 0 {
		if silent != nil {
			return silent
		}
		fmt.Fprintf(e.ErrOut, "%s: no rehearsal is left to end\n", present.Clean(f.key.String()))
		return nil
	}
	return r.endAll(ctx, e, places, mode)
}

// endAll shows what goes, has it confirmed, and removes it.
func (r *end) endAll(ctx context.Context, e *cli.Env, places []*place, mode cli.DryRun) error {
	for _, p := range places {
		fmt.Fprintln(e.ErrOut, present.Clean(fmt.Sprintf("%s: end rehearsal %s on %s: delete namespace %s with all that is in it, the %d clones, and their PersistentVolumes",
			p.key, p.record.ID, p.at.Name, p.record.Namespace, len(p.record.Volumes))))
	}
	if mode != cli.DryRunNone {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	if err := e.Confirm(r.Yes, []string{places[0].key.Name}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, cli.ErrTimeout)
	defer cancel()
	var errs []error
	for _, p := range places {
		err := p.end(ctx)
		if err == nil {
			fmt.Fprintf(e.Out, "rehearsal %s of %s on %s ended\n", present.Clean(p.record.ID), present.Clean(p.key.String()), present.Clean(p.at.Name))
		}
		errs = append(errs, err)
	}
	return clierror.Worst(errs)
}

// end removes what is left of one.
func (p *place) end(ctx context.Context) error {
	next := endCommand(p.key, p.at)
	if p.recovered {
		if _, err := p.storageJob(ctx, rehearsal.StepRemove); err != nil { // finds where the driver runs
			return clierror.New(clierror.CodeFailed, next, "end the rehearsal of %s on %s: %v", p.key, p.at.Name, err)
		}
	}
	for !p.record.Ending && p.record.Ended == nil {
		seen := rehearsal.Seen{}
		if err := p.readRecord(ctx, &seen); err != nil {
			return cli.SiteError(ctx, p.at, "read group "+p.key.Name, err)
		}
		if seen.Record == nil || seen.Record.Ending || seen.Record.Ended != nil {
			break
		}
		if err := p.write(ctx, rehearsal.End(*seen.Record, p.now()), false); err != nil && !passing(err) {
			return cli.WriteError(ctx, p.at, false, "write the record of the rehearsal to "+p.key.Name, err)
		}
	}
	return p.run(ctx, next)
}

// open finds the rehearsal of a group on a site of which anything is left; nil without one. That of a group that is gone, or has
// lost its record, is known by its PersistentVolumes.
func open(ctx context.Context, e *cli.Env, at *site.Site, key types.NamespacedName, group *vgrv1.VolumeGroupReplication) (*place, error) {
	c, err := at.Client()
	if err != nil {
		return nil, err
	}
	p := &place{e: e, at: at, c: c, key: key, group: group}
	if group != nil {
		if last := rehearsal.Last(group); last.Open() {
			p.record = *last
			return p, nil
		}
	}
	var pvs corev1.PersistentVolumeList
	if err := c.List(ctx, &pvs, client.HasLabels{vgrv1.LabelRehearsal}); err != nil {
		return nil, cli.SiteError(ctx, at, "list PersistentVolumes", err)
	}
	var ours []corev1.PersistentVolume
	for _, pv := range pvs.Items {
		if pv.Annotations[vgrv1.AnnotationRehearsalOf] == key.String() {
			ours = append(ours, pv)
		}
	}
	left := rehearsal.Recover(ours)
	if group != nil {
		all, err := rehearsal.Records(group)
		if err != nil && left == nil {
			return nil, clierror.New(clierror.CodeFailed, "", "%s on %s: %v", key, at.Name, err)
		}
		for _, r := range all {
			if r.Open() || left != nil && left.ID == r.ID {
				p.record = r
				return p, nil
			}
		}
		if len(all) > 0 && left == nil { // a process that slept may have made something after the end
			p.record = all[0]
			seen, err := p.read(ctx)
			if err != nil {
				return nil, cli.SiteError(ctx, at, "read what belongs to rehearsal "+p.record.ID, err)
			}
			if a := rehearsal.Next(seen, p.now()); a.Do != rehearsal.DoEnd {
				return p, nil
			}
		}
	}
	if left == nil {
		return nil, nil //nolint:nilnil // none is a normal answer
	}
	p.record, p.recovered = *left, true
	return p, nil
}
