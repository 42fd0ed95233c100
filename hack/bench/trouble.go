// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

// trouble is something that goes wrong at both sites while something is measured.
type trouble struct {
	name string
	// requests are those that go wrong, of the commands and of our controllers.
	requests *httpfault.Fault
	// silent says that they get no answer: of the few requests of a list or a screen none would be such a one.
	silent bool
	rtt    time.Duration
	loss   float64
	// away says that the API server of the east is killed, and started again after a while.
	away bool
}

// troubles begin with none, which the others are to be seen beside.
func troubles() []trouble {
	return []trouble{
		{name: "no trouble"},
		{name: "each third request answered with 429, 500, 503 or 504", requests: &httpfault.Fault{
			Codes: []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, Every: 3,
		}},
		{name: "each tenth request not answered", requests: &httpfault.Fault{Every: 10}, silent: true},
		{name: "300 ms away, 1 % loss", rtt: 300 * time.Millisecond, loss: 0.01},
		{name: "the API server of the east killed, and back", away: true},
	}
}

// begin makes the trouble, for our controllers too when they run; a server is killed some time later. What it
// returns ends all of it.
func (t trouble) begin(ctx context.Context, l *lab.Lab, controllers bool, later time.Duration) (end func() error, err error) {
	var faults []lab.Fault
	for _, s := range l.Sites() {
		if t.rtt > 0 {
			faults = append(faults, lab.Fault{Kind: lab.FaultSlow, Site: s.Name, RTT: t.rtt, Loss: t.loss})
		}
		if t.requests == nil {
			continue
		}
		faults = append(faults, lab.Fault{Kind: lab.FaultHTTP, Site: s.Name, HTTP: t.requests})
		if controllers {
			faults = append(faults, lab.Fault{Kind: lab.FaultHTTP, Site: s.Name, HTTP: t.requests, Process: lab.Controller})
		}
	}
	for _, f := range faults {
		if err := l.Inject(ctx, f); err != nil {
			return nil, err
		}
	}
	if !t.away {
		return func() error { return l.ClearFaults(ctx) }, nil
	}
	const gone = 2 * time.Second
	back := make(chan error, 1)
	go func() {
		east := l.Site(lab.East)
		pause(ctx, later)
		err := east.Kill(ctx, lab.APIServer)
		pause(ctx, gone)
		if err = errors.Join(err, east.StartProc(lab.APIServer)); err == nil {
			err = east.WaitReady(ctx)
		}
		back <- err
	}()
	return func() error { return <-back }, nil
}

// attempt is what became of something that was tried in trouble.
type attempt struct {
	took  time.Duration
	right bool
	// said is of an attempt that did not do what it should.
	said string
}

// tried runs a command to its end, whatever that is, and judges what it has printed.
func (b *bench) tried(ctx context.Context, l *lab.Lab, c command, right func(out string) bool) (attempt, error) {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	var out, said bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = b.env(l), &out, &said
	began := time.Now()
	err := cmd.Run()
	a := attempt{took: time.Since(began), right: err == nil && right(out.String())}
	if !a.right {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		a.said = fmt.Sprintf("%s: %v: %s", c, err, lines[len(lines)-1])
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		err = nil
	}
	return a, errors.Join(err, ctx.Err())
}

// chore is something that is done in each trouble, by us and perhaps by a peer.
type chore struct {
	title, ours, peer string
	runs              int
	// prepare comes before each trouble.
	prepare   func(ctx context.Context) error
	do, peers func(ctx context.Context) (attempt, error)
	// killed says after what time an API server is.
	killed time.Duration
	// without says which troubles it is not done in.
	without func(trouble) bool
}

