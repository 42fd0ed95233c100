// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package array simulates two Ceph clusters with RBD mirroring between them: images and groups of
// images, who is primary, what has been replicated, and the errors ceph-csi gives for each wrong
// step. It is a pure state machine: it knows no gRPC, no Kubernetes and no timers; time passes only
// as far as its clock says when a client asks.
package array

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Site names one of the two clusters.
type Site string

const (
	// DefaultTransferTime is how long a snapshot travels. Real clusters take longer; demonstrations
	// should not.
	DefaultTransferTime = time.Second
	// DefaultStatusInterval is how often a daemon looks at each image, as rbd-mirror does unless told
	// otherwise.
	DefaultStatusInterval = 30 * time.Second
	// DefaultFastStatusInterval is the same for fast images.
	DefaultFastStatusInterval = time.Second
)

// Options describes an array.
type Options struct {
	// Sites are the two clusters that mirror each other.
	Sites [2]Site
	// Clock is required.
	Clock clock.PassiveClock
	// TransferTime is how long a snapshot takes from one site to the other: the first
	// synchronization, a scheduled one, or the one that carries a demotion.
	TransferTime time.Duration
	// StatusInterval is how often the daemons look at an image: roles that changed are noticed, and
	// statuses written, no sooner.
	StatusInterval time.Duration
	// FastStatusInterval is the same for fast images.
	FastStatusInterval time.Duration
	// VendorBuild mirrors groups of images, as some vendors' Ceph does and no upstream one. Groups of fast images are
	// mirrored always.
	VendorBuild bool
}

// Array is both clusters and the link between them. Its methods are safe for concurrent use.
type Array struct {
	clock    clock.PassiveClock
	transfer time.Duration
	fastLook time.Duration
	sites    [2]Site
	vendor   bool

	mu         sync.Mutex
	look       time.Duration
	linkUp     bool
	daemonDown map[Site]bool
	images     map[string]*image
	groups     map[string]*group
	// deleted are the groups that were not mirrored and are gone.
	deleted map[string]bool
	serial  int
}

// New returns an array without images whose link is up.
func New(o Options) *Array {
	orDefault := func(d, otherwise time.Duration) time.Duration {
		if d <= 0 {
			return otherwise
		}
		return d
	}
	return &Array{
		clock: o.Clock, transfer: orDefault(o.TransferTime, DefaultTransferTime), sites: o.Sites, vendor: o.VendorBuild, deleted: map[string]bool{},
		look: orDefault(o.StatusInterval, DefaultStatusInterval), fastLook: orDefault(o.FastStatusInterval, DefaultFastStatusInterval),
		linkUp: true, daemonDown: map[Site]bool{}, images: map[string]*image{}, groups: map[string]*group{},
	}
}

// peer returns the other site.
func (a *Array) peer(s Site) Site {
	if s == a.sites[0] {
		return a.sites[1]
	}
	return a.sites[0]
}

// lock takes the mutex and lets the time that has passed have its effect.
func (a *Array) lock() (unlock func()) {
	a.mu.Lock()
	a.settle(a.clock.Now())
	return a.mu.Unlock
}

// SetLink takes the mirroring link up or down. Once it is up the daemons continue when they look the next
// time.
func (a *Array) SetLink(up bool) {
	defer a.lock()()
	if a.linkUp == up {
		return
	}
	a.linkUp = up
	if up {
		a.announceGroups()
		return
	}
	for _, img := range a.images {
		img.halt()
	}
}

// LinkUp reports whether the sites can reach each other.
func (a *Array) LinkUp() bool {
	defer a.lock()()
	return a.linkUp
}

// SetDaemon starts or stops the rbd-mirror daemon of a site. Without it the site receives nothing
// and its own reports say DEGRADED. One that starts looks at everything.
func (a *Array) SetDaemon(site Site, up bool) {
	defer a.lock()()
	a.daemonDown[site] = !up
	now := a.clock.Now()
	for _, img := range a.images {
		switch {
		case up && img.mirrored:
			a.lookAt(img, site, now)
		case img.follower == site:
			img.halt()
		}
	}
}

// SetStatusInterval changes how often the daemons look at images that are not fast.
func (a *Array) SetStatusInterval(d time.Duration) error {
	if d <= 0 {
		return errorf(InvalidArgument, "%s is no interval", d)
	}
	defer a.lock()()
	a.look = d
	for _, img := range a.images {
		if !img.fast && img.mirrored {
			a.planLooks(img, a.clock.Now())
		}
	}
	return nil
}

// handle makes a volume or group handle as ceph-csi does: cluster ID with its length, pool, UUID.
func (a *Array) handle(kind string) string {
	a.serial++
	return fmt.Sprintf("0001-0009-rook-ceph-0000000000000002-%s", identifier(kind, a.clock.Now(), a.serial))
}
