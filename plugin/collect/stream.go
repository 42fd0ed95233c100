// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"context"
	"fmt"
	"sync"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Stream asks all sites at once, page by page, and gives the groups on in batches: a batch has all that every
// site says of its groups, and begins where the one before it ended. There is one batch at least. What a site
// has said before it failed is given on as said; batches after that tell of the failure. Where groups of others are wanted,
// all come in one batch, since what the sites call them tells nothing of which belong together.
func Stream(ctx context.Context, sites []*site.Site, q Query, take func(batch []overview.SiteInput) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	streams := make([]*stream, len(sites))
	for i, s := range sites {
		streams[i] = &stream{site: s, said: make(chan said, 1), beside: make(chan environment, 1)}
		asked.Go(func() { streams[i].read(ctx, q) })
		asked.Go(func() { streams[i].beside <- readEnvironment(ctx, s) })
	}
	for first := true; ; first = false {
		var until *vgrv1.VolumeGroupReplication // the first of the last groups of the sites that have more
		for _, s := range streams {
			if last := s.fill(ctx); last != nil && (until == nil || overview.Compare(last, until) < 0) {
				until = last
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if first && q.Native.wanted(streams) {
			return take(rest(ctx, sites, q, streams))
		}
		batch := make([]overview.SiteInput, len(streams))
		for i, s := range streams {
			batch[i] = s.give(until)
		}
		if err := take(batch); err != nil || until == nil {
			return err
		}
	}
}

// stream is what one site says.
type stream struct {
	site   *site.Site
	said   chan said
	beside chan environment

	known environment
	heard bool // what is known of the surroundings
	// waiting are groups that were read and not given on.
	waiting []vgrv1.VolumeGroupReplication
	ended   bool
	err     error // how it ended
}

// said is a page, or why no more comes.
type said struct {
	pageOf
	err error
}

func (s *stream) read(ctx context.Context, q Query) {
	var before *vgrv1.VolumeGroupReplication
	err := pages(ctx, s.site, q, func(p pageOf) error {
		for i := range p.groups {
			if before != nil && overview.Compare(before, &p.groups[i]) > 0 { // it would be taken for absent
				return fmt.Errorf("the groups are listed out of order: %s after %s", p.groups[i].Name, before.Name)
			}
			before = &p.groups[i]
		}
		return s.say(ctx, said{pageOf: p})
	})
	if err != nil {
		_ = s.say(ctx, said{err: err}) // else the reader has gone
	}
}

func (s *stream) say(ctx context.Context, x said) error {
	select {
	case s.said <- x:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill waits until groups are waiting or the site has ended. It returns the last one up to which all is known,
// nil when all is.
func (s *stream) fill(ctx context.Context) *vgrv1.VolumeGroupReplication {
	for !s.ended && len(s.waiting) == 0 {
		select {
		case x := <-s.said:
			s.waiting, s.err, s.ended = x.groups, x.err, x.last || x.err != nil
		case <-ctx.Done():
			return nil
		}
	}
	if !s.heard {
		s.known, s.heard = <-s.beside, true
	}
	if n := len(s.waiting); n > 0 && (!s.ended || s.failed()) {
		return &s.waiting[n-1]
	}
	return nil
}

// failed reports whether the site has ended before it had said all.
func (s *stream) failed() bool { return s.ended && s.err != nil }

// give gives on what is waiting, up to a group.
func (s *stream) give(until *vgrv1.VolumeGroupReplication) overview.SiteInput {
	n := len(s.waiting)
	for until != nil && n > 0 && overview.Compare(&s.waiting[n-1], until) > 0 {
		n--
	}
	var err error
	if s.failed() && len(s.waiting) == 0 {
		err = s.err
	}
	in := answered(s.site, err)
	s.known.put(&in)
	in.Groups, s.waiting = s.waiting[:n:n], s.waiting[n:]
	return in
}
