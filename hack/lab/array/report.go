// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

// Resync asks a secondary to become what its peer is. It is ready when both sites are shown to be demoted,
// and for no other reason: that may be left of the hand-over before. Under a live primary that the daemons have
// seen it never is. With force a copy that was primary before is thrown away and fetched again when the daemon
// looks, even if there was no need to.
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
		if problem := a.resync(img, site, force); problem != nil {
			stuck = problem
		}
		ready = ready && a.showsDemoted(img, site, site) && a.showsDemoted(img, a.peer(site), site)
	}
	if stuck != nil {
		return false, stuck
	}
	return ready, nil
}

func (a *Array) resync(img *image, site Site, force bool) *Error {
	local := img.copies[site]
	r, ok := a.seen(img, site, site)
	switch {
	case !ok:
		return errorf(Internal, "failed to get local status: failed to get local site status: RBD image not found")
	case force && local.savedCreation && r.state != syncing:
		local.resyncAsked = true
		return errorf(Unavailable, "failed to resync image %s: awaiting initial resync due to split brain", img.handle)
	case a.showsDemoted(img, site, site) && a.showsDemoted(img, a.peer(site), site), r.state == syncing, r.sync != nil:
		return nil
	default:
		return errorf(Internal, "failed to get last sync info: no snapshot details: last sync time not found")
	}
}

// Health is how the primary's site judges its mirroring.
type Health string

// What Info reports. A dead link is not among them: the primary's own state stays healthy, and
// only the age of the last synchronization tells.
const (
	Healthy  Health = "HEALTHY"
	Degraded Health = "DEGRADED"
	// Unclear: what is shown of the primary is from before it was primary.
	Unclear Health = "UNKNOWN"
	Failing Health = "ERROR"
)

// Info is what the primary knows of its replication.
type Info struct {
	LastSync Sync
	Health   Health
	Message  string
}

// Info reports on a primary; anything else is refused, and so is a primary whose peer shows no
// synchronization since the last hand-over. For a group it is the oldest synchronization of its members.
func (a *Array) Info(site Site, t Target) (Info, error) {
	defer a.lock()()
	images, err := a.resolve(site, t)
	if err != nil {
		return Info{}, err
	}
	info := Info{Health: Healthy, Message: "local image is primary"}
	for _, img := range images {
		switch {
		case !img.mirrored:
			return Info{}, errorf(InvalidArgument, "image mirroring is not enabled")
		case !img.isPrimary(site):
			return Info{}, errorf(InvalidArgument, "image is not in primary state")
		}
		peer, ok := a.seen(img, a.peer(site), site)
		switch {
		case !ok:
			return Info{}, errorf(FailedPrecondition, "failed to get remote status: RBD image not found")
		case peer.sync == nil:
			return Info{}, errorf(FailedPrecondition, "failed to get last sync info: no snapshot details: last sync time not found")
		}
		info.LastSync = older(info.LastSync, *peer.sync)
		if health, message := a.health(img, site); health != Healthy {
			info.Health, info.Message = health, message
		}
	}
	if len(images) == 0 {
		return Info{}, errorf(FailedPrecondition, "failed to get last sync info: the group is empty")
	}
	return info, nil
}

// health returns what the primary's own daemon shows.
func (a *Array) health(img *image, site Site) (Health, string) {
	r, _ := a.seen(img, site, site)
	switch {
	case !r.up:
		return Degraded, "stopped"
	case r.state == stopped || r.state == replaying:
		return Healthy, r.description
	case r.state == failed:
		return Failing, r.description
	default:
		return Unclear, r.description
	}
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
