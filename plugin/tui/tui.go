// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package tui is the live screen over the groups of both sites. It draws nothing but the overview
// that status prints, and acts through the same commands.
package tui

import (
	"context"
	"errors"
	"io"
	"sync"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// Feed calls show with each new overview until its context ends.
type Feed func(ctx context.Context, show func(overview.Overview) error) error

// terminal says when it is gone: without one no user can leave a screen, which continues to run where a hangup is ignored.
type terminal struct {
	file
	gone func()
}

// file is what Bubble Tea must see of a terminal to take it for one.
type file interface {
	io.ReadWriteCloser
	Fd() uintptr
	Name() string
}

// Read implements io.Reader.
func (t terminal) Read(p []byte) (int, error) {
	n, err := t.file.Read(p)
	if err != nil {
		t.gone()
	}
	return n, err
}

// Run shows the screen until it is left. The terminal is as it was before when it returns, however
// that comes.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer, feed Feed) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if f, ok := in.(file); ok {
		in = terminal{f, stop}
	}
	// Signals end the context. What is drawn has its colours already, or none.
	var acting sync.WaitGroup
	run := o.Run
	o.Run = func(ctx context.Context, args []string, t Talk) int {
		acting.Add(1)
		defer acting.Done()
		return run(ctx, args, t)
	}
	p := tea.NewProgram(New(ctx, o), tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithInput(in), tea.WithOutput(out), tea.WithColorProfile(colorprofile.ANSI))
	fed := make(chan error, 1)
	go func() {
		err := feed(ctx, func(o overview.Overview) error {
			p.Send(Overview(o))
			return nil
		})
		fed <- err
		if err != nil && !errors.Is(err, context.Canceled) {
			p.Quit() // nothing would be shown any more
		}
	}()
	_, err := p.Run()
	interrupted := ctx.Err() != nil
	stop()
	acting.Wait() // a command stops between two steps
	if feedErr := <-fed; err == nil && feedErr != nil && !errors.Is(feedErr, context.Canceled) {
		err = feedErr
	}
	if interrupted && (errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, context.Canceled)) {
		return context.Canceled
	}
	return err
}
