// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"slices"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// flashFor is how long what has changed is marked.
const flashFor = 6 * time.Second

// flashes remember what the groups were like, to mark what changes. Times and ages do not count: they always change.
type flashes struct {
	of map[id]*flash
}

// flash is what the cells of a row said last, and when each changed; zero for never.
type flash struct {
	cells []string
	at    []time.Time
}

// add compares an overview with the one before. What is new on the screen has not changed.
func (f *flashes) add(o overview.Overview) {
	now := o.ObservedAt.Time
	for i := range o.Groups {
		g := &o.Groups[i]
		cells := told(o, g)
		last := f.of[idOf(g)]
		if last == nil || len(last.cells) != len(cells) {
			f.of[idOf(g)] = &flash{cells: cells, at: make([]time.Time, len(cells))}
			continue
		}
		for n := range cells {
			if cells[n] != last.cells[n] && cells[n] != "" && last.cells[n] != "" {
				last.at[n] = now
			}
		}
		last.cells = cells
	}
	if len(f.of) > 2*len(o.Groups) { // groups that are gone
		for known := range f.of {
			if !contains(o, known) {
				delete(f.of, known)
			}
		}
	}
}

// told returns what the row of a group says: of each site, of the PVCs, of the health. What a site that is still being asked
// may tell is empty.
func told(o overview.Overview, g *overview.Group) []string {
	cells := make([]string, 0, len(g.Sites)+2)
	asking := false
	for i, s := range g.Sites {
		if o.Sites[i].Problem == overview.SiteAsking {
			asking, cells = true, append(cells, "")
			continue
		}
		if !o.Sites[i].Answered {
			cells = append(cells, string(o.Sites[i].Problem))
			continue
		}
		cells = append(cells, fmt.Sprint(s.State, s.Desired, s.Exists, s.Current, s.Deleting, s.Guarded, s.Ready.Status))
	}
	if asking {
		return append(cells, "", "")
	}
	confirmed, all := g.Volumes()
	return append(cells, fmt.Sprint(confirmed, all), string(g.Verdict.Phase)+string(g.Verdict.Impact))
}

// change returns what has changed of a group a moment ago; ok is false for nothing.
func (f *flashes) change(g id, now time.Time) (c present.Change, ok bool) {
	last := f.of[g]
	if last == nil {
		return c, false
	}
	marks := make([]bool, len(last.at))
	for n, at := range last.at {
		marks[n] = !at.IsZero() && now.Sub(at) < flashFor
	}
	n := len(marks) - 2
	return present.Change{Sites: marks[:n], PVCs: marks[n], Health: marks[n+1]}, slices.Contains(marks, true)
}

// rowFlashes remember what the PVCs of one group were like, to mark what changes.
type rowFlashes struct {
	of   id
	said map[string]string
	at   map[string]time.Time
}

// add compares the PVCs of a group with what they were. While a site is silent, which is told elsewhere, nothing changes.
func (f *rowFlashes) add(o overview.Overview, g *overview.Group) {
	if f.of != idOf(g) {
		*f = rowFlashes{of: idOf(g), said: map[string]string{}, at: map[string]time.Time{}}
	}
	if slices.ContainsFunc(o.Sites, func(s overview.Site) bool { return !s.Answered }) {
		return
	}
	said := map[string]string{}
	for _, r := range g.Rows() {
		facts := []any{r.Trouble}
		for _, on := range r.On {
			if facts = append(facts, on.Missing, on.Follows); on.Volume != nil {
				facts = append(facts, on.Volume.State)
			}
		}
		said[r.PVC] = fmt.Sprint(facts...)
		if last, known := f.said[r.PVC]; known && last != said[r.PVC] {
			f.at[r.PVC] = o.ObservedAt.Time
		}
	}
	f.said = said
}

// changed returns the PVCs that have changed a moment ago.
func (f *rowFlashes) changed(now time.Time) map[string]bool {
	out := map[string]bool{}
	for pvc, at := range f.at {
		if now.Sub(at) < flashFor {
			out[pvc] = true
		}
	}
	return out
}
