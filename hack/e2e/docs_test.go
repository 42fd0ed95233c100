// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// block is something to do from a page: commands whose fence says "sh run", with "exit=N" if they must
// fail, or a word to the lab in a comment.
type block struct {
	line           int
	commands, does string
	exit           int
	// shows are the lines of the plain block that follows.
	shows []string
}

var (
	fence = regexp.MustCompile("^```(.*)$")
	toLab = regexp.MustCompile(`^<!-- lab: (.*) -->$`)
)

// blocks reads what is to be done from a page, in order.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	inside, info := false, ""
	var body []string
	for i, line := range strings.Split(string(text), "\n") {
		found := fence.FindStringSubmatch(line)
		switch {
		case found != nil && !inside:
			inside, info, body = true, found[1], nil
		case found != nil:
			inside = false
			if rest, run := strings.CutPrefix(info, "sh run"); run {
				b := block{line: i + 1, commands: strings.Join(body, "\n")}
				if code, fails := strings.CutPrefix(strings.TrimSpace(rest), "exit="); fails {
					if b.exit, err = strconv.Atoi(code); err != nil {
						t.Fatalf("%s:%d: %v", page, i+1, err)
					}
				}
				out = append(out, b)
			} else if info == "text" && len(out) > 0 && out[len(out)-1].shows == nil {
				out[len(out)-1].shows = body
			}
		case inside:
			body = append(body, line)
		case toLab.MatchString(line):
			out = append(out, block{line: i + 1, does: toLab.FindStringSubmatch(line)[1]})
		}
	}
	return out
}

// TestDocs runs every block of the documentation that is marked for it, page by page, each on a lab of its
// own. What a page shows after a block must be in what the commands say, but for numbers and times.
func TestDocs(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		todo := blocks(t, page)
		if len(todo) == 0 {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			w := ownWorldAt(t, 5*time.Second) // as people set it, who want to see Ceph move soon
			s := newSceneIn(t, w)
			s.ns = "production"
			for _, site := range []string{lab.East, lab.West} {
				s.create(site, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}})
			}
			s.cephClaims(lab.East, map[string]string{"app": "postgresql"}, "postgresql-data", "postgresql-logs")
			path := s.programs()
			for _, b := range todo {
				s.perform(page, path, b)
				ran++
			}
		})
	}
	if ran == 0 {
		t.Error("no page has a block that is run")
	}
}

// perform does what a block says.
func (s *scene) perform(page, path string, b block) {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	switch b.does {
	case "isolate east":
		s.isolate(lab.East)
		return
	case "mend east":
		s.must(s.lab.ClearFaults(ctx))
		s.must(s.lab.Site(lab.East).Reconnect(ctx))
		return
	case "":
	default:
		s.t.Fatalf("%s:%d: the lab cannot %s", page, b.line, b.does)
	}
	cmd := exec.CommandContext(s.t.Context(), "bash", "-euo", "pipefail", "-c", b.commands)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = append(s.env(), "PATH="+path+":/usr/bin:/bin")
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	s.t.Logf("%s:%d:\n%s\n%s", page, b.line, b.commands, said.String())
	if code := cmd.ProcessState.ExitCode(); code != b.exit {
		s.t.Fatalf("%s:%d: exit code %d, not %d", page, b.line, code, b.exit)
	}
	have := map[string]bool{}
	for line := range strings.Lines(said.String()) {
		have[bare(line)] = true
	}
	for _, line := range b.shows {
		if want := bare(line); want != "" && want != "…" && !have[want] {
			s.t.Errorf("%s:%d shows a line that the commands do not say:\n%s\n%s", page, b.line, line, fmt.Sprint(said.String()))
		}
	}
}

var (
	identifiers = regexp.MustCompile(`\b[0-9a-f]{7,}\b`)
	numbers     = regexp.MustCompile(`\d+(\.\d+)?`)
	spaces      = regexp.MustCompile(`\s+`)
)

// bare is a line without what differs from run to run: identifiers, numbers, times, the width of columns.
func bare(line string) string {
	line = numbers.ReplaceAllString(identifiers.ReplaceAllString(line, "ID"), "N")
	return strings.TrimSpace(spaces.ReplaceAllString(line, " "))
}
