// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// head returns the lines above everything else: the sites with the time, the groups by health, and what is wrong with sites.
func (m *Model) head() []string {
	s := m.opts.Style
	if !m.arrived {
		return []string{s.Strong(present.Clean(m.opts.Title))}
	}
	o := &m.list.all
	sites := make([]string, len(o.Sites))
	for i := range o.Sites {
		sites[i] = m.site(&o.Sites[i])
	}
	lines := []string{m.apart(strings.Join(sites, "   "), o.ObservedAt.UTC().Format("15:04:05")+" UTC")}
	title := m.list.status() + "  " + present.Clean(m.opts.Title)
	if m.opts.ReadOnly {
		title += ", read-only"
	}
	at := ""
	if n := len(m.list.shown.Groups); n > 0 {
		at = fmt.Sprintf("%d/%d", m.list.row+1, n)
	}
	if counts := m.counts(); len(counts) > 0 {
		title = counts + "  " + title
	}
	return append(append(lines, m.apart(title, at)), m.banners()...)
}

// apart puts one text left and one right; the left one gives way.
func (m *Model) apart(left, right string) string {
	room := m.width - ansi.StringWidth(right) - 1
	left = ansi.Truncate(left, max(room, 0), "")
	return left + strings.Repeat(" ", max(m.width-ansi.StringWidth(left)-ansi.StringWidth(right), 0)) + right
}

// counts returns how many groups are how, the worst first; what has no room is counted together.
func (m *Model) counts() string {
	const beside = 16 // for the rest of that, and the position
	text, left := "", len(m.list.all.Groups)
	for i, c := range m.list.all.Counts() {
		next := m.opts.Style.Count(c)
		if i > 0 {
			next = text + "  " + next
		}
		if i > 0 && ansi.StringWidth(next) > m.width-beside {
			return fmt.Sprintf("%s  +%d more", text, left)
		}
		text, left = next, left-c.Groups
	}
	return text
}

// site returns how a site is: silent or not, and the age of the last sign of its controller.
func (m *Model) site(site *overview.Site) string {
	s, name := m.opts.Style, m.opts.Style.Strong(present.Clean(site.Name))
	now := m.list.all.ObservedAt.Time
	switch {
	case site.Problem == overview.SiteAsking:
		return name + " is asked"
	case !site.Answered:
		text := string(site.Problem)
		if last, ok := m.answered[site.Name]; ok {
			text = fmt.Sprintf("silent for %s, last seen %s", duration.HumanDuration(now.Sub(last)), last.UTC().Format(time.TimeOnly))
		} else if last := m.list.remembered(site.Name); !last.IsZero() { // by an earlier command
			form := time.TimeOnly
			if now.Sub(last) > 12*time.Hour {
				form = time.DateTime
			}
			text += ", last seen " + last.UTC().Format(form)
		}
		return name + " " + s.Verdict(overview.Problem, present.Clean(text))
	case site.Controller == nil || site.Controller.RenewedAt == nil:
		return name + " " + s.Verdict(overview.OK, "answers")
	}
	level := overview.OK
	if site.Controller.Silent {
		level = overview.Problem
	}
	if site.ServerTime != nil {
		now = site.ServerTime.Time
	}
	return name + " " + s.Verdict(level, "controller "+duration.HumanDuration(max(0, now.Sub(site.Controller.RenewedAt.Time)))+" ago")
}

// banners say which sites are not live.
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
