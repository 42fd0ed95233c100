// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// key is one binding for the help.
type key struct{ keys, does string }

// section is a part of the help.
type section struct {
	title string
	keys  []key
}

// The keys, as the help shows them: in two columns that fit a terminal of 80 by 24.
var (
	actKeys = section{"Act", []key{
		{"! 1-9", "run a step of the details"},
		{"f", "failover to the other site"},
		{"b", "failback to a lost site"},
		{"p d r", "promote, demote, resync"},
		{"v", "validate a failover"},
		{"c a", "resume, abort an operation"},
		{"t", "back to a command that runs"},
		{"space", "mark groups for an action"},
		{":", "a command, such as :list -A"},
	}}
	leaveKeys = section{"Leave", []key{{"?", "this help"}, {"q ctrl+c", "quit"}}}
	showKeys  = section{"Show", []key{
		{"/", "filter: regular expression"},
		{"/-l a=b", "filter: a label selector"},
		{"z", "only groups with problems"},
		{"s S", "sort by the next; turn round"},
		{"1-5", "a tab of the details"},
		{"h o", "operations; YAML, and back"},
		{"w", "all conditions and handles"},
		{"y", "copy the command for it"},
		{"m", "the mouse selects text"},
	}}
	moveKeys = section{"Move", []key{
		{"j k", "down, up; arrows: also tabs"},
		{"PgUp/Dn", "a page"},
		{"g G", "first, last"},
		{"enter", "one group, on all the screen"},
		{"esc", "back; clear filter and marks"},
		{"tab", "keys move in the details"},
	}}
)

// What the short help at the bottom shows, as far as there is room, and what it always shows.
var (
	footer = []string{"/ filter", "enter open", "! step", "f failover", "z faults", "s sort", "space mark", "b failback", "v validate", "1-5 tab", "y copy"}
	always = []string{"? help", "q quit"}
)

// short fits hints into a width.
func short(lead []string, width int) string {
	room := width
	for _, hint := range always {
		room -= len(hint) + 2
	}
	var out []string
	for _, hint := range append(lead, footer...) {
		if slices.Contains(out, hint) {
			continue
		}
		if room -= len(hint) + 2; room < 0 {
			break
		}
		out = append(out, hint)
	}
	return strings.Join(append(out, always...), "  ")
}

// helped returns the help from where it is scrolled to.
func (m *Model) helped(height int) []string {
	lines := m.allHelp()
	lines = lines[min(m.helpTop, len(lines)):]
	if more := len(lines) - height; more > 0 && height > 0 {
		lines[height-1] = fmt.Sprintf("  (%d more lines: j)", more+1)
	}
	return lines
}

// turnHelp scrolls the help; false when the key is for nothing there.
func (m *Model) turnHelp(k string) bool {
	last := max(0, len(m.allHelp())-(m.height-len(m.head())-1))
	switch k {
	case "down", "j":
		m.helpTop++
	case "up", "k":
		m.helpTop--
	case "pgdown", "space":
		m.helpTop += m.height / 2
	case "pgup":
		m.helpTop -= m.height / 2
	default:
		return false
	}
	m.helpTop = max(0, min(m.helpTop, last))
	return true
}

// helpColumn is how wide one of the two columns of the help is.
const helpColumn = 40

func (m *Model) allHelp() []string {
	left, right := m.column(actKeys, leaveKeys), m.column(showKeys, moveKeys)
	lines := slices.Concat(left, []string{""}, right)
	if m.width >= 2*helpColumn {
		columns := lipgloss.JoinHorizontal(lipgloss.Top, lipgloss.NewStyle().Width(helpColumn).Render(strings.Join(left, "\n")), strings.Join(right, "\n"))
		lines = nil
		for line := range strings.SplitSeq(columns, "\n") {
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return append(lines, "", "  A command shows its plan and asks first. Promote, demote, resync: on "+present.Clean(m.opts.Here)+".")
}

// column returns sections below each other.
func (m *Model) column(sections ...section) []string {
	var lines []string
	for i, s := range sections {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, m.opts.Style.Strong(s.title))
		for _, k := range s.keys {
			lines = append(lines, fmt.Sprintf("  %-9s %s", k.keys, k.does))
		}
	}
	return lines
}