// inTrouble does what else is measured while requests fail, sites are far away, and an API server restarts.
func (b *bench) inTrouble(ctx context.Context) ([]result, error) {
	looked, err := b.troubled(ctx, false, func(l *lab.Lab, sites load.Sites) ([]chore, error) {
		many := load.Groups{Namespace: "many", Groups: max(1, b.groups/10), Volumes: b.volumes}
		err := many.Fill(ctx, sites, load.Stores{l.Site(lab.East).Store(), l.Site(lab.West).Store()})
		return []chore{b.listing(l, many), b.opening(l)}, err
	})
	if err != nil {
		return looked, err
	}
	acted, err := b.troubled(ctx, true, func(l *lab.Lab, sites load.Sites) ([]chore, error) {
		names, err := b.pairs(ctx, l, sites, 0, b.moved)
		return []chore{b.moving(l, sites, names), b.creating(l, sites)}, err
	})
	return append(looked, acted...), err
}

// troubled does chores on a lab of their own.
func (b *bench) troubled(ctx context.Context, controllers bool, chores func(*lab.Lab, load.Sites) ([]chore, error)) (results []result, err error) {
	l, sites, err := b.start(ctx, controllers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	all, err := chores(l, sites)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		r := result{Title: "in trouble: " + c.title, Ours: c.ours, Peer: c.peer, Again: fmt.Sprintf("make bench ARGS='-only trouble -groups %d -moved %d'", b.groups, b.moved)}
		for _, t := range troubles() {
			if c.without != nil && c.without(t) {
				continue
			}
			b.say("%s: %s", c.title, t.name)
			if err := r.endure(ctx, l, controllers, c, t); err != nil {
				return append(results, r), fmt.Errorf("%s: %s: %w", c.title, t.name, err)
			}
		}
		results = append(results, r)
	}
	return results, nil
}

// endure does one chore in one trouble.
func (r *result) endure(ctx context.Context, l *lab.Lab, controllers bool, c chore, t trouble) error {
	if c.prepare != nil {
		if err := c.prepare(ctx); err != nil {
			return err
		}
	}
	end, err := t.begin(ctx, l, controllers, c.killed)
	if err != nil {
		return err
	}
	wall, did, err := r.repeat(ctx, c, t)
	hits := 0
	for _, s := range l.Sites() {
		hits += s.HTTPHits("")
	}
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	if t.requests != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("%s: %d requests of the commands", t.name, hits))
	}
	r.Rows = append(r.Rows, wall, did)
	return nil
}

// repeat does a chore, by us and by the peer in turn. The time is that of what was done rightly.
func (r *result) repeat(ctx context.Context, c chore, t trouble) (wall, did row, err error) {
	ways := []func(context.Context) (attempt, error){c.do}
	if c.peers != nil {
		ways = append(ways, c.peers)
	}
	var took [2][]float64
	for range c.runs {
		for i, do := range ways {
			a, err := do(ctx)
			if err != nil {
				return wall, did, err
			}
			if a.right {
				took[i] = append(took[i], a.took.Seconds())
			} else {
				r.Notes = append(r.Notes, fmt.Sprintf("%s, after %.1f s: %s", t.name, a.took.Seconds(), a.said))
			}
		}
	}
	wall = row{Measure: t.name, Unit: "s", Ours: median(took[0])}
	did = row{Measure: "done rightly", Unit: fmt.Sprintf("of %d", c.runs), Ours: float64(len(took[0]))}
	if c.peers != nil {
		wall = compared(wall.Measure, wall.Unit, wall.Ours, median(took[1]))
		did = compared(did.Measure, did.Unit, did.Ours, float64(len(took[1])))
	}
	return wall, did, nil
}

// listing is right when it has a line for each group, none of which says that a site does not answer.
func (b *bench) listing(l *lab.Lab, many load.Groups) chore {
	ours := command{path: b.plugin(), args: []string{"list", "-n", many.Namespace}}
	peer := command{path: b.kubectl(), args: []string{"--context", lab.East, "get", resource, "-n", many.Namespace}}
	right := func(out string) bool {
		return strings.Count(out, "group-") == many.Groups && !strings.Contains(out, "Unreachable")
	}
	return chore{
		title: fmt.Sprintf("list of %d groups", many.Groups), ours: ours.String(), peer: peer.String(), runs: b.runs,
		do:      func(ctx context.Context) (attempt, error) { return b.tried(ctx, l, ours, right) },
		peers:   func(ctx context.Context) (attempt, error) { return b.tried(ctx, l, peer, right) },
		without: func(t trouble) bool { return t.away || t.silent }, // there is nothing to list
	}
}

