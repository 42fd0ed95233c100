// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
)

// running is the plugin while it works.
type running struct {
	s      *scene
	cmd    *exec.Cmd
	out    bytes.Buffer
	reader sync.WaitGroup
	lines  chan string
	errOut strings.Builder
}

// begin starts the plugin.
func (s *scene) begin(args ...string) *running {
	s.t.Helper()
	r := &running{s: s, cmd: exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "kubectl-vgr"), args...), lines: make(chan string, 1000)}
	r.cmd.Env, r.cmd.Stdout = s.env(), &r.out
	pipe, err := r.cmd.StderrPipe()
	s.must(err)
	s.must(r.cmd.Start())
	r.reader.Go(func() { r.read(pipe) })
	return r
}

func (r *running) read(from io.Reader) {
	defer close(r.lines)
	for scan := bufio.NewScanner(from); scan.Scan(); {
		r.lines <- scan.Text()
	}
}

// until waits until the plugin has said something.
func (r *running) until(text string) {
	r.s.t.Helper()
	for line := range r.lines {
		r.errOut.WriteString(line + "\n")
		if strings.Contains(line, text) {
			return
		}
	}
	r.s.t.Fatalf("the plugin never said %q:\n%s", text, r.errOut.String())
}

// end waits until the plugin has ended.
func (r *running) end() result {
	for line := range r.lines {
		r.errOut.WriteString(line + "\n")
	}
	r.reader.Wait()
	_ = r.cmd.Wait() // the exit code tells
	return result{r.cmd.ProcessState.ExitCode(), r.out.String(), r.errOut.String()}
}

// TestFailoverHangs: a promotion that the storage neither does nor refuses ends with the time. It
// cannot be aborted any more; the same command finishes it.
func TestFailoverHangs(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.breakRPC(lab.West, "PromoteVolume", driver.Hang)
	failover := []string{"failover", "db", "-n", s.ns, "--to", "west", "--yes"}
	if r := s.vgr(append(failover, "--timeout", "60s")...); r.code != 3 || !strings.Contains(r.errOut, "the time is up in step promote") || strings.Contains(r.errOut, "--abort") {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	if r := s.vgr("failover", "db", "-n", s.ns, "--abort", "--yes"); r.code != 2 || !strings.Contains(r.errOut, "cannot be undone") {
		t.Errorf("abort: exit code %d\n%s", r.code, r.errOut)
	}
	s.mendRPC(lab.West, "PromoteVolume")
	s.done(failover...)
	s.whole(lab.West, lab.East)
}

// TestFailoverRestarts: API servers and controllers of both sites crash while groups move. The same
// run sees it through. Who only looks is told what is not known.
func TestFailoverRestarts(t *testing.T) {
	t.Parallel()
	// In a lab of their own: an API server that has just started refuses what it will allow a moment
	// later, and in the others nothing may be refused.
	w := ownWorld(t)
	for _, process := range []string{lab.APIServer, lab.Controller, lab.CSIAddons} {
		t.Run(process, func(t *testing.T) {
			s := newSceneIn(t, w)
			s.pair("db")
			s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 5))
			failover := s.begin("failover", "db", "-n", s.ns, "--to", "west", "--yes")
			failover.until("4/6 sync")
			for _, site := range s.lab.Sites() {
				s.must(site.Kill(t.Context(), process))
			}
			for _, site := range s.lab.Sites() {
				s.must(site.StartProc(process))
				s.must(site.WaitReady(t.Context()))
			}
			if r := failover.end(); r.code != 0 {
				t.Errorf("exit code %d\n%s", r.code, r.errOut)
			}
			s.whole(lab.West, lab.East)
		})
	}
	t.Run("watched", func(t *testing.T) { serverRestarts(t, w) })
}

// TestFailoverBroken: the link, or a site, goes while the source is demoted. Nothing is promoted on
// a guess; when it is back the same command sees it through.
func TestFailoverBroken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault lab.Fault
		code  int
		says  string
	}{
		"link":   {lab.Fault{Kind: lab.FaultLink}, 3, "has not confirmed that the sites are in sync"},
		"source": {lab.Fault{Kind: lab.FaultCut, Site: lab.East}, 6, "east does not answer"},
		"target": {lab.Fault{Kind: lab.FaultCut, Site: lab.West}, 6, "west does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSceneAlone(t)
			s.pair("db")
			s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 5))
			s.breakRPC(lab.East, "DemoteVolume", driver.Hang)
			args := []string{"failover", "db", "-n", s.ns, "--to", "west", "--yes"}
			failover := s.begin(append(args, "--timeout", "40s")...)
			failover.until("3/6 demote")
			failover.until("waiting for the backend's answer to secondary")
			s.must(s.lab.Inject(t.Context(), tc.fault))
			s.mendRPC(lab.East, "DemoteVolume")
			if r := failover.end(); r.code != tc.code || !strings.Contains(r.errOut, tc.says) {
				t.Errorf("exit code %d, want %d\n%s", r.code, tc.code, r.errOut)
			}
			if g := s.get(lab.West, "db"); g.Spec.ReplicationState != vgrv1.Secondary {
				t.Errorf("west was asked to be %s", g.Spec.ReplicationState)
			}
			for _, img := range s.images(lab.East) {
				if img.Copies[array.Site(lab.West)].Primary {
					t.Errorf("west is writable: %+v", img)
				}
			}
			s.must(s.lab.Heal(t.Context(), tc.fault))
			s.done(args...)
			s.whole(lab.West, lab.East)
		})
	}
}
