// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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

// found are groups as both sites have told of them.
type found struct {
	pair   cli.Pair
	inputs []overview.SiteInput
	view   overview.Overview
}

func find(ctx context.Context, e *cli.Env, q collect.Query) (found, error) {
	p, err := e.Pair(ctx)
	if err != nil {
		return found{}, err
	}
	f := found{pair: p, inputs: collect.Sites(ctx, p.All(), q)}
	if err := cli.Ended(ctx, "", "not all sites were waited for"); err != nil {
		return found{}, err
	}
	f.view = overview.Build(f.inputs, e.Clock.Now())
	return f, p.Once(ctx, f.view)
}

// named makes what was typed for a site its name; empty stays so.
func (f *found) named(typed *string) error {
	sites := f.pair.All()
	if len(sites) == 2 || *typed == "" {
		return cli.OneOf(typed, "--on", [2]*site.Site{sites[0], sites[len(sites)-1]})
	}
	if s := sites[0]; !slices.Contains([]string{s.Name, s.Short, s.Context}, *typed) {
		return clierror.New(clierror.CodeError, "name the other site with --peer-context", "--on %s: no such site is known", *typed)
	}
	*typed = sites[0].Name
	return nil
}

// at returns the index of a site by its name.
func (f *found) at(name string) int {
	return slices.IndexFunc(f.inputs, func(in overview.SiteInput) bool { return in.Name == name })
}

// copyOf returns the index of the site whose copy of a group is cloned: the one that was named, or else where it is Secondary.
func (f *found) copyOf(ctx context.Context, g *overview.Group, named string) (int, error) {
	key := g.Namespace + "/" + g.Name
	at := f.at(named)
	if named == "" {
		var secondary []int
		var silent error
		for i, gs := range g.Sites {
			if gs.State == vgrv1.StateSecondary && gs.Remembered == nil {
				secondary = append(secondary, i)
			}
			silent = cmp.Or(silent, cli.Silent(f.inputs[i]))
		}
		switch {
		case len(secondary) > 1:
			return 0, clierror.Refused("name one of them with --on", "rehearse %s: the group is Secondary on both sites", key)
		case len(secondary) == 1:
			at = secondary[0]
		case silent != nil:
			return 0, silent
		default:
			return 0, clierror.Refused(fmt.Sprintf("kubectl vgr status %s -n %s", g.Name, g.Namespace), "rehearse %s: the group is Secondary on no site, and a rehearsal clones a copy", key)
		}
	}
	if err := cli.Answered(ctx, f.inputs[at]); err != nil {
		return 0, err
	}
	return at, nil
}

// job is the rehearsal of one group by this command.
type job struct {
	*place
	// resumed is true when an earlier command has begun it, and ends is an expired one that is ended first.
	resumed bool
	ends    *rehearsal.Record
	checks  []recovery.Check
	wave    int
	// refused is true when nothing was begun; err is why, or what else went wrong.
	refused bool
	err     error
}

func errorsOf(all []*job) []error {
	errs := make([]error, len(all))
	for i, j := range all {
		errs[i] = j.err
	}
	return errs
}

// readers is how many groups are asked about at a time.
const readers = 8

// prepare finds out what is to be done for each group, and shows it. One that is refused does not stop the others.
func (r *rehearse) prepare(ctx context.Context, e *cli.Env, f found) (todo, refused []*job, waves *operate.Waves[*job]) {
	var lines sync.Mutex
	namespaces := map[string]int{}
	for _, g := range f.view.Groups {
		namespaces[rehearsal.NamespaceOf(g.Name)]++
	}
	all := make([]*job, len(f.view.Groups))
	turn := make(chan struct{}, readers)
	var asked sync.WaitGroup
	for i := range f.view.Groups {
		g := &f.view.Groups[i]
		in := cmp.Or(r.namespace, rehearsal.NamespaceOf(g.Name))
		if r.namespace == "" && namespaces[in] > 1 {
			in = rehearsal.NamespaceOf(g.Namespace + "-" + g.Name)
		}
		j := &job{place: &place{e: e, key: types.NamespacedName{Namespace: g.Namespace, Name: g.Name}, lines: &lines}}
		all[i] = j
		turn <- struct{}{}
		asked.Go(func() {
			defer func() { <-turn }()
			j.err = r.prepared(ctx, j, f, g, in)
		})
	}
	asked.Wait()
	waves = &operate.Waves[*job]{}
	for _, j := range all {
		r.show(j, len(all) > 1)
		if j.err != nil {
			j.refused = true
			refused = append(refused, j)
			waves.Stop(j.wave)
			continue
		}
		waves.Put(j, j.wave)
		todo = append(todo, j)
	}
	if len(todo) > 0 && slices.ContainsFunc(todo, func(j *job) bool { return !j.resumed }) {
		fmt.Fprintln(e.ErrOut, e.ErrStyle().Hang("  ", "Roles, schedules and mirrors do not change. Failover, resync and deletion of the group stay possible meanwhile."))
	}
	return todo, refused, waves
}

