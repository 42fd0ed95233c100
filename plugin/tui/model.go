// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// Overview is a new picture of both sites, as a message.
type Overview overview.Overview

// Sizes of the layout.
const (
	minWidth, minHeight = 40, 8
	wide                = 170 // from here on the details are beside the table
	listShare           = 0.4 // of the height, at least, for the table
)

// Options are what a screen is about.
type Options struct {
	Style      present.Style
	Namespaces bool // more than one
	// Here is the context of this site, and Title the name of the view.
	Here, Title string
	ReadOnly    bool
	// Open shows the first group alone.
	Open bool
	// Namespace is the one that is shown; empty for all.
	Namespace string
	// Run runs a command.
	Run Command
	// Elsewhere returns the command line that does the same on any terminal; nil where the arguments are all of it.
	Elsewhere func(args []string) string
	// CannotCopy names a terminal that is known not to take a text for the clipboard.
	CannotCopy string
	// Events follows the events of a group; nil where there are none to be had.
	Events FollowEvents
}

// Model is the whole screen. It only routes: to the list, the details, the help.
type Model struct {
	ctx           context.Context //nolint:containedctx // of the commands: Update has none
	opts          Options
	width, height int
	list          list
	detail        detail
	lags          *lags
	console       console
	picture       int // how many overviews have come

	arrived bool // an overview has
	// answered is when each site answered last.
	answered map[string]time.Time
	alone    bool // the details have the screen
	focused  bool // the details have the keys
	filters  bool // keys go to the filter
	help     bool
	helpTop  int
	chooses  bool // the number of a step comes next
	types    bool // keys go to the command line
	line     string
	note     string
	noMouse  bool
}

// New makes a screen without groups.
func New(ctx context.Context, o Options) Model {
	return Model{
		ctx: ctx, console: console{run: o.Run}, opts: o, alone: o.Open, answered: map[string]time.Time{},
		list: list{style: o.Style, namespaces: o.Namespaces, marks: map[id]bool{}, flashes: flashes{of: map[id]*flash{}}}, detail: detail{style: o.Style, events: events{follow: o.Events}},
		lags: &lags{of: map[id][]*int64{}},
	}
}

// Init implements tea.Model.
func (m Model) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case Overview:
		m.arrived = true
		m.picture++
		for _, s := range msg.Sites {
			if s.Answered {
				m.answered[s.Name] = msg.ObservedAt.Time
			}
		}
		m.list.show(overview.Overview(msg))
		m.lags.add(m.list.all)
		m.console.at(msg.ObservedAt.Time)
	case consoleSaid:
		cmd := m.console.hear(msg)
		if m.console.phase == ended && m.console.confirmed {
			for _, done := range m.console.targets {
				delete(m.list.marks, done)
			}
		}
		return m, tea.Batch(cmd, m.place())
	case eventsCame:
		cmd := m.detail.events.take(msg)
		return m, tea.Batch(cmd, m.place())
	case tea.PasteMsg:
		if m.filters {
			m.list.filter += strings.Map(printable, msg.Content)
			m.list.refresh()
		}
		if m.types {
			m.line += strings.Map(printable, msg.Content)
		}
	case tea.MouseClickMsg, tea.MouseWheelMsg:
		m.pointed(msg.(tea.MouseMsg))
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	return m, m.place()
}

// key goes to the part of the screen that has the focus.
func (m Model) key(msg tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	k := msg.String()
	m.note, m.list.chosen = "", true
	var cmd tea.Cmd
	switch {
	case m.console.open():
		cmd = m.console.key(k, msg.Text)
	case m.types:
		m.note, cmd = m.commandLine(k, msg.Text)
	case m.chooses:
		m.note, cmd = m.choose(k)
	case m.returns(k):
	case k == "ctrl+c":
		return m, tea.Quit
	case m.help:
		m.turnOrEndHelp(k)
	case m.filters:
		m.typed(k, msg.Text)
	case k == "q":
		return m, tea.Quit
	case k == "?":
		m.help = true
	case m.asks(k):
	case k == "enter":
		m.alone = m.list.selected() != nil
	case k == "esc":
		m.back()
	case k == "m":
		m.note = m.freeMouse()
	case m.arranges(k):
	case (m.focused || m.alone) && m.detail.key(k):
	case m.list.key(k):
	default:
		m.note, cmd = m.act(k)
	}
	return m, tea.Batch(cmd, m.place())
}

