// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// TestWatch: a site that falls silent is not shown as live, and does not keep the other from being
// shown. Silence is the hard case: nothing tells the client that the connection is dead.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.claims(lab.East, map[string]string{"app": "db"}, "data")
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")

	w := s.watch()
	w.shows("Primary", "Secondary")
	s.must(s.lab.Site(lab.West).Blackhole(t.Context()))
	w.shows("Primary", `Secondary \S+ ago`)
	w.ends()

	w = s.watch() // west is silent from the beginning
	w.shows("Primary", "Asking")
	w.shows("Primary", `Secondary \S+ ago`)
	s.must(s.lab.Site(lab.West).Reconnect(t.Context()))
	w.shows("Primary", "Secondary")
	w.ends()
}

// watching is a plugin that follows the groups of the scene.
type watching struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func (s *scene) watch() *watching {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "kubectl-vgr"), "list", "-n", s.ns, "-w")
	cmd.Env = s.env()
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	return &watching{s.t, cmd, bufio.NewScanner(out)}
}

// shows reads on until a row has these states and no more, which ends with the watch if need be.
func (w *watching) shows(states ...string) {
	w.t.Helper()
	giveUp := time.AfterFunc(patience, func() { _ = w.cmd.Process.Kill() })
	defer giveUp.Stop()
	row := regexp.MustCompile(`^\S+ +` + strings.Join(states, ` +`) + ` +\d+/\d+ `)
	for w.lines.Scan() {
		if row.MatchString(w.lines.Text()) {
			return
		}
	}
	w.t.Fatalf("the watch ended before it showed %v", states)
}

// ends interrupts the watch.
func (w *watching) ends() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGINT); err != nil {
		w.t.Fatal(err)
	}
	for w.lines.Scan() { // what is left
	}
	if err := w.cmd.Wait(); w.cmd.ProcessState.ExitCode() != 130 {
		w.t.Errorf("after Ctrl-C: %v", err)
	}
}
