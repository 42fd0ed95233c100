// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

// reconcile creates many groups at once, with real volumes and the real csi-addons manager below, and measures
// our controller beside it: until every status is right, at rest, and after a restart.
func (b *bench) reconcile(ctx context.Context) (results []result, err error) {
	l, sites, err := b.start(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	c := &controlled{bench: b, site: l.Site(lab.East), client: sites[0], groups: b.reconciled, apps: load.Applications{Namespace: "apps", Volumes: b.volumes}}
	for _, step := range []func(context.Context) (result, error){c.create, c.rest, c.restart} {
		r, err := step(ctx)
		if err != nil {
			return results, err
		}
		r.Again = fmt.Sprintf("make bench ARGS='-only controller -reconciled %d'", b.reconciled)
		results = append(results, r)
	}
	return results, nil
}

// controlled is a site with our controller under measurement.
type controlled struct {
	*bench
	site   *lab.Site
	client client.Client
	groups int
	apps   load.Applications
	alone  bool // csi-addons does not run
}

// sample is what both controllers have used, and asked of the API server, so far.
type sample struct {
	at time.Time
	// ours is before the controller was asked for its metrics, which costs it something, and asked after it.
	ours, asked, peer      usage
	oursWrites, peerWrites float64
	// kinds are our writes by what they write.
	kinds map[string]float64
	// oursRequests are all but leases; the csi-addons manager serves no such count here.
	oursRequests float64
}

func ours(w lab.AuditEvent) bool {
	return strings.HasSuffix(w.User, ":vgr-controller") && w.Resource != "leases"
}

// wrote says what our controller has written since, most first.
func (s sample) wrote(since sample, per float64) string {
	var all []string
	kinds := slices.SortedFunc(maps.Keys(s.kinds), func(a, b string) int { return cmp.Compare(s.kinds[b], s.kinds[a]) })
	for _, kind := range kinds {
		if n := s.kinds[kind] - since.kinds[kind]; n > 0 {
			all = append(all, fmt.Sprintf("%s %.3g", kind, n/per))
		}
	}
	return strings.Join(all, ", ")
}

func (c *controlled) sample(ctx context.Context) (sample, error) {
	s := sample{at: time.Now()}
	var err error
	if s.ours, err = process(c.site, lab.Controller); err != nil {
		return s, err
	}
	m, err := scrape(ctx, c.site.ControllerMetrics(), func(string) bool { return true })
	if err != nil {
		return s, err
	}
	s.oursRequests = m["rest_client_requests_total"]
	if s.asked, err = process(c.site, lab.Controller); err != nil {
		return s, err
	}
	if !c.alone {
		if s.peer, err = process(c.site, lab.CSIAddons); err != nil {
			return s, err
		}
	}
	writes, err := c.site.Writes()
	if err != nil {
		return s, err
	}
	s.kinds = map[string]float64{}
	for _, w := range writes {
		switch {
		case w.Resource == "leases":
		case ours(w):
			s.oursWrites++
			s.kinds[strings.TrimSuffix(w.Verb+" "+w.Resource+"."+w.Group+"/"+w.Subresource, "/")]++
		case strings.HasSuffix(w.User, ":csi-addons-controller-manager"):
			s.peerWrites++
		}
	}
	return s, nil
}

// create makes all groups at once and waits until every status is right.
func (c *controlled) create(ctx context.Context) (result, error) {
	n := c.groups
	r := result{Title: fmt.Sprintf("%d groups of %d volumes created at once", n, c.volumes), Ours: "vgr-controller", Peer: "csi-addons-manager, doing its own part of it"}
	if err := c.claims(ctx); err != nil {
		return r, err
	}
	c.say("%d claims are bound; creating %d groups", n*c.volumes, n)
	before, err := c.sample(ctx)
	if err != nil {
		return r, err
	}
	if err := c.apps.Protect(ctx, c.client, hourly, n); err != nil {
		return r, err
	}
	created := time.Since(before.at)
	if err := c.ready(ctx); err != nil {
		return r, err
	}
	after, err := c.sample(ctx)
	if err != nil {
		return r, err
	}
	per := func(writes float64) float64 { return writes / float64(n) }
	r.Rows = []row{
		{Measure: "until every status is right", Unit: "s", Ours: after.at.Sub(before.at).Seconds()},
		compared("CPU", "s", (after.ours.cpu - before.asked.cpu).Seconds(), (after.peer.cpu - before.peer.cpu).Seconds()),
		compared("peak memory", "MB", after.ours.peak/1e6, after.peer.peak/1e6),
		compared("writes for each group", "", per(after.oursWrites-before.oursWrites), per(after.peerWrites-before.peerWrites)),
		{Measure: "requests for each group", Ours: per(after.oursRequests - before.oursRequests)},
	}
	r.Notes = []string{"our writes for each group: " + after.wrote(before, float64(n)), fmt.Sprintf("creating the groups took %.1f s of it", created.Seconds()), "memory is that of the whole process, with what it had before"}
	return r, nil
}

const hourly = "hourly"

// claims makes what groups need.
func (c *controlled) claims(ctx context.Context) error {
	if err := c.apps.Make(ctx, c.client, 0, c.groups); err != nil {
		return err
	}
	class := &vgrv1.VolumeGroupReplicationClass{}
	class.Name = hourly
	class.Spec.Provisioner, class.Spec.Parameters = "rbd.csi.ceph.com", map[string]string{vgrv1.ParameterSchedulingInterval: "1h"}
	return c.client.Create(ctx, class)
}

// protected makes groups, and returns when all are right.
func (c *controlled) protected(ctx context.Context) error {
	if err := c.claims(ctx); err != nil {
		return err
	}
	if err := c.apps.Protect(ctx, c.client, hourly, c.groups); err != nil {
		return err
	}
	return c.ready(ctx)
}

// ready waits until all groups are.
func (c *controlled) ready(ctx context.Context) error {
	const interval = 500 * time.Millisecond
	for last := -1; ; {
		var list vgrv1.VolumeGroupReplicationList
		if err := c.client.List(ctx, &list, client.InNamespace(c.apps.Namespace)); err != nil {
			return err
		}
		n := 0
		for _, g := range list.Items {
			if g.Status.State == vgrv1.StatePrimary && int(g.Status.VolumeCount) == c.volumes && g.Status.ObservedGeneration == g.Generation {
				n++
			}
		}
		if n == c.groups {
			return nil
		}
		if n/100 != last/100 {
			c.say("%d of %d groups are right", n, c.groups)
			last = n
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
		}
	}
}

// rest measures what is done while nothing happens.
func (c *controlled) rest(ctx context.Context) (result, error) {
	r := result{Title: fmt.Sprintf("%d groups at rest for %s", c.groups, c.idle), Ours: "vgr-controller"}
	beside := func(measure, unit string, ours, _ float64) row { return row{Measure: measure, Unit: unit, Ours: ours} }
	if !c.alone {
		r.Peer, beside = "csi-addons-manager", compared
	}
	pause(ctx, 20*time.Second) // csi-addons looks again once more
	before, err := c.sample(ctx)
	if err != nil {
		return r, err
	}
	pause(ctx, c.idle)
	after, err := c.sample(ctx)
	if err != nil {
		return r, err
	}
	r.Rows = []row{
		beside("writes", "", after.oursWrites-before.oursWrites, after.peerWrites-before.peerWrites),
		beside("CPU", "ms", float64((after.ours.cpu - before.asked.cpu).Milliseconds()), float64((after.peer.cpu - before.peer.cpu).Milliseconds())),
		beside("memory", "MB", after.ours.now/1e6, after.peer.now/1e6),
		{Measure: "requests, with those of the leader's Lease", Ours: after.oursRequests - before.oursRequests},
	}
	r.Notes = []string{"a Lease is renewed every two seconds, by one request"}
	return r, nil
}

// restart measures a controller that starts and finds everything done.
func (c *controlled) restart(ctx context.Context) (result, error) {
	r := result{Title: fmt.Sprintf("restart with %d groups of %d volumes", c.groups, c.volumes), Ours: "vgr-controller"}
	if err := c.site.StopProc(ctx, lab.Controller); err != nil {
		return r, err
	}
	before, err := c.site.Writes()
	if err != nil {
		return r, err
	}
	began := time.Now()
	if err := c.site.StartProc(lab.Controller); err != nil {
		return r, err
	}
	took, u, err := c.caughtUp(ctx, began)
	if err != nil {
		return r, err
	}
	after, err := c.site.Writes()
	if err != nil {
		return r, err
	}
	writes := 0
	for _, w := range after[len(before):] {
		if ours(w) {
			writes++
			r.Notes = append(r.Notes, fmt.Sprintf("%s %s %s/%s %s by itself", w.Verb, w.Resource, w.Namespace, w.Name, w.Subresource))
		}
	}
	r.Notes = r.Notes[:min(len(r.Notes), 5)]
	r.Rows = []row{
		{Measure: "until caught up", Unit: "s", Ours: took.Seconds()},
		{Measure: "writes", Ours: float64(writes)},
		{Measure: "CPU", Unit: "s", Ours: u.cpu.Seconds()},
		{Measure: "peak memory", Unit: "MB", Ours: u.peak / 1e6},
		{Measure: "peak memory for each group", Unit: "kB", Ours: u.peak / 1e3 / float64(c.groups)},
	}
	return r, nil
}

// caughtUp waits until every group was reconciled and none is waiting, and returns what the controller has used
// until then. The metrics say so, but of many groups they have hundreds of thousands of series: they are asked for
// once the controller has nothing to do.
func (c *controlled) caughtUp(ctx context.Context, began time.Time) (time.Duration, usage, error) {
	const interval, enough, little = 250 * time.Millisecond, 8, 20 * time.Millisecond
	quiet, last, since := 0, usage{}, time.Duration(0)
	for {
		u, err := process(c.site, lab.Controller)
		if err != nil {
			return 0, u, err
		}
		if u.cpu-last.cpu > little {
			quiet, since = 0, time.Since(began)
		} else {
			quiet++
		}
		last = u
		if quiet >= enough {
			m, err := scrape(ctx, c.site.ControllerMetrics(), func(series string) bool {
				return strings.Contains(series, `controller="volumegroupreplication"`) || strings.Contains(series, `name="volumegroupreplication"`)
			})
			if err == nil && m["controller_runtime_reconcile_total"] >= float64(c.groups) && m["workqueue_depth"] == 0 {
				return since, u, nil
			}
			quiet = 0
		}
		select {
		case <-ctx.Done():
			return 0, u, ctx.Err()
		case <-time.After(interval):
		}
	}
}
