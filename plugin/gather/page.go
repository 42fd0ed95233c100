// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// How much a page shows, so that a browser opens it; the files beside it have everything.
const (
	maxDetails = 200
	maxRows    = 2000
	maxEvents  = 500
	maxBars    = 60
)

//go:embed page.html
var pageText string

// page is what the template draws.
type page struct {
	Report
	// Details are groups in full, the worst first, Rows all groups in one line each.
	Details, Rows []overview.Group
	Hidden        int
	Problems      int
	Bars          []bar
	Happened      []Event
	MoreEvents    int
	Operations    []operation
}

// operation is one failover of a group.
type operation struct {
	Group string
	recovery.Operation
}

// bar is the lag of one group against its schedule: a lag of three schedules fills it.
type bar struct {
	Group         string
	Level         overview.Level
	Width         int
	Lag, Schedule string
}

// HTML draws the page. It is one file that asks for no other and runs nothing.
func HTML(w io.Writer, r Report) error {
	groups := worstFirst(r.Overview.Groups)
	p := page{Report: r, Details: groups[:min(len(groups), maxDetails)], Rows: groups[:min(len(groups), maxRows)], Bars: bars(groups)}
	p.Hidden = len(groups) - len(p.Rows)
	events := r.Events()
	p.Happened = events[:min(len(events), maxEvents)]
	p.MoreEvents = len(events) - len(p.Happened)
	for _, g := range groups {
		if g.Verdict.Level == overview.Problem {
			p.Problems++
		}
		operations, err := g.Timeline()
		if err != nil {
			continue // the verdict says what is wrong with the journal
		}
		for _, op := range operations {
			p.Operations = append(p.Operations, operation{g.Namespace + "/" + g.Name, op})
		}
	}
	parsed, err := template.New(Page).Funcs(template.FuncMap{
		"text": func(v any) string { return present.Clean(Text(fmt.Sprint(v))) },
		"icon": func(v overview.Verdict) string { return present.Style{Unicode: true}.Icon(v) },
		"time": present.Stamp,
		"loss": func(op operation) string { return present.Loss(op.Operation) },
		"took": func(s recovery.StepTimes) string {
			if s.Finished == nil {
				return "not finished"
			}
			return s.Finished.Sub(s.Started.Time).Round(100 * time.Millisecond).String()
		},
		"lag": func(g overview.Group) string { return present.Span(g.LagSeconds) },
		"add": func(a, b int) int { return a + b },
		"mul": func(a, b int) int { return a * b },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, p); err != nil {
		return err
	}
	_, err = io.WriteString(w, present.Visible(text.String()))
	return err
}

// bars returns of the groups whose lag and schedule are known; nothing is drawn of others.
func bars(groups []overview.Group) []bar {
	var out []bar
	for _, g := range groups {
		if g.LagSeconds == nil || g.ScheduleSeconds == nil || *g.ScheduleSeconds <= 0 || len(out) == maxBars {
			continue
		}
		lag, schedule := *g.LagSeconds, *g.ScheduleSeconds
		b := bar{Group: g.Namespace + "/" + g.Name, Lag: present.Span(&lag), Schedule: present.Span(&schedule)}
		b.Level = g.Lateness()
		b.Width = int(min(300, max(0, lag)*100/schedule))
		out = append(out, b)
	}
	return out
}
