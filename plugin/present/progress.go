// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// ProgressState is how far a group's operation is.
type ProgressState int

// States of an operation.
const (
	ProgressWaiting ProgressState = iota // not started
	ProgressRunning
	ProgressDone
	ProgressStopped
)

// Progress is where the operation of one group is.
type Progress struct {
	Group string
	State ProgressState
	// Step is the number of the step that it is in, of Steps, and Name what it is called.
	Step, Steps int
	Name        string
	// Took is how long it has been in the step.
	Took time.Duration
	// Usual is how long the step took in the group's earlier operations; 0 when that is not known.
	Usual time.Duration
	// Left is how long the rest took in earlier operations, less what is over; 0 when that is not known.
	Left time.Duration
	// After is how long it took until the target was primary, of one that is done.
	After time.Duration
	// Upto is how long the backend may take until it looks again, where the group has no earlier operation; 0 when that is not known.
	Upto time.Duration
	// Outage is how long no site has been writable because of the operation; 0 while one is.
	Outage time.Duration
	// Says is what it waits for.
	Says string
}

// Waited says how long a step has taken, how long it usually takes, and how long no site has been writable.
func (p Progress) Waited() string {
	text := p.Took.Truncate(time.Second).String()
	if usual := p.usual(); usual != "" {
		text += " (" + usual + ")"
	}
	if p.Outage >= time.Second {
		text += fmt.Sprintf(", no primary for %s", p.Outage.Truncate(time.Second))
	}
	return text
}

// usual says how long the step usually takes; empty when that is not known.
func (p Progress) usual() string {
	switch {
	case p.Usual >= time.Second:
		return fmt.Sprintf("usually %s", p.Usual.Truncate(time.Second))
	case p.Usual == 0 && p.Upto > 0:
		return fmt.Sprintf("usually up to %s", p.Upto)
	default:
		return ""
	}
}

// numbers are counts, times and sizes, such as 4, 1m2s and 1.5 GiB.
var numbers = regexp.MustCompile(`(?:\d[\d.]*(?: ?(?:ms|s|m|h|d|[KMGT]?i?B|%))?)+`)

// SameButNumbers reports whether two texts say the same, but for counts, times and sizes: what only counts on is not news.
func SameButNumbers(a, b string) bool {
	return numbers.ReplaceAllString(a, "#") == numbers.ReplaceAllString(b, "#")
}

// barWidth is how many cells a bar has.
const barWidth = 10

// ProgressLines draws a line with a bar for each operation that runs, and counts the others, in at most rows lines.
func ProgressLines(s Style, all []Progress, rows int) []string {
	var counts [ProgressStopped + 1]int
	var lines []string
	name := 0
	for _, m := range all {
		name = max(name, columns(Clean(m.Group)))
	}
	if s.Width > 0 { // what it waits for needs room too
		name = min(name, max(s.Width/3, 12))
	}
	for _, m := range all {
		counts[m.State]++
		if m.State == ProgressRunning {
			lines = append(lines, s.progress(m, name))
		}
	}
	if len(all) == 1 {
		return lines
	}
	total := fmt.Sprintf("%d done, %d running, %d not started", counts[ProgressDone], counts[ProgressRunning], counts[ProgressWaiting])
	if n := counts[ProgressStopped]; n > 0 {
		total += ", " + s.paint(red, fmt.Sprintf("%d stopped", n))
	}
	if room := max(rows-1, 1); len(lines) > room {
		total += fmt.Sprintf(" (%d of them not shown)", len(lines)-room)
		lines = lines[:room]
	}
	return append(lines, total)
}

func (s Style) progress(m Progress, width int) string {
	group := s.shorten(Clean(m.Group), width)
	group += strings.Repeat(" ", max(0, width-columns(group)))
	line := fmt.Sprintf("%s  %s %2d/%d %-12s %5s  %s", group, s.bar(max(m.Step-1, 0), m.Steps), m.Step, m.Steps, m.Name, m.Waited(), Clean(m.Says))
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
