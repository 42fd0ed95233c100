// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// failover is failover or failback.
type failover struct {
	change
	sel         selection
	kind        recovery.Kind
	to          string
	unplanned   bool
	accept      string
	discard     string
	quiesce     bool
	start       bool
	abort       bool
	timeout     time.Duration
	concurrency int
}

// NewFailover makes the failover command.
func NewFailover(e *Env) *cobra.Command {
	f := &failover{kind: recovery.Planned}
	cmd := f.command(e, "failover", "Move groups to the other site", `  # Planned: both sites work, nothing is lost
  kubectl vgr failover postgresql -n production --to west

  # East is lost: give up what has not crossed
  kubectl vgr failover postgresql -n production --to west --unplanned --accept-data-loss 10m

  # It did not get through before the promotion: back to how it was
  kubectl vgr failover postgresql -n production --abort`)
	cmd.Long = `Move groups to the other site.

A planned failover needs both sites and loses nothing: the source gives up its role, the storage proves that everything has
crossed, only then the target takes over. An unplanned one needs the target alone. It is never chosen by itself, and the
loss must be accepted by name.

What is done is written to the group on both sites. After a crash, run the same command again: it goes on where it stopped.`
	cmd.Flags().BoolVar(&f.unplanned, "unplanned", false, "the source is lost: promote without it")
	cmd.Flags().StringVar(&f.accept, "accept-data-loss", "", "how much an unplanned failover may lose: an age such as 10m, or unknown")
	cmd.Flags().BoolVar(&f.abort, "abort", false, "take back the operation that is in flight")
	return cmd
}

// NewFailback makes the failback command.
func NewFailback(e *Env) *cobra.Command {
	f := &failover{kind: recovery.Failback}
	cmd := f.command(e, "failback", "Move groups back to a site that was lost", `  # East is back: discard what it alone has, copy from west, and move back
  kubectl vgr failback postgresql -n production --to east --discard-site east`)
	cmd.Long = `Move groups back to a site that was lost.

The old primary may hold writes that never reached the other site. They are discarded, which must be said by name with
--discard-site. Then it follows, and a planned failover brings the role back without loss.`
	cmd.Flags().StringVar(&f.discard, "discard-site", "", "the site whose writes that never crossed are given up")
	_ = cmd.RegisterFlagCompletionFunc("discard-site", CompleteContexts(e))
	return cmd
}

func (f *failover) command(e *Env, use, short, example string) *cobra.Command {
	cmd := &cobra.Command{Use: use + " NAME…", Short: short, Example: example, ValidArgsFunction: completeGroups(e)}
	f.addFlags(cmd)
	f.sel.addFlags(cmd, false)
	cmd.Flags().StringVar(&f.to, "to", "", "context of the site that is to be primary; by default the one that is not")
	cmd.Flags().BoolVar(&f.quiesce, "quiesce", false, "first scale the Deployments and StatefulSets that use the PVCs to 0")
	cmd.Flags().BoolVar(&f.start, "start-workloads", false, "with --quiesce: scale them up on the other site, where they exist")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 15*time.Minute, "how long it may take in all")
	// Nearly all of a group's time is the storage's: few at a time would only add up its pauses.
	cmd.Flags().IntVar(&f.concurrency, "concurrency", 100, "how many groups at a time")
	_ = cmd.RegisterFlagCompletionFunc("to", CompleteContexts(e))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return f.run(cmd.Context(), e, args)
	}
	return cmd
}

