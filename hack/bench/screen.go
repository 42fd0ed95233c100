// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/creack/pty"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

// screen opens the live screen on a terminal over many groups, and measures it at rest and while their status
// changes all the time.
func (b *bench) screen(ctx context.Context) (results []result, err error) {
	l, sites, err := b.start(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	stores := load.Stores{l.Site(lab.East).Store(), l.Site(lab.West).Store()}
	for _, n := range sizes(b.groups) {
		many := load.Groups{Namespace: "many", Groups: n, Volumes: b.volumes}
		if err := many.Fill(ctx, sites, stores); err != nil {
			return results, err
		}
		b.say("screen over %d groups", n)
		r, err := b.watch(ctx, l, stores, many)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

// watch measures one screen: until it is painted, at rest, and under changes.
func (b *bench) watch(ctx context.Context, l *lab.Lab, stores load.Stores, many load.Groups) (result, error) {
	r := result{
		Title: fmt.Sprintf("tui -A, %d groups on each site, 120x40", many.Groups), Ours: "kubectl-vgr tui -A",
		Again: fmt.Sprintf("make bench ARGS='-only screen -groups %d -changes %d'", many.Groups, b.changes),
	}
	for _, s := range l.Sites() { // the API servers take in first what was put into their stores
		if err := fetch(ctx, s.DirectRESTConfig(), []string{"/volumegroupreplications"}); err != nil {
			return r, err
		}
	}
	t, err := openTerminal(ctx, b, l, "group-", "tui", "-A")
	if err != nil {
		return r, err
	}
	defer t.close()
	painted, err := t.wait(ctx, t.row, 0)
	if err != nil {
		return r, err
	}
	whole, err := t.wait(ctx, "Protected", 0)
	if err != nil {
		return r, err
	}
	add := func(measure, unit string, value float64) {
		r.Rows = append(r.Rows, row{Measure: measure, Unit: unit, Ours: value})
	}
	limit, err := b.bare(l, func(*lab.Site) []string { return []string{"/volumegroupreplications"} })(ctx)
	if err != nil {
		return r, err
	}
	add("first paint", "ms", painted.Seconds()*1e3)
	add("all groups of both sites judged", "ms", whole.Seconds()*1e3)
	r.Rows[1].Limit = &limit
	pause(ctx, 3*time.Second) // the watches are opened
	quiet, err := t.spend(ctx, b.watched/3, nil)
	if err != nil {
		return r, fmt.Errorf("at rest: %w", err)
	}
	add("at rest: CPU", "% of one core", quiet.cpu)
	add("at rest: key to frame, median", "ms", median(quiet.keys))
	var perSecond float64
	busy, err := t.spend(ctx, b.watched, func(ctx context.Context) error {
		began := time.Now()
		changes, err := many.ChurnStores(ctx, stores, b.changes, b.watched)
		perSecond = float64(changes) / time.Since(began).Seconds()
		return err
	})
	if err != nil {
		return r, err
	}
	what := fmt.Sprintf("%.0f changes/s: ", perSecond)
	add(what+"CPU", "% of one core", busy.cpu)
	add(what+"key to frame, median", "ms", median(busy.keys))
	add(what+"written to the terminal", "kB/s", busy.written/busy.took.Seconds()/1e3)
	u, err := usageOf(t.cmd.Process.Pid)
	if err != nil {
		return r, err
	}
	add("peak memory", "MB", u.peak/1e6)
	add("memory at the end", "MB", u.now/1e6)
	return r, nil
}

// patience is for a text that never comes.
const patience = 2 * time.Minute

// terminal is a program on a pseudo-terminal whose output is kept until it is read.
type terminal struct {
	cmd *exec.Cmd
	tty interface {
		Write(p []byte) (int, error)
		Read(p []byte) (int, error)
		Close() error
	}
	began time.Time
	row   string

	mu      sync.Mutex
	text    bytes.Buffer
	written float64
	more    chan struct{}
}

// openTerminal runs a command on a new terminal; row is what each row of its table has in it.
func openTerminal(ctx context.Context, b *bench, l *lab.Lab, row string, args ...string) (*terminal, error) {
	t := &terminal{row: row, cmd: exec.CommandContext(ctx, b.plugin(), args...), more: make(chan struct{}, 1)}
	t.cmd.Env = append(b.env(l), "TERM=xterm-256color")
	t.began = time.Now()
	tty, err := pty.StartWithSize(t.cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		return nil, err
	}
	t.tty = tty
	go t.read()
	return t, nil
}

func (t *terminal) read() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := t.tty.Read(buffer)
		t.mu.Lock()
		t.text.Write(buffer[:n])
		t.written += float64(n)
		t.mu.Unlock()
		select {
		case t.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// wait waits until a text is written to the terminal behind what was read before, and returns how long
// that is after the start, or after then.
func (t *terminal) wait(ctx context.Context, text string, then time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		t.mu.Lock()
		at := bytes.Index(t.text.Bytes(), []byte(text))
		if at >= 0 {
			t.text.Next(at + len(text))
		}
		t.mu.Unlock()
		if at >= 0 {
			return time.Since(t.began) - then, nil
		}
		select {
		case <-ctx.Done():
			t.mu.Lock()
			defer t.mu.Unlock()
			return 0, fmt.Errorf("no %q on the terminal: %w\n%q", text, ctx.Err(), t.text.Bytes()[max(0, t.text.Len()-2000):])
		case <-t.more:
		}
	}
}

// spent is what a screen has used in some time.
type spent struct {
	// cpu is in percent of one core, keys are in milliseconds, written in bytes.
	cpu, written float64
	keys         []float64
	took         time.Duration
}

// spend lets time pass, with changes or without, and types keys all the while.
func (t *terminal) spend(ctx context.Context, duration time.Duration, changes func(context.Context) error) (spent, error) {
	var s spent
	before, err := usageOf(t.cmd.Process.Pid)
	if err != nil {
		return s, err
	}
	t.mu.Lock()
	written := t.written
	t.mu.Unlock()
	began := time.Now()
	changed := make(chan error, 1)
	go func() {
		if changes == nil {
			changes = func(context.Context) error { return nil }
		}
		changed <- changes(ctx)
	}()
	for time.Since(began) < duration {
		took, err := t.press(ctx)
		if err != nil {
			return s, err
		}
		s.keys = append(s.keys, took.Seconds()*1e3)
		pause(ctx, 370*time.Millisecond) // not in step with the screen's own pauses
	}
	if err := <-changed; err != nil {
		return s, err
	}
	after, err := usageOf(t.cmd.Process.Pid)
	s.took = time.Since(began)
	s.cpu = float64(after.cpu-before.cpu) / float64(s.took) * 100
	t.mu.Lock()
	s.written = t.written - written
	t.mu.Unlock()
	return s, err
}

// press opens the help, whose text nothing else shows, and closes it again.
func (t *terminal) press(ctx context.Context) (time.Duration, error) {
	t.mu.Lock()
	t.text.Reset()
	t.mu.Unlock()
	then := time.Since(t.began)
	if _, err := t.tty.Write([]byte("?")); err != nil {
		return 0, err
	}
	took, err := t.wait(ctx, "this help", then)
	if err != nil {
		return 0, err
	}
	if _, err := t.tty.Write([]byte("?")); err != nil {
		return 0, err
	}
	// Of two keys before the next frame nothing would be seen.
	_, err = t.wait(ctx, t.row, then)
	return took, err
}

func (t *terminal) close() {
	_, _ = t.tty.Write([]byte("q"))
	_ = t.tty.Close() // what has no terminal ends
	_ = t.cmd.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
