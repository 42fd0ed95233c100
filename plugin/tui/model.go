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
	"charm.land/lipgloss/v2"
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
	// Run runs a command.
	Run Command
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

	arrived bool // an overview has
	// answered is when each site answered last.
	answered map[string]time.Time
	alone    bool // the details have the screen
	focused  bool // the details have the keys
	filters  bool // keys go to the filter
	help     bool
	note     string
}

// New makes a screen without groups.
func New(ctx context.Context, o Options) Model {
	return Model{
		ctx: ctx, console: console{run: o.Run}, opts: o, alone: o.Open, answered: map[string]time.Time{},
		list: list{style: o.Style, namespaces: o.Namespaces, marks: map[id]bool{}}, detail: detail{style: o.Style},
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
		if m.console.phase == ended && m.console.confirm != "" {
			for _, done := range m.console.targets {
				delete(m.list.marks, done)
			}
		}
		m.place()
		return m, cmd
	case tea.PasteMsg:
		if m.filters {
			m.list.filter += strings.Map(printable, msg.Content)
			m.list.refresh()
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	m.place()
	return m, nil
}

// key goes to the part of the screen that has the focus.
func (m Model) key(msg tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	k := msg.String()
	m.note, m.list.chosen = "", true
	var cmd tea.Cmd
	switch {
	case m.console.open():
		cmd = m.console.key(m.ctx, k, msg.Text)
	case k == "ctrl+c":
		return m, tea.Quit
	case m.help:
		m.help = false
	case m.filters:
		m.typed(k, msg.Text)
	case k == "q":
		return m, tea.Quit
	case k == "?":
		m.help = true
	case k == "/":
		m.filters = true
	case k == "enter":
		m.alone = m.list.selected() != nil
	case k == "esc":
		m.back()
	case k == "tab":
		m.focused = !m.focused
	case k == "o":
		m.detail.turn()
	case k == "w":
		m.detail.widen()
	case (m.focused || m.alone) && m.detail.key(k):
	case m.list.key(k):
	default:
		m.note, cmd = m.act(k)
	}
	m.place()
	return m, cmd
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

// act returns what a key does to the groups: a note, or a command in the console.
func (m *Model) act(k string) (string, tea.Cmd) {
	args, why := m.command(k)
	if args == nil {
		return why, nil
	}
	text := "kubectl vgr " + strings.Join(args, " ")
	look := k == "v" || k == "h"
	switch {
	case k == "y":
		return "copied: " + text, tea.SetClipboard(text)
	case m.opts.ReadOnly && !look:
		return "--read-only: not done: " + text, nil
	default:
		targets := m.targets()
		confirm := targets[0].Name
		if len(targets) > 1 {
			confirm = fmt.Sprint(len(targets))
		}
		if look {
			confirm, targets = "", nil
		}
		return "", m.console.begin(m.ctx, args, confirm, targets)
	}
}

// targets returns the groups that a key is about. The details act on the group that they show, whatever is marked.
func (m *Model) targets() []overview.Group {
	if g := m.list.selected(); g != nil && (m.alone || m.focused) {
		return []overview.Group{*g}
	}
	return m.list.targets()
}

// verbs are the commands behind the keys.
var verbs = map[string]string{
	"f": "failover", "b": "failback", "p": "promote", "d": "demote", "r": "resync", "v": "validate", "h": "history", "y": "status",
}

// command returns what a key stands for, or why it does nothing.
func (m *Model) command(k string) (args []string, why string) {
	verb, ok := verbs[k]
	targets := m.targets()
	switch {
	case !ok:
		return nil, ""
	case len(targets) == 0:
		return nil, "no group is selected"
	case k == "h":
		targets = targets[:1]
	}
	args = []string{verb}
	for _, g := range targets {
		if g.Namespace != targets[0].Namespace {
			return nil, "the marked groups are in different namespaces; a command is about one"
		}
		args = append(args, g.Name)
	}
	args = append(args, "-n", targets[0].Namespace)
	if k == "f" || k == "b" {
		to, why := m.target(targets)
		if why != "" {
			return nil, why
		}
		args = append(args, "--to", to)
	}
	return args, ""
}

// target returns the site that is to be primary: the one that is not, for all groups.
func (m *Model) target(groups []overview.Group) (site, why string) {
	for _, g := range groups {
		primary, ok := g.Primary()
		if !ok {
			return "", fmt.Sprintf("%s/%s has not one primary: %s", present.Clean(g.Namespace), present.Clean(g.Name), present.Clean(g.Verdict.Next))
		}
		i := slices.IndexFunc(g.Sites, func(s overview.GroupSite) bool { return s.Site != primary.Site })
		switch {
		case i < 0:
			return "", "no other site is known"
		case site != "" && site != g.Sites[i].Site:
			return "", "the marked groups are primary on different sites"
		}
		site = g.Sites[i].Site
	}
	return site, ""
}

// place divides the room among the parts of the screen.
func (m *Model) place() {
	height := m.height - len(m.banners()) - 2 // the title, the footer
	m.console.setSize(m.width, height)
	switch {
	case m.alone:
		m.list.setSize(m.width, max(height, 1))
		m.detail.setSize(m.width, max(height, 1))
	case m.width >= wide:
		left := m.width * 11 / 20
		m.list.setSize(left-1, height)
		m.detail.setSize(m.width-left-2, height)
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
	m.detail.show(m.list.shown, g, lags)
}

// banners say which sites are not live, above everything else.
func (m *Model) banners() []string {
	var lines []string
	o := &m.list.all
	for _, s := range o.Sites {
		if c := s.Controller; s.Answered && c != nil && c.Message != "" {
			if c.Silent {
				lines = append(lines, m.opts.Style.Warn(present.Clean(c.Message)))
			} else {
				lines = append(lines, present.Clean(s.Name+": "+c.Message))
			}
		}
		if s.Answered {
			continue
		}
		text := s.Away()
		if last, ok := m.answered[s.Name]; ok {
			text = fmt.Sprintf("STALE %s: no answer for %s: %s", s.Name, o.ObservedAt.Sub(last).Round(time.Second), s.Message)
		}
		if s.Problem == overview.SiteAsking {
			lines = append(lines, present.Clean(s.Name+" "+s.Message))
			continue
		}
		lines = append(lines, m.opts.Style.Warn(present.Clean(text)))
	}
	return lines
}

// View implements tea.Model.
func (m Model) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	v.WindowTitle = "kubectl vgr"
	return v
}

// lines returns the screen, as many as it has.
func (m *Model) lines() []string {
	if m.width < minWidth || m.height < minHeight {
		return []string{ansi.Truncate(fmt.Sprintf("%dx%d is too small; q quits", m.width, m.height), max(m.width, 1), "")}
	}
	title := m.opts.Title
	if m.arrived {
		title += "  " + m.list.status()
	}
	if m.opts.ReadOnly {
		title += ", read-only"
	}
	lines := append([]string{m.opts.Style.Strong(present.Clean(title))}, m.banners()...)
	body := m.height - len(lines) - 1
	lines = append(append(lines, fill(m.body(body), body)...), m.bottom())
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
		return m.helped()
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
		left := strings.Join(fill(m.list.view(), height), "\n")
		right := strings.Join(fill(m.detail.view(), height), "\n")
		bar := strings.TrimSuffix(strings.Repeat(m.rule()+"\n", height), "\n")
		return strings.Split(lipgloss.JoinHorizontal(lipgloss.Top, lipgloss.NewStyle().Width(m.list.width).Render(left), bar, " ", right), "\n")
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
	silent := func(s overview.Site) bool { return !s.Answered }
	if !slices.ContainsFunc(sites, silent) {
		return "No groups."
	}
	if answered := slices.DeleteFunc(slices.Clone(sites), silent); len(answered) > 0 {
		return "No groups on " + present.Clean(answered[0].Name) + "."
	}
	return "No groups are known: no site answers."
}

func (m *Model) rule() string {
	if m.opts.Style.Unicode {
		return "│"
	}
	return "|"
}

// bottom returns the filter while it is typed, the last note, or the short help.
func (m *Model) bottom() string {
	switch {
	case m.console.open():
		return m.console.bottom()
	case m.filters && m.list.bad != nil:
		return reverse("/"+m.list.filter, 30) + "  not whole yet"
	case m.filters:
		return reverse("/"+m.list.filter, 30) + fmt.Sprintf("  %d groups  enter keeps it, esc clears it", len(m.list.shown.Groups))
	case m.note != "":
		return present.Clean(m.note)
	case m.alone || m.focused:
		return short([]string{"j k scroll", "esc back"}, m.width)
	default:
		return short(nil, m.width)
	}
}

// ascii spells arrows out where there are none.
func (m *Model) ascii(text string) string {
	if m.opts.Style.Unicode {
		return text
	}
	return strings.NewReplacer("↑", "up", "↓", "down").Replace(text)
}

func (m *Model) helped() []string {
	var lines []string
	for _, section := range []struct {
		title string
		keys  []key
	}{
		{"Move", moveKeys},
		{"Show", showKeys},
		{"Leave", leaveKeys},
		{"Act: the plan is shown, and the name asked for. Promote, demote, resync: on " + present.Clean(m.opts.Here), actKeys},
	} {
		lines = append(lines, m.opts.Style.Strong(section.title))
		for _, k := range section.keys {
			lines = append(lines, fmt.Sprintf("  %-12s %s", m.ascii(k.keys), k.does))
		}
	}
	return lines
}

// fill makes the lines as many as there is room for.
func fill(lines []string, height int) []string {
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines[:height]
}