// workloads checks the flags about workloads.
func (f *failover) workloads() error {
	switch {
	case f.start && !f.quiesce:
		return failure.New(failure.CodeError, "add --quiesce", "--start-workloads starts what --quiesce has stopped")
	case f.quiesce && f.unplanned:
		return failure.New(failure.CodeError, "leave it out", "--quiesce: nothing can be stopped on a site that is lost")
	case f.quiesce && f.abort:
		return failure.New(failure.CodeError, "leave it out", "--quiesce: an abort starts again what the operation has stopped")
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
		return recovery.Loss{}, failure.New(failure.CodeError, "leave one of them out", "--abort and --unplanned cannot be used together")
	case f.unplanned && f.to == "":
		return recovery.Loss{}, failure.New(failure.CodeError, "add --to SITE", "--unplanned needs the site that is to be primary")
	case f.accept != "" && !f.unplanned:
		return recovery.Loss{}, failure.New(failure.CodeError, "leave it out, or add --unplanned if the source is lost", "--accept-data-loss: a planned failover loses nothing")
	case f.to == "" && f.kind == recovery.Failback:
		return recovery.Loss{}, failure.New(failure.CodeError, "add --to SITE", "a failback needs the site that is to be primary again")
	case f.to == "" && !f.abort && f.yes:
		return recovery.Loss{}, failure.New(failure.CodeError, "add --to SITE", "without --to the direction depends on where the group is now, and --yes asks nobody")
	case f.accept == "":
		return recovery.Loss{}, nil // the planner says what would be lost
	case f.accept == "unknown":
		return recovery.Loss{Unknown: true}, nil
	}
	age, err := time.ParseDuration(f.accept)
	if err != nil || age <= 0 {
		return recovery.Loss{}, failure.New(failure.CodeError, "use an age such as 10m or 1h30m, or unknown", "--accept-data-loss %q is no time", f.accept)
	}
	return recovery.Loss{Age: age}, nil
}

