// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import (
	"slices"
	"time"
)

// mirrorState is what rbd-mirror reports of a copy.
type mirrorState string

const (
	stopped   mirrorState = "stopped"   // primary
	replaying mirrorState = "replaying" // secondary that follows a live primary
	syncing   mirrorState = "syncing"   // created again by a resync, not complete
	unknown   mirrorState = "unknown"   // the peer is not primary either
	failed    mirrorState = "error"     // split brain, or no way to the primary
)

// sighting is a copy as it is known on a site: each daemon tells both sites of its own copy.
type sighting struct{ copy, on Site }

// report is what a daemon wrote of its copy when it looked. It stays until the next look, whatever happens
// meanwhile.
type report struct {
	state       mirrorState
	description string
	up          bool
	sync        *Sync
}

// seen returns what is known on a site of a copy, and false if nothing is.
func (a *Array) seen(img *image, site, on Site) (report, bool) {
	r, ok := img.shown[sighting{site, on}]
	r.up = r.up && !a.daemonDown[site]
	return r, ok
}

// showsDemoted reports whether a site is shown up+unknown, there.
func (a *Array) showsDemoted(img *image, site, on Site) bool {
	r, ok := a.seen(img, site, on)
	return ok && r.up && r.state == unknown
}

func (a *Array) lookInterval(img *image) time.Duration {
	if img.fast {
		return a.fastLook
	}
	return a.look
}

// planLooks has both daemons look one interval from now.
func (a *Array) planLooks(img *image, now time.Time) {
	img.looks = map[Site]time.Time{}
	for _, site := range a.sites {
		img.looks[site] = now.Add(a.lookInterval(img))
	}
}

// lookAt is a look of a site's daemon at its copy: it notices what has become of both, acts on it, and
// writes it down here and, if it can, on the peer.
func (a *Array) lookAt(img *image, site Site, at time.Time) {
	peer := a.peer(site)
	if a.daemonDown[site] {
		return
	}
	if !a.linkUp {
		// The peer's daemon has gone from here; what it wrote last stays.
		if r, ok := img.shown[sighting{peer, site}]; ok {
			r.up = false
			img.shown[sighting{peer, site}] = r
		}
	}
	if local := img.copies[site]; local != nil && local.resyncAsked && a.linkUp && img.copies[peer] != nil {
		a.recreate(img, site, at)
	}
	r := a.judge(img, site)
	switch {
	case r.state == replaying || r.state == syncing || img.copies[site] == nil && img.receiver(a) == site:
		img.follower = site
		a.startTransfer(img, at)
	case img.follower == site:
		img.halt()
	}
	if img.copies[site] == nil {
		return
	}
	r.up = true
	img.shown[sighting{site, site}] = r
	if a.linkUp {
		img.shown[sighting{site, peer}] = r
	}
}

// judge returns what a daemon finds of its copy. Of two copies that are both not primary it says only that, and
// neither that one lacks what the other one has, nor that they went different ways.
func (a *Array) judge(img *image, site Site) report {
	local, remote := img.copies[site], img.copies[a.peer(site)]
	switch {
	case local == nil:
		return report{}
	case local.primary:
		return report{state: stopped, description: "local image is primary"}
	case !a.linkUp:
		return report{state: failed, description: "failed to connect to the remote cluster"}
	case local.recreating:
		return report{state: syncing, description: "bootstrapping"}
	case remote != nil && remote.primary && !begins(remote.past, local.past):
		return report{state: failed, description: "split-brain"}
	case remote != nil && remote.primary,
		img.receiver(a) == site && local.newest.linked() && begins(img.pending.past, local.past):
		return report{state: replaying, description: "replaying", sync: local.sync}
	default:
		return report{state: unknown, description: "remote image is not primary"}
	}
}

// begins reports whether a past begins with another one.
func begins(past, with []int) bool {
	return len(with) <= len(past) && slices.Equal(past[:len(with)], with)
}

// splitBrain reports whether the copies went different ways: both are primary, or neither can follow the other.
func (img *image) splitBrain(sites [2]Site) bool {
	x, y := img.copies[sites[0]], img.copies[sites[1]]
	if !img.mirrored || x == nil || y == nil {
		return false
	}
	return x.primary && y.primary || !begins(x.past, y.past) && !begins(y.past, x.past)
}

// recreate throws the local copy away; its content comes anew from the peer, whatever that has.
func (a *Array) recreate(img *image, site Site, at time.Time) {
	peer := a.peer(site)
	source := img.copies[peer]
	local := img.copies[site]
	*local = copyOf{attached: local.attached, recreating: true}
	img.pending, img.arrives = &snapshot{from: peer, taken: at, content: source.content, past: source.past, demotion: !source.primary}, time.Time{}
}
