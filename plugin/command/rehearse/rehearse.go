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
	"strings"
	"time"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// rehearse is the command's flags.
type rehearse struct {
	cli.Change
	on        string
	check     string
	keep      time.Duration
	network   bool
	namespace string
	secret    string
	timeout   time.Duration
}

const long = `Prove that the copy of a group works, without a change of its replication.

The command clones each volume, as it was last synchronised, on the site where the group is Secondary, and makes PVCs of the
clones in a namespace of their own. Ceph makes the snapshot for this when the next synchronisation begins, so the command waits
for that, as long as the schedule is. With --check it runs your Job there, with the PVCs that it mounts. Then it records how old
the data was and what the check said, and removes all of it again. No role, schedule or mirror changes, and replication
continues meanwhile.

A Job in the namespace of the CSI driver runs rbd, with the image, the configuration and the Secret of the driver. If the command
ends early, run it again: it continues. Ceph RBD 19.2 or later only.`

// NewRehearse makes the rehearse command.
func NewRehearse(e *cli.Env) *cobra.Command {
	r := &rehearse{}
	cmd := &cobra.Command{
		Use: "rehearse NAME --on SITE", Short: "Prove that a copy works, without a change of its replication", Long: long, Args: cobra.ExactArgs(1),
		Example: `  # Clone the copy on west, and remove the clones again
  kubectl vgr rehearse postgresql -n production --on west

  # Have a Job check the data; keep the clones for four hours
  kubectl vgr rehearse postgresql -n production --on west --check check.yaml --keep 4h
  kubectl vgr rehearse list -n production
  kubectl vgr rehearse end postgresql -n production`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	r.AddFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&r.on, "on", "", "the site whose copy is cloned, by its name or context")
	f.StringVar(&r.check, "check", "", "file with a Job that checks the data: it mounts the PVCs by their names in the group")
	f.DurationVar(&r.keep, "keep", 0, "leave the clones for a person to look at, for so long; \"rehearse list\" shows which have expired")
	f.BoolVar(&r.network, "network", false, "let Pods in the rehearsal's namespace use the network")
	f.StringVar(&r.namespace, "namespace-name", "", "the namespace to make; NAME-rehearsal by default")
	f.StringVar(&r.secret, "secret", "", "the Secret in the driver's namespace by which the Jobs reach the storage; that of the volumes by default")
	f.DurationVar(&r.timeout, "timeout", 30*time.Minute, "time limit for the whole command")
	_ = cmd.MarkFlagRequired("on")
	_ = cmd.RegisterFlagCompletionFunc("on", cli.CompleteSites(e))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return r.run(cmd.Context(), e, args)
	}
	cmd.AddCommand(newList(e), newEnd(e))
	return cmd
}

// found is a group, and the site that a command is about.
type found struct {
	pair   cli.Pair
	inputs []overview.SiteInput
	view   overview.Overview
	key    types.NamespacedName
}

// find reads the named group on both sites.
func find(ctx context.Context, e *cli.Env, args []string) (found, error) {
	p, err := e.Pair(ctx)
	if err != nil {
		return found{}, err
	}
	q, err := e.Names(args, false)
	if err != nil {
		return found{}, err
	}
	f := found{pair: p, inputs: collect.Sites(ctx, p.All(), q), key: types.NamespacedName{Namespace: q.Namespace, Name: q.Names[0]}}
	f.key.Name = f.key.Name[strings.Index(f.key.Name, "/")+1:]
	if err := cli.Ended(ctx, "", "not all sites were waited for"); err != nil {
		return found{}, err
	}
	f.view = overview.Build(f.inputs, e.Clock.Now())
	return f, p.Once(ctx, f.view)
}

// schedule is the interval of the group's class; zero where it is not known.
func (f *found) schedule() time.Duration {
	for _, g := range f.view.Groups {
		if g.ScheduleSeconds != nil {
			return time.Duration(*g.ScheduleSeconds) * time.Second
		}
	}
	return 0
}

// on returns the named site, which must have answered.
func (f *found) on(ctx context.Context, name string) (*site.Site, *overview.SiteInput, error) {
	sites := f.pair.All()
	typed := name
	if len(sites) == 1 {
		s := sites[0]
		if !slices.Contains([]string{s.Name, s.Short, s.Context}, name) {
			return nil, nil, clierror.New(clierror.CodeError, "name the other site with --peer-context", "--on %s: no such site is known", name)
		}
		typed = s.Name
	} else if err := cli.OneOf(&typed, "--on", [2]*site.Site{sites[0], sites[1]}); err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(sites, func(s *site.Site) bool { return s.Name == typed })
	return sites[i], &f.inputs[i], cli.Answered(ctx, f.inputs[i])
}

