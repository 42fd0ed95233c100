// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"strings"

	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// key is one binding for the help.
type key struct{ keys, does string }

// The keys of each pane, as the help shows them.
var (
	moveKeys = []key{
		{"↑ ↓ j k", "one row up, down"},
		{"PgUp PgDn", "one page"},
		{"g G", "first, last"},
		{"enter", "one group on the whole screen"},
		{"esc", "back; or clear filter and marks"},
		{"tab", "scroll the details, or move in the table"},
	}
	showKeys = []key{
		{"/", "filter: a regular expression over the row, or -l and a label selector"},
		{"z", "only groups with problems"},
		{"s S", "sort by the next column; the other way round"},
		{"space", "mark the group for an action"},
		{"o", "the details as YAML, as status -o yaml prints them"},
		{"w", "all conditions, handles and volumes in the details, or what matters"},
		{"y", "copy the command that shows the same elsewhere"},
	}
	actKeys = []key{
		{"! 1-9", "run a step that the details show"},
		{"f", "failover to the other site"},
		{"b", "failback to a site that was lost"},
		{"p d r", "promote, demote, resync here"},
		{"v", "validate: would a failover be refused?"},
		{"h", "history of the group"},
		{"c a", "resume, abort the operation in flight"},
		{":", "a command of kubectl vgr, such as :sync orders"},
	}
	leaveKeys = []key{{"?", "this help"}, {"q ctrl+c", "quit"}}
)

// What the short help at the bottom shows, as far as there is room, and what it always shows.
var (
	footer = []string{"/ filter", "enter open", "! step", "f failover", "z faults", "s sort", "space mark", "b failback", "v validate", "h history", "o yaml", "y copy"}
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
		if room -= len(hint) + 2; room < 0 {
			break
		}
		out = append(out, hint)
	}
	return strings.Join(append(out, always...), "  ")
}

// ascii spells arrows out where there are none.
func (m *Model) ascii(text string) string {
	if m.opts.Style.Unicode {
		return text
	}
	return strings.NewReplacer("↑", "up", "↓", "down").Replace(text)
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

func (m *Model) allHelp() []string {
	var lines []string
	for _, section := range []struct {
		title string
		keys  []key
	}{
		{"Act: the plan is shown, and asks. Promote, demote, resync: on " + present.Clean(m.opts.Here), actKeys},
		{"Show", showKeys},
		{"Move", moveKeys},
		{"Leave", leaveKeys},
	} {
		lines = append(lines, m.opts.Style.Strong(section.title))
		for _, k := range section.keys {
			lines = append(lines, fmt.Sprintf("  %-12s %s", m.ascii(k.keys), k.does))
		}
	}
	return lines
}
