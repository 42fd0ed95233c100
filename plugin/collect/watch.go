// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

const (
	// coalesce is how long changes are gathered before they are shown.
	coalesce = 200 * time.Millisecond
	// share bounds what pictures cost: after one, that many times as long nothing is drawn.
	share = 4
	// refresh makes ages move on although nothing changed.
	refresh = time.Second
	// reconnect is the pause before a site that failed is asked again.
	reconnect = 2 * time.Second
	// pulse is how often a watched site is asked something small: a watch that is silent may be
	// dead, and what it showed last would pass for live.
	heartbeat = 5 * time.Second
)

// Watch calls show with the present overview, and again whenever something changed and once a
// second, until the context ends or show returns an error. A site that is lost is shown as such
// and asked again.
func Watch(ctx context.Context, sites []*site.Site, q Query, c clock.WithTicker, show func(overview.Overview) error) error {
	f, stop := Follow(ctx, sites, q, c, nil)
	defer stop()
	return f.Show(ctx, show)
}

// Show calls show as Watch does, at once if a site has said something already.
func (f *Follower) Show(ctx context.Context, show func(overview.Overview) error) error {
	tick := f.clock.NewTicker(refresh)
	defer tick.Stop()
	var builder overview.Builder
	busy := time.Duration(0)
	for anything := f.anything(); ; anything = true {
		if anything {
			began := f.clock.Now()
			if err := show(builder.Build(f.Inputs(), began)); err != nil {
				return err
			}
			busy = f.clock.Since(began)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.ticks(tick, anything):
		case <-f.changed:
			select { // more is likely to come
			case <-ctx.Done():
				return ctx.Err()
			case <-f.clock.After(max(coalesce, share*busy)):
			}
		}
	}
}

// anything reports whether a site has said something.
func (f *Follower) anything() bool {
	return slices.ContainsFunc(f.Inputs(), func(in overview.SiteInput) bool { return in.Problem != overview.SiteAsking })
}

// First waits until every site has said something, or for no longer than that once one has. It returns what is
// known then: of very many groups, the first ones.
func (f *Follower) First(ctx context.Context, patience time.Duration) []overview.SiteInput {
	late := f.clock.After(patience)
	for waited := false; ; {
		inputs := f.Inputs()
		silent, heard := false, false
		for _, in := range inputs {
			asking := in.Problem == overview.SiteAsking
			silent, heard = silent || asking && len(in.Groups) == 0, heard || in.Answered || asking && len(in.Groups) > 0
		}
		if !silent || waited && heard {
			return inputs
		}
		select {
		case <-ctx.Done():
			return inputs
		case <-late:
			waited = true
		case <-f.changed:
		}
	}
}

// Asking returns a site that has not answered yet.
func Asking(s *site.Site) overview.SiteInput {
	in := overview.SiteInput{Site: named(s)}
	in.Problem, in.Message = overview.SiteAsking, "has not answered yet"
	return in
}

// Follow keeps what is known of the groups of some sites up to date until it is stopped. It begins
// with what is known already, which may be nil. Each site is followed on its own.
func Follow(ctx context.Context, sites []*site.Site, q Query, c clock.WithTicker, known []overview.SiteInput) (f *Follower, stop func()) {
	if known == nil {
		for _, s := range sites {
			known = append(known, Asking(s))
		}
	}
	ctx, cancel := context.WithCancel(site.Quietly(ctx))
	f = &Follower{sites: sites, query: q, clock: c, known: make([]siteKnown, len(known)), others: make([]others, len(known)), changed: make(chan struct{}, 1)}
	for i, in := range known {
		f.known[i].replace(in)
	}
	var followed sync.WaitGroup
	for i := range sites {
		followed.Go(func() { f.follow(ctx, i, known[i]) })
	}
	if q.Native != nil {
		followed.Go(func() { f.followOthers(ctx) })
	}
	return f, func() {
		cancel()
		followed.Wait()
	}
}

