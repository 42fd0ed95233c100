// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// step is a command that helps a group now.
type step struct {
	args []string
	does string // what it does, beyond what its words say
	risk bool   // it may lose data
}

func (s step) text() string {
	words := slices.Clone(s.args)
	if i := slices.Index(words, "-n"); i > 0 && i+1 < len(words) {
		words = slices.Delete(words, i, i+2) // the screen says where the group is
	}
	text := strings.Join(words, " ")
	if s.does != "" {
		text += ": " + s.does
	}
	return present.Clean(text)
}

// mostSteps is how many there are numbers for.
const mostSteps = 9

// steps returns what can be done about a group, what helps most first: its operation is ended before anything else is begun.
func steps(o overview.Overview, g *overview.Group) []step {
	var all []step
	add := func(s step) {
		if !slices.ContainsFunc(all, func(x step) bool { return slices.Equal(x.args, s.args) }) {
			all = append(all, s)
		}
	}
	if op := g.Operation; op != nil && op.Result == "" {
		for _, way := range []struct{ command, does string }{{op.ResumeCommand, "resumes the operation in flight"}, {op.AbortCommand, "takes the operation back"}} {
			for _, s := range commandsIn(way.command, g, o.Sites) {
				s.does = way.does
				add(s)
			}
		}
	}
	for _, s := range commandsIn(g.Verdict.Next, g, o.Sites) {
		add(s)
	}
	if s, ok := unplanned(o, g); ok {
		add(s)
	}
	if g.Verdict.Phase == overview.SplitBrain && len(all) == 0 && len(g.Sites) == 2 {
		for i, s := range g.Sites {
			add(step{
				args: []string{"reprotect", g.Name, "-n", g.Namespace, "--discard-site", s.Site}, risk: true,
				does: fmt.Sprintf("keeps the data of %s, discards what only %s has", g.Sites[1-i].Site, s.Site),
			})
		}
	}
	if g.Verdict.Level != overview.OK {
		add(step{args: []string{"validate", g.Name, "-n", g.Namespace}, does: "would a failover be refused?"})
		add(step{args: []string{"gather", g.Name, "-n", g.Namespace}, does: "writes a report of both sites to a file"})
	}
	return all[:min(len(all), mostSteps)]
}

// unplanned returns the failover to a copy whose other site is silent. One that only a login, or a permission, keeps from being
// read is not lost.
func unplanned(o overview.Overview, g *overview.Group) (step, bool) {
	if len(o.Sites) != 2 || len(g.Sites) != 2 || g.Operation != nil && g.Operation.Result == "" {
		return step{}, false
	}
	for i, s := range g.Sites {
		lost := o.Sites[1-i]
		if !o.Sites[i].Answered || lost.Answered || lost.Problem != overview.SiteUnreachable || s.State != vgrv1.StateSecondary {
			continue
		}
		accept, does := "unknown", lost.Name+" is given up; how much of its last writes is lost is not known"
		if s.LastSyncTime != nil {
			age := max(0, o.ObservedAt.Sub(s.LastSyncTime.Time))
			accept = (age.Round(time.Second) + time.Minute).String() // enough for the time that reading takes
			does = fmt.Sprintf("%s is given up, with what it wrote after %s", lost.Name, s.LastSyncTime.UTC().Format(time.TimeOnly))
		}
		return step{
			args: []string{"failover", g.Name, "-n", g.Namespace, "--to", s.Site, "--unplanned", "--accept-data-loss", accept},
			does: does, risk: true,
		}, true
	}
	return step{}, false
}

// switches are flags without a value; alone are the commands that need no group, and runs those that do.
var (
	switches = []string{"--abort", "--force", "--discard-journal", "--accept-split-brain", "--unplanned", "--discard-survivor", "--source-is-lost"}
	runs     = []string{"failover", "failback", "promote", "demote", "resync", "reprotect", "validate", "status", "history"}
)

// commandsIn returns the commands for the group in a text of ours, each with the words that follow it. Where one names no
// site there is one for each that answers.
func commandsIn(text string, g *overview.Group, sites []overview.Site) []step {
	var all []step
	for i, part := range strings.Split(text, "kubectl vgr ") {
		if i == 0 {
			continue
		}
		s, ok := commandAt(part, g)
		if !ok {
			continue
		}
		at := slices.Index(s.args, "SITE")
		if at < 0 {
			all = append(all, s)
			continue
		}
		for _, site := range sites {
			if site.Answered {
				with := slices.Clone(s.args)
				if with[at] = cmp.Or(site.Context, site.Name); site.Kubeconfig != "" {
					with[at] = site.Name
				}
				all = append(all, step{args: with, does: s.does, risk: s.risk})
			}
		}
	}
	return all
}

// besides returns what a verdict advises beside the commands that the steps have: all of it, unless they have all its commands.
func besides(text string, o overview.Overview, g *overview.Group) string {
	n := strings.Count(text, "kubectl vgr ")
	if n == 0 || len(commandsIn(text, g, o.Sites)) < n {
		return text
	}
	switch lead, _, _ := strings.Cut(text, "kubectl vgr "); {
	case lead == "", lead == "if its process has ended: ":
		return ""
	case strings.HasSuffix(lead, "; "), strings.HasSuffix(lead, ": ") && !strings.HasPrefix(lead, "if "):
		return lead[:len(lead)-2]
	default:
		return text
	}
}

// commandAt reads a command that a text begins with. It ends with the first word that is neither its group nor a flag.
func commandAt(text string, g *overview.Group) (step, bool) {
	var s step
	named, namespace, value := false, "", false
	rest := text
	for {
		word, after, ok := shellWord(rest)
		if !ok {
			break
		}
		ends := strings.HasSuffix(word, ";") || strings.HasSuffix(word, ",")
		word = strings.TrimRight(word, ";,")
		switch {
		case len(s.args) == 0:
			if !slices.Contains(runs, word) {
				return s, false
			}
		case value:
			value = false
			if s.args[len(s.args)-1] == "-n" {
				namespace = word
			}
		case strings.HasPrefix(word, "-"):
			value = !slices.Contains(switches, word) && !strings.Contains(word, "=")
		case named:
			s.does = strings.TrimRight(strings.TrimSpace(rest), "; ")
			ends, after = true, ""
			word = ""
		default:
			named = word == g.Name
			if !named {
				return s, false
			}
		}
		if word != "" {
			s.args = append(s.args, word)
		}
		if rest = after; ends {
			break
		}
	}
	s.risk = slices.ContainsFunc(s.args, func(w string) bool {
		return slices.Contains([]string{"--unplanned", "--discard-site", "--accept-split-brain", "--force", "resync"}, w)
	})
	return s, named && !value && namespace == g.Namespace
}

// shellWord takes the first word off a command line, without its quotes.
func shellWord(line string) (word, rest string, ok bool) {
	line = strings.TrimLeft(line, " ")
	if line == "" {
		return "", "", false
	}
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ':
			return b.String(), line[i:], true
		case '\'', '"':
			end := strings.IndexByte(line[i+1:], c)
			if end < 0 {
				return b.String() + line[i+1:], "", true
			}
			b.WriteString(line[i+1 : i+1+end])
			i += end + 1
		case '\\':
			if i++; i < len(line) {
				b.WriteByte(line[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", true
}

// shellWords splits a command line.
func shellWords(line string) []string {
	var all []string
	for {
		word, rest, ok := shellWord(line)
		if !ok {
			return all
		}
		all, line = append(all, word), rest
	}
}
