// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// recorder is a plugin that says what it was asked to do, and ends as it is told.
type recorder struct {
	ran  []string
	code map[string]int // by the last argument
	says string
}

func (r *recorder) run(_ context.Context, args []string, out io.Writer) int {
	r.ran = append(r.ran, strings.Join(args, " "))
	fmt.Fprintf(out, "%s\n%s", strings.Join(args, " "), r.says)
	return r.code[args[len(args)-1]]
}

// TestConsole: what changes something is shown as a plan first, and done only when the name was
// typed. What it said stays until it is dismissed.
func TestConsole(t *testing.T) {
	const dry, real = "failover a -n production --to west --dry-run=client", "failover a -n production --to west --yes"
	for name, tc := range map[string]struct {
		keys string
		code map[string]int
		want []string
		says string
	}{
		"the plan":                  {keys: "f", want: []string{dry}, says: "Type a and press Enter to continue"},
		"confirmed":                 {keys: "f a enter", want: []string{dry, real}, says: "done; press Enter to go back"},
		"corrected":                 {keys: "f b backspace a enter", want: []string{dry, real}, says: "done; press Enter to go back"},
		"another name":              {keys: "f b enter", want: []string{dry}, says: "Type a and press Enter to continue"},
		"left":                      {keys: "f esc", want: []string{dry}, says: "? help"},
		"left with text":            {keys: "f a esc", want: []string{dry}, says: "? help"},
		"refused":                   {keys: "f", code: map[string]int{"--dry-run=client": 2}, want: []string{dry}, says: "failed with exit code 2"},
		"refused, typed at":         {keys: "f a enter", code: map[string]int{"--dry-run=client": 2}, want: []string{dry}, says: "? help"},
		"failed":                    {keys: "f a enter", code: map[string]int{"--yes": 4}, want: []string{dry, real}, says: "failed with exit code 4"},
		"dismissed":                 {keys: "f a enter esc", want: []string{dry, real}, says: "? help"},
		"looked":                    {keys: "h", want: []string{"history a -n production"}, says: "done; press Enter to go back"},
		"what it said is scrolled":  {keys: "h up k", want: []string{"history a -n production"}, says: "line 30 "},
		"and to its end":            {keys: "h up k down j", want: []string{"history a -n production"}, says: "line 39"},
		"two marked, by the number": {keys: "space end space f 2 enter", want: []string{strings.Replace(dry, " a ", " a b ", 1), strings.Replace(real, " a ", " a b ", 1)}, says: "done"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{code: tc.code}
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
		keys       string
		says, then []string
		marked     string
	}{
		"one that is open, another is marked": {"s g space enter f", []string{"Changes: production/b", "Type b and press Enter"}, []string{"1 marked"}, "b enter enter esc"},                          //nolint:dupword // keys
		"two marked":                          {"s g space j space f", []string{"Changes: production/aaa", "production/c", "Type 2 and press Enter"}, []string{"3 groups, by name"}, "2 enter enter"}, //nolint:dupword // keys
	} {
		t.Run(name, func(t *testing.T) {
			o := tui.Options{Title: "x", Run: (&recorder{}).run}
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
	o := tui.Options{Run: func(ctx context.Context, args []string, out io.Writer) int {
		if args[len(args)-1] != "--yes" {
			return 0
		}
		close(began)
		<-ctx.Done()
		fmt.Fprintln(out, "interrupted; nothing more is done")
		close(stopped)
		return 130
	}}
	m := screen(t, o, tea.WindowSizeMsg{Width: 80, Height: 24}, picture(now, live, "a"), "f a")
	m, listen := m.Update(press("enter"))
	<-began
	for _, k := range []tea.Msg{press("esc"), press("n"), press("q"), press("n"), tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}} {
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