func (r *rehearse) run(ctx context.Context, e *cli.Env, args []string) error {
	mode, err := r.Mode()
	if err != nil {
		return err
	}
	if r.namespace != "" && len(validation.IsDNS1123Label(r.namespace)) > 0 {
		return clierror.New(clierror.CodeError, "", "--namespace-name %s is not the name of a namespace", r.namespace)
	}
	if r.keep < 0 {
		return clierror.New(clierror.CodeError, "", "--keep must not be negative")
	}
	f, err := find(ctx, e, args)
	if err != nil {
		return err
	}
	at, in, err := f.on(ctx, r.on)
	if err != nil {
		return err
	}
	group := in.Group(f.key.Namespace, f.key.Name)
	switch _, foreign := in.Native[f.key]; {
	case foreign:
		return clierror.Refused("", "%s is not a group of kubectl vgr, and only those are rehearsed", f.key)
	case group == nil:
		return clierror.Refused("kubectl vgr list -n "+f.key.Namespace, "no group %s on %s", f.key, at.Name)
	}
	c, err := at.Client()
	if err != nil {
		return err
	}
	p := &place{e: e, at: at, c: c, key: f.key, group: group}
	last, err := rehearsal.Records(group)
	if err != nil {
		return clierror.New(clierror.CodeFailed, fmt.Sprintf("kubectl --context %s -n %s annotate volumegroupreplications.replication.unified.io %s %s- forgets all rehearsals of the group", at.Kubectl(), f.key.Namespace, f.key.Name, vgrv1.AnnotationRehearsals),
			"%s on %s: %v", f.key, at.Name, err)
	}
	if len(last) > 0 && last[0].Open() {
		return r.resume(ctx, p, last[0], mode)
	}
	return r.begin(ctx, p, f, mode)
}

