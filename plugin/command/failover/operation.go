// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
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
	s, err := read(ctx, e, &q, workloads)
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
	if err := o.confirm(e, jobs, names); err != nil {
		return err
	}
	all := slices.Concat(o.operate(ctx, e, s, q.Namespace, jobs, waves), refused)
	if err := summarize(e, all); err != nil {
		return err
	}
	return worstEnding(all)
}

// read asks both sites for the groups, and for those of other tools where none of ours are meant.
func read(ctx context.Context, e *cli.Env, q *collect.Query, workloads bool) (*preflight.Observation, error) {
	if len(q.Names) > 0 || q.Selector != nil { // who asks for all groups means those of kubectl vgr
		q.Native = &collect.Native{Profiles: e.Profiles}
	}
	s, err := preflight.Read(ctx, e, *q, workloads)
	if err != nil || q.Native == nil || known(s, *q) {
		return s, err
	}
	q.Native.ManagedBy = collect.EveryManager
	return preflight.Read(ctx, e, *q, workloads)
}

// job makes the job of a group.
func job(g overview.Group, op recovery.Operation, facts recovery.Facts) *operate.Job {
	j := &operate.Job{Namespace: g.Namespace, Name: g.Name, Operation: op, Traits: facts.Traits, Usual: recovery.Usual(facts.Pair, op.Kind)}
	if n := g.Object(); n != nil {
		j.Object = n.ResourceName()
	}
	return j
}

// waveOf returns the wave of a group, and refuses one that another tool decides over.
func waveOf(g overview.Group, facts recovery.Facts) (int, error) {
	wave, err := operate.WaveOf(facts.Pair)
	if g.ManagedBy != "" && !g.Movable() {
		why, next := g.Refusal()
		err = clierror.Refused(next, "%s", why)
	}
	return wave, err
}

// known reports whether groups of ours are what is asked for, or groups of other tools were read already.
func known(s *preflight.Observation, q collect.Query) bool {
	if slices.ContainsFunc(s.Inputs, func(in overview.SiteInput) bool { return in.Native != nil }) {
		return true
	}
	if len(q.Names) == 0 {
		return len(s.View.Groups) > 0
	}
	return !slices.ContainsFunc(q.Names, func(name string) bool {
		return !slices.ContainsFunc(s.View.Groups, func(g overview.Group) bool { return collect.Named(name, g.Namespace, g.Name) })
	})
}

func (o *operation) leaving() evacuation { return evacuation{o.sel.From, o.abort} }

// plan shows what will be done to each group. One that is refused does not stop the others.
func (o *operation) plan(e *cli.Env, s *preflight.Observation, request requester) (jobs []*operate.Job, refused []ending, w *operate.Waves[*operate.Job]) {
	w = &operate.Waves[*operate.Job]{}
	by := cli.WhoAmI()
	me := holder(by)
	var plans []present.Plan
	for _, g := range s.View.Groups {
		facts := s.Facts(e, g)
		wave, err := waveOf(g, facts)
		refuse := func(err error) {
			refused = append(refused, ending{namespace: g.Namespace, name: g.Name, err: err})
			w.Stop(wave)
		}
		if err != nil {
			refuse(err)
			continue
		}
		req := request(g, facts)
		req.By, req.Holder, req.ID, req.Schedule = by, me, operate.NewID(), facts.Schedule
		op, stop := recovery.Begin(facts.Pair, req, facts.Traits)
		if unclear := o.leaving().refuse(s, facts.Pair); unclear != nil {
			stop = unclear
		}
		if stop != nil {
			fmt.Fprintf(e.ErrOut, "%s/%s: %s\n", present.Clean(g.Namespace), present.Clean(g.Name), present.Clean(stop.Message))
			present.Findings(e.ErrOut, e.ErrStyle(), recovery.Writers(facts))
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
		p := present.Plan{
			Namespace: g.Namespace, Name: g.Name, Backend: facts.Backend, Wave: wave, Operation: op, Steps: recovery.Steps(op, facts.Traits), Checks: checks,
			Estimate: recovery.EstimateOf(facts.Pair, op, facts.Traits), Resumed: resumed, Seen: remembered(s.View, g),
		}
		if alive(s, op) {
			p.Alive = lives(op.From.Name, recovery.Doubts(facts, op))
		}
		stops := len(refused)
		if problems := recovery.Problems(checks); len(problems) > 0 {
			refuse(refusal(g, problems))
		} else if o.maxOutage > 0 && !op.MayBeTakenBack() {
			refuse(clierror.Refused("leave out --max-outage", "%s/%s: --max-outage: this operation cannot be aborted once %s has given up its role", g.Namespace, g.Name, op.From.Name))
		}
		p.Refused = len(refused) > stops
		plans = append(plans, p)
		if p.Refused {
			continue
		}
		j := job(g, op, facts)
		w.Put(j, wave)
		jobs = append(jobs, j)
	}
	present.Plans(e.ErrOut, e.ErrStyle(), plans)
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

// confirm asks for the name of the group, or for the number of several. No user gives up writes by typing what every plan
// asks for.
func (o *operation) confirm(e *cli.Env, jobs []*operate.Job, names []string) error {
	for _, j := range jobs {
		if j.Operation.Loses() && !j.Operation.Aborting {
			return e.ConfirmWord(o.Yes, "lose data of "+j.Operation.Loser().Name, "what you accept")
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

// remembered returns what this machine last saw of a group on sites that do not answer.
func remembered(o overview.Overview, g overview.Group) (seen []string) {
	for _, gs := range g.Sites {
		if r := gs.Remembered; r != nil {
			seen = append(seen, gs.Site+" "+present.Remembered(r, o))
		}
	}
	return seen
}

func (o *operation) operator(e *cli.Env, s *preflight.Observation, jobs []*operate.Job) *operate.Operator {
	return &operate.Operator{
		Native: s.Native(),
		Sites:  s.Sites, Clusters: s.Clusters, Clock: e.Clock, Clocks: &s.Clocks, Holder: jobs[0].Operation.Holder, Concurrency: o.concurrency, MaxOutage: o.maxOutage, Progress: func(*operate.Job, recovery.Decision) {},
	}
}

// holder returns this process.
func holder(by string) string { return fmt.Sprintf("%s/%d-%s", by, os.Getpid(), operate.NewID()) }
