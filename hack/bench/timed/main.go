// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command timed runs a program once and writes what it cost to file descriptor 3, as JSON. It is a program
// of its own, and small, because Linux counts the memory of the parent of a process as that process's.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/bench/cost"
)

func main() {
	const report = 3
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: timed PROGRAM [ARGUMENT…]")
		os.Exit(2)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	first := &watcher{began: time.Now(), next: os.Stdout}
	cmd.Stdout = first
	err := cmd.Run()
	c := cost.Cost{Wall: time.Since(first.began), First: first.after, Out: first.bytes}
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	c.CPU, c.Code = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), cmd.ProcessState.ExitCode()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.Memory = usage.Maxrss << 10 // Linux counts kilobytes
	}
	_ = json.NewEncoder(os.NewFile(report, "report")).Encode(c) // without a reader there is no program to tell
}

// watcher passes output on, and remembers when the first of it came.
type watcher struct {
	began time.Time
	next  *os.File
	after time.Duration
	bytes int64
}

// Write implements io.Writer.
func (w *watcher) Write(p []byte) (int, error) {
	if w.after == 0 {
		w.after = time.Since(w.began)
	}
	w.bytes += int64(len(p))
	return w.next.Write(p)
}