// resume continues what an earlier command has begun.
func (r *rehearse) resume(ctx context.Context, p *place, last rehearsal.Record, mode cli.DryRun) error {
	end := endCommand(p.key, p.at)
	if last.Kept() {
		return clierror.Refused(end, "rehearse %s on %s: rehearsal %s is kept in namespace %s", p.key, p.at.Name, last.ID, last.Namespace)
	}
	p.record = last
	if last.CheckJob != "" && last.Check == nil && r.check != "" {
		job, err := r.readCheck(last.Volumes)
		if err != nil {
			return err
		}
		if job.Name != last.CheckJob {
			return clierror.Refused(end, "rehearse %s on %s: rehearsal %s has begun with the check %s, not %s", p.key, p.at.Name, last.ID, last.CheckJob, job.Name)
		}
		p.check = job
	}
	fmt.Fprintf(p.e.ErrOut, "%s: continue rehearsal %s on %s, begun by %s at %s\n", present.Clean(p.key.String()), present.Clean(last.ID), present.Clean(p.at.Name), present.Clean(last.By), last.Started.UTC().Format(time.RFC3339))
	if mode != cli.DryRunNone {
		fmt.Fprintln(p.e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	return r.finish(ctx, p)
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

// begin checks, shows the plan, has it confirmed, and writes the record that everything else follows from.
func (r *rehearse) begin(ctx context.Context, p *place, f found, mode cli.DryRun) error {
	facts, err := r.facts(ctx, p, f)
	if err != nil {
		return err
	}
	now := p.now()
	p.record = rehearsal.Record{
		ID: operate.NewID(), By: cli.WhoAmI(), Started: metav1.NewMicroTime(now), Namespace: facts.Namespace,
		Driver: facts.Driver, DriverNamespace: facts.DriverNamespace, Volumes: facts.Volumes, Network: r.network,
		Steps: []rehearsal.Step{{ID: rehearsal.StepClone, Started: metav1.NewMicroTime(now)}},
	}
	p.record.Secret, _ = facts.SecretName()
	p.record.PatienceSeconds = int64(rehearsal.Patience(f.schedule()).Seconds())
	if r.keep > 0 {
		p.record.KeptUntil = &metav1.Time{Time: now.Add(r.keep)}
	}
	if r.check != "" && facts.Refuses == "" {
		if p.check, err = r.readCheck(facts.Volumes); err != nil {
			return err
		}
		p.record.CheckJob = p.check.Name
	}
	checks := rehearsal.Checks(facts)
	showPlan(p, checks)
	if problems := recovery.Problems(checks); len(problems) > 0 {
		more := ""
		if n := len(problems) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		return clierror.Refused(problems[0].Remedy, "rehearse %s on %s: %s%s; nothing was changed", p.key, p.at.Name, problems[0].Evidence, more)
	}
	if mode == cli.DryRunServer {
		if err := p.dryRun(ctx); err != nil {
			return cli.SiteError(ctx, p.at, "make what the rehearsal needs", err)
		}
	}
	if mode != cli.DryRunNone {
		fmt.Fprintln(p.e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	if err := p.e.Confirm(r.Yes, []string{p.key.Name}); err != nil {
		return err
	}
	// Again: what was read before the confirmation may be old.
	var g vgrv1.VolumeGroupReplication
	if err := p.c.Get(ctx, p.key, &g); err != nil {
		return cli.SiteError(ctx, p.at, "read group "+p.key.Name, err)
	}
	if last := rehearsal.Last(&g); last.Open() {
		return clierror.Refused("kubectl vgr rehearse list -n "+p.key.Namespace, "rehearse %s on %s: rehearsal %s was begun meanwhile by %s", p.key, p.at.Name, last.ID, last.By)
	}
	if g.UID != p.group.UID || g.Spec.ReplicationState != vgrv1.Secondary {
		return clierror.Refused("run the same command again", "%s has changed on %s meanwhile", p.key, p.at.Name)
	}
	p.group = &g
	if err := p.write(ctx, p.record, false); err != nil {
		return cli.WriteError(ctx, p.at, false, "write the record of the rehearsal to "+p.key.Name, err)
	}
	return r.finish(ctx, p)
}

// finish runs what is left to do, and says how it ended.
func (r *rehearse) finish(ctx context.Context, p *place) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, cli.ErrTimeout)
	defer cancel()
	end := endCommand(p.key, p.at)
	if err := p.run(ctx, "run the same command again: it continues\n"+end); err != nil {
		return err
	}
	style, err := p.e.Style()
	if err != nil {
		return err
	}
	present.Rehearsal(p.e.Out, style, p.at.Name, p.record, p.now())
	switch {
	case p.record.Result == rehearsal.Failed && p.record.Kept():
		return clierror.New(clierror.CodeFailed, end, "rehearse %s on %s: %s", p.key, p.at.Name, p.record.Message)
	case p.record.Result == rehearsal.Failed:
		return clierror.New(clierror.CodeFailed, "", "rehearse %s on %s: %s", p.key, p.at.Name, p.record.Message)
	case p.record.Kept():
		fmt.Fprintf(p.e.ErrOut, "the clones are kept until %s; remove them with: %s\n", p.record.KeptUntil.UTC().Format(time.RFC3339), present.Clean(end))
	}
	return nil
}

// endCommand ends the rehearsal of a group on a site.
func endCommand(key types.NamespacedName, at *site.Site) string {
	return fmt.Sprintf("kubectl vgr rehearse end %s -n %s --on %s", key.Name, key.Namespace, recovery.ShellQuote(at.Name))
}

// dryRun has the API server check what can be checked before the namespace is there.
func (p *place) dryRun(ctx context.Context) error {
	if err := p.write(ctx, p.record, true); err != nil {
		return err
	}
	job, err := p.storageJob(ctx, rehearsal.StepClone)
	if err != nil {
		return err
	}
	for _, obj := range []client.Object{job, p.record.NamespaceObject(p.key, nil)} {
		if err := p.c.Create(ctx, obj, site.FieldManager, client.DryRunAll); err != nil {
			return err
		}
	}
	return nil
}

func showPlan(p *place, checks []recovery.Check) {
	w, style := p.e.ErrOut, p.e.ErrStyle()
	fmt.Fprintln(w, present.Clean(fmt.Sprintf("%s: rehearse the copy on %s", p.key, p.at.Name)))
	passed := 0
	for _, c := range checks {
		if c.Severity == recovery.CheckOK {
			passed++
			continue
		}
		fmt.Fprintln(w, style.Hang(fmt.Sprintf("  %-7s  ", c.Severity), present.Clean(c.ID+": "+c.Evidence)))
		if c.Severity == recovery.CheckWarning && c.Remedy != "" {
			fmt.Fprintln(w, style.Hang("           ", present.Clean(c.Remedy)))
		}
	}
	fmt.Fprintf(w, "  %d of %d checks passed\n", passed, len(checks))
	if len(recovery.Problems(checks)) > 0 {
		return
	}
	for i, line := range p.record.Plan() {
		fmt.Fprintln(w, style.Hang(fmt.Sprintf("  %d. ", i+1), present.Clean(line)))
	}
	fmt.Fprintln(w, style.Hang("  ", "Roles, schedules and mirrors do not change. Failover, resync and deletion of the group stay possible meanwhile."))
}