// ticks returns those of the ticker once a site has answered: before, there is nothing to redraw.
func (f *Follower) ticks(tick clock.Ticker, anything bool) <-chan time.Time {
	if !anything {
		return nil
	}
	return tick.C()
}

// Follower holds what is known of the groups of some sites.
type Follower struct {
	sites   []*site.Site
	query   Query
	clock   clock.WithTicker
	changed chan struct{}

	mu    sync.Mutex
	known []siteKnown
	// others are the groups of others, where they are wanted.
	others []others
}

// siteKnown is what is known of one site. Changes go to the index; the list of groups in the input
// is made anew on demand, and never changed afterwards.
type siteKnown struct {
	input  overview.SiteInput
	groups map[types.NamespacedName]*vgrv1.VolumeGroupReplication
	listed bool
}

// replace replaces everything.
func (k *siteKnown) replace(in overview.SiteInput) {
	k.input, k.listed = in, true
	k.groups = make(map[types.NamespacedName]*vgrv1.VolumeGroupReplication, len(in.Groups))
	for i := range in.Groups {
		k.groups[client.ObjectKeyFromObject(&in.Groups[i])] = &in.Groups[i]
	}
}

// list returns the input as it is now.
func (k *siteKnown) list() overview.SiteInput {
	if !k.listed {
		sorted := slices.SortedFunc(maps.Values(k.groups), overview.Compare)
		k.input.Groups, k.listed = make([]vgrv1.VolumeGroupReplication, 0, len(sorted)), true
		for _, g := range sorted {
			k.input.Groups = append(k.input.Groups, *g)
		}
	}
	return k.input
}

// Changed receives whenever something may have changed.
func (f *Follower) Changed() <-chan struct{} { return f.changed }

// Inputs returns what is known now, with the clocks of the clusters moved on.
func (f *Follower) Inputs() []overview.SiteInput {
	inputs := f.own()
	if n := f.query.Native; n != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		for i := range inputs {
			inputs[i] = f.others[i].with(inputs[i], n)
		}
	}
	return inputs
}

// own returns what is known of the groups of ours.
func (f *Follower) own() []overview.SiteInput {
	f.mu.Lock()
	defer f.mu.Unlock()
	inputs := make([]overview.SiteInput, len(f.known))
	for i := range inputs {
		inputs[i] = f.known[i].list()
		if inputs[i].ServerTime != nil { // it has gone on since the site was asked
			inputs[i].ServerTime = new(metav1.NewTime(f.sites[i].Now()))
		}
	}
	return inputs
}

// follow keeps one site's input up to date: list, watch, and again. What is known already need not be listed.
func (f *Follower) follow(ctx context.Context, i int, in overview.SiteInput) {
	for ctx.Err() == nil {
		if in.Version == "" {
			if in = one(ctx, f.sites[i], f.query, f.early(i)); ctx.Err() != nil {
				return
			}
			f.set(i, in)
		}
		if in.Answered {
			began := f.clock.Now()
			problem, message := f.watch(ctx, i, in.Version)
			if ctx.Err() != nil {
				return
			}
			in.Version = ""
			if problem == "" && f.clock.Since(began) >= reconnect {
				continue // the server ended the watch, as it does now and then
			}
			if problem != "" { // what it said is not live any more, and not what it said last either
				in.Answered, in.Problem, in.Message, in.Groups, in.Controller = false, problem, message, nil, nil
				f.set(i, in)
			}
		}
		select {
		case <-ctx.Done():
		case <-f.clock.After(reconnect):
		}
	}
}

// early takes in what a site has told before it has told all, when that is wanted and nothing else is known: not
// even that it did not answer.
func (f *Follower) early(i int) func(overview.SiteInput) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.query.Early || f.known[i].input.Problem != overview.SiteAsking {
		return nil
	}
	return func(in overview.SiteInput) { f.set(i, in) }
}

