// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is what a program gets between being asked to end and being killed.
	stopGrace = 10 * time.Second
	// restartDelay keeps a program that cannot run from using up a processor.
	restartDelay = time.Second
	// tailSize is how much of a log an error shows.
	tailSize = 2048
)

// Spec is a program to run.
type Spec struct {
	Name string
	Path string
	Args []string
	// Env is added to the environment of the lab.
	Env []string
	// Log is the file that output is appended to.
	Log string
}

// Process is one program under supervision. One that ends by itself is started again, as a kubelet
// would; one that was stopped or killed on purpose stays down until it is started.
type Process struct {
	spec     Spec
	launcher *Launcher

	mu     sync.Mutex
	wanted bool
	run    *run
	// restarts counts how often the program ended by itself.
	restarts int
}

// run is one life of the program.
type run struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// New describes a process; it does not start it.
func New(l *Launcher, spec Spec) *Process { return &Process{spec: spec, launcher: l} }

// State is what a process is doing, for people and for assertions.
type State struct {
	Name string `json:"name"`
	// PID is 0 while the process does not run.
	PID int `json:"pid,omitempty"`
	// Stopped: it was stopped or killed on purpose.
	Stopped  bool   `json:"stopped,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	Log      string `json:"log"`
}

// State returns the current state.
func (p *Process) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := State{Name: p.spec.Name, Stopped: !p.wanted, Restarts: p.restarts, Log: p.spec.Log}
	if p.run != nil {
		s.PID = p.run.cmd.Process.Pid
	}
	return s
}

// Log returns the file with the process's output.
func (p *Process) Log() string { return p.spec.Log }

// Start runs the program. Starting a running process does nothing.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = true
	return p.start()
}

func (p *Process) start() error {
	if p.run != nil {
		return nil
	}
	log, err := os.OpenFile(p.spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.spec.Name, err)
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(p.spec.Path, p.spec.Args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, attributes()
	cmd.Env = append(os.Environ(), p.spec.Env...)
	if err := p.launcher.start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.spec.Name, err)
	}
	p.run = &run{cmd: cmd, done: make(chan struct{})}
	go p.watch(p.run)
	return nil
}

// watch waits for the end of one life, and begins the next if no caller asked for that end.
func (p *Process) watch(r *run) {
	r.err = r.cmd.Wait()
	p.mu.Lock()
	p.run = nil
	again := p.wanted
	if again {
		p.restarts++
	}
	p.mu.Unlock()
	close(r.done)
	if !again {
		return
	}
	time.Sleep(restartDelay)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted {
		// An error shows as a process without PID; its log has the previous end.
		_ = p.start()
	}
}

// Stop asks the program to end, and kills it when it does not do so in time.
func (p *Process) Stop(ctx context.Context) error { return p.end(ctx, syscall.SIGTERM) }

// Kill ends the program without giving it a chance to clean up.
func (p *Process) Kill(ctx context.Context) error { return p.end(ctx, syscall.SIGKILL) }

func (p *Process) end(ctx context.Context, signal syscall.Signal) error {
	p.mu.Lock()
	p.wanted = false
	r := p.run
	p.mu.Unlock()
	if r == nil {
		return nil
	}
	// The group, so that children of the program go too.
	if err := syscall.Kill(-r.cmd.Process.Pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: %w", p.spec.Name, err)
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	case <-grace.C:
	}
	if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", p.spec.Name, err)
	}
	<-r.done
	return nil
}

// Explain adds the end of the program's log to an error about it.
func (p *Process) Explain(err error) error {
	data, readErr := os.ReadFile(p.spec.Log)
	if readErr != nil {
		return err
	}
	if len(data) > tailSize {
		data = data[len(data)-tailSize:]
	}
	return fmt.Errorf("%s: %w\nlast lines of %s:\n%s", p.spec.Name, err, p.spec.Log, strings.TrimSpace(string(data)))
}
