// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// reminding is how often a line says, without a terminal, what is still waited for; for more than fewGroups it is told once
// for each step.
const (
	reminding = 10 * time.Second
	fewGroups = 5
)

// progress tells how far groups have come: a line for each change, and on a terminal a bar for each
// group whose operation runs. Of several groups a terminal shows the bars alone. Without a terminal a line now and then
// says what is still waited for.
type progress struct {
	e       *cli.Env
	style   present.Style
	started time.Time
	// rows of the terminal; 0 without one.
	rows int

	mu     sync.Mutex
	groups []present.Progress
	since  []time.Time
	jobs   []*operate.Job
	index  map[*operate.Job]int
	steps  [][]recovery.Step
	last   []string
	// told is when something was last said of a group.
	told []time.Time
	// outage is since when no site has been writable; zero while one is.
	outage []time.Time
	// reminded is when something was last said of all groups.
	reminded time.Time
	drawn    int
	stop     chan struct{}
	ended    sync.WaitGroup
}

// newProgress begins to tell of jobs; close ends it.
func newProgress(e *cli.Env, jobs []*operate.Job) *progress {
	p := &progress{e: e, style: e.ErrStyle(), started: e.Clock.Now(), reminded: e.Clock.Now(), jobs: jobs, index: map[*operate.Job]int{}, stop: make(chan struct{})}
	p.groups, p.since, p.last = make([]present.Progress, len(jobs)), make([]time.Time, len(jobs)), make([]string, len(jobs))
	p.steps = make([][]recovery.Step, len(jobs))
	p.told, p.outage = make([]time.Time, len(jobs)), make([]time.Time, len(jobs))
	for i, j := range jobs {
		p.index[j], p.groups[i].Group = i, j.Namespace+"/"+j.Name
	}
	f, ok := e.Raw.ErrOut.(*os.File)
	if ok && e.Getenv("TERM") != "dumb" {
		if width, rows, err := term.GetSize(int(f.Fd())); err == nil {
			p.style.Width, p.rows = width, rows
		}
	}
	p.ended.Go(p.tick)
	return p
}

// tick redraws the times each second, and says what is still waited for where nothing is drawn.
func (p *progress) tick() {
	tick := p.e.Clock.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C():
			p.mu.Lock()
			p.remind()
			p.mu.Unlock()
		}
	}
}

// remind draws anew, or says of each group of which nothing was said for a while what is waited for.
func (p *progress) remind() {
	if p.rows > 0 {
		p.draw("")
		return
	}
	if p.e.Screen != nil {
		p.shows()
		return
	}
	now := p.e.Clock.Now()
	if len(p.groups) > fewGroups {
		if now.Sub(p.reminded) >= reminding {
			p.reminded = now
			all := make([]present.Progress, len(p.groups))
			for i := range p.groups {
				all[i] = p.at(i)
			}
			for _, line := range present.Reminder(p.style, all) {
				p.draw(fmt.Sprintf("%6s  %s\n", now.Sub(p.started).Round(100*time.Millisecond), line))
			}
		}
		return
	}
	for i := range p.groups {
		m := p.at(i)
		if m.State != present.ProgressRunning || m.Says == "" || now.Sub(p.told[i]) < reminding {
			continue
		}
		p.told[i] = now
		text := fmt.Sprintf("%s  %d/%d %s  still waits, for %s", m.Group, m.Step, m.Steps, m.Name, m.Waited())
		if !strings.HasSuffix(p.last[i], m.Says) { // its numbers have changed
			p.last[i] = whole(m)
			text += ": " + m.Says
		}
		p.draw(fmt.Sprintf("%6s  %s\n", now.Sub(p.started).Round(100*time.Millisecond), present.Clean(text)))
	}
}

// shows has the screen that runs the command draw where all groups are.
func (p *progress) shows() {
	all := make([]present.Progress, len(p.groups))
	for i := range p.groups {
		all[i] = p.at(i)
	}
	p.e.Screen.Progress(all)
}

