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

// step does the next thing that was due by now and says whether there was any.
func (a *Array) step(img *image, now time.Time) bool {
	arrival := img.pending != nil && !img.arrives.IsZero() && !img.arrives.After(now)
	due := !img.nextSnapshot.IsZero() && !img.nextSnapshot.After(now)
	switch {
	case arrival && (!due || !img.nextSnapshot.Before(img.arrives)):
		a.arrive(img)
		return true
	case due:
		at := img.nextSnapshot
		img.nextSnapshot = at.Add(img.interval)
		a.takeSnapshot(img, at)
		return true
	default:
		return false
	}
}

// takeSnapshot takes what the schedule asks for on the primary. One that is still travelling is
// not overtaken.
func (a *Array) takeSnapshot(img *image, at time.Time) {
	site, ok := img.primarySite()
	if !ok || !img.mirrored || img.splitBrain {
		return
	}
	if img.pending != nil && !img.arrives.IsZero() {
		return
	}
	img.pending = &snapshot{from: site, taken: at, content: img.copies[site].content}
	a.startTransfer(img, at)
}

func (a *Array) startTransfer(img *image, at time.Time) {
	if img.pending == nil || !img.arrives.IsZero() || !a.linkUp || a.daemonDown[img.receiver(a)] {
		return
	}
	img.arrives = at.Add(a.transfer)
}

// arrive makes the pending snapshot the content of the peer's copy, which it may create.
func (a *Array) arrive(img *image) {
	snap := img.pending
	img.pending, img.arrives = nil, time.Time{}
	to := a.peer(snap.from)
	target := img.copies[to]
	if target == nil {
		target = &copyOf{}
		img.copies[to] = target
	}
	if target.primary {
		return
	}
	fresh := snap.content.count() - target.content.count()
	target.content, target.recreating = snap.content, false
	img.lastSync = &Sync{Time: snap.taken, Duration: a.transfer, Bytes: max(fresh, 1) * blockSize}
	if _, hasPrimary := img.primarySite(); snap.demotion && !hasPrimary {
		img.demotionCrossed = true
	}
}

// primarySite is the site whose copy is primary. In a split brain both are, and none counts.
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
