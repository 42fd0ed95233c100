// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// detail is everything about one group, to be scrolled.
type detail struct {
	style         present.Style
	width, height int
	of            id
	lines         []string
	top           int
	yaml          bool // as YAML, not as text
	wide          bool // all conditions, and all of the volumes
}

func (d *detail) setSize(width, height int) {
	d.style.Width = width
	d.width, d.height = width, height
	d.scroll(0)
}

// show draws the group anew; another group begins at its top.
func (d *detail) show(o overview.Overview, g *overview.Group, lags []*int64) {
	d.lines = nil
	if g == nil {
		return
	}
	if d.of != idOf(g) {
		d.of, d.top = idOf(g), 0
	}
	next := steps(o, g)
	if text := g.Verdict.Next; len(next) > 0 && (strings.HasPrefix(text, "kubectl vgr ") || strings.HasPrefix(text, "if its process has ended: ")) {
		shown := *g
		shown.Verdict.Next, g = "", &shown // the steps say it
	}
	o.Groups = []overview.Group{*g}
	if d.yaml {
		var err error
		if d.lines, err = present.YAML(d.style, *g); err != nil {
			d.lines = []string{present.Clean(err.Error())}
		}
		d.scroll(0)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", present.LagBar(d.style, *g), present.LagCurve(d.style, lags))
	var shown []present.Step
	for i, s := range next {
		shown = append(shown, present.Step{Key: fmt.Sprintf("!%d", i+1), Text: s.text(), Risk: s.risk})
	}
	if err := present.Details(&b, o, *g, d.style, d.wide, shown); err != nil {
		b.WriteString(present.Clean(err.Error()))
	}
	if ops, err := g.Timeline(); err != nil {
		fmt.Fprintf(&b, "\n%s\n", present.Clean(err.Error()))
	} else if len(ops) > 0 {
		var told strings.Builder
		present.History(&told, ops)
		fmt.Fprintf(&b, "\n  %s\n", d.style.Strong("Operations"))
		for line := range strings.Lines(told.String()) {
			b.WriteString("  " + line)
		}
	}
	d.lines = strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	d.scroll(0)
}

// scroll moves the text by some lines.
func (d *detail) scroll(by int) {
	d.top = max(0, min(d.top+by, len(d.lines)-d.height))
}

func (d *detail) key(k string) bool {
	switch k {
	case "up", "k":
		d.scroll(-1)
	case "down", "j":
		d.scroll(1)
	case "pgup", "ctrl+b":
		d.scroll(1 - d.height)
	case "pgdown", "ctrl+f", "space":
		d.scroll(d.height - 1)
	case "home", "g":
		d.scroll(-len(d.lines))
	case "end", "G":
		d.scroll(len(d.lines))
	default:
		return false
	}
	return true
}

// turn shows the other form, from its top.
func (d *detail) turn() { d.yaml, d.top = !d.yaml, 0 }

// widen shows all, or what matters.
func (d *detail) widen() { d.wide, d.top = !d.wide, 0 }

// view draws the lines that are on the screen.
func (d *detail) view() []string {
	end := min(d.top+d.height, len(d.lines))
	lines := make([]string, 0, d.height)
	for _, line := range d.lines[min(d.top, end):end] {
		lines = append(lines, ansi.Truncate(line, d.width, ""))
	}
	if more := len(d.lines) - end; more > 0 && len(lines) > 0 {
		lines[len(lines)-1] = fmt.Sprintf("  (%d more lines)", more+1)
	}
	return lines
}
