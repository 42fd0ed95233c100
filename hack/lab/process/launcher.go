// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package process runs the lab's programs so that none outlives the lab: not when it is closed,
// not when the process that holds it crashes. It knows nothing of what the programs do.
package process

import (
	"os/exec"
	"runtime"
)

// Launcher starts children from one operating system thread that lives as long as the launcher:
// the kernel's death signal is bound to the thread that forked, not to the process.
type Launcher struct {
	requests chan launch
}

type launch struct {
	cmd    *exec.Cmd
	result chan error
}

// NewLauncher starts the thread. Close ends it.
func NewLauncher() *Launcher {
	l := &Launcher{requests: make(chan launch)}
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		for r := range l.requests {
			r.result <- r.cmd.Start()
		}
	}()
	return l
}

// Close ends the thread. Children that still run are killed by the kernel.
func (l *Launcher) Close() { close(l.requests) }

func (l *Launcher) start(cmd *exec.Cmd) error {
	r := launch{cmd: cmd, result: make(chan error, 1)}
	l.requests <- r
	return <-r.result
}