func (f *failover) run(ctx context.Context, e *Env, args []string) error {
	mode, err := f.mode()
	if err != nil {
		return err
	}
	loss, err := f.loss()
	if err != nil {
		return err
	}
	if f.concurrency < 1 {
		return failure.New(failure.CodeError, "", "--concurrency must be at least 1")
	}
	q, err := f.sel.query(e, args, true)
	if err != nil {
		return err
	}
	s, err := e.survey(ctx, q, f.quiesce)
	if err != nil {
		return err
	}
	if err := f.named(s); err != nil {
		return err
	}
	if err := missing(s.view, q, s.sites[0].Name); err != nil {
		return err
	}
	jobs, refused, waves := f.plan(e, s, loss)
	if len(jobs) == 0 {
		if len(refused) > 0 {
			fmt.Fprintln(e.ErrOut, "nothing was changed")
		}
		return worstEnding(refused)
	}
	if len(refused) > 0 {
		fmt.Fprintf(e.ErrOut, "%d of %d groups are refused and stay as they are\n", len(refused), len(refused)+len(jobs))
	}
	if mode == dryRunServer {
		if err := f.operator(e, s, jobs).DryRun(ctx, jobs, s.inputs); err != nil {
			return err
		}
	}
	if mode != dryRunNone {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	var names []string
	for _, j := range jobs {
		names = append(names, j.Name)
	}
	if err := e.confirm(f.yes, names); err != nil {
		return err
	}
	all := slices.Concat(f.operate(ctx, e, s, q.Namespace, jobs, waves), refused)
	if err := summarize(e, all); err != nil {
		return err
	}
	return worstEnding(all)
}

// named refuses a site that is none of the two.
func (f *failover) named(s *survey) error {
	for flag, name := range map[string]string{"--to": f.to, "--discard-site": f.discard} {
		if name != "" && name != s.sites[0].Name && name != s.sites[1].Name {
			return failure.New(failure.CodeError, fmt.Sprintf("%s %s, or %s %s", flag, s.sites[0].Name, flag, s.sites[1].Name), "%s %s: that is none of the two sites", flag, name)
		}
	}
	return nil
}

// plan shows what will be done to each group. One that is refused does not stop the others.
func (f *failover) plan(e *Env, s *survey, loss recovery.Loss) (jobs []*operate.Job, refused []ending, w *waves) {
	w = &waves{of: map[*operate.Job]int{}}
	by := whoami()
	me := holder(by)
	for _, g := range s.view.Groups {
		facts := s.facts(e, g)
		wave, err := waveOf(facts.Pair)
		refuse := func(err error) {
			refused = append(refused, ending{namespace: g.Namespace, name: g.Name, err: err})
			w.stop(wave)
		}
		if err != nil {
			refuse(err)
			continue
		}
		req := recovery.Request{
			Kind: f.kind, Abort: f.abort, Accept: loss, Discard: f.discard,
			Quiesce: f.quiesce, Start: f.start, To: s.target(g, f.to), By: by, Holder: me, ID: newID(),
		}
		if f.unplanned {
			req.Kind = recovery.Unplanned
		}
		if last, err := recovery.Newest(facts.Pair); err == nil && last.InFlight() && f.to == "" {
			req.To = last.To // where it was going
		}
		op, stop := recovery.Begin(facts.Pair, req, facts.Traits)
		if stop != nil {
			fmt.Fprintf(e.ErrOut, "%s/%s: %s\n", present.Clean(g.Namespace), present.Clean(g.Name), present.Clean(stop.Message))
			if err := operate.Stopped(stop); err != nil {
				refuse(err)
			}
			continue
		}
		resumed := op.ID != req.ID
		var checks []recovery.Check
		if !resumed || facts.Backend == "" {
			checks = recovery.Checks(facts, op)
		}
		showPlan(e, g, op, facts.Traits, checks, resumed)
		if wave != 0 {
			fmt.Fprintf(e.ErrOut, "  wave: %d\n", wave)
		}
		if problems := recovery.Problems(checks); len(problems) > 0 {
			refuse(refusal(g, problems))
			continue
		}
		j := &operate.Job{Namespace: g.Namespace, Name: g.Name, Operation: op, Traits: facts.Traits}
		jobs, w.of[j] = append(jobs, j), wave
	}
	return jobs, refused, w
}

// refusal puts the problems into one error; a site that does not answer decides the exit code.
func refusal(g overview.Group, problems []recovery.Check) error {
	code, first := failure.CodeRefused, problems[0]
	for _, p := range problems {
		if p.ID == "reachable" {
			code, first = failure.CodeUnreachable, p
		}
	}
	more := ""
	if n := len(problems) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return failure.New(code, first.Remedy, "%s/%s: %s%s", g.Namespace, g.Name, first.Evidence, more)
}

// target is the site that was named, or else the one that is not primary.
func (s *survey) target(g overview.Group, to string) recovery.SiteRef {
	at := 1
	for i, x := range s.sites {
		gs := g.On(x.Name)
		switch {
		case to == x.Name:
			at = i
		case to == "" && (gs.State == vgrv1.StatePrimary || gs.Desired == vgrv1.Primary):
			at = 1 - i
		}
	}
	return recovery.SiteRef{Name: s.sites[at].Name, Cluster: s.clusters[at]}
}

func showPlan(e *Env, g overview.Group, op recovery.Operation, t backend.Traits, checks []recovery.Check, resumed bool) {
	w, style := e.ErrOut, e.errStyle()
	what := op.Title()
	if resumed {
		what = op.String()
	}
	if op.Aborting {
		what = "take back " + what
	}
	fmt.Fprintf(w, "%s/%s: %s\n", present.Clean(g.Namespace), present.Clean(g.Name), present.Clean(what))
	if resumed {
		fmt.Fprintf(w, "  begun by %s at %s\n", present.Clean(op.By), op.Started.UTC().Format(time.RFC3339))
	}
	passed := 0
	for _, c := range checks {
		if c.Severity == recovery.CheckOK {
			passed++
			continue
		}
		fmt.Fprintln(w, style.Hang(fmt.Sprintf("  %-7s  ", c.Severity), present.Clean(c.ID+": "+c.Evidence)))
		if c.Severity == recovery.CheckWarning && c.Remedy != "" { // that of a problem is the next step of the error
			fmt.Fprintln(w, style.Hang("           ", present.Clean(c.Remedy)))
		}
	}
	if len(checks) > 0 {
		fmt.Fprintf(w, "  %d of %d checks passed\n", passed, len(checks))
	}
	for i, s := range recovery.Steps(op, t) {
		at := s.Site.Name
		if at == "" {
			at = op.From.Name + ", " + op.To.Name
		}
		fmt.Fprintln(w, style.Hang(fmt.Sprintf("  %d. %-9s ", i+1, s.ID), present.Clean(at+": "+s.Does)))
	}
	fmt.Fprintln(w, style.Hang("  lost: ", present.Clean(present.Loss(op))))
	for _, line := range present.LossByVolume(op) {
		fmt.Fprintf(w, "    %s\n", present.Clean(line))
	}
}

func (f *failover) operator(e *Env, s *survey, jobs []*operate.Job) *operate.Operator {
	return &operate.Operator{
		Sites: s.sites, Clusters: s.clusters, Clock: e.Clock, Clocks: &s.clocks, Holder: jobs[0].Operation.Holder, Concurrency: f.concurrency, Progress: func(*operate.Job, recovery.Decision) {},
	}
}

// whoami is the person that runs the command, for the journal.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// holder is this process.
func holder(by string) string { return fmt.Sprintf("%s/%d-%s", by, os.Getpid(), newID()) }

func newID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
