// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

const (
	// lagEvery is how far apart two points of a curve are, and lagPoints how many it has: ten minutes.
	lagEvery  = 10 * time.Second
	lagPoints = 60
)

// lags remember how far groups were behind since the screen was opened. A point is the worst of
// its time; a time in which the lag was not known is one, too.
type lags struct {
	began time.Time
	of    map[id][]*int64
}

func (l *lags) add(o overview.Overview) {
	now := o.ObservedAt.Time
	next := l.began.IsZero() || now.Sub(l.began) >= lagEvery
	if next {
		l.began = now
	}
	for i := range o.Groups {
		g := &o.Groups[i]
		points := l.of[idOf(g)]
		switch {
		case next || len(points) == 0:
			points = append(points, g.LagSeconds)
			points = points[max(0, len(points)-lagPoints):]
		case worse(g.LagSeconds, points[len(points)-1]):
			points[len(points)-1] = g.LagSeconds
		}
		l.of[idOf(g)] = points
	}
	if next && len(l.of) > 2*len(o.Groups) { // groups that are gone
		for known := range l.of {
			if !contains(o, known) {
				delete(l.of, known)
			}
		}
	}
}

func contains(o overview.Overview, g id) bool {
	for i := range o.Groups {
		if idOf(&o.Groups[i]) == g {
			return true
		}
	}
	return false
}

// worse reports whether a lag is further behind than another; an unknown one is.
func worse(a, b *int64) bool { return b != nil && (a == nil || *a > *b) }
