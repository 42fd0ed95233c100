// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// FollowEvents calls show with the events of a group and its PVCs, and again when there are others, until its context ends.
type FollowEvents func(ctx context.Context, g overview.Group, show func([]SiteEvents))

// SiteEvents are those of one site.
type SiteEvents struct {
	Site   string
	Events []Event
	// Asked is false as long as the site has not answered.
	Asked bool
	// Message is why they are not known, or not all of them.
	Message string
}

// Event is what a cluster tells of an object.
type Event struct {
	At      time.Time
	Warning bool
	// Object is its kind and name.
	Object, Reason, Message string
	// Count is how often it has happened.
	Count int
}

// events are those of the group in the details. They are asked for as long as their tab is on the screen.
type events struct {
	follow FollowEvents
	of     string // whose they are: the group with its PVCs
	number int    // of what follows: what an older one says comes too late
	stop   context.CancelFunc
	sites  []SiteEvents
	told   int // how often something came
}

type eventsCame struct {
	number int
	sites  []SiteEvents
	more   <-chan eventsCame
}

// want follows the events of a group, or of none.
func (e *events) want(screen context.Context, g *overview.Group) tea.Cmd {
	of := ""
	if g != nil && e.follow != nil {
		of = objects(g)
	}
	if of == e.of {
		return nil
	}
	if e.stop != nil {
		e.stop()
	}
	e.of, e.stop = of, nil
	e.number++
	e.told++
	if of == "" {
		return nil
	}
	e.sites = nil
	ctx, stop := context.WithCancel(screen)
	e.stop = stop
	came := make(chan eventsCame)
	number, follow, group := e.number, e.follow, *g
	go func() {
		defer close(came)
		follow(ctx, group, func(sites []SiteEvents) {
			select {
			case came <- eventsCame{number, sites, came}:
			case <-ctx.Done():
			}
		})
	}()
	return nextEvents(came)
}

// nextEvents waits for the next that comes; there is none when they are no longer followed.
func nextEvents(came <-chan eventsCame) tea.Cmd {
	return func() tea.Msg {
		if msg, ok := <-came; ok {
			return msg
		}
		return nil
	}
}

func (e *events) take(msg eventsCame) tea.Cmd {
	if msg.number == e.number {
		e.sites = msg.sites
		e.told++
	}
	return nextEvents(msg.more)
}

// objects names a group and its PVCs.
func objects(g *overview.Group) string {
	names := []string{g.Namespace, g.Name}
	for _, s := range g.Sites {
		for _, v := range s.Volumes {
			names = append(names, s.Site, v.Name)
		}
	}
	return strings.Join(names, "\x00")
}

// label is how many there are; nothing before the tab was opened.
func (e *events) label() string {
	if len(e.sites) == 0 || e.of == "" {
		return ""
	}
	n := 0
	for _, s := range e.sites {
		n += len(s.Events)
	}
	return strconv.Itoa(n)
}

// lines draws the events of both sites, newest first, below what is not known.
func (e *events) lines(s present.Style, now time.Time) []string {
	var lines []string
	type located struct {
		Event
		site string
	}
	var all []located
	asking := len(e.sites) == 0
	for _, from := range e.sites {
		asking = asking || !from.Asked
		if from.Message != "" {
			lines = append(lines, strings.Split(s.Hang("  ", s.Warn(present.Clean(from.Message))), "\n")...)
		}
		for _, event := range from.Events {
			all = append(all, located{event, from.Site})
		}
	}
	slices.SortStableFunc(all, func(a, b located) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Object, b.Object)) })
	width := 0
	for _, x := range all {
		width = max(width, ansi.StringWidth(present.Clean(x.site)))
	}
	for _, x := range all {
		site := present.Clean(x.site)
		sign := "  "
		if x.Warning {
			sign = s.Sign(overview.Warning) + " "
		}
		age := duration.HumanDuration(max(0, now.Sub(x.At)))
		lead := fmt.Sprintf("  %s  %5s  %s%s  %s", x.At.UTC().Format(time.TimeOnly), age, site, strings.Repeat(" ", width-ansi.StringWidth(site)), sign)
		what := present.Clean(x.Object) + " " + s.Strong(present.Clean(x.Reason))
		if x.Count > 1 {
			what += fmt.Sprintf(" (%d times)", x.Count)
		}
		lines = append(lines, strings.Split(s.Hang(lead, what+": "+present.Clean(x.Message)), "\n")...)
	}
	switch {
	case e.follow == nil:
		lines = append(lines, "  no events are asked for here")
	case asking && len(all) == 0:
		lines = append(lines, "  asking the sites")
	case len(all) == 0 && len(lines) == 0:
		lines = append(lines, "  The sites keep no events of the group and its PVCs. Kubernetes keeps them for an hour, unless the cluster was told otherwise.")
	}
	return lines
}