// turnOrEndHelp shows more of the help, or ends it.
func (m *Model) turnOrEndHelp(k string) {
	if !m.turnHelp(k) {
		m.help, m.helpTop = false, 0
	}
}

// returns is a key that goes back to a command that was left: to see it, or because leaving the screen would stop it.
func (m *Model) returns(k string) bool {
	typing := m.filters || m.help
	switch {
	case m.console.busy() && (k == "ctrl+c" || k == "q" && !typing):
		m.console.show(true)
	case m.console.behind() && k == "t" && !typing:
		m.console.show(false)
	default:
		return false
	}
	return true
}

// asks begins what more keys follow: a filter, a command, the number of a step.
func (m *Model) asks(k string) bool {
	switch k {
	case "/":
		m.filters = true
	case ":":
		m.types = true
	case "!":
		m.chooses = m.list.selected() != nil
	default:
		return false
	}
	return true
}

// arranges changes which part of the screen has the keys, and what the details show.
func (m *Model) arranges(k string) bool {
	switch k {
	case "tab":
		m.focused = !m.focused
	case "o":
		m.detail.turn()
	case "w":
		m.detail.widen()
	case "h":
		m.detail.choose(operationsTab)
		m.alone = m.list.selected() != nil
	case "left":
		m.detail.choose(m.detail.tab - 1)
	case "right":
		m.detail.choose(m.detail.tab + 1)
	default:
		t, ok := tabOf(k)
		if ok {
			m.detail.choose(t)
		}
		return ok
	}
	return true
}

// back undoes what is nearest.
func (m *Model) back() {
	switch {
	case m.alone:
		m.alone = false
	case m.focused:
		m.focused = false
	case len(m.list.marks) > 0:
		m.list.marks = map[id]bool{}
	default:
		m.list.filter, m.list.faults = "", false
		m.list.refresh()
	}
}

// typed is a key while the filter is edited.
func (m *Model) typed(k, text string) {
	f := &m.list.filter
	switch k {
	case "enter":
		m.filters = false
	case "esc":
		m.filters, *f = false, ""
	case "backspace":
		if r := []rune(*f); len(r) > 0 {
			*f = string(r[:len(r)-1])
		}
	case "ctrl+u":
		*f = ""
	default:
		*f += strings.Map(printable, text)
	}
	m.list.refresh()
}

// printable drops what would move the cursor.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// place divides the room among the parts of the screen, and follows what they need.
func (m *Model) place() tea.Cmd {
	height := m.height - len(m.head()) - len(m.foot())
	m.console.setSize(m.width, height)
	switch {
	case m.alone:
		m.list.setSize(m.width, max(height, 1))
		m.detail.setSize(m.width, max(height, 1))
	case m.width >= wide:
		m.list.setSize(m.width*11/20-1, height)
		m.list.shrink(m.width / 3)
		m.detail.setSize(m.width-m.list.width-3, height)
	default:
		rows := min(len(m.list.shown.Groups)+1, max(int(float64(height)*listShare), 3))
		m.list.setSize(m.width, max(rows, 1))
		m.detail.setSize(m.width, max(height-rows-1, 0))
	}
	g := m.list.selected()
	var lags []*int64
	if g != nil {
		lags = m.lags.of[idOf(g)]
	}
	m.detail.show(m.picture, m.list.shown, g, lags)
	if m.detail.tab != eventsTab || m.detail.height == 0 || m.console.open() || m.help {
		g = nil
	}
	return m.detail.events.want(m.ctx, g)
}

// View implements tea.Model.
func (m Model) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	v.MouseMode = m.mouseMode()
	v.WindowTitle = "kubectl vgr"
	return v
}

