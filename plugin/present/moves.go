// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// MoveState is whether a group still moves.
type MoveState int

// Move states.
const (
	MoveWaiting MoveState = iota // not begun
	Moving
	Moved
	MoveStopped
)

// Move is how far one group has come on its way to the other site.
type Move struct {
	Group string
	State MoveState
	// Step is the number of the step that it is in, of Steps, and Name what it is called.
	Step, Steps int
	Name        string
	// Took is how long it has been in the step.
	Took time.Duration
	// Says is what it waits for.
	Says string
}

// barWidth is how many cells a bar has.
const barWidth = 10

// Moves draws a line with a bar for each group that moves, and counts the others. It draws at most
// so many rows.
func Moves(s Style, moves []Move, rows int) []string {
	var counts [MoveStopped + 1]int
	var lines []string
	name := 0
	for _, m := range moves {
		name = max(name, columns(Clean(m.Group)))
	}
	if s.Width > 0 { // what it waits for needs room too
		name = min(name, max(s.Width/3, 12))
	}
	for _, m := range moves {
		counts[m.State]++
		if m.State == Moving {
			lines = append(lines, s.move(m, name))
		}
	}
	if len(moves) == 1 {
		return lines
	}
	total := fmt.Sprintf("%d done, %d moving, %d not begun", counts[Moved], counts[Moving], counts[MoveWaiting])
	if n := counts[MoveStopped]; n > 0 {
		total += ", " + s.paint(red, fmt.Sprintf("%d stopped", n))
	}
	if room := max(rows-1, 1); len(lines) > room {
		total += fmt.Sprintf(" (%d of them not shown)", len(lines)-room)
		lines = lines[:room]
	}
	return append(lines, total)
}

func (s Style) move(m Move, width int) string {
	group := s.shorten(Clean(m.Group), width)
	group += strings.Repeat(" ", max(0, width-columns(group)))
	line := fmt.Sprintf("%s  %s %2d/%d %-12s %5s  %s", group, s.bar(max(m.Step-1, 0), m.Steps), m.Step, m.Steps, m.Name, m.Took.Truncate(time.Second), Clean(m.Says))
	if s.Width > 0 {
		line = ansi.Truncate(line, s.Width-1, "")
	}
	return line
}

// bar shows how many of the steps are done.
func (s Style) bar(done, steps int) string {
	full := 0
	if steps > 0 {
		full = done * barWidth / steps
	}
	on, off := "#", "."
	if s.Unicode {
		on, off = "█", "░"
	}
	return s.paint(green, strings.Repeat(on, full)) + s.paint(grey, strings.Repeat(off, barWidth-full))
}
