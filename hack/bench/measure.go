// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/unified-replication/kubectl-vgr/hack/bench/cost"
	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// command is one program with its arguments, as a user would type it.
type command struct {
	path string
	args []string
	// wants is the exit code that is right.
	wants int
}

func (c command) String() string {
	return strings.Join(append([]string{filepath.Base(c.path)}, c.args...), " ")
}

// comparison runs two commands in turn.
type comparison struct {
	title, again string
	ours, peer   command
	// limit is how long the same work would take without us, in seconds; nil when that is unknown.
	limit func(ctx context.Context) (float64, error)
	notes []string
	// first says that the time of the first output counts too.
	first bool
}

// compare measures ours and the peer A B A B …, after one run of each that is not counted.
func (b *bench) compare(ctx context.Context, l *lab.Lab, c comparison) (result, error) {
	r := result{Title: c.title, Ours: c.ours.String(), Peer: c.peer.String(), Again: c.again, Notes: c.notes}
	b.say("%s", c.title)
	var ours, peer []cost.Cost
	var wire [2]traffic
	looking, err := b.looking(ctx, l)
	if err != nil {
		return r, err
	}
	for n := range b.runs + 1 {
		for i, cmd := range []command{c.ours, c.peer} {
			before, err := observe(ctx, l)
			if err != nil {
				return r, err
			}
			spent, err := b.once(ctx, l, cmd)
			if err != nil {
				return r, err
			}
			after, err := observe(ctx, l)
			switch {
			case err != nil:
				return r, err
			case n == 0: // warm: what is cached by either is cached now
			case i == 0:
				ours = append(ours, spent)
			default:
				peer = append(peer, spent)
			}
			// What the controllers of the lab ask for by themselves is not in the run that saw least.
			if seen := after.since(before).since(looking); n == 0 || seen.requests <= wire[i].requests {
				wire[i] = seen
			}
		}
	}
	r.Rows = rows(ours, peer, c.first)
	if l != nil {
		r.Rows = append(r.Rows, compared("requests", "", wire[0].requests, wire[1].requests), compared("received", "kB", wire[0].bytes/1e3, wire[1].bytes/1e3))
	}
	if c.limit != nil {
		limit, err := c.limit(ctx)
		if err != nil {
			return r, err
		}
		r.Rows[0].Limit = &limit
	}
	return r, nil
}

func rows(ours, peer []cost.Cost, first bool) []row {
	measures := []struct {
		name, unit string
		of         func(cost.Cost) float64
	}{
		{"wall", "ms", func(c cost.Cost) float64 { return c.Wall.Seconds() * 1e3 }},
		{"first output", "ms", func(c cost.Cost) float64 { return c.First.Seconds() * 1e3 }},
		{"CPU", "ms", func(c cost.Cost) float64 { return c.CPU.Seconds() * 1e3 }},
		{"peak memory", "MB", func(c cost.Cost) float64 { return float64(c.Memory) / 1e6 }},
	}
	var out []row
	for _, m := range measures {
		if m.name == "first output" && !first {
			continue
		}
		var a, b, ratios []float64
		for i := range ours {
			a, b = append(a, m.of(ours[i])), append(b, m.of(peer[i]))
			ratios = append(ratios, m.of(ours[i])/m.of(peer[i]))
		}
		out = append(out, row{Measure: m.name, Unit: m.unit, Ours: median(a), Peer: new(median(b)), Ratio: new(median(ratios))})
	}
	return out
}

// compared returns a figure that was taken once of each.
func compared(measure, unit string, ours, peer float64) row {
	r := row{Measure: measure, Unit: unit, Ours: ours, Peer: &peer}
	if peer > 0 {
		r.Ratio = new(ours / peer)
	}
	return r
}

// once runs a command, whose output is thrown away but read.
func (b *bench) once(ctx context.Context, l *lab.Lab, c command) (cost.Cost, error) {
	var spent cost.Cost
	read, write, err := os.Pipe()
	if err != nil {
		return spent, err
	}
	defer read.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "timed"), append([]string{c.path}, c.args...)...)
	cmd.Env, cmd.ExtraFiles = b.env(l), []*os.File{write}
	var said strings.Builder
	cmd.Stderr = &said
	err = cmd.Run()
	write.Close()
	if err != nil {
		return spent, fmt.Errorf("%s: %w\n%s", c, err, said.String())
	}
	if err := json.NewDecoder(read).Decode(&spent); err != nil {
		return spent, fmt.Errorf("%s: %w\n%s", c, err, said.String())
	}
	if spent.Code != c.wants {
		return spent, fmt.Errorf("%s: exit code %d\n%s", c, spent.Code, said.String())
	}
	return spent, nil
}

// traffic is what went to both sites.
type traffic struct{ requests, bytes float64 }

func (t traffic) since(before traffic) traffic {
	return traffic{t.requests - before.requests, t.bytes - before.bytes}
}

// looking returns what looking itself costs.
func (b *bench) looking(ctx context.Context, l *lab.Lab) (traffic, error) {
	before, err := observe(ctx, l)
	if err != nil {
		return traffic{}, err
	}
	after, err := observe(ctx, l)
	return after.since(before), err
}

// observe counts what was asked of both sites so far, by their own counters. The controllers of the lab watch
// what they need; only their leases are left out.
func observe(ctx context.Context, l *lab.Lab) (traffic, error) {
	var t traffic
	if l == nil {
		return t, nil
	}
	for _, s := range l.Sites() {
		all, err := s.Requests(ctx)
		if err != nil {
			return t, err
		}
		for _, r := range all {
			if r.Verb != "WATCH" && r.Resource != "leases" {
				t.requests += r.Count
			}
		}
		_, down := s.Bytes()
		t.bytes += float64(down)
	}
	return t, nil
}