// lines returns the screen, as many as it has.
func (m *Model) lines() []string {
	if m.width < minWidth || m.height < minHeight {
		return []string{ansi.Truncate(fmt.Sprintf("%dx%d is too small; q quits", m.width, m.height), max(m.width, 1), "")}
	}
	lines := m.head()
	foot := m.foot()
	body := max(m.height-len(lines)-len(foot), 0)
	lines = append(append(lines, fill(m.body(body), body)...), foot...)
	for i, line := range lines {
		lines[i] = ansi.Truncate(present.Screen(line, true), m.width, "")
	}
	return lines
}

func (m *Model) body(height int) []string {
	switch {
	case m.console.open():
		return m.console.view(m.opts.Style)
	case m.help:
		return m.helped(height)
	case !m.arrived:
		return []string{"", "  asking the sites"}
	case len(m.list.all.Groups) == 0:
		return []string{"", "  " + noGroups(m.list.all.Sites), "  kubectl vgr create NAME --class CLASS -l SELECTOR creates one; -A shows all"}
	case m.alone:
		return m.detail.view()
	case len(m.list.shown.Groups) == 0:
		if m.list.asking() {
			return []string{"", "  No groups match the filter so far. Esc shows all."}
		}
		return []string{"", "  No groups match the filter. Esc shows all."}
	case m.width >= wide:
		return m.beside(fill(m.list.view(), height), fill(m.detail.view(), height))
	}
	lines := m.list.view()
	line := "-"
	if m.opts.Style.Unicode {
		line = "─"
	}
	lines = append(lines, strings.Repeat(line, m.width))
	return append(lines, m.detail.view()...)
}

// noGroups says so of the sites that have answered.
func noGroups(sites []overview.Site) string {
	silent := func(s overview.Site) bool { return !s.Answered || s.Incomplete }
	if !slices.ContainsFunc(sites, silent) {
		return "No groups."
	}
	if answered := slices.DeleteFunc(slices.Clone(sites), silent); len(answered) > 0 {
		return "No groups on " + present.Clean(answered[0].Name) + "."
	}
	if slices.ContainsFunc(sites, func(s overview.Site) bool { return s.Answered }) {
		return "No groups are known: not all kinds could be listed."
	}
	return "No groups are known: no site answers."
}

// beside puts the details right of the table.
func (m *Model) beside(left, right []string) []string {
	rule := "|"
	if m.opts.Style.Unicode {
		rule = "│"
	}
	for i, line := range left {
		line = ansi.Truncate(line, m.list.width, "")
		left[i] = line + strings.Repeat(" ", m.list.width-ansi.StringWidth(line)) + rule + " " + right[i]
	}
	return left
}

// mostNote is how many lines a note may have.
const mostNote = 4

// foot returns the last lines: a note as long as it is, or one line.
func (m *Model) foot() []string {
	if m.note == "" || m.console.open() || m.filters || m.types || m.chooses {
		return []string{m.bottom()}
	}
	lines := strings.Split(ansi.Wrap(present.Clean(m.note), max(m.width, 1), " "), "\n")
	return lines[:min(len(lines), mostNote)]
}

// bottom returns the filter while it is typed, or the short help.
func (m *Model) bottom() string {
	switch {
	case m.console.open():
		return m.console.bottom()
	case m.filters && m.list.bad != nil:
		return reverse("/"+m.list.filter, 30) + "  not whole yet"
	case m.filters:
		return reverse("/"+m.list.filter, 30) + fmt.Sprintf("  %d groups  enter keeps it, esc clears it", len(m.list.shown.Groups))
	case m.types:
		return reverse(":"+m.line, max(m.width-45, 20)) + "  a command of kubectl vgr; Esc leaves"
	case m.chooses:
		return "Press the number of a step (the details show them), Esc to cancel"
	case m.alone || m.focused:
		return short(append(m.behind(), "1-5 tab", "j k scroll", "esc back"), m.width)
	default:
		return short(m.behind(), m.width)
	}
}

// behind is the hint to a command that was left.
func (m *Model) behind() []string {
	if !m.console.behind() {
		return nil
	}
	return []string{m.console.brief()}
}

// fill makes the lines as many as there is room for.
func fill(lines []string, height int) []string {
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines[:height]
}
