// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// verbs are the commands behind the keys, and looks those that change nothing.
var (
	verbs = map[string]string{
		"f": "failover", "b": "failback", "p": "promote", "d": "demote", "r": "resync", "v": "validate", "y": "status", "a": "failover", "c": "",
	}
	looks = []string{"validate", "history", "status", "list", "gather", "version"}
)

// act returns what a key does to the groups: a note, or a command in the console.
func (m *Model) act(k string) (string, tea.Cmd) {
	args, why := m.command(k)
	switch {
	case args == nil:
		return why, nil
	case k == "y":
		return m.copies(args)
	case k == "c":
		return m.start(args, m.targets()[:1])
	default:
		return m.start(args, m.targets())
	}
}

// start runs a command in the console, unless it changes something and the screen is read-only.
func (m *Model) start(args []string, targets []overview.Group) (string, tea.Cmd) {
	look := slices.Contains(looks, args[0])
	if why := foreign(targets); why != "" && !look {
		return why, nil
	}
	if m.opts.ReadOnly && !look {
		return "--read-only: not done: kubectl vgr " + strings.Join(args, " "), nil
	}
	if m.console.busy() {
		return "one command at a time: t goes back to the one that runs", nil
	}
	if look {
		targets = nil
	}
	return "", m.console.begin(m.ctx, args, !look, targets)
}

// copies gives a command to the clipboard, with all that it needs elsewhere. Many terminals do not say whether they took it,
// so it stays on the screen.
func (m *Model) copies(args []string) (string, tea.Cmd) {
	text := "kubectl vgr " + strings.Join(args, " ")
	if m.opts.Elsewhere != nil {
		text = m.opts.Elsewhere(args)
	}
	if m.opts.CannotCopy != "" {
		return m.opts.CannotCopy + " cannot copy; select it: " + text, nil
	}
	return "copied, if the terminal allows it: " + text, tea.SetClipboard(text)
}

// targets returns the groups that a key is about. The details act on the group that they show, whatever is marked.
func (m *Model) targets() []overview.Group {
	if g := m.list.selected(); g != nil && (m.alone || m.focused) {
		return []overview.Group{*g}
	}
	return m.list.targets()
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
	case !slices.Contains(looks, verb) && foreign(targets) != "":
		return nil, foreign(targets)
	case k == "c":
		return m.resume(targets)
	case k == "a":
		if i := slices.IndexFunc(targets, func(g overview.Group) bool { return !inFlight(&g) }); i >= 0 {
			return nil, "no operation of " + called(&targets[i]) + " is in flight"
		}
	case k == "p" || k == "d":
		if i := slices.IndexFunc(targets, func(g overview.Group) bool { return g.Verdict.Phase == overview.SplitBrain }); i >= 0 {
			return nil, called(&targets[i]) + " has two primaries: ! shows the ways out, by what each discards"
		}
	}
	args = append([]string{verb}, names(targets)...)
	switch k {
	case "a":
		args = append(args, "--abort")
	case "f", "b":
		to, why := m.target(targets)
		if why != "" {
			return nil, why
		}
		args = append(args, "--to", to)
	case "v", "y":
		if foreign(targets) != "" {
			args = append(args, "--managed-by", "all")
		}
	}
	return args, ""
}

// foreign says why no command changes one of the groups; empty when commands may.
func foreign(groups []overview.Group) string {
	for i := range groups {
		if why, next := groups[i].Refusal(); why != "" {
			return present.Clean(why + ". Next: " + next)
		}
	}
	return ""
}

// names returns groups as commands name them: with one -n where that says it for all.
func names(groups []overview.Group) []string {
	var short, long []string
	several := false
	for _, g := range groups {
		several = several || g.Namespace != groups[0].Namespace
		short, long = append(short, g.Name), append(long, g.Namespace+"/"+g.Name)
	}
	if several {
		return long
	}
	return append(short, "-n", groups[0].Namespace)
}

