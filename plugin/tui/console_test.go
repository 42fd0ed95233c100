// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// recorder is a plugin that says what it was asked to do, has what changes something confirmed, and ends as it is told.
type recorder struct {
	ran   []string
	code  int    // after it was confirmed, or of what changes nothing
	early int    // before: it was refused
	word  string // to be typed; the first name when it is empty
	says  string
}

func (r *recorder) run(_ context.Context, args []string, t tui.Talk) int {
	r.ran = append(r.ran, strings.Join(args, " "))
	fmt.Fprintf(t.Out, "%s\n%s", strings.Join(args, " "), r.says)
	if slices.Contains([]string{"validate", "history", "status", "gather"}, args[0]) {
		return r.code
	}
	if r.early != 0 {
		return r.early
	}
	if word := cmp.Or(r.word, args[min(1, len(args)-1)]); !t.Confirm(word) {
		return 5
	}
	r.ran = append(r.ran, "confirmed")
	return r.code
}

// TestConsole: what changes something shows its plan first, and is done only when what the command asks for was typed. What
// it said stays until it is dismissed.
func TestConsole(t *testing.T) {
	const failover, done = "failover a -n production --to west", "confirmed"
	for name, tc := range map[string]struct {
		keys        string
		word        string
		code, early int
		want        []string
		says        string
	}{
		"the plan":                  {keys: "f", want: []string{failover}, says: "Type a and press Enter to continue"},
		"confirmed":                 {keys: "f a enter", want: []string{failover, done}, says: "done; press Enter to go back"},
		"corrected":                 {keys: "f b backspace a enter", want: []string{failover, done}, says: "done; press Enter to go back"},
		"another name":              {keys: "f b enter", want: []string{failover}, says: "That was not it. Type a and press Enter to continue"},
		"what data is lost":         {keys: "f a enter", word: "lose", want: []string{failover}, says: "That was not it. Type lose and press Enter"},
		"and it is typed":           {keys: "f l o s e enter", word: "lose", want: []string{failover, done}, says: "done; press Enter to go back"},
		"left":                      {keys: "f esc", want: []string{failover}, says: "? help"},
		"left with text":            {keys: "f a esc", want: []string{failover}, says: "? help"},
		"refused":                   {keys: "f", early: 2, want: []string{failover}, says: "failed with exit code 2"},
		"refused, typed at":         {keys: "f a enter", early: 2, want: []string{failover}, says: "? help"},
		"failed":                    {keys: "f a enter", code: 4, want: []string{failover, done}, says: "failed with exit code 4"},
		"dismissed":                 {keys: "f a enter esc", want: []string{failover, done}, says: "? help"},
		"looked":                    {keys: "v", want: []string{"validate a -n production"}, says: "done; press Enter to go back"},
		"what it said is scrolled":  {keys: "v up k", want: []string{"validate a -n production"}, says: "line 31 "},
		"and to its end":            {keys: "v up k down j", want: []string{"validate a -n production"}, says: "line 39"},
		"two marked, by the number": {keys: "space end space f 2 enter", word: "2", want: []string{strings.Replace(failover, " a ", " a b ", 1), done}, says: "done"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{code: tc.code, early: tc.early, word: tc.word}
			for i := range 40 {
				r.says += fmt.Sprintf("line %d \x1b[2J\u202e%s\n", i, strings.Repeat("long ", 30*(i%2)))
			}
			size := tea.WindowSizeMsg{Width: 80, Height: 24}
			frame := content(screen(t, tui.Options{Run: r.run}, size, picture(now, live, "a", "b"), tc.keys))
			if !slices.Equal(r.ran, tc.want) {
				t.Errorf("it ran %q, want %q", r.ran, tc.want)
			}
			if !strings.Contains(frame, tc.says) {
				t.Errorf("it does not say %q:\n%s", tc.says, frame)
			}
			fits(t, name, frame, size, styles["ascii"])
		})
	}
}

// TestTargets: the dialog names each group that it will change, and only their marks are gone after it.
func TestTargets(t *testing.T) {
	long := strings.Repeat("a", 100)
	all := picture(now, live, "b", long, "c")
	size := tea.WindowSizeMsg{Width: 80, Height: 24}
	for name, tc := range map[string]struct {
		keys         string
		says, then   []string
		marked, word string
	}{
		"one that is open, another is marked": {"s g space enter f", []string{"Changes: production/b", "Type b and press Enter"}, []string{"1 marked"}, "b enter enter esc", ""},                                                                                          //nolint:dupword // keys
		"two marked":                          {"s g space j space f", []string{"$ kubectl vgr failover (2 groups) -n production --to west", "Changes: production/aaa", "production/c", "Type 2 and press Enter"}, []string{"3 groups", "by name"}, "2 enter enter", "2"}, //nolint:dupword // keys
	} {
		t.Run(name, func(t *testing.T) {
			o := tui.Options{Title: "x", Run: (&recorder{word: tc.word}).run}
			frame := content(screen(t, o, size, all, tc.keys))
			for _, want := range tc.says {
				if !strings.Contains(strings.Join(strings.Fields(frame), " "), want) {
					t.Errorf("no %q in\n%s", want, frame)
				}
			}
			fits(t, name, frame, size, styles["ascii"])
			frame = content(screen(t, o, size, all, tc.keys+" "+tc.marked))
			for _, want := range tc.then {
				if !strings.Contains(frame, want) {
					t.Errorf("then no %q in\n%s", want, frame)
				}
			}
		})
	}
}

