// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package gather writes down what both sites know, for a reader without access to them: objects, events, logs,
// and one page that shows them. Secrets are never read, and what looks like one is taken out.
package gather

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// Report is all that was gathered.
type Report struct {
	// At is when it was begun, by the clock of this machine.
	At       time.Time
	Plugin   string
	Overview overview.Overview
	// Sites are in the order of the overview's.
	Sites []Site
}

// Site is what one site has told.
type Site struct {
	Name string
	// Server and Controller are versions, or why they are not known.
	Server, Controller string
	Kinds              []Kind
	Logs               []Log
}

// Kind is a list of one kind of object.
type Kind struct {
	// Name is the resource with its group, as kubectl takes it.
	Name    string
	Objects []unstructured.Unstructured
	// Missing is why there are none, or not all; empty when the list is complete.
	Missing string
}

// Log is what one container of the controller has written last.
type Log struct {
	Name    string
	Text    string
	Missing string
}

// Event is one event of a site.
type Event struct {
	Site    string
	At      time.Time
	Type    string
	Reason  string
	Object  string
	Message string
	Count   int64
}

// Missing lists what could not be had, each on one line.
func (s Site) Missing() []string {
	var out []string
	for _, k := range s.Kinds {
		if k.Missing != "" {
			out = append(out, present.Clean(k.Name+": "+k.Missing))
		}
	}
	for _, l := range s.Logs {
		if l.Missing != "" {
			out = append(out, present.Clean("log "+l.Name+": "+l.Missing))
		}
	}
	return out
}

// Count returns how many objects there are.
func (s Site) Count() int {
	n := 0
	for _, k := range s.Kinds {
		n += len(k.Objects)
	}
	return n
}

// Events returns those of all sites, newest first, by the clocks of the sites.
func (r Report) Events() []Event {
	var out []Event
	for _, s := range r.Sites {
		for _, k := range s.Kinds {
			if k.Name != "events" {
				continue
			}
			for i := range k.Objects {
				out = append(out, event(s.Name, k.Objects[i].Object))
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Event) int { return b.At.Compare(a.At) })
	return out
}

func event(site string, o map[string]any) Event {
	text := func(path ...string) string {
		value, _, _ := unstructured.NestedString(o, path...)
		return value
	}
	e := Event{
		Site: site, Type: text("type"), Reason: text("reason"), Message: text("message"),
		Object: text("involvedObject", "kind") + "/" + text("involvedObject", "name"),
	}
	e.Count, _, _ = unstructured.NestedInt64(o, "count")
	for _, at := range []string{text("series", "lastObservedTime"), text("lastTimestamp"), text("eventTime"), text("metadata", "creationTimestamp")} {
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
			e.At = t
			break
		}
	}
	return e
}

// worstFirst orders groups by how urgent they are.
func worstFirst(groups []overview.Group) []overview.Group {
	out := slices.Clone(groups)
	slices.SortStableFunc(out, func(a, b overview.Group) int { return a.Verdict.Compare(b.Verdict) })
	return out
}
