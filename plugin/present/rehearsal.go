// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
)

// Rehearsal tells a rehearsal with what it recovered.
func Rehearsal(w io.Writer, s Style, site string, r rehearsal.Record, now time.Time) {
	fmt.Fprintf(w, "%s  rehearsal %s on %s  %s  by %s\n", r.Started.UTC().Format(time.RFC3339), Clean(r.ID), Clean(site), Clean(cmp.Or(string(r.Result), "no result")), Clean(r.By))
	if r.Message != "" {
		fmt.Fprintln(w, s.wrap("  ", Clean(r.Message)))
	}
	if r.Ended == nil {
		fmt.Fprintln(w, s.wrap("  ", Clean(Kept(&r, now))))
	}
	for _, v := range r.Volumes {
		if v.Copied == nil {
			continue
		}
		what := "data of an unknown time before " + v.Copied.UTC().Format(time.RFC3339)
		if v.Point != nil && v.AgeSeconds != nil {
			what = fmt.Sprintf("data of %s, %s old then", v.Point.UTC().Format(time.RFC3339), duration.HumanDuration(time.Duration(*v.AgeSeconds)*time.Second))
		}
		fmt.Fprintf(w, "    %s: %s, %s\n", Clean(v.PVC), what, resource.NewQuantity(v.Bytes, resource.BinarySI))
	}
	if c := r.Check; c != nil {
		result := "failed"
		if c.Passed {
			result = "passed"
		}
		fmt.Fprintf(w, "  check %s %s\n", Clean(c.Job), result)
		for line := range strings.SplitSeq(strings.TrimSpace(c.Log), "\n") {
			if line != "" {
				fmt.Fprintf(w, "    | %s\n", Clean(line))
			}
		}
	}
	for _, step := range r.Steps {
		took := "not finished"
		if d, ok := r.Took(step.ID); ok {
			took = d.Round(100 * time.Millisecond).String()
		}
		fmt.Fprintf(w, "  %-12s  %s  %s\n", Clean(string(step.ID)), step.Started.UTC().Format("15:04:05.0"), took)
	}
}

// Kept says what is still there of a rehearsal.
func Kept(r *rehearsal.Record, now time.Time) string {
	text := r.State(now)
	switch {
	case r.Kept() && r.Expired(now):
		text += " at " + r.KeptUntil.UTC().Format(time.RFC3339)
	case r.Kept():
		text += " until " + r.KeptUntil.UTC().Format(time.RFC3339)
	}
	return text + ", in namespace " + r.Namespace
}

// rehearsals writes what is known of the group's last rehearsal.
func (s Style) rehearsals(b *strings.Builder, o overview.Overview, g overview.Group) {
	if r := g.Rehearsal; r != nil {
		fmt.Fprintln(b, s.wrap("  ", Clean(lastRehearsal(r, g))))
	}
	for _, at := range o.Sites { // of one that does not answer this is said already
		if at.Answered && slices.Contains(g.RehearsalsUnread, at.Name) {
			fmt.Fprintln(b, s.wrap("  ", Clean("the rehearsals on "+at.Name+" cannot be read")))
		}
	}
}

// lastRehearsal is a line of a group's status.
func lastRehearsal(r *overview.Rehearsal, g overview.Group) string {
	text := fmt.Sprintf("last rehearsal %s: on %s, %s, begun %s by %s", r.ID, r.Site, cmp.Or(string(r.Result), r.State), r.Started.UTC().Format(time.RFC3339), r.By)
	if r.AgeSeconds != nil {
		text += fmt.Sprintf("; the oldest data was %s old", duration.HumanDuration(time.Duration(*r.AgeSeconds)*time.Second))
	}
	if r.Namespace == "" {
		return text
	}
	if r.Result != "" || r.Expired {
		text += "; " + r.State
	}
	if r.KeptUntil != nil && r.Result != "" {
		word := " until "
		if r.Expired {
			word = " at "
		}
		text += word + r.KeptUntil.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s, in namespace %s: kubectl vgr rehearse end %s -n %s", text, r.Namespace, g.Name, g.Namespace)
}

// rehearsed is the cell of a group's last rehearsal: how it went, when, and how old the data was. "never" is said only where
// both sites have told.
func rehearsed(o overview.Overview, g *overview.Group) string {
	r := g.Rehearsal
	switch {
	case r == nil && g.ManagedBy != "":
		return "-"
	case r == nil && len(g.RehearsalsUnread) > 0:
		return "unknown"
	case r == nil:
		return "never"
	}
	text := fmt.Sprintf("%s %s ago", cmp.Or(string(r.Result), "begun"), duration.HumanDuration(max(0, o.ObservedAt.Sub(r.Started.Time))))
	if r.AgeSeconds != nil {
		text += ", data " + duration.HumanDuration(time.Duration(*r.AgeSeconds)*time.Second) + " old"
	}
	if r.Namespace != "" {
		text += ", " + r.State
	}
	return text
}
