// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import "time"

// mirrorState is what rbd-mirror reports of a copy.
type mirrorState string

const (
	stopped   mirrorState = "stopped"   // primary
	replaying mirrorState = "replaying" // secondary that follows a live primary
	syncing   mirrorState = "syncing"   // created again by a resync, not complete
	unknown   mirrorState = "unknown"   // demoted
	failed    mirrorState = "error"     // split brain, or no way to the primary
)

func (a *Array) status(img *image, site Site) mirrorState {
	local, peer := img.copies[site], img.copies[a.peer(site)]
	switch {
	case local.primary:
		return stopped
	case local.recreating:
		return syncing
	case img.splitBrain || !a.linkUp || a.daemonDown[site]:
		return failed
	case peer != nil && peer.primary:
		return replaying
	case img.pending != nil && img.receiver(a) == site:
		return replaying // the peer's demotion has not arrived
	default:
		return unknown
	}
}

// Resync asks a secondary to become what its peer is. It is ready only when both sites are demoted
// and have all of each other; under a live primary it never is. With force a copy that was primary
// before is thrown away and fetched again, even when there was no need to.
func (a *Array) Resync(site Site, t Target, force bool) (ready bool, err error) {
	defer a.lock()()
	images, err := a.mirroredImages(site, t)
	if err != nil {
		return false, err
	}
	for _, img := range images {
		if img.isPrimary(site) {
			return false, errorf(InvalidArgument, "image is in primary state")
		}
	}
	ready = true
	var stuck *Error
	for _, img := range images {
		state := a.status(img, site)
		settled := state == unknown && img.demotionCrossed && !a.daemonDown[a.peer(site)]
		if force && img.copies[site].savedCreation && state != syncing && state != replaying {
			a.recreate(img, site)
		}
		if settled {
			continue
		}
		ready = false
		if state != replaying {
			stuck = errorf(Internal, "failed to get last sync info: %s: no local snapshot timestamp, image is in %s state", img.handle, state)
		}
	}
	if stuck != nil {
		return false, stuck
	}
	return ready, nil
}

// recreate throws the local copy away; its content comes anew from the peer, whatever that has.
func (a *Array) recreate(img *image, site Site) {
	peer := a.peer(site)
	source := img.copies[peer]
	if source == nil {
		return
	}
	now := a.clock.Now()
	local := img.copies[site]
	local.recreating, local.savedCreation = true, false
	img.splitBrain = false
	img.pending, img.arrives = &snapshot{from: peer, taken: now, content: source.content, demotion: !source.primary}, time.Time{}
	if source.primary && img.interval > 0 {
		img.nextSnapshot = now.Add(img.interval)
	}
	a.startTransfer(img, now)
}

// Health is how the primary's site judges its mirroring.
type Health string

// What Info reports. A dead link is not among them: the primary's own state stays healthy, and
// only the age of the last synchronization tells.
const (
	Healthy  Health = "HEALTHY"
	Degraded Health = "DEGRADED"
)

// Info is what the primary knows of its replication.
type Info struct {
	LastSync Sync
	Health   Health
	Message  string
}

// Info reports on a primary; anything else is refused, and so is a primary whose peer has never
// been synchronized. For a group it is the oldest synchronization of its members.
func (a *Array) Info(site Site, t Target) (Info, error) {
	defer a.lock()()
	images, err := a.resolve(site, t)
	if err != nil {
		return Info{}, err
	}
	info := Info{Health: Healthy, Message: "local image is primary"}
	if a.daemonDown[site] {
		info.Health, info.Message = Degraded, "stopped"
	}
	for _, img := range images {
		switch {
		case !img.mirrored:
			return Info{}, errorf(InvalidArgument, "image mirroring is not enabled")
		case !img.isPrimary(site):
			return Info{}, errorf(InvalidArgument, "image is not in primary state")
		case img.lastSync == nil:
			return Info{}, errorf(FailedPrecondition, "failed to get last sync info: last sync time not found")
		}
		info.LastSync = older(info.LastSync, *img.lastSync)
	}
	if len(images) == 0 {
		return Info{}, errorf(FailedPrecondition, "failed to get last sync info: the group is empty")
	}
	return info, nil
}

// older combines two members of a group: the earlier time, the longer duration, all bytes.
func older(x, y Sync) Sync {
	if x.Time.IsZero() {
		return y
	}
	out := Sync{Time: x.Time, Duration: max(x.Duration, y.Duration), Bytes: x.Bytes + y.Bytes}
	if y.Time.Before(x.Time) {
		out.Time = y.Time
	}
	return out
}
