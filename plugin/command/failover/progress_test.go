// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
)

// screen carries out what a terminal would of what is drawn: up, clear to the end, lines.
func screen(text string) []string {
	var lines []string
	row := 0
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b[1A\r"), strings.HasPrefix(text, "\x1b[2A\r"), strings.HasPrefix(text, "\x1b[3A\r"):
			row -= int(text[2] - '0')
			text = text[5:]
		case strings.HasPrefix(text, cli.ClearLine):
			text = text[len(cli.ClearLine):]
		case strings.HasPrefix(text, cli.ClearBelow):
			lines, text = lines[:row], text[len(cli.ClearBelow):]
		default:
			line, rest, _ := strings.Cut(text, "\n")
			if end, found := strings.CutSuffix(line, cli.ClearLine); found {
				line = end
			}
			lines = append(lines[:min(row, len(lines))], append([]string{line}, lines[min(row+1, len(lines)):]...)...)
			row, text = row+1, rest
		}
	}
	return lines
}

// TestProgress: on a terminal bars are drawn in place, and nothing of them stays. Without one there
// is a line for each change.
func TestProgress(t *testing.T) {
	op := recovery.Operation{Kind: recovery.Planned, From: recovery.SiteRef{Name: "east"}, To: recovery.SiteRef{Name: "west"}}
	traits := backend.Traits{Fences: true, ConfirmsSync: true}
	jobs := []*operate.Job{{Namespace: "a", Name: "one", Traits: traits}, {Namespace: "a", Name: "two", Traits: traits}}
	for name, tc := range map[string]struct {
		rows, jobs   int
		during, then string
	}{
		"no terminal":             {0, 2, "    0s  a/one  2/6 verify  east: waits\n    0s  a/two  3/6 demote  east: waits", "    0s  a/one  2/6 verify  east: waits\n    0s  a/two  3/6 demote  east: waits"},
		"a terminal, many groups": {24, 2, "a/one  #.........  2/6 verify          0s  east: waits\na/two  ###.......  3/6 demote          0s  east: waits\n0 done, 2 running, 0 not started", ""},
		"a terminal, one group":   {24, 1, "    0s  a/one  2/6 verify  east: waits\na/one  #.........  2/6 verify          0s  east: waits", "    0s  a/one  2/6 verify  east: waits"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			e := &cli.Env{Raw: genericiooptions.IOStreams{ErrOut: &out, Out: &out}, Clock: clocktesting.NewFakeClock(time.Unix(0, 0)), Getenv: func(string) string { return "" }}
			e.Guard()
			p := newProgress(e, jobs[:tc.jobs])
			p.rows = tc.rows
			steps := recovery.Steps(op, traits)
			for range 2 { // what is said twice is told once
				for i, j := range jobs[:tc.jobs] {
					p.tell(j, recovery.Decision{Operation: op, Step: steps[i+1], Wait: "east: waits"})
				}
			}
			if got := strings.Join(screen(out.String()), "\n"); got != tc.during {
				t.Errorf("it shows\n%s\nwant\n%s\nof %q", got, tc.during, out.String())
			}
			p.close()
			if got := strings.Join(screen(out.String()), "\n"); got != tc.then {
				t.Errorf("in the end it shows\n%s\nwant\n%s\nof %q", got, tc.then, out.String())
			}
		})
	}
}