// resume returns the command that ends the operation of one group.
func (m *Model) resume(targets []overview.Group) (args []string, why string) {
	g := &targets[0]
	if !inFlight(g) {
		return nil, "no operation of " + called(g) + " is in flight"
	}
	if all := commandsIn(g.Operation.ResumeCommand, g, nil); len(all) == 1 && len(targets) == 1 {
		return all[0].args, ""
	}
	return nil, "c resumes the operation of one group; the same command again resumes those of several"
}

func inFlight(g *overview.Group) bool { return g.Operation != nil && g.Operation.Result == "" }

func called(g *overview.Group) string { return present.Clean(g.Namespace + "/" + g.Name) }

// target returns the site that is to be primary: the one that is not, for all groups.
func (m *Model) target(groups []overview.Group) (site, why string) {
	for i := range groups {
		g := &groups[i]
		primary, ok := g.Primary()
		if !ok {
			why := called(g) + " has not one primary"
			if n := slices.IndexFunc(steps(m.list.all, g), func(s step) bool { return slices.Contains(s.args, "--unplanned") }); n >= 0 {
				return "", fmt.Sprintf("%s: a site is silent, and a planned failover needs both. !%d is the UNPLANNED failover, which may lose data", why, n+1)
			}
			return "", why + ": " + present.Clean(g.Verdict.Next)
		}
		other := slices.IndexFunc(g.Sites, func(s overview.GroupSite) bool { return s.Site != primary.Site })
		switch {
		case other < 0:
			return "", "no other site is known"
		case site != "" && site != g.Sites[other].Site:
			return "", "the marked groups are primary on different sites"
		}
		site = g.Sites[other].Site
	}
	return site, ""
}

// choose is the key after !: the number of a step of the selected group.
func (m *Model) choose(k string) (string, tea.Cmd) {
	m.chooses = false
	g := m.list.selected()
	if g == nil || len(k) != 1 || k < "1" || k > "9" {
		return "", nil
	}
	all := steps(m.list.all, g)
	n := int(k[0] - '1')
	if n >= len(all) {
		return fmt.Sprintf("%s has %d steps", called(g), len(all)), nil
	}
	return m.start(all[n].args, []overview.Group{*g})
}

// commandLine is a key while a command is typed.
func (m *Model) commandLine(k, text string) (string, tea.Cmd) {
	switch k {
	case "enter":
		m.types = false
		return m.typedCommand()
	case "esc", "ctrl+c":
		m.types, m.line = false, ""
	case "backspace":
		if r := []rune(m.line); len(r) > 0 {
			m.line = string(r[:len(r)-1])
		} else {
			m.types = false
		}
	case "ctrl+u":
		m.line = ""
	default:
		m.line += strings.Map(printable, text)
	}
	return "", nil
}

// typedCommand runs what was typed after a colon: a command of the plugin, in the namespace that is shown.
func (m *Model) typedCommand() (string, tea.Cmd) {
	args := shellWords(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(m.line), "kubectl "), "vgr "))
	m.line = ""
	switch {
	case len(args) == 0:
		return "", nil
	case (args[0] == "q" || args[0] == "quit") && m.console.busy():
		m.console.show(true)
		return "", nil
	case args[0] == "q" || args[0] == "quit":
		return "", tea.Quit
	case args[0] == "help":
		m.help = true
		return "", nil
	case args[0] == "tui", slices.Contains(args, "-i"), slices.Contains(args, "-w"), slices.Contains(args, "--watch"), slices.Contains(args, "--interactive"):
		return "the screen is live already", nil
	}
	if m.opts.Namespace != "" && !slices.ContainsFunc(args, namesNamespace) {
		args = append(args, "-n", m.opts.Namespace)
	}
	return m.start(args, nil)
}

func namesNamespace(arg string) bool {
	return arg == "-A" || strings.HasPrefix(arg, "-n") || strings.HasPrefix(arg, "--namespace") || arg == "--all-namespaces" ||
		!strings.HasPrefix(arg, "-") && strings.Contains(arg, "/")
}