// watch applies changes since the listed version until the watch ends.
func (f *Follower) watch(ctx context.Context, i int, version string) (overview.SiteProblem, string) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c, err := f.sites[i].WatchClient()
	if err != nil {
		return explain(f.sites[i], err, f.bound(i))
	}
	opts := []client.ListOption{client.InNamespace(f.query.Namespace), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}}}
	if f.query.Selector != nil {
		opts = append(opts, client.MatchingLabelsSelector{Selector: f.query.Selector})
	}
	go func() { cancel(f.heartbeat(ctx, i)) }() // before, or a site that falls silent now is missed
	var list vgrv1.VolumeGroupReplicationList
	w, err := c.Watch(ctx, &list, opts...)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	if err != nil {
		return explain(f.sites[i], err, f.bound(i))
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		g, ok := event.Object.(*vgrv1.VolumeGroupReplication)
		if !ok {
			return "", "" // expired, or an error: list again and see
		}
		f.apply(i, event.Type, g)
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return explain(f.sites[i], err, f.bound(i))
	}
	return "", ""
}

// bound returns how long a watch may take to begin, and what a pulse asks for to come. It does not grow with what the user
// grants to requests: a site that is silent would be shown as live for so long.
func (f *Follower) bound(i int) time.Duration { return min(f.sites[i].Timeout(), site.RequestTimeout) }

// heartbeat returns why the site does not answer any more. What it asks for is the classes, which may
// have changed as well, and the sign of life of the controller.
func (f *Follower) heartbeat(ctx context.Context, i int) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.clock.After(heartbeat):
		}
		asking, cancel := context.WithTimeout(ctx, f.bound(i))
		lease := make(chan *overview.Controller, 1)
		go func() { lease <- controllerOf(asking, f.sites[i]) }()
		classes, err := Classes(asking, f.sites[i])
		controller := <-lease
		cancel()
		if err == nil {
			f.mu.Lock()
			f.known[i].input.Classes = classes
			if f.known[i].input.Answered {
				f.known[i].input.Controller = controller
			}
			f.mu.Unlock()
		} else if problem, _ := explain(f.sites[i], err, f.bound(i)); problem == overview.SiteUnreachable || problem == overview.SiteNotAsked {
			return err
		}
	}
}

// Put takes in an object that was just read or written, which the watch may tell of later.
func (f *Follower) Put(i int, g *vgrv1.VolumeGroupReplication) {
	f.mu.Lock()
	others := f.query.Native != nil && f.others[i].put(g)
	f.mu.Unlock()
	if others {
		f.mark()
		return
	}
	f.apply(i, watch.Modified, g)
}

func (f *Follower) apply(i int, event watch.EventType, g *vgrv1.VolumeGroupReplication) {
	if !f.query.selects(g) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key, k := client.ObjectKeyFromObject(g), &f.known[i]
	if old := k.groups[key]; old != nil && newer(old, g) {
		return // it was put here before the watch came to it
	}
	if k.listed = false; event == watch.Deleted {
		delete(k.groups, key)
	} else {
		g.ManagedFields = nil
		k.groups[key] = g
	}
	f.mark()
}

// newer compares two versions of one object. That they are numbers is promised since Kubernetes 1.35.
func newer(a, b *vgrv1.VolumeGroupReplication) bool {
	va, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	vb, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errA == nil && errB == nil && a.UID == b.UID && va > vb
}

// set takes in a list. What was put here meanwhile may be newer than what the list has of it.
func (f *Follower) set(i int, in overview.SiteInput) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for at := range in.Groups {
		if old := f.known[i].groups[client.ObjectKeyFromObject(&in.Groups[at])]; old != nil && newer(old, &in.Groups[at]) {
			in.Groups[at] = *old
		}
	}
	f.known[i].replace(in)
	f.mark()
}

func (f *Follower) mark() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
