// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// LagBar shows the lag of a group against its schedule: the bar is three schedules long, which is
// where a lag is a problem.
func LagBar(s Style, g overview.Group) string {
	switch {
	case g.LagSeconds == nil:
		return "lag unknown"
	case g.ScheduleSeconds == nil || *g.ScheduleSeconds == 0:
		return fmt.Sprintf("lag %s, schedule unknown", duration.HumanDuration(time.Duration(*g.LagSeconds)*time.Second))
	}
	cells := int64(30)
	if s.Width > 0 && s.Width < twoWords {
		cells = 10
	}
	lag, schedule := *g.LagSeconds, *g.ScheduleSeconds
	full := int(min(cells, lag*cells/(3*schedule)))
	on, off := "#", "."
	if s.Unicode {
		on, off = "█", "░"
	}
	bar := s.level(g.Lateness(), strings.Repeat(on, full)) + s.paint(grey, strings.Repeat(off, int(cells)-full))
	return fmt.Sprintf("lag %s %s of %s", bar, duration.HumanDuration(time.Duration(lag)*time.Second), duration.HumanDuration(3*time.Duration(schedule)*time.Second))
}

// LagCurve draws lags over time, newest right; the highest one fills its cell. One that was not
// known is a question mark.
func LagCurve(s Style, points []*int64) string {
	levels := []rune("_.-=*#")
	if s.Unicode {
		levels = []rune("▁▂▃▄▅▆▇█")
	}
	var highest int64
	for _, p := range points {
		if p != nil {
			highest = max(highest, *p)
		}
	}
	var b strings.Builder
	for _, p := range points {
		switch {
		case p == nil:
			b.WriteByte('?')
		case highest == 0:
			b.WriteRune(levels[0])
		default:
			b.WriteRune(levels[int(*p*int64(len(levels)-1)/highest)])
		}
	}
	return b.String()
}
