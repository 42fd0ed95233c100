// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"slices"

	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// detail is everything about one group: what needs its user, and a tab of the rest, to be scrolled.
type detail struct {
	style         present.Style
	width, height int
	of            id
	group         *overview.Group
	events        events
	tab, last     tab
	wide          bool // all conditions, and all of the volumes
	top           int
	// volumes mark the PVCs that have changed a moment ago.
	volumes rowFlashes

	// head has the tabs as its last line, and body is the open tab. Brief stands for its PVCs where they do not fit.
	head, body []string
	brief      string
	spans      []span // of the tabs
	drawn      drawn
}

// drawn is what head and body were drawn from: the same is not drawn again.
type drawn struct {
	picture, told int
	of            id
	tab           tab
	wide          bool
	style         present.Style
}

func (d *detail) setSize(width, height int) {
	d.style.Width = width
	d.width, d.height = width, height
}

// show draws the group unless that is on the screen already; another group begins at its top. The number of the picture
// tells one from another.
func (d *detail) show(picture int, o overview.Overview, g *overview.Group, lags []*int64) {
	d.group = g
	if g == nil {
		d.head, d.body, d.drawn = nil, nil, drawn{}
		return
	}
	if d.of != idOf(g) {
		d.of, d.top = idOf(g), 0
	}
	now := drawn{picture, d.events.told, d.of, d.tab, d.wide, d.style}
	if d.drawn != now {
		d.drawn = now
		d.draw(o, g, lags)
	}
	d.scroll(0)
}

func (d *detail) draw(o overview.Overview, g *overview.Group, lags []*int64) {
	d.volumes.add(o, g)
	next := steps(o, g)
	told := *g
	if len(next) > 0 {
		told.Verdict.Next = besides(g.Verdict.Next, o, g)
	}
	var numbered []present.Step
	for i, s := range next {
		numbered = append(numbered, present.Step{Key: fmt.Sprintf("!%d", i+1), Text: s.text(), Risk: s.risk})
	}
	d.head = present.Headline(d.style, o, told, numbered, lags)
	d.brief = ""
	if d.tab == pvcsTab {
		d.brief = "  " + present.Brief(d.style, *g)
	}
	labels, body := d.content(o, g)
	bar, spans := d.bar(labels)
	d.head, d.spans, d.body = append(d.head, bar), spans, body
}

// least is how many lines of a tab must be seen while what is above it stays in its place.
const least = 4

// layout returns what stays, and what is scrolled below it. What has no room to be seen whole has its PVCs in a line.
func (d *detail) layout() (fixed, scrolled []string) {
	head := d.head
	if len(head)+len(d.body) > d.height && d.brief != "" {
		head = slices.Insert(slices.Clone(head), 1, d.brief)
	}
	if len(head)+min(least, len(d.body)) <= d.height {
		return head, d.body
	}
	return nil, append(slices.Clip(head), d.body...)
}

// scroll moves the text by some lines.
func (d *detail) scroll(by int) {
	fixed, scrolled := d.layout()
	d.top = max(0, min(d.top+by, len(scrolled)-d.height+len(fixed)))
}

func (d *detail) key(k string) bool {
	switch k {
	case "up", "k":
		d.scroll(-1)
	case "down", "j":
		d.scroll(1)
	case "pgup", "ctrl+b":
		d.scroll(1 - d.page())
	case "pgdown", "ctrl+f", "space":
		d.scroll(d.page() - 1)
	case "home", "g":
		d.scroll(-d.top)
	case "end", "G":
		d.scroll(len(d.head) + len(d.body))
	default:
		return false
	}
	return true
}

// page is how many lines move.
func (d *detail) page() int {
	fixed, _ := d.layout()
	return max(d.height-len(fixed), 2)
}

// choose opens a tab, from its top.
func (d *detail) choose(t tab) {
	if t = (t + tabs) % tabs; t != d.tab {
		d.last, d.tab, d.top = d.tab, t, 0
	}
}

// turn shows the YAML, or what was open before it.
func (d *detail) turn() {
	if d.tab == yamlTab {
		d.choose(d.last)
	} else {
		d.choose(yamlTab)
	}
}

// widen shows all, or what matters.
func (d *detail) widen() { d.wide, d.top = !d.wide, 0 }

// view draws the lines that are on the screen.
func (d *detail) view() []string {
	fixed, scrolled := d.layout()
	room := max(d.height-len(fixed), 0)
	end := min(d.top+room, len(scrolled))
	lines := make([]string, 0, d.height)
	for _, line := range slices.Concat(fixed, scrolled[min(d.top, end):end]) {
		lines = append(lines, ansi.Truncate(line, d.width, ""))
	}
	if more := len(scrolled) - end; more > 0 && len(lines) > 0 {
		lines[len(lines)-1] = fmt.Sprintf("  (%d more lines)", more+1)
	}
	return lines
}

// tabAt returns the tab at a place of what is on the screen.
func (d *detail) tabAt(x, y int) (tab, bool) {
	fixed, _ := d.layout()
	at := y
	if len(fixed) == 0 {
		at += d.top
	}
	if bar := len(d.head) - 1 + d.inserted(); at != bar {
		return 0, false
	}
	for i, s := range d.spans {
		if x >= s.from && x < s.to {
			return tab(i), true
		}
	}
	return 0, false
}

// inserted is 1 while the PVCs are a line of the head.
func (d *detail) inserted() int {
	if len(d.head)+len(d.body) > d.height && d.brief != "" {
		return 1
	}
	return 0
}
