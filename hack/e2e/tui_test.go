// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// terminal is a real one, in tmux.
type terminal struct {
	s    *scene
	name string
}

// terminal starts a shell in a terminal of that size; sh when none is named.
func (s *scene) terminal(columns, rows int, shell ...string) *terminal {
	s.t.Helper()
	if len(shell) == 0 {
		shell = []string{"sh", "-i"}
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		s.t.Skip("tmux is not installed: there is no terminal to test on")
	}
	t := &terminal{s, "vgr-" + s.ns}
	start := append([]string{"new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows)}, "env", "-i", "TERM=xterm-256color", "PATH=/usr/bin:/bin", "PS1=shell$ ")
	t.tmux(slices.Concat(start, s.env(), shell)...)
	s.t.Cleanup(func() { _ = exec.Command("tmux", "-L", t.name, "kill-server").Run() }) // it may have ended
	return t
}

func (t *terminal) tmux(args ...string) string {
	t.s.t.Helper()
	out, err := exec.CommandContext(t.s.t.Context(), "tmux", append([]string{"-L", t.name, "-f", "/dev/null"}, args...)...).CombinedOutput()
	if err != nil {
		t.s.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (t *terminal) keys(keys ...string) {
	t.s.t.Helper()
	t.tmux(append([]string{"send-keys"}, keys...)...)
}

// shows waits until all of that is on the screen, and returns it.
func (t *terminal) shows(texts ...string) (screen string) {
	t.s.t.Helper()
	t.s.eventually(fmt.Sprintf("%q on the screen", texts), func(context.Context) error {
		screen = t.tmux("capture-pane", "-p")
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return fmt.Errorf("no %q in\n%s", text, screen)
			}
		}
		return nil
	})
	return screen
}

// TestTUI: what an administrator does at a screen, on a real terminal: look, filter, open a group,
// move it, lose a site, leave. The terminal is a shell again afterwards.
func TestTUI(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	term := s.terminal(120, 40)
	s.pair("orders")
	s.pair("users")
	term.keys(filepath.Join(s.bin, "kubectl-vgr")+" tui -n "+s.ns, "Enter")
	term.shows("2 groups", "orders", "users", "Protected")
	term.keys("/", "ord", "Enter")
	if screen := term.shows("1 of 2 groups"); strings.Contains(screen, "users") {
		t.Errorf("the filter shows too much:\n%s", screen)
	}
	term.keys("Enter")
	term.shows("LAST SYNC", "orders-data", "follows", "esc back")
	term.keys("3")
	term.shows("[3 Events", "east  ", "VolumeGroupReplication/orders", "Promoted", "west  ", "Demoted")
	term.keys("4")
	term.shows("[4 Conditions", "True/Promoted", "True/Demoted")
	term.keys("1")
	term.shows("[1 PVCs", "LAST SYNC")
	term.keys("f")
	term.shows("planned failover from east to west", "Type orders and press Enter to continue")
	term.keys("orders", "Enter")
	term.shows("4/6 sync", "running for")
	term.keys("Escape")
	term.shows("t failover, ")
	term.keys("t")
	term.shows("is primary on west after", "done; press Enter to go back")
	term.keys("Enter")
	term.shows("LAST SYNC", "orders-data", "esc back")
	term.keys("Escape")
	term.keys("Escape")
	term.shows("2 groups")
	for _, img := range s.images(lab.West) {
		if strings.Contains(img.Name, "orders") != img.Copies[array.Site(lab.West)].Primary {
			t.Errorf("only orders was to move: %+v", img)
		}
	}

	s.must(s.lab.Site(lab.West).Cut(t.Context()))
	term.shows("STALE west: no answer for", "Unreachable")
	s.must(s.lab.Site(lab.West).Reconnect(t.Context()))
	s.eventually("the site to be live again", func(context.Context) error {
		if screen := term.tmux("capture-pane", "-p"); strings.Contains(screen, "STALE") {
			return fmt.Errorf("still stale:\n%s", screen)
		}
		return nil
	})
	term.keys("q")
	term.shows("shell$") // what is typed before belongs to the screen that is closing
	term.keys("echo left", "Enter")
	if screen := term.shows("left"); strings.Contains(screen, "2 groups") {
		t.Errorf("the screen is still there:\n%s", screen)
	}
}

// signal sends one to the process whose command line ends like that.
func (s *scene) signal(arguments string, signal syscall.Signal) {
	s.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	s.must(err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(line), arguments) {
			continue // it has ended, or is another one
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		s.must(err)
		s.must(syscall.Kill(pid, signal))
		return
	}
	s.t.Fatalf("no process %q", arguments)
}

// TestTUITerminated: a signal leaves the terminal as it was, and stops an action between two steps.
func TestTUITerminated(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			s := newScene(t)
			term := s.terminal(80, 24)
			s.pair("orders")
			term.keys(filepath.Join(s.bin, "kubectl-vgr")+" tui -n "+s.ns+"; echo code $?", "Enter")
			term.shows("1 group", "Protected")
			term.keys("f")
			term.shows("Type orders and press Enter to continue")
			term.keys("orders", "Enter")
			term.shows("4/6 sync")
			s.signal("kubectl-vgr\x00tui\x00-n\x00"+s.ns+"\x00", signal)
			term.shows("code 130", "Next: kubectl vgr failover orders -n "+s.ns+" --to west")
			term.keys("stty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e icanon", "Enter")
			term.shows("\necho\n", "\nicanon\n")
		})
	}
}

// TestLoginAsksBeforeScreen: a login plugin that has something to ask does so before the screen is taken, and once.
func TestLoginAsksBeforeScreen(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	term := s.terminal(110, 30)
	s.pair("orders")
	config, err := clientcmd.LoadFromFile(s.lab.Kubeconfig())
	s.must(err)
	user := config.AuthInfos[config.Contexts["west"].AuthInfo]
	answer, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]any{"clientCertificateData": string(user.ClientCertificateData), "clientKeyData": string(user.ClientKeyData)},
	})
	s.must(err)
	dir := t.TempDir()
	s.must(os.WriteFile(filepath.Join(dir, "credential"), answer, 0o600))
	login := filepath.Join(dir, "login")
	s.must(os.WriteFile(login, []byte("#!/bin/sh\nprintf 'passcode: ' >&2\nread -r code\n[ \"$code\" = 1234 ] && cat "+filepath.Join(dir, "credential")+"\n"), 0o700)) //nolint:gosec // it is to be run
	config.AuthInfos["asks"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: login, InteractiveMode: clientcmdapi.AlwaysExecInteractiveMode}}
	config.Contexts["west"].AuthInfo = "asks"
	file := filepath.Join(dir, "kubeconfig")
	s.must(clientcmd.WriteToFile(*config, file))
	term.keys("KUBECONFIG="+file+" "+filepath.Join(s.bin, "kubectl-vgr")+" tui -n "+s.ns+" --context east --peer-context west", "Enter")
	if screen := term.shows("passcode:"); strings.Contains(screen, "1 group") {
		t.Errorf("the screen is taken already:\n%s", screen)
	}
	term.keys("1234", "Enter")
	if screen := term.shows("1 group", "orders", "Protected"); strings.Contains(screen, "passcode") {
		t.Errorf("it asks on the screen:\n%s", screen)
	}
	term.keys("q")
	term.shows("passcode: 1234", "shell$ ")
}
