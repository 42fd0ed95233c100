// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

// resource is how kubectl names our groups without a doubt: csi-addons has the same short name.
const resource = "volumegroupreplications.replication.unified.io"

// few is how many groups the small reads see.
const few = 20

// read measures commands that only look: the start of the program, a few groups, and many.
func (b *bench) read(ctx context.Context) (results []result, err error) {
	l, sites, err := b.start(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	small := load.Groups{Namespace: "few", Groups: few, Volumes: b.volumes}
	if err := small.Make(ctx, sites); err != nil {
		return nil, err
	}
	for _, c := range b.small(l, small) {
		r, err := b.compare(ctx, l, c)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	for _, n := range sizes(b.groups) {
		began := time.Now()
		many := load.Groups{Namespace: "many", Groups: n, Volumes: b.volumes}
		if err := many.Fill(ctx, sites, load.Stores{l.Site(lab.East).Store(), l.Site(lab.West).Store()}); err != nil {
			return results, err
		}
		b.say("%d groups on each site after %s", n, time.Since(began).Round(time.Second))
		for _, c := range b.large(l, n) {
			r, err := b.compare(ctx, l, c)
			if err != nil {
				return results, err
			}
			results = append(results, r)
		}
	}
	return results, nil
}

// sizes returns a tenth of what was asked for and all of it, to see how figures grow.
func sizes(groups int) []int {
	switch {
	case groups <= 0:
		return nil
	case groups < 100:
		return []int{groups}
	default:
		return []int{groups / 10, groups}
	}
}

func (b *bench) small(l *lab.Lab, g load.Groups) []comparison {
	again, name := fmt.Sprintf("make bench ARGS='-only read -groups 0 -runs %d'", b.runs), g.Name(1)
	ours := func(args ...string) command { return command{path: b.plugin(), args: args} }
	peer := func(args ...string) command { return command{path: b.kubectl(), args: args} }
	one := b.bare(l, func(s *lab.Site) []string { return []string{"/namespaces/few/volumegroupreplications/" + name} })
	few := b.bare(l, func(s *lab.Site) []string { return []string{"/namespaces/few/volumegroupreplications"} })
	const both = "ours shows both sites, kubectl one"
	return []comparison{
		{title: "start: version", again: again, ours: ours("version", "--client"), peer: peer("version", "--client")},
		{title: "start: help", again: again, ours: ours("--help"), peer: peer("--help")},
		{title: "start: completion of a command", again: again, ours: ours("__complete", "fail"), peer: peer("__complete", "pa")},
		{title: "completion of names", again: again, ours: ours("__complete", "-n", "few", "status", ""), peer: peer("__complete", "--context", lab.East, "-n", "few", "get", resource, "")},
		{title: fmt.Sprintf("list of %d groups", g.Groups), again: again, ours: ours("list", "-n", "few"), peer: peer("--context", lab.East, "-n", "few", "get", resource), limit: few, notes: []string{both}},
		{title: "status of one group", again: again, ours: ours("status", name, "-n", "few"), peer: peer("--context", lab.East, "-n", "few", "get", resource, name, "-o", "yaml"), limit: one, notes: []string{both}},
		{title: "list through kubectl", again: again, ours: peer("vgr", "list", "-n", "few"), peer: peer("--context", lab.East, "-n", "few", "get", resource), notes: []string{both, "kubectl starts first, and hands over to the plugin"}},
	}
}

func (b *bench) large(l *lab.Lab, n int) []comparison {
	again := fmt.Sprintf("make bench ARGS='-only read -groups %d'", n)
	kubectl := func(args ...string) command {
		return command{path: b.kubectl(), args: append([]string{"--context", lab.East, "get", resource, "-A"}, args...)}
	}
	const both = "ours shows both sites, kubectl one"
	all := b.bare(l, func(*lab.Site) []string { return []string{"/volumegroupreplications"} })
	return []comparison{
		{title: fmt.Sprintf("list -A, %d groups", n), again: again, ours: command{path: b.plugin(), args: []string{"list", "-A"}}, peer: kubectl(), limit: all, first: true, notes: []string{both}},
		{title: fmt.Sprintf("status -A -o json, %d groups", n), again: again, ours: command{path: b.plugin(), args: []string{"status", "-A", "-o", "json"}}, peer: kubectl("-o", "json"), limit: all, first: true, notes: []string{both}},
		{title: fmt.Sprintf("status -A -o json, %d groups, against a table", n), again: again, ours: command{path: b.plugin(), args: []string{"status", "-A", "-o", "json"}}, peer: kubectl(), notes: []string{both}},
	}
}

// bare returns how long it takes to fetch the same objects of both sites and throw them away, in milliseconds.
func (b *bench) bare(l *lab.Lab, paths func(*lab.Site) []string) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		var times []float64
		for range b.runs {
			began := time.Now()
			work, ctx := errgroup.WithContext(ctx)
			for _, s := range l.Sites() {
				work.Go(func() error { return fetch(ctx, s.RESTConfig(), paths(s)) })
			}
			if err := work.Wait(); err != nil {
				return 0, err
			}
			times = append(times, time.Since(began).Seconds()*1e3)
		}
		return median(times), nil
	}
}

func fetch(ctx context.Context, config *rest.Config, paths []string) error {
	transport, err := rest.TransportFor(config)
	if err != nil {
		return err
	}
	for _, path := range paths {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/apis/replication.unified.io/v1alpha2"+path, nil)
		if err != nil {
			return err
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, response.Status)
		}
	}
	return nil
}
