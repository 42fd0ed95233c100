// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui_test

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// where returns the place of a text on the screen.
func where(t *testing.T, m tea.Model, text string) tea.Mouse {
	t.Helper()
	for y, line := range strings.Split(ansi.Strip(content(m)), "\n") {
		if before, _, ok := strings.Cut(line, text); ok {
			return tea.Mouse{X: ansi.StringWidth(before), Y: y, Button: tea.MouseLeft}
		}
	}
	t.Fatalf("no %q in\n%s", text, content(m))
	return tea.Mouse{}
}

// selected returns the group under the cursor.
func selected(t *testing.T, m tea.Model) string {
	t.Helper()
	for line := range strings.SplitSeq(ansi.Strip(content(m)), "\n") {
		if rest, ok := strings.CutPrefix(line, ">"); ok {
			return strings.Fields(strings.TrimLeft(rest, " ~*•"))[0]
		}
	}
	t.Fatalf("no cursor in\n%s", content(m))
	return ""
}

// TestMouse: a click selects a group or a tab, the wheel moves what it points at, and neither does anything else.
func TestMouse(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	for name, size := range map[string]tea.WindowSizeMsg{"below": {Width: 100, Height: 30}, "beside": {Width: 200, Height: 40}} {
		t.Run(name, func(t *testing.T) {
			m := screen(t, tui.Options{Title: "x", Run: (&recorder{}).run}, size, picture(now, live, names...))
			if mode := m.View().MouseMode; mode != tea.MouseModeCellMotion {
				t.Fatalf("mode %v", mode)
			}
			m = drive(m, tea.MouseClickMsg(where(t, m, " c  ")))
			if got := selected(t, m); got != "c" {
				t.Errorf("a click selects %s", got)
			}
			for _, tab := range []string{"2 Operations", "5 YAML", "1 PVCs"} {
				m = drive(m, tea.MouseClickMsg(where(t, m, tab)))
				where(t, m, "["+tab)
			}
			at := where(t, m, " c  ")
			at.Button = tea.MouseWheelUp
			if m = drive(m, tea.MouseWheelMsg(at)); selected(t, m) != "b" {
				t.Errorf("the wheel moves to %s", selected(t, m))
			}
			m = drive(m, press("5"))
			at = where(t, m, "backend: csi-addons")
			at.Button = tea.MouseWheelDown
			m = drive(m, tea.MouseWheelMsg(at))
			if selected(t, m) != "b" || strings.Contains(content(m), "backend: csi-addons") {
				t.Errorf("the wheel does not scroll the details:\n%s", content(m))
			}
			for _, button := range []tea.MouseButton{tea.MouseRight, tea.MouseMiddle, tea.MouseWheelLeft} {
				at = where(t, m, " d  ")
				at.Button = button
				if m = drive(m, tea.MouseClickMsg(at)); selected(t, m) != "b" {
					t.Errorf("%v selects %s", button, selected(t, m))
				}
			}
			for _, outside := range []tea.Mouse{{X: 5, Button: tea.MouseLeft}, {X: 5, Y: size.Height - 1, Button: tea.MouseLeft}, {X: 500, Y: 500, Button: tea.MouseLeft}, {X: -1, Y: -1, Button: tea.MouseLeft}} {
				if m = drive(m, tea.MouseClickMsg(outside)); selected(t, m) != "b" {
					t.Errorf("a click at %v selects %s", outside, selected(t, m))
				}
			}
		})
	}
}

// TestMouseSelectsText: the terminal has the mouse while there is text to be copied, and for as long as the user wants that.
func TestMouseSelectsText(t *testing.T) {
	for keys, want := range map[string]tea.MouseMode{
		"": tea.MouseModeCellMotion, "m": tea.MouseModeNone, "m j": tea.MouseModeNone, "m m": tea.MouseModeCellMotion,
		"v": tea.MouseModeNone, "v esc": tea.MouseModeCellMotion, "y": tea.MouseModeNone, "y j": tea.MouseModeCellMotion, "enter": tea.MouseModeCellMotion,
	} {
		m := screen(t, tui.Options{Title: "x", Run: (&recorder{}).run}, tea.WindowSizeMsg{Width: 100, Height: 30}, picture(now, live, "a", "b"), keys)
		if mode := m.View().MouseMode; mode != want {
			t.Errorf("after %q: mode %v", keys, mode)
		}
	}
}