// prepared returns why a group is not rehearsed.
func (r *rehearse) prepared(ctx context.Context, j *job, f found, g *overview.Group, namespace string) error {
	if g.ManagedBy != "" {
		return clierror.Refused("", "%s is not a group of kubectl vgr, and only those are rehearsed", j.key)
	}
	pair := recovery.Pair{Namespace: g.Namespace, Name: g.Name}
	for i, s := range f.pair.All() {
		pair.Sites[i] = recovery.Site{SiteRef: recovery.SiteRef{Name: s.Name}, Kubectl: s.Kubectl(), Group: f.inputs[i].Group(g.Namespace, g.Name)}
	}
	var err error
	if j.wave, err = operate.WaveOf(pair); err != nil {
		return err
	}
	i, err := f.copyOf(ctx, g, r.on)
	if err != nil {
		return err
	}
	j.at = f.pair.All()[i]
	if j.c, err = j.at.Client(); err != nil {
		return err
	}
	if j.group = f.inputs[i].Group(g.Namespace, g.Name); j.group == nil {
		return clierror.Refused("kubectl vgr list -n "+g.Namespace, "no group %s on %s", j.key, j.at.Name)
	}
	records, err := rehearsal.Records(j.group)
	if err != nil {
		return clierror.New(clierror.CodeFailed, fmt.Sprintf("kubectl --context %s -n %s annotate volumegroupreplications.replication.unified.io %s %s- forgets all rehearsals of the group", j.at.Kubectl(), g.Namespace, g.Name, vgrv1.AnnotationRehearsals),
			"%s on %s: %v", j.key, j.at.Name, err)
	}
	if len(records) > 0 && records[0].Open() {
		last := records[0]
		if !last.Kept() {
			return r.resume(j, last)
		}
		if !last.Expired(j.now()) {
			return clierror.Refused(endCommand(j.key, j.at), "rehearse %s on %s: rehearsal %s is kept in namespace %s until %s", j.key, j.at.Name, last.ID, last.Namespace, last.KeptUntil.UTC().Format(time.RFC3339))
		}
		j.ends = &last
	}
	return r.begin(ctx, j, f, g, namespace)
}

// resume continues what an earlier command has begun.
func (r *rehearse) resume(j *job, last rehearsal.Record) error {
	j.record, j.resumed = last, true
	if last.CheckJob != "" && last.Check == nil && r.check != "" {
		check, err := r.readCheck(last.Volumes)
		if err != nil {
			return err
		}
		if check.Name != last.CheckJob {
			return clierror.Refused(endCommand(j.key, j.at), "rehearse %s on %s: rehearsal %s has begun with the check %s, not %s", j.key, j.at.Name, last.ID, last.CheckJob, check.Name)
		}
		j.check = check
	}
	return nil
}

// begin checks, and makes the record that everything else follows from.
func (r *rehearse) begin(ctx context.Context, j *job, f found, g *overview.Group, namespace string) error {
	facts, err := r.facts(ctx, j, f, g, namespace)
	if err != nil {
		return err
	}
	now := j.now()
	var schedule time.Duration
	if g.ScheduleSeconds != nil {
		schedule = time.Duration(*g.ScheduleSeconds) * time.Second
	}
	j.record = rehearsal.Record{
		ID: operate.NewID(), By: cli.WhoAmI(), Started: metav1.NewMicroTime(now), Namespace: facts.Namespace,
		Driver: facts.Driver, DriverNamespace: facts.DriverNamespace, Volumes: facts.Volumes, Network: r.network,
		Steps: []rehearsal.Step{{ID: rehearsal.StepClone, Started: metav1.NewMicroTime(now)}}, PatienceSeconds: int64(rehearsal.Patience(schedule).Seconds()),
	}
	j.record.Secret, _ = facts.SecretName()
	if r.keep > 0 {
		j.record.KeptUntil = &metav1.Time{Time: now.Add(r.keep)}
	}
	j.checks = rehearsal.Checks(facts)
	if problems := recovery.Problems(j.checks); len(problems) > 0 {
		more := ""
		if n := len(problems) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		return clierror.Refused(problems[0].Remedy, "rehearse %s on %s: %s%s", j.key, j.at.Name, problems[0].Evidence, more)
	}
	if r.check != "" {
		if j.check, err = r.readCheck(facts.Volumes); err != nil {
			return err
		}
		j.record.CheckJob = j.check.Name
	}
	return nil
}

// show writes the plan of a group, or why there is none; of several in short.
func (r *rehearse) show(j *job, several bool) {
	w, style := j.e.ErrOut, j.e.ErrStyle()
	switch {
	case j.at == nil || j.err != nil && len(j.checks) == 0:
		if several {
			fmt.Fprintln(w, present.Clean(fmt.Sprintf("%s: %v", j.key, j.err)))
		}
		return
	case j.resumed:
		fmt.Fprintln(w, present.Clean(fmt.Sprintf("%s: continue rehearsal %s on %s, begun by %s at %s", j.key, j.record.ID, j.at.Name, j.record.By, j.record.Started.UTC().Format(time.RFC3339))))
		return
	}
	fmt.Fprintln(w, present.Clean(fmt.Sprintf("%s: rehearse the copy on %s", j.key, j.at.Name)))
	passed := 0
	for _, c := range j.checks {
		if c.Severity == recovery.CheckOK {
			passed++
			continue
		}
		fmt.Fprintln(w, style.Hang(fmt.Sprintf("  %-7s  ", c.Severity), present.Clean(c.ID+": "+c.Evidence)))
		if c.Severity == recovery.CheckWarning && c.Remedy != "" {
			fmt.Fprintln(w, style.Hang("           ", present.Clean(c.Remedy)))
		}
	}
	fmt.Fprintf(w, "  %d of %d checks passed\n", passed, len(j.checks))
	if j.err != nil {
		return
	}
	if j.ends != nil {
		fmt.Fprintln(w, style.Hang("  ", present.Clean(fmt.Sprintf("Rehearsal %s has expired at %s. It is ended first: namespace %s, its clones and PersistentVolumes are deleted.", j.ends.ID, j.ends.KeptUntil.UTC().Format(time.RFC3339), j.ends.Namespace))))
	}
	if several {
		fmt.Fprintln(w, style.Hang("  ", present.Clean(j.record.Brief())))
		return
	}
	for i, line := range j.record.Plan() {
		fmt.Fprintln(w, style.Hang(fmt.Sprintf("  %d. ", i+1), present.Clean(line)))
	}
}
