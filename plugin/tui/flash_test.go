// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// TestFlash: what has changed of a group is marked for a while, also without colours; what is new, or only grows older, is not.
func TestFlash(t *testing.T) {
	at := func(after time.Duration, change func(*overview.Group), west overview.Site, names ...string) overview.Overview {
		o := picture(now, west, names...)
		o.ObservedAt.Time = now.Add(after)
		for i := range o.Groups {
			if change != nil && o.Groups[i].Name == "b" {
				change(&o.Groups[i])
			}
		}
		return o
	}
	demoted := func(g *overview.Group) { g.Sites[0].Desired = vgrv1.Secondary }
	older := func(g *overview.Group) { g.LagSeconds = new(*g.LagSeconds + 600) }
	sick := func(g *overview.Group) { g.Verdict.Phase = overview.Degraded }
	first := at(0, nil, live, "a", "b")
	for name, tc := range map[string]struct {
		pictures []overview.Overview
		marked   []string // the groups
		cells    []string // in reverse video
	}{
		"nothing":              {[]overview.Overview{first, at(time.Second, nil, live, "a", "b")}, nil, nil},
		"only a lag":           {[]overview.Overview{first, at(time.Second, older, live, "a", "b")}, nil, nil},
		"what a site is asked": {[]overview.Overview{first, at(time.Second, demoted, live, "a", "b")}, []string{"b"}, []string{"Primary->secondary"}},
		"the health":           {[]overview.Overview{first, at(time.Second, sick, live, "a", "b")}, []string{"b"}, []string{"+ Degraded"}},
		"and after a moment":   {[]overview.Overview{first, at(time.Second, sick, live, "a", "b"), at(8*time.Second, sick, live, "a", "b")}, nil, nil},
		"one that is new":      {[]overview.Overview{at(0, nil, live, "a"), at(time.Second, nil, live, "a", "b")}, nil, nil},
		"a site answers":       {[]overview.Overview{at(0, nil, asked, "a", "b"), at(time.Second, nil, live, "a", "b")}, nil, nil},
		"a site is silent":     {[]overview.Overview{first, at(time.Second, nil, lost, "a", "b")}, []string{"a", "b"}, []string{"Unreachable", "x Unprotected, Unreachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			msgs := []any{tea.WindowSizeMsg{Width: 120, Height: 30}, "s"}
			for _, o := range tc.pictures {
				msgs = append(msgs, o)
			}
			frame := content(screen(t, tui.Options{Title: "x"}, msgs...))
			var marked, cells []string
			for line := range strings.SplitSeq(frame, "\n") {
				if len(line) > 3 && strings.HasPrefix(strings.TrimPrefix(line, "\x1b[7m")[1:], "~") {
					marked = append(marked, strings.Fields(strings.TrimLeft(strings.TrimPrefix(line, "\x1b[7m"), ">~ "))[0])
				}
				if strings.HasPrefix(line, "\x1b[7m") {
					continue // the cursor
				}
				for _, part := range strings.Split(line, "\x1b[7m")[1:] {
					cell, _, _ := strings.Cut(part, "\x1b[0m")
					cells = append(cells, cell)
				}
			}
			if !slices.Equal(marked, tc.marked) || !slices.Equal(cells, tc.cells) {
				t.Errorf("marked %q and %q, want %q and %q:\n%s", marked, cells, tc.marked, tc.cells, frame)
			}
		})
	}
}

// TestCounts: what has no room in the line of counts is counted together, and not cut.
func TestCounts(t *testing.T) {
	o := picture(now, live, "a", "b", "c", "d", "e", "f")
	for i, phase := range []overview.Phase{overview.SplitBrain, overview.Failed, overview.Degraded, overview.Terminating, overview.Resyncing, overview.Lagging} {
		o.Groups[i].Verdict = overview.Verdict{Level: overview.Problem, Phase: phase}
	}
	for width, want := range map[int]string{80: "  +2 more  ", 200: "1 Lagging  6 groups"} {
		line := strings.Split(content(screen(t, tui.Options{Title: "x"}, tea.WindowSizeMsg{Width: width, Height: 24}, o)), "\n")[1]
		if !strings.Contains(line, want) {
			t.Errorf("at %d columns: %q, want %q", width, line, want)
		}
	}
}

// TestFlashOfPVC: the PVC that has changed is marked for a while; one that is new, or of another group, is not.
func TestFlashOfPVC(t *testing.T) {
	at := func(after time.Duration, change func(*overview.Group)) overview.Overview {
		o := tenPVCs(now, live)
		o.ObservedAt.Time = now.Add(after)
		if change != nil {
			change(&o.Groups[0])
		}
		return o
	}
	promoted := func(g *overview.Group) {
		v := slices.Clone(g.Sites[1].Volumes)
		v[2].State = vgrv1.StatePrimary
		g.Sites[1].Volumes = v
	}
	fewer := func(g *overview.Group) {
		for i := range g.Sites {
			g.Sites[i].Volumes = g.Sites[i].Volumes[1:]
		}
	}
	for name, tc := range map[string]struct {
		pictures []overview.Overview
		marked   int
	}{
		"nothing":            {[]overview.Overview{at(0, nil), at(time.Second, nil)}, 0},
		"a role":             {[]overview.Overview{at(0, nil), at(time.Second, promoted)}, 1},
		"and after a moment": {[]overview.Overview{at(0, nil), at(time.Second, promoted), at(8*time.Second, promoted)}, 0},
		"one that is new":    {[]overview.Overview{at(0, fewer), at(time.Second, nil)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			msgs := []any{tea.WindowSizeMsg{Width: 120, Height: 40}}
			for _, o := range tc.pictures {
				msgs = append(msgs, o)
			}
			frame := content(screen(t, tui.Options{Title: "x"}, msgs...))
			_, rows, _ := strings.Cut(frame, "LAST SYNC")
			_, rows, _ = strings.Cut(rows, "PVC ")
			if n := strings.Count(rows, "\x1b[7m"); n != tc.marked {
				t.Errorf("%d marked, want %d:\n%s", n, tc.marked, frame)
			}
		})
	}
}