// TestProgressReminds: in a pipe a line now and then says what is still waited for, how long that usually takes, and how long
// no site has been writable; of many groups one line counts them, and one for each step names them.
func TestProgressReminds(t *testing.T) {
	op := recovery.Operation{Kind: recovery.Planned, From: recovery.SiteRef{Name: "east"}, To: recovery.SiteRef{Name: "west"}}
	traits := backend.Traits{Fences: true, ConfirmsSync: true}
	one := []*operate.Job{{Namespace: "a", Name: "one", Traits: traits, Usual: map[recovery.StepID]time.Duration{recovery.StepSync: 15 * time.Second}}}
	paused := traits
	paused.SyncPause = 30 * time.Second
	first := []*operate.Job{{Namespace: "a", Name: "one", Traits: paused}}
	many := []*operate.Job{}
	for i := range fewGroups + 1 {
		many = append(many, &operate.Job{Namespace: "a", Name: string(rune('a' + i)), Traits: traits})
	}
	for name, tc := range map[string]struct {
		jobs   []*operate.Job
		outage time.Duration
		want   string
	}{
		"one group":                        {one, 0, "   11s  a/one  4/6 sync  still waits, for 11s (usually 15s)\n   22s  a/one  4/6 sync  still waits, for 22s (usually 15s)\n"},
		"the first operation of a group":   {first, 0, "   11s  a/one  4/6 sync  still waits, for 11s (usually up to 30s)\n   22s  a/one  4/6 sync  still waits, for 22s (usually up to 30s)\n"},
		"one group that no site may write": {one, 5 * time.Second, "   11s  a/one  4/6 sync  still waits, for 11s (usually 15s), no primary for 16s\n   22s  a/one  4/6 sync  still waits, for 22s (usually 15s), no primary for 27s\n"},
		"many groups": {many, 5 * time.Second, "   11s  0 done, 6 running, 0 not started   1 without a primary\n   11s    in sync for 11s, no primary for 16s: a/a, a/b, a/c, a/d, a/e, a/f\n" +
			"   22s  0 done, 6 running, 0 not started   1 without a primary\n   22s    in sync for 22s, no primary for 27s: a/a, a/b, a/c, a/d, a/e, a/f\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
			e := &cli.Env{Raw: genericiooptions.IOStreams{ErrOut: &out, Out: &out}, Clock: clock, Getenv: func(string) string { return "" }}
			e.Guard()
			p := newProgress(e, tc.jobs)
			for _, j := range tc.jobs {
				p.tell(j, recovery.Decision{Operation: op, Step: recovery.Steps(op, traits)[3], Wait: "east: waits"})
			}
			p.mu.Lock()
			out.Reset()
			if tc.outage > 0 {
				p.outage[0] = clock.Now().Add(-tc.outage)
			}
			for range 2 {
				clock.Step(11 * time.Second)
				p.remind()
				p.remind() // at once again: nothing is new
			}
			got := out.String()
			p.mu.Unlock()
			p.close()
			if got != tc.want {
				t.Errorf("it says\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestProgressCounts: what only counts on is told once, and by the reminders.
func TestProgressCounts(t *testing.T) {
	op := recovery.Operation{Kind: recovery.Planned, From: recovery.SiteRef{Name: "east"}, To: recovery.SiteRef{Name: "west"}}
	traits := backend.Traits{PromoteFirst: true}
	jobs := []*operate.Job{{Namespace: "a", Name: "one", Traits: traits}}
	var out bytes.Buffer
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	e := &cli.Env{Raw: genericiooptions.IOStreams{ErrOut: &out, Out: &out}, Clock: clock, Getenv: func(string) string { return "" }}
	e.Guard()
	p := newProgress(e, jobs)
	step := recovery.Steps(op, traits)[3]
	for _, says := range []string{"2 of 3 volumes, 1.5 GiB sent in 59s", "2 of 3 volumes, 1.9 GiB sent in 1m2s", "3 of 3 volumes, 2 GiB sent in 1m5s", "east stops"} {
		p.tell(jobs[0], recovery.Decision{Operation: op, Step: step, Wait: says})
		if says == "3 of 3 volumes, 2 GiB sent in 1m5s" {
			p.mu.Lock()
			clock.Step(11 * time.Second)
			p.remind()
			p.mu.Unlock()
		}
	}
	p.close()
	var got []string
	for line := range strings.Lines(out.String()) {
		_, says, _ := strings.Cut(strings.TrimSpace(line), string(step.ID)+"  ")
		got = append(got, says)
	}
	want := []string{"2 of 3 volumes, 1.5 GiB sent in 59s", "still waits, for 11s: 3 of 3 volumes, 2 GiB sent in 1m5s", "east stops"}
	if !slices.Equal(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}
}