// opening is right when the screen has judged the groups, of both sites.
func (b *bench) opening(l *lab.Lab) chore {
	return chore{title: "screen, until all groups are judged", ours: "kubectl-vgr tui -A", runs: 1, without: func(t trouble) bool { return t.silent }, do: func(ctx context.Context) (attempt, error) {
		t, err := openTerminal(ctx, b, l, "group-", "tui", "-A")
		if err != nil {
			return attempt{}, err
		}
		defer t.close()
		took, err := t.wait(ctx, "Protected", 0)
		if err != nil {
			return attempt{took: time.Since(t.began), said: err.Error()}, ctx.Err()
		}
		return attempt{took: took, right: true}, nil
	}}
}

// midway is when other work has begun and is not yet done.
const midway = 3 * time.Second

// moving fails groups over, there and back in turn. What has failed is done again without trouble, which must do.
func (b *bench) moving(l *lab.Lab, sites load.Sites, names []string) chore {
	last, to, from := attempt{right: true}, lab.East, lab.West
	failover := func(ctx context.Context) (err error) {
		c := command{path: b.plugin(), args: append([]string{"failover", "-n", moving, "--to", to, "--yes"}, names...)}
		last, err = b.tried(ctx, l, c, func(string) bool { return true }) // its exit code tells
		if err != nil || !last.right {
			return err
		}
		for i, at := range []string{lab.East, lab.West} {
			state := map[bool]vgrv1.State{true: vgrv1.StatePrimary, false: vgrv1.StateSecondary}[at == to]
			var list vgrv1.VolumeGroupReplicationList
			if err := sites[i].List(ctx, &list, client.InNamespace(moving)); err != nil {
				return err
			}
			for _, g := range list.Items {
				if g.Status.State != state {
					last.right, last.said = false, fmt.Sprintf("%s is %s on %s", g.Name, g.Status.State, at)
				}
			}
		}
		return nil
	}
	return chore{
		title: fmt.Sprintf("planned failover of %d groups", len(names)), ours: "kubectl-vgr failover --to SITE --yes GROUP…", runs: 1, killed: midway,
		prepare: func(ctx context.Context) error {
			if !last.right {
				if err := failover(ctx); err != nil || !last.right {
					return errors.Join(err, fmt.Errorf("again, without trouble: %s", last.said))
				}
			}
			to, from = from, to
			return nil
		},
		do: func(ctx context.Context) (attempt, error) {
			err := failover(ctx)
			return last, err
		},
	}
}

// creating is right when all groups that were just created are. Our controller is beside its API server.
func (b *bench) creating(l *lab.Lab, sites load.Sites) chore {
	const groups = 50
	c := &controlled{bench: b, site: l.Site(lab.East), client: sites[0], groups: groups, apps: load.Applications{Volumes: b.volumes}}
	n := 0
	return chore{
		title: fmt.Sprintf("%d new groups of %d volumes, until every status is right", groups, b.volumes), ours: "vgr-controller", runs: 1, killed: midway,
		prepare: func(ctx context.Context) error {
			n++
			c.apps.Namespace = fmt.Sprintf("apps-%d", n)
			return c.apps.Make(ctx, c.client, 0, groups)
		},
		do: func(ctx context.Context) (attempt, error) {
			began := time.Now()
			if err := c.apps.Protect(ctx, c.client, moving, groups); err != nil {
				return attempt{}, err
			}
			waiting, cancel := context.WithTimeout(ctx, 5*patience)
			defer cancel()
			err := c.ready(waiting)
			for err != nil && waiting.Err() == nil { // the API server is away
				pause(waiting, time.Second)
				err = c.ready(waiting)
			}
			a := attempt{took: time.Since(began), right: err == nil}
			if err != nil {
				a.said = err.Error()
			}
			return a, ctx.Err()
		},
		without: func(t trouble) bool { return t.rtt > 0 },
	}
}
