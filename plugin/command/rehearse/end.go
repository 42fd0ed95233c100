// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// end is the flags of rehearse end.
type end struct {
	cli.Change
	on            string
	expired       bool
	allNamespaces bool
	timeout       time.Duration
}

func newEnd(e *cli.Env) *cobra.Command {
	r := &end{}
	cmd := &cobra.Command{
		Use: "end NAME…", Short: "Remove what rehearsals have made",
		Long: `Remove what rehearsals have made: their namespaces, the clones, and their PersistentVolumes.

It works in any state of a rehearsal, twice, and also when the group is gone. The record of the rehearsal stays.

With --expired it ends those that were kept for a time that is up, and those that were begun a day ago and not ended. Nothing
else ends them: run it from time to time, for example from cron with -A --yes.`,
		Example: `  kubectl vgr rehearse end postgresql -n production

  # All that have expired, on both sites
  kubectl vgr rehearse end --expired -A`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	r.AddFlags(cmd)
	cmd.Flags().StringVar(&r.on, "on", "", "the site of the rehearsal; both by default")
	cmd.Flags().BoolVar(&r.expired, "expired", false, "instead of names: all rehearsals that have expired")
	cmd.Flags().BoolVarP(&r.allNamespaces, "all-namespaces", "A", false, "with --expired: those of groups of all namespaces")
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
	switch {
	case r.expired == (len(args) > 0):
		return clierror.New(clierror.CodeError, "kubectl vgr rehearse list -A shows what is there", "name groups, or use --expired (one of them)")
	case r.allNamespaces && !r.expired:
		return clierror.New(clierror.CodeError, "name the namespaces: NAMESPACE/NAME", "-A goes with --expired only")
	}
	q, err := e.Names(args, r.allNamespaces)
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
	places, silent := r.places(ctx, e, f, q)
	if len(places) == 0 {
		if silent != nil {
			return silent
		}
		what := "no rehearsal has expired"
		if !r.expired {
			what = strings.Join(q.Names, ", ") + ": no rehearsal is left to end"
		}
		fmt.Fprintln(e.ErrOut, present.Clean(what))
		return nil
	}
	if err := r.endAll(ctx, e, places, mode); err != nil {
		return err
	}
	if r.expired { // of a site that does not answer it is not known what is left there
		return silent
	}
	return nil
}

// places finds what there is to end. A site that is silent may have more.
func (r *end) places(ctx context.Context, e *cli.Env, f found, q collect.Query) (places []*place, silent error) {
	for i, at := range f.pair.All() {
		if r.on != "" && at.Name != r.on {
			continue
		}
		if err := cli.Answered(ctx, f.inputs[i]); err != nil {
			silent = err
			continue
		}
		left, err := leftOver(ctx, at)
		switch {
		case err != nil && r.expired: // who may not list them there has hardly made any
			fmt.Fprintln(e.ErrOut, present.Clean(fmt.Sprintf("%s: rehearsals whose group is gone are not known: %v", at.Name, err)))
		case err != nil: // the rehearsal may be on the other site
			silent = err
		}
		for _, key := range r.keys(q, f.inputs[i], left) {
			p, err := open(ctx, e, at, key, f.inputs[i].Group(key.Namespace, key.Name), left[key], r.expired)
			switch {
			case err != nil:
				silent = err
			case p != nil && (!r.expired || p.record.Expired(p.now())):
				places = append(places, p)
			}
		}
	}
	return places, silent
}

// keys are the groups that a command is about: those that are named, or all that may have a rehearsal.
func (r *end) keys(q collect.Query, in overview.SiteInput, left map[types.NamespacedName][]corev1.PersistentVolume) (keys []types.NamespacedName) {
	if !r.expired {
		for _, name := range q.Names {
			namespace, name, qualified := strings.Cut(name, "/")
			if !qualified {
				namespace, name = q.Namespace, namespace
			}
			keys = append(keys, types.NamespacedName{Namespace: namespace, Name: name})
		}
		return keys
	}
	for i := range in.Groups {
		keys = append(keys, types.NamespacedName{Namespace: in.Groups[i].Namespace, Name: in.Groups[i].Name})
	}
	for key := range left {
		if q.Namespace == "" || q.Namespace == key.Namespace {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(keys)
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
	var names []string
	for _, p := range places {
		if !slices.Contains(names, p.key.Name) || r.expired {
			names = append(names, p.key.Name)
		}
	}
	if err := e.Confirm(r.Yes, names); err != nil {
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

// leftOver returns the PersistentVolumes of rehearsals on a site, by their groups.
func leftOver(ctx context.Context, at *site.Site) (map[types.NamespacedName][]corev1.PersistentVolume, error) {
	c, err := at.Client()
	if err != nil {
		return nil, err
	}
	var pvs corev1.PersistentVolumeList
	if err := c.List(ctx, &pvs, client.HasLabels{vgrv1.LabelRehearsal}); err != nil {
		return nil, cli.SiteError(ctx, at, "list PersistentVolumes", err)
	}
	out := map[types.NamespacedName][]corev1.PersistentVolume{}
	for _, pv := range pvs.Items {
		if namespace, name, ok := strings.Cut(pv.Annotations[vgrv1.AnnotationRehearsalOf], "/"); ok {
			key := types.NamespacedName{Namespace: namespace, Name: name}
			out[key] = append(out[key], pv)
		}
	}
	return out, nil
}

// open finds the rehearsal of a group on a site of which anything is left; nil without one. That of a group that is gone, or has
// lost its record, is known by its PersistentVolumes. The rest is looked for only where that is asked for.
func open(ctx context.Context, e *cli.Env, at *site.Site, key types.NamespacedName, group *vgrv1.VolumeGroupReplication, pvs []corev1.PersistentVolume, briefly bool) (*place, error) {
	c, err := at.Client()
	if err != nil {
		return nil, err
	}
	p := &place{e: e, at: at, c: c, key: key, group: group}
	left := rehearsal.Recover(pvs)
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
		if len(all) > 0 && left == nil && !briefly { // a process that slept may have made something after the end
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