// TestStop: an action that runs is stopped only by one who says so, and the screen is not left
// before. What it says then is shown.
func TestStop(t *testing.T) {
	began, stopped := make(chan bool), make(chan bool)
	o := tui.Options{Run: func(ctx context.Context, _ []string, talk tui.Talk) int {
		if !talk.Confirm("a") {
			return 5
		}
		close(began)
		<-ctx.Done()
		fmt.Fprintln(talk.Out, "interrupted; nothing more is done")
		close(stopped)
		return 130
	}}
	m := screen(t, o, tea.WindowSizeMsg{Width: 80, Height: 24}, picture(now, live, "a"), "f a")
	m, listen := m.Update(press("enter"))
	<-began
	for _, k := range []tea.Msg{press("q"), press("n"), press("esc"), press("q"), press("n"), tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}} {
		var cmd tea.Cmd
		if m, cmd = m.Update(k); cmd != nil {
			t.Fatalf("%v did something", k)
		}
	}
	if !strings.Contains(content(m), "Stop before the next step?") {
		t.Errorf("it does not ask:\n%s", content(m))
	}
	m, _ = m.Update(press("y"))
	<-stopped
	m = drive(m, listen())
	if frame := content(m); !strings.Contains(frame, "interrupted; nothing more is done") || !strings.Contains(frame, "exit code 130") {
		t.Errorf("it shows\n%s", frame)
	}
}

// TestLeft: the user sees the groups while an action runs, which that does not stop. No second one begins meanwhile, and
// its end is said.
func TestLeft(t *testing.T) {
	began, ends := make(chan bool), make(chan bool)
	var ran []string
	o := tui.Options{Title: "x", Run: func(ctx context.Context, args []string, talk tui.Talk) int {
		ran = append(ran, strings.Join(args, " "))
		if !talk.Confirm("a") {
			return 5
		}
		close(began)
		<-ends
		if ctx.Err() != nil {
			return 130
		}
		fmt.Fprintln(talk.Out, "a is primary on west")
		return 0
	}}
	m := screen(t, o, tea.WindowSizeMsg{Width: 80, Height: 24}, picture(now, live, "a", "b"), "s g f a")
	m, listen := m.Update(press("enter"))
	<-began
	see := func(want string, hidden string, keys ...string) {
		t.Helper()
		for _, k := range keys {
			m, _ = m.Update(press(k))
		}
		if frame := content(m); !strings.Contains(frame, want) || hidden != "" && strings.Contains(frame, hidden) {
			t.Errorf("after %v no %q, or %q:\n%s", keys, want, hidden, frame)
		}
	}
	see("Esc shows the groups meanwhile, q stops it", "")
	see("t failover, running for", "$ kubectl vgr", "esc")
	see("production/b", "$ kubectl vgr", "j")
	see("one command at a time", "", "f")
	see("one command at a time", "", "v")
	see("$ kubectl vgr failover a", "", "t")
	see("t failover, running for", "$ kubectl vgr", "esc")
	see("Stop before the next step?", "", "q")
	see("running for", "Stop before", "n")
	see("t failover, running for", "$ kubectl vgr", "esc")
	see("Stop before the next step?", "", ":", "q", "enter")
	see("t failover, running for", "", "n", "esc")
	close(ends)
	m = drive(m, listen())
	see("t failover, done", "running for")
	see("a is primary on west", "", "t")
	see("? help", "t failover", "enter")
	if len(ran) != 1 {
		t.Errorf("it ran %q", ran)
	}
}

// TestMoves: several groups that move are a table, and what a command says without end is bounded.
func TestMoves(t *testing.T) {
	run := func(_ context.Context, _ []string, talk tui.Talk) int {
		fmt.Fprint(talk.Out, strings.Repeat("x", 100_000), strings.Repeat("y", 100_000)) // and no end of the line
		for i := range 2500 {
			fmt.Fprintf(talk.Out, "line %d\n", i)
		}
		talk.Progress([]present.Progress{
			{Group: "production/a", State: present.ProgressDone, Step: 5, Steps: 5, Name: "finish", After: 15400 * time.Millisecond},
			{Group: "production/b", State: present.ProgressRunning, Step: 3, Steps: 5, Name: "sync", Took: 12 * time.Second, Usual: 20 * time.Second, Left: 14 * time.Second, Outage: 12 * time.Second, Says: "waiting: storage has not confirmed that both sites hold the same"},
			{Group: "production/c", Steps: 5},
			{Group: "production/d", State: present.ProgressStopped, Step: 2, Steps: 5, Name: "demote"},
		})
		return 0
	}
	for _, size := range []tea.WindowSizeMsg{{Width: 120, Height: 24}, {Width: 80, Height: 24}} {
		for styled, style := range map[string]present.Style{"plain": styles["plain"], "ascii": styles["ascii"]} {
			frame := content(screen(t, tui.Options{Style: style, Title: "x", Run: run}, size, picture(now, live, "a"), "v"))
			fits(t, "moves", frame, size, style)
			golden.Compare(t, fmt.Sprintf("moves.%d.%s.golden", size.Width, styled), trim(frame))
			m := screen(t, tui.Options{Style: style, Title: "x", Run: run}, size, picture(now, live, "a"), "v "+strings.Repeat("pgup ", 300))
			if !strings.Contains(content(m), "lines before these are not kept") {
				t.Errorf("it keeps everything:\n%s", content(m))
			}
		}
	}
}
