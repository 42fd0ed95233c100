// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Moves draws where all operations are, those that run first, in at most rows lines; the first line counts them.
func Moves(s Style, all []Progress, rows int) []string {
	t := table{style: s, head: []string{"GROUP", "STEPS", "STEP", "FOR", "NO PRIMARY", "LEFT", "WAITS FOR"}, whole: []string{"NO PRIMARY", "FOR"}}
	order := []ProgressState{ProgressRunning, ProgressStopped, ProgressWaiting, ProgressDone}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Progress) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
	for _, m := range sorted {
		t.rows = append(t.rows, s.move(m))
	}
	var b strings.Builder
	_ = t.write(&b) // a builder takes everything
	lines := append([]string{s.counted(all)}, strings.Split(strings.TrimRight(b.String(), "\n"), "\n")...)
	if len(lines) > rows && rows > 1 {
		lines = append(lines[:rows-1], fmt.Sprintf("(%d more groups)", len(lines)-rows+1))
	}
	return lines
}

func (s Style) move(m Progress) []string {
	row := []string{Clean(m.Group), s.steps(m), Clean(m.Name), "", "", "", Clean(m.Says)}
	short := func(d time.Duration) string { return d.Truncate(time.Second).String() }
	switch m.State {
	case ProgressWaiting:
		row[2], row[6] = "not started", ""
	case ProgressDone:
		row[2], row[6] = s.paint(green, "done"), ""
		if m.After > 0 {
			row[6] = "primary after " + m.After.Round(100*time.Millisecond).String()
		}
	case ProgressStopped:
		row[2] = s.paint(red, "stopped at "+Clean(m.Name))
	case ProgressRunning:
		row[3] = short(m.Took)
		if usual := m.usual(); usual != "" {
			row[6] += " (" + usual + ")"
		}
		if m.Left > 0 {
			row[5] = "~" + short(m.Left)
		}
	}
	if m.Outage >= time.Second && m.State != ProgressDone {
		row[4] = s.paint(red, short(m.Outage))
	}
	return row
}

// steps shows each step as a sign: done, running, to come.
func (s Style) steps(m Progress) string {
	done, runs, stopped, later := "+", ">", "x", "."
	if s.Unicode {
		done, runs, stopped, later = "✔", "▶", "✖", "·"
	}
	if m.State == ProgressDone {
		return s.paint(green, strings.Repeat(done, max(m.Steps, 1)))
	}
	before := max(m.Step-1, 0)
	text := s.paint(green, strings.Repeat(done, before))
	switch {
	case m.State == ProgressStopped:
		text += s.paint(red, stopped)
	case m.Step > 0:
		text += s.paint(blue, runs)
	}
	return text + s.paint(grey, strings.Repeat(later, max(m.Steps-max(m.Step, 0), 0)))
}

// counted says how many are where, how long the longest still takes, and how many have no primary.
func (s Style) counted(all []Progress) string {
	var counts [ProgressStopped + 1]int
	var left time.Duration
	without := 0
	for _, m := range all {
		counts[m.State]++
		if m.State == ProgressRunning {
			left = max(left, m.Left)
		}
		if m.Outage >= time.Second && m.State != ProgressDone {
			without++
		}
	}
	text := fmt.Sprintf("%d done, %d running, %d not started", counts[ProgressDone], counts[ProgressRunning], counts[ProgressWaiting])
	if n := counts[ProgressStopped]; n > 0 {
		text += ", " + s.paint(red, fmt.Sprintf("%d stopped", n))
	}
	if without > 0 {
		text += "   " + s.paint(red, fmt.Sprintf("%d without a primary", without))
	}
	if left > 0 {
		text += fmt.Sprintf("   ~%s left", left.Truncate(time.Second))
	}
	return text
}

// Reminder says of many groups how many are where, and for each step which groups wait in it, how long that usually is, and the
// longest time and outage among them.
func Reminder(s Style, all []Progress) []string {
	lines := []string{s.counted(all)}
	var steps []string
	longest, names := map[string]Progress{}, map[string][]string{}
	for _, m := range all {
		if m.State != ProgressRunning || m.Name == "" {
			continue
		}
		known, found := longest[m.Name]
		if !found {
			steps = append(steps, m.Name)
		}
		outage := max(known.Outage, m.Outage)
		if !found || m.Took > known.Took {
			known = m
		}
		known.Outage = outage
		longest[m.Name] = known
		names[m.Name] = append(names[m.Name], Clean(m.Group))
	}
	for _, step := range steps {
		lines = append(lines, fmt.Sprintf("  in %s for %s: %s", Clean(step), longest[step].Waited(), strings.Join(names[step], ", ")))
	}
	return lines
}
