// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
)

// TestCompletion presses the Tab key in real shells, through kubectl and for the plugin by its own name.
func TestCompletion(t *testing.T) {
	t.Parallel()
	const bashCompletion = "/usr/share/bash-completion/bash_completion"
	for name, shell := range map[string]struct {
		start []string
		// load makes a program complete; %s is the program.
		load, before string
		needs        string
	}{
		"bash": {[]string{"bash", "--norc", "-i"}, "source <(%s completion bash)", "source " + bashCompletion, bashCompletion},
		"zsh":  {[]string{"zsh", "-f", "-i"}, "source <(%s completion zsh)", "autoload -Uz compinit; compinit -u -D", ""},
		"fish": {[]string{"fish", "--no-config", "-i"}, "%s completion fish | source", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(shell.start[0]); err != nil {
				t.Skipf("%s is not installed", shell.start[0])
			}
			if _, err := os.Stat(shell.needs); shell.needs != "" && err != nil {
				t.Skipf("%s is not installed, without which no program completes", shell.needs)
			}
			s := newScene(t)
			s.create(lab.East, s.group("postgresql", gold, vgrv1.Primary, map[string]string{"app": "db"}))
			bin := s.programs()
			start := append([]string{"env", "PATH=" + bin + ":/usr/bin:/bin"}, shell.start...)
			term := s.terminal(160, 40, start...)
			term.await(shell.before)
			for _, program := range []string{"kubectl", "kubectl-vgr"} {
				term.await(fmt.Sprintf(shell.load, program))
			}
			for typed, completed := range map[string]string{
				"failo": "failover", "failover -n " + s.ns + " post": "postgresql", "list -n kube-pub": "kube-public", "list --conte": "--context",
				"list --context ea": "east", "failover x --dry-run cl": "client", "class describe one-by": "one-by-one", "create x --state sec": "secondary",
			} {
				for _, program := range []string{"kubectl vgr ", "kubectl-vgr "} {
					term.completes(program+typed, completed)
				}
			}
		})
	}
}

// programs is a directory with kubectl, the plugin and its completion.
func (s *scene) programs() string {
	s.t.Helper()
	dir := s.t.TempDir()
	options, err := assets.DefaultOptions(os.Getenv)
	s.must(err)
	servers, err := assets.Ensure(s.t.Context(), options)
	s.must(err)
	for link, target := range map[string]string{"kubectl": filepath.Join(servers.EnvtestDir(), "kubectl"), "kubectl-vgr": filepath.Join(s.bin, "kubectl-vgr")} {
		s.must(os.Symlink(target, filepath.Join(dir, link)))
	}
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(dir, "kubectl-vgr"), "completion", "install")
	cmd.Env = append(s.env(), "PATH="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("completion install: %v\n%s", err, out)
	}
	return dir
}

// await types a command and waits until it has ended.
func (t *terminal) await(command string) {
	t.s.t.Helper()
	if command == "" {
		return
	}
	t.keys("-l", command+"; echo en''ded")
	t.keys("Enter")
	t.shows("ended")
	t.keys("-l", "clear")
	t.keys("Enter")
	t.s.eventually("a clear screen", func(context.Context) error {
		if screen := t.tmux("capture-pane", "-p"); strings.Contains(screen, "ended") {
			return fmt.Errorf("it is\n%s", screen)
		}
		return nil
	})
}

// completes types a line, presses Tab, and waits for what the line must become. Then it takes the line
// away.
func (t *terminal) completes(typed, word string) {
	t.s.t.Helper()
	t.keys("-l", typed)
	t.shows(typed)
	t.keys("Tab")
	line := typed[:strings.LastIndexByte(typed, ' ')+1] + word
	t.shows(line)
	t.keys("C-e", "C-u")
	t.keys("-l", "clear")
	t.keys("Enter")
	t.s.eventually("a clear screen", func(context.Context) error {
		if screen := t.tmux("capture-pane", "-p"); strings.Contains(screen, line) {
			return fmt.Errorf("it is\n%s", screen)
		}
		return nil
	})
}
