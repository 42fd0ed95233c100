// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"slices"
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// TestCommandsIn: what a verdict says can be run as it is said, for its own group alone.
func TestCommandsIn(t *testing.T) {
	g := &overview.Group{Namespace: "prod", Name: "db"}
	sites := []overview.Site{{Name: "e", Context: "east", Answered: true}, {Name: "west", Answered: true}, {Name: "lost", Context: "lost"}}
	for text, want := range map[string][]string{
		"": nil,
		"kubectl vgr failback db -n prod --to east --discard-site east discards the writes that only it has, and moves the role back; kubectl vgr reprotect db -n prod --discard-site east leaves the role where it is": {
			"failback|db|-n|prod|--to|east|--discard-site|east = discards the writes that only it has, and moves the role back",
			"reprotect|db|-n|prod|--discard-site|east = leaves the role where it is",
		},
		"kubectl vgr promote db -n prod --context SITE":                        {"promote|db|-n|prod|--context|east = ", "promote|db|-n|prod|--context|west = "},
		"if its process has ended: kubectl vgr failover db -n prod --to 'a b'": {"failover|db|-n|prod|--to|a b = "},
		"kubectl vgr demote db -n prod --context east ends the resync":         {"demote|db|-n|prod|--context|east = ends the resync"},
		"kubectl vgr failover db -n prod --abort, or wait":                     {"failover|db|-n|prod|--abort = "},
		"kubectl vgr failover other -n prod --to east":                         nil,
		"kubectl vgr failover db -n elsewhere --to east":                       nil,
		"kubectl vgr failover db --to east":                                    nil,
		"kubectl vgr failover db -n prod --to":                                 nil,
		"kubectl vgr install --context west updates it":                        nil,
		"kubectl vgr create db -n prod with --peer-context again":              nil,
	} {
		var got []string
		for _, s := range commandsIn(text, g, sites) {
			got = append(got, strings.Join(s.args, "|")+" = "+s.does)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestBesides: what the steps have is not said a second time; what they do not have is.
func TestBesides(t *testing.T) {
	g := &overview.Group{Namespace: "prod", Name: "db"}
	for text, want := range map[string]string{
		"kubectl vgr demote db -n prod":                 "",
		"kubectl vgr install --context east updates it": "kubectl vgr install --context east updates it",
		"stop what runs on west; kubectl vgr failback db -n prod --to west moves it back; kubectl vgr reprotect db -n prod --discard-site west": "stop what runs on west",
		"stop what runs on west; kubectl vgr create db -n prod with --peer-context":                                                             "stop what runs on west; kubectl vgr create db -n prod with --peer-context",
		"stop it; kubectl vgr demote db -n prod; kubectl vgr create db -n prod again":                                                           "stop it; kubectl vgr demote db -n prod; kubectl vgr create db -n prod again",
		"if west is lost: kubectl vgr demote db -n prod":                                                                                        "if west is lost: kubectl vgr demote db -n prod",
		"label the PVCs alike": "label the PVCs alike",
		"decide whose data to keep: kubectl vgr reprotect db -n prod --discard-site east discards it; kubectl vgr reprotect db -n prod --discard-site west discards that": "decide whose data to keep",
	} {
		if got := besides(text, overview.Overview{}, g); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestShellWords: a command is read as a shell reads it.
func TestShellWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                   nil,
		"  sync  a ":         {"sync", "a"},
		`x 'a b' "c d" e\ f`: {"x", "a b", "c d", "e f"},
		`--to='my site' ''`:  {"--to=my site", ""},
		`open 'quote`:        {"open", "quote"},
		`trailing\`:          {"trailing"},
	} {
		if got := shellWords(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestConsoleIsBounded: what a command says without end, or without the end of a line, takes no more memory.
func TestConsoleIsBounded(t *testing.T) {
	var c console
	for range 100 {
		c.add(strings.Repeat("x", 10_000))
	}
	if n := len(c.text[0]); n > mostOfLine+3 {
		t.Errorf("a line of %d bytes", n)
	}
	for range 10 * mostLines {
		c.add("line\n")
	}
	if n := len(c.text); n > mostLines {
		t.Errorf("%d lines", n)
	}
}