// at returns where a group is now.
func (p *progress) at(i int) present.Progress {
	m, now := p.groups[i], p.e.Clock.Now()
	m.Took = now.Sub(p.since[i])
	m.Usual = p.jobs[i].Usual[recovery.StepID(m.Name)]
	m.Left = p.left(i, m)
	if recovery.StepID(m.Name) == recovery.StepSync {
		m.Upto = p.jobs[i].Traits.SyncPause
	}
	if !p.outage[i].IsZero() {
		m.Outage = now.Sub(p.outage[i])
	}
	return m
}

// left returns how long the rest of an operation usually takes; 0 when the group has no history of it.
func (p *progress) left(i int, m present.Progress) time.Duration {
	if m.State != present.ProgressRunning || m.Usual == 0 {
		return 0
	}
	left := max(0, m.Usual-m.Took)
	for _, s := range p.steps[i][min(m.Step, len(p.steps[i])):] {
		left += p.jobs[i].Usual[s.ID]
	}
	return left
}

// close takes the bars away; how it ended is printed by others.
func (p *progress) close() {
	close(p.stop)
	p.ended.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups = nil
	p.draw("")
}

// tell takes in what a job decided.
func (p *progress) tell(j *operate.Job, d recovery.Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.index[j]
	m := &p.groups[i]
	steps := recovery.Steps(d.Operation, j.Traits)
	p.steps[i] = steps
	number := 0
	for n, s := range steps {
		if s.ID == d.Step.ID {
			number = n + 1
		}
	}
	if m.State != present.ProgressRunning || m.Step != number {
		p.since[i] = p.e.Clock.Now()
	}
	p.outage[i] = time.Time{}
	if out := j.Outage(p.e.Clock.Now()); out > 0 {
		p.outage[i] = p.e.Clock.Now().Add(-out)
	}
	m.State, m.Step, m.Steps, m.Name, m.Says = present.ProgressRunning, number, len(steps), string(d.Step.ID), says(d)
	switch {
	case d.Done:
		m.State = present.ProgressDone
		m.After, _ = d.Operation.Duration()
	case d.Stop != nil:
		m.State = present.ProgressStopped
	}
	p.draw(p.line(i))
	if p.e.Screen != nil {
		p.shows()
	}
}

// says returns what a decision does or waits for; empty when it ends.
func says(d recovery.Decision) string {
	switch {
	case d.Write != nil && (len(d.Write.Scale) > 0 || d.Step.Site.Name != ""):
		return d.Step.Site.Name + ": " + d.Step.Does
	case d.Write != nil:
		return d.Write.Site.Name + ": " + d.Step.Does
	default:
		return d.Wait
	}
}

// line returns what is new about a job; empty when nothing is.
func (p *progress) line(i int) string {
	m := p.groups[i]
	if m.Says == "" || p.rows > 0 && len(p.groups) > 1 {
		return ""
	}
	line := whole(m)
	if present.SameButNumbers(p.last[i], line) { // the bar shows the numbers, or the next reminder
		return ""
	}
	p.last[i], p.told[i] = line, p.e.Clock.Now()
	return fmt.Sprintf("%6s  %s\n", p.e.Clock.Since(p.started).Round(100*time.Millisecond), present.Clean(line))
}

// whole returns a group with its step and what it waits for.
func whole(m present.Progress) string {
	if m.Step == 0 {
		return m.Group + "  " + m.Says
	}
	return fmt.Sprintf("%s  %d/%d %s  %s", m.Group, m.Step, m.Steps, m.Name, m.Says)
}

// draw puts a line above the bars, and the bars anew.
func (p *progress) draw(line string) {
	if p.rows == 0 {
		fmt.Fprint(p.e.ErrOut, line)
		return
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", p.drawn)
	}
	b.WriteString(strings.TrimSuffix(line, "\n"))
	if line != "" {
		b.WriteString(cli.ClearLine + "\n")
	}
	for i := range p.groups {
		p.groups[i] = p.at(i)
	}
	p.drawn = 0
	if len(p.groups) > 0 {
		for _, bar := range present.ProgressLines(p.style, p.groups, p.rows-1) {
			b.WriteString(present.Screen(bar, p.style.Color) + cli.ClearLine + "\n")
			p.drawn++
		}
	}
	fmt.Fprint(p.e.Raw.ErrOut, b.String()+cli.ClearBelow)
}
