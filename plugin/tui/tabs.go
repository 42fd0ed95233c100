// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"strconv"

	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// tab is a part of the details. Its key is its number, counted from 1.
type tab int

// Tabs, in their order on the screen.
const (
	pvcsTab tab = iota
	operationsTab
	eventsTab
	conditionsTab
	yamlTab
	tabs
)

func (t tab) String() string {
	return [...]string{"PVCs", "Operations", "Events", "Conditions", "YAML"}[t]
}

// tabOf returns the tab of a key.
func tabOf(k string) (tab, bool) {
	n, err := strconv.Atoi(k)
	if err != nil || n < 1 || n > int(tabs) {
		return 0, false
	}
	return tab(n - 1), true
}

// span is where something is in a line.
type span struct{ from, to int }

// content returns the lines of the open tab, and what is said of each beside its name.
func (d *detail) content(o overview.Overview, g *overview.Group) (labels [tabs]string, body []string) {
	o.Groups = []overview.Group{*g}
	ops, badJournal := g.Timeline()
	all, troubled := present.Troubled(*g)
	labels = [tabs]string{pvcsTab: strconv.Itoa(all), operationsTab: strconv.Itoa(len(ops)), eventsTab: d.events.label()}
	if troubled > 0 {
		labels[pvcsTab] += " " + d.style.Verdict(overview.Problem, strconv.Itoa(troubled))
	}
	if badJournal != nil {
		labels[operationsTab] = d.style.Sign(overview.Warning)
	}
	labels[conditionsTab] = present.ConditionSign(d.style, o, *g)
	var err error
	switch d.tab {
	case operationsTab:
		if body, err = present.Operations(d.style, o, *g, ops), badJournal; err != nil && len(ops) == 0 {
			body = nil
		}
	case eventsTab:
		body = d.events.lines(d.style, o.ObservedAt.Time)
	case conditionsTab:
		body, err = present.Conditions(d.style, o, *g, d.wide)
	case yamlTab:
		body, err = present.YAML(d.style, *g)
	default:
		body, err = present.PVCs(d.style, o, *g, d.wide, d.volumes.changed(o.ObservedAt.Time))
	}
	if err != nil {
		body = append([]string{"  " + d.style.Warn(present.Clean(err.Error()))}, body...)
	}
	return labels, body
}

// bar returns the line of tabs, and where each is. The open one is in brackets, which is seen without colours. Where there is
// no room for all only it says how many it has.
func (d *detail) bar(labels [tabs]string) (line string, spans []span) {
	for _, short := range []bool{false, true} {
		line, spans = "", nil
		for t := range tabs {
			text := fmt.Sprintf("%d %s", t+1, t)
			if label := labels[t]; label != "" && (!short || t == d.tab) {
				text += " " + label
			}
			left, right := " ", " "
			if t == d.tab {
				left, right, text = "[", "]", d.style.Strong(ansi.Strip(text))
			}
			from := ansi.StringWidth(line)
			line += left + text + right
			spans = append(spans, span{from, ansi.StringWidth(line)})
			if t < tabs-1 && !short {
				line += " "
			}
		}
		if ansi.StringWidth(line) <= d.width {
			break
		}
	}
	return line, spans
}
