// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

const (
	// settle is how long a group must be shown until its events are asked for: a cursor that moves asks nothing.
	settle = 300 * time.Millisecond
	// eventsEvery is how often they are asked for while they are shown.
	eventsEvery = 3 * time.Second
	// eventPage is how many come with one answer, and eventPages how many answers there are: a namespace may have very many.
	eventPage, eventPages = 500, 4
	// mostEvents bounds what is kept of a site: the newest.
	mostEvents = 200
)

// eventSource is a site of which events are read.
type eventSource struct {
	name    string
	client  func() (client.Reader, error)
	explain func(error) (overview.SiteProblem, string)
}

func eventSources(sites []*site.Site) []eventSource {
	var all []eventSource
	for _, s := range sites {
		all = append(all, eventSource{s.Name, func() (client.Reader, error) { return s.Client() }, func(err error) (overview.SiteProblem, string) { return collect.Explain(s, err) }})
	}
	return all
}

// followEvents returns what follows the events of a group. Each site is asked on its own: a silent one delays no other. One
// that refuses is not asked again.
func followEvents(sources []eventSource, c clock.Clock) tui.FollowEvents {
	return func(ctx context.Context, g overview.Group, show func([]tui.SiteEvents)) {
		select {
		case <-ctx.Done():
			return
		case <-c.After(settle):
		}
		var mu sync.Mutex
		var all sync.WaitGroup
		known := make([]tui.SiteEvents, len(sources))
		for i, s := range sources {
			known[i].Site = s.name
			all.Go(func() {
				for again := true; again; {
					var now tui.SiteEvents
					now, again = s.read(ctx, g)
					if ctx.Err() != nil {
						return
					}
					mu.Lock()
					known[i] = now
					show(slices.Clone(known))
					mu.Unlock()
					select {
					case <-ctx.Done():
						return
					case <-c.After(eventsEvery):
					}
				}
			})
		}
		all.Wait()
	}
}

// read returns the events of a group and its PVCs on a site, and whether it is worth asking again.
func (s eventSource) read(ctx context.Context, g overview.Group) (out tui.SiteEvents, again bool) {
	out = tui.SiteEvents{Site: s.name, Asked: true}
	c, err := s.client()
	if err == nil {
		out.Events, out.Message, err = s.list(ctx, c, g)
	}
	if err == nil {
		return out, true
	}
	problem, message := s.explain(err)
	out.Message = fmt.Sprintf("cannot list events on %s: %s", s.name, message)
	return out, problem != overview.SiteForbidden
}

const claim = "PersistentVolumeClaim"

// list reads the events of the objects that are called as the group, and of its PVCs.
func (s eventSource) list(ctx context.Context, c client.Reader, g overview.Group) (events []tui.Event, message string, err error) {
	pvcs := map[string]bool{}
	for _, gs := range g.Sites {
		for _, v := range gs.Volumes {
			pvcs[v.Name] = true
		}
	}
	found := map[types.UID]corev1.Event{}
	for _, selected := range []client.MatchingFields{{"involvedObject.name": g.Name}, {"involvedObject.kind": claim}} {
		opts := &client.ListOptions{Namespace: g.Namespace, Limit: eventPage}
		selected.ApplyToList(opts)
		for page := 0; ; page++ {
			if page == eventPages {
				message = fmt.Sprintf("%s has more than %d events of PVCs in the namespace: some are not shown", s.name, eventPage*eventPages)
				break
			}
			var list corev1.EventList
			if err := c.List(ctx, &list, opts); err != nil {
				return nil, "", err
			}
			for i := range list.Items {
				if e := &list.Items[i]; e.InvolvedObject.Kind != claim || pvcs[e.InvolvedObject.Name] {
					found[e.UID] = *e
				}
			}
			if opts.Continue = list.Continue; opts.Continue == "" {
				break
			}
		}
	}
	for _, e := range found {
		events = append(events, told(&e))
	}
	slices.SortFunc(events, func(a, b tui.Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	return events[:min(len(events), mostEvents)], message, nil
}

// told returns an event for the screen; it happened last when its series, or it, was last seen.
func told(e *corev1.Event) tui.Event {
	kind := e.InvolvedObject.Kind
	if kind == claim {
		kind = "PVC"
	}
	out := tui.Event{
		At: e.CreationTimestamp.Time, Warning: e.Type == corev1.EventTypeWarning, Object: kind + "/" + e.InvolvedObject.Name,
		Reason: e.Reason, Message: e.Message, Count: int(e.Count),
	}
	switch {
	case e.Series != nil:
		out.At, out.Count = e.Series.LastObservedTime.Time, int(e.Series.Count)
	case !e.LastTimestamp.IsZero():
		out.At = e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		out.At = e.EventTime.Time
	}
	return out
}
