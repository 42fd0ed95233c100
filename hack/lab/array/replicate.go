// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import "time"

// settle brings every image to the given time: snapshots that were due are taken and those that
// had the time to travel arrive, in the order in which that happened.
func (a *Array) settle(now time.Time) {
	for _, img := range a.images {
		for a.step(img, now) {
		}
	}
}

// step does the next thing that was due by now and reports whether there was any. Of things that are due at
// the same time an arrival is first and a look last.
func (a *Array) step(img *image, now time.Time) bool {
	var next time.Time
	var do func()
	due := func(at time.Time, what func()) {
		if !at.IsZero() && !at.After(now) && (do == nil || at.Before(next)) {
			next, do = at, what
		}
	}
	if img.pending != nil {
		due(img.arrives, func() { a.arrive(img) })
	}
	due(img.nextSnapshot, func() {
		at := img.nextSnapshot
		img.nextSnapshot = at.Add(img.interval)
		a.takeSnapshot(img, at)
	})
	for _, site := range a.sites {
		due(img.looks[site], func() {
			at := img.looks[site]
			img.looks[site] = at.Add(a.lookInterval(img))
			a.lookAt(img, site, at)
		})
	}
	if do == nil {
		return false
	}
	do()
	return true
}

// takeSnapshot takes what the schedule asks for on the primary. One that is still travelling is
// not overtaken.
func (a *Array) takeSnapshot(img *image, at time.Time) {
	site, ok := img.primarySite()
	if !ok || !img.mirrored {
		return
	}
	if img.pending != nil && !img.arrives.IsZero() {
		return
	}
	local := img.copies[site]
	img.pending = &snapshot{from: site, taken: at, content: local.content, past: local.past}
	a.startTransfer(img, at)
}

// startTransfer lets the pending snapshot travel, if the receiver's daemon replays.
func (a *Array) startTransfer(img *image, at time.Time) {
	if img.pending == nil || !img.arrives.IsZero() || !a.linkUp || a.daemonDown[img.receiver(a)] || img.follower != img.receiver(a) {
		return
	}
	img.arrives = at.Add(a.transfer)
}

// arrive makes the pending snapshot the content of the peer's copy, which it may create.
func (a *Array) arrive(img *image) {
	snap, at := img.pending, img.arrives
	img.pending, img.arrives = nil, time.Time{}
	to := a.peer(snap.from)
	target := img.copies[to]
	made := target == nil || target.recreating
	if target == nil {
		target = &copyOf{}
		img.copies[to] = target
	}
	if target.primary {
		return
	}
	fresh := snap.content.count() - target.content.count()
	target.content, target.past, target.newest, target.recreating = snap.content, snap.past, received, false
	if !snap.timeless {
		target.sync = &Sync{Time: snap.taken, Duration: a.transfer, Bytes: max(fresh, 1) * blockSize}
	}
	if snap.demotion {
		target.newest = receivedDemotion
		img.halt()
	}
	if made { // a copy that is new is told of at once
		a.lookAt(img, to, at)
	}
}

// primarySite returns the site whose copy is primary. In a split brain both are, and none counts.
func (img *image) primarySite() (Site, bool) {
	var found Site
	n := 0
	for site, c := range img.copies {
		if c.primary {
			found = site
			n++
		}
	}
	return found, n == 1
}
