// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// operation is every command that changes roles: failover, failback, promote, demote and resync. The
// planner decides for all of them.
type operation struct {
	cli.Change
	sel         cli.Selection
	timeout     time.Duration
	concurrency int
	// abort undoes the operation that is in flight.
	abort bool
	// maxOutage aborts an operation that takes longer without a primary.
	maxOutage time.Duration
}

// requester says what is asked of the planner for a group.
type requester func(g overview.Group, facts recovery.Facts) recovery.Request

func (o *operation) addFlags(e *cli.Env, cmd *cobra.Command, evacuates bool) {
	o.AddFlags(cmd)
	o.sel.AddFlags(cmd, false)
	if evacuates {
		o.sel.AddEvacuation(e, cmd)
	} else {
		o.sel.AddNamespaces(cmd)
	}
	cmd.Flags().DurationVar(&o.timeout, "timeout", 15*time.Minute, "time limit for the whole command")
	// Nearly all of a group's time is the storage's: few at a time would only add up its pauses.
	cmd.Flags().IntVar(&o.concurrency, "concurrency", 100, "how many groups to move at a time")
}

// run asks both sites, shows the plan of each group, has it confirmed, and carries it out.
func (o *operation) run(ctx context.Context, e *cli.Env, args []string, workloads bool, prepare func(s *preflight.Observation) (requester, error)) error {
	mode, err := o.Mode()
	if err != nil {
		return err
	}
	if o.concurrency < 1 {
		return clierror.New(clierror.CodeError, "", "--concurrency must be at least 1")
	}
	q, err := o.sel.Query(e, args, true)
	if err != nil {
		return err
	}
	s, err := preflight.Read(ctx, e, q, workloads)
	if err != nil {
		return err
	}
	request, err := prepare(s)
	if err != nil {
		return err
	}
	if err := e.Selected(ctx, s.View, q, s.Sites[:]); err != nil {
		return err
	}
	o.leaving().keep(e, s)
	jobs, refused, waves := o.plan(e, s, request)
	if len(jobs) == 0 {
		if len(refused) > 0 {
			fmt.Fprintln(e.ErrOut, "nothing was changed")
		}
		return worstEnding(refused)
	}
	if len(refused) > 0 {
		fmt.Fprintf(e.ErrOut, "%d of %d groups are refused and stay as they are\n", len(refused), len(refused)+len(jobs))
	}
	if mode == cli.DryRunServer {
		if err := o.operator(e, s, jobs).DryRun(ctx, jobs, s.Inputs); err != nil {
			return err
		}
	}
	if mode != cli.DryRunNone {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	var names []string
	for _, j := range jobs {
		names = append(names, j.Name)
	}
	if err := o.confirm(e, s, jobs, names); err != nil {
		return err
	}
	all := slices.Concat(o.operate(ctx, e, s, q.Namespace, jobs, waves), refused)
	if err := summarize(e, all); err != nil {
		return err
	}
	return worstEnding(all)
}

func (o *operation) leaving() evacuation { return evacuation{o.sel.From, o.abort} }

// plan shows what will be done to each group. One that is refused does not stop the others.
func (o *operation) plan(e *cli.Env, s *preflight.Observation, request requester) (jobs []*operate.Job, refused []ending, w *waves) {
	w = &waves{of: map[*operate.Job]int{}}
	by, style := whoami(), e.ErrStyle()
	me := holder(by)
	for _, g := range s.View.Groups {
		facts := s.Facts(e, g)
		wave, err := waveOf(facts.Pair)
		refuse := func(err error) {
			refused = append(refused, ending{namespace: g.Namespace, name: g.Name, err: err})
			w.stop(wave)
		}
		if err != nil {
			refuse(err)
			continue
		}
		req := request(g, facts)
		req.By, req.Holder, req.ID, req.Schedule = by, me, newID(), facts.Schedule
		op, stop := recovery.Begin(facts.Pair, req, facts.Traits)
		if unclear := o.leaving().refuse(s, facts.Pair); unclear != nil {
			stop = unclear
		}
		if stop != nil {
			fmt.Fprintf(e.ErrOut, "%s/%s: %s\n", present.Clean(g.Namespace), present.Clean(g.Name), present.Clean(stop.Message))
			showFindings(e, recovery.Writers(facts))
			if err := operate.Stopped(stop); err != nil {
				refuse(err)
			}
			continue
		}
		resumed := op.ID != req.ID
		check := recovery.Checks
		if resumed {
			check = recovery.Resumed
		}
		checks := check(facts, op)
		showPlan(e, g, op, facts.Traits, checks, resumed)
		showRemembered(e, s.View, g)
		if alive(s, op) {
			fmt.Fprintln(e.ErrOut, style.Warn(present.Clean("  "+lives(op.From.Name, recovery.Doubts(facts, op)))))
		}
		if wave != 0 {
			fmt.Fprintf(e.ErrOut, "  wave: %d\n", wave)
		}
		if problems := recovery.Problems(checks); len(problems) > 0 {
			refuse(refusal(g, problems))
			continue
		}
		if o.maxOutage > 0 && !op.MayBeTakenBack() {
			refuse(clierror.Refused("leave out --max-outage", "%s/%s: --max-outage: this operation cannot be aborted once %s has given up its role", g.Namespace, g.Name, op.From.Name))
			continue
		}
		j := &operate.Job{Namespace: g.Namespace, Name: g.Name, Operation: op, Traits: facts.Traits, Usual: recovery.Usual(facts.Pair, op.Kind)}
		jobs, w.of[j] = append(jobs, j), wave
	}
	return jobs, refused, w
}

// alive reports whether an operation gives up the writes of a source that answers.
func alive(s *preflight.Observation, op recovery.Operation) bool {
	return op.Kind == recovery.Unplanned && slices.ContainsFunc(s.Inputs, func(in overview.SiteInput) bool { return in.Name == op.From.Name && in.Answered })
}

// lives says what a planned failover could do instead. An API that answers does not prove that the storage does.
func lives(site string, doubts []string) string {
	if len(doubts) == 0 {
		return site + " is ALIVE, and its storage has reported no trouble so far: a planned failover (without --unplanned) loses nothing"
	}
	return fmt.Sprintf("the API of %s answers, but its storage may be dead: %s. If its storage works, a planned failover (without --unplanned) loses nothing; otherwise it waits in vain, and --abort takes it back",
		site, strings.Join(doubts, "; "))
}

// confirm asks for the name of the group, or for the number of several. No user gives up the writes of a source that is
// alive by typing what every plan asks for.
func (o *operation) confirm(e *cli.Env, s *preflight.Observation, jobs []*operate.Job, names []string) error {
	for _, j := range jobs {
		if alive(s, j.Operation) {
			return e.ConfirmWord(o.Yes, "lose data of "+j.Operation.From.Name, "what you accept")
		}
	}
	return e.Confirm(o.Yes, names)
}

// refusal puts the problems into one error; a site that does not answer decides the exit code.
func refusal(g overview.Group, problems []recovery.Check) error {
	code, first := clierror.CodeRefused, problems[0]
	for _, p := range problems {
		if p.ID == "reachable" {
			code, first = clierror.CodeUnreachable, p
		}
	}
	more := ""
	if n := len(problems) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return clierror.New(code, first.Remedy, "%s/%s: %s%s", g.Namespace, g.Name, first.Evidence, more)
}

func showPlan(e *cli.Env, g overview.Group, op recovery.Operation, t backend.Traits, checks []recovery.Check, resumed bool) {
	w, style := e.ErrOut, e.ErrStyle()
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
	if passed := showFindings(e, checks); len(checks) > 0 {
		fmt.Fprintf(w, "  %d of %d checks passed\n", passed, len(checks))
	}
	steps := recovery.Steps(op, t)
	width := len("reprotect")
	for _, s := range steps {
		width = max(width, len(s.ID))
	}
	for i, s := range steps {
		at := s.Site.Name
		if at == "" {
			at = op.From.Name + ", " + op.To.Name
		}
		fmt.Fprintln(w, style.Hang(fmt.Sprintf("  %d. %-*s ", i+1, width, s.ID), present.Clean(at+": "+s.Does)))
	}
	tint := func(text string) string { return text }
	if op.Loses() {
		tint = style.Warn
	}
	for line := range strings.SplitSeq(style.Hang("  data loss: ", present.Clean(present.Loss(op))), "\n") {
		fmt.Fprintln(w, tint(line))
	}
	for _, line := range present.LossByVolume(op) {
		fmt.Fprintln(w, tint("    "+present.Clean(line)))
	}
}

// showRemembered shows what this machine last saw of a group on a site that does not answer. It helps to decide how
// much loss to accept, and no check reads it.
func showRemembered(e *cli.Env, o overview.Overview, g overview.Group) {
	for _, gs := range g.Sites {
		if r := gs.Remembered; r != nil {
			fmt.Fprintln(e.ErrOut, e.ErrStyle().Hang("  last seen: ", present.Clean(gs.Site+" "+present.Remembered(r, o))))
		}
	}
}

// showFindings shows the checks that did not pass, and counts those that did.
func showFindings(e *cli.Env, checks []recovery.Check) (passed int) {
	w, style := e.ErrOut, e.ErrStyle()
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
	return passed
}

func (o *operation) operator(e *cli.Env, s *preflight.Observation, jobs []*operate.Job) *operate.Operator {
	return &operate.Operator{
		Sites: s.Sites, Clusters: s.Clusters, Clock: e.Clock, Clocks: &s.Clocks, Holder: jobs[0].Operation.Holder, Concurrency: o.concurrency, MaxOutage: o.maxOutage, Progress: func(*operate.Job, recovery.Decision) {},
	}
}

// whoami returns the person that runs the command, for the journal.
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

// holder returns this process.
func holder(by string) string { return fmt.Sprintf("%s/%d-%s", by, os.Getpid(), newID()) }

func newID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
