// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import "strings"

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
		{"y", "copy the equivalent command"},
	}
	actKeys = []key{
		{"f", "failover to the other site"},
		{"b", "failback to a site that was lost"},
		{"p d r", "promote, demote, resync here"},
		{"v", "validate: would a failover be refused?"},
		{"h", "history of the group"},
	}
	leaveKeys = []key{{"?", "this help"}, {"q ctrl+c", "quit"}}
)

// What the short help at the bottom shows, as far as there is room, and what it always shows.
var (
	footer = []string{"/ filter", "enter open", "f failover", "z faults", "s sort", "space mark", "b failback", "v validate", "h history", "o yaml", "y copy"}
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
