// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import (
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Target is what an operation is about: one image, or the images of a group.
type Target struct {
	Volume string
	Group  string
}

// Parameters are the driver's parameters that mean something to mirroring.
type Parameters map[string]string

// journalInterval stands for a journal, which is replayed all the time.
const journalInterval = time.Second

// fastInterval is how often a snapshot of a fast image is taken, whatever its schedule: a lag is then within what
// the schedule allows although csi-addons asks only once in each interval.
const fastInterval = time.Second

// interval returns what ceph-csi accepts, and zero without a schedule. Fast images take any duration.
func (p Parameters) interval(fast bool) (time.Duration, error) {
	if p["mirroringMode"] == "journal" {
		return journalInterval, nil
	}
	text := p["schedulingInterval"]
	if text == "" {
		return 0, nil
	}
	if every, err := time.ParseDuration(text); fast && err == nil && every >= time.Second {
		return min(every, fastInterval), nil
	}
	parts := regexp.MustCompile(`^(\d+)([mhd])$`).FindStringSubmatch(text)
	if parts == nil {
		return 0, errorf(InvalidArgument, "interval specified without d, h, m suffix %q", text)
	}
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[parts[2]]
	n, err := strconv.Atoi(parts[1])
	if err != nil || n == 0 {
		return 0, errorf(InvalidArgument, "interval %q is no time", text)
	}
	return time.Duration(n) * unit, nil
}

func (p Parameters) check(images []*image) error {
	switch p["mirroringMode"] {
	case "", "snapshot", "journal":
	default:
		return errorf(InvalidArgument, "unsupported mirroring mode %q", p["mirroringMode"])
	}
	for _, img := range images {
		if _, err := p.interval(img.fast); err != nil {
			return err
		}
	}
	return nil
}

// Enable turns mirroring on with the site as primary. What is mirrored already stays as it is.
func (a *Array) Enable(site Site, t Target, p Parameters) error {
	defer a.lock()()
	images, err := a.resolve(site, t)
	if err != nil {
		return err
	}
	if err := p.check(images); err != nil {
		return err
	}
	for _, img := range images {
		if !img.mirrored {
			a.enable(img, site, p)
		}
	}
	if g := a.groups[t.Group]; g != nil {
		g.parameters = p
		if g.enabledOn == "" {
			g.enabledOn = site
		}
		if a.linkUp {
			a.announceGroups()
		}
	}
	return nil
}

func (a *Array) enable(img *image, site Site, p Parameters) {
	local, peer := img.copies[site], img.copies[a.peer(site)]
	img.mirrored, img.shown = true, map[sighting]report{}
	local.primary = true
	a.turn(local, ownPrimary)
	// A copy that an earlier mirroring left on the peer is the secondary of no group if it is primary.
	if peer != nil && !peer.primary {
		peer.past, peer.newest, peer.sync = nil, "", nil
	}
	// csi-addons asks again soon after an answer without a time, and an interval later after one with a time that is
	// too old to prove anything. Fast images spare it that.
	a.schedule(img, site, p, img.fast)
	// The daemons are told of a new image and do not wait for their next look.
	now := a.clock.Now()
	a.lookAt(img, site, now)
	a.lookAt(img, a.peer(site), now)
	a.planLooks(img, now)
}

// turn records a promotion or a demotion.
func (a *Array) turn(c *copyOf, to snapshotKind) {
	a.serial++
	c.newest, c.past, c.sync = to, append(slices.Clone(c.past), a.serial), nil
}

// schedule starts over with a snapshot now; parameters were checked before.
func (a *Array) schedule(img *image, site Site, p Parameters, timeless bool) {
	now := a.clock.Now()
	img.interval, _ = p.interval(img.fast)
	img.nextSnapshot = time.Time{}
	if img.interval > 0 {
		img.nextSnapshot = now.Add(img.interval)
	}
	local := img.copies[site]
	img.pending = &snapshot{from: site, taken: now, content: local.content, past: local.past, timeless: timeless}
	img.arrives = time.Time{}
	a.startTransfer(img, now)
}

// Disable turns mirroring off. On a primary the peer's copy goes with it. On a secondary nothing is
// done, and that is refused unless the daemon shows that a live primary replicates to it.
func (a *Array) Disable(site Site, t Target) error {
	defer a.lock()()
	images, err := a.resolve(site, t)
	if err != nil {
		return err
	}
	for _, img := range images {
		if r, _ := a.seen(img, site, site); img.mirrored && !img.isPrimary(site) && (r.state != replaying || !r.up) {
			return errorf(InvalidArgument, "secondary image status is up=%t and state=%s", r.up, r.state)
		}
	}
	primary := true
	for _, img := range images {
		if img.mirrored && img.isPrimary(site) {
			a.disable(img, site)
		} else if img.mirrored {
			primary = false
		}
	}
	if g := a.groups[t.Group]; g != nil && primary {
		g.enabledOn = ""
	}
	return nil
}

func (a *Array) disable(img *image, site Site) {
	img.halt()
	img.mirrored, img.pending, img.nextSnapshot, img.looks, img.shown = false, nil, time.Time{}, nil, nil
	if peer := a.peer(site); a.linkUp && img.copies[peer] != nil && !img.copies[peer].primary {
		a.dropCopy(img, peer)
	}
}

// Promote makes the site primary. Without force it asks no more than RBD does: the copy's newest mirror
// snapshot must be a demotion, be it that of the peer or the copy's own old one. So it succeeds on a copy
// that lacks what the peer wrote since, and leaves no trace. With force nothing is asked at all.
func (a *Array) Promote(site Site, t Target, force bool, p Parameters) error {
	defer a.lock()()
	images, err := a.mirroredImages(site, t)
	if err != nil {
		return err
	}
	if err := p.check(images); err != nil {
		return err
	}
	for _, img := range images {
		if local := img.copies[site]; !force && !local.primary && !local.newest.demotion() {
			return errorf(FailedPrecondition, "failed to promote image %s: Device or resource busy: image is primary within a remote cluster or demotion is not propagated yet", img.handle)
		}
	}
	for _, img := range images {
		a.promote(img, site, p)
	}
	return nil
}

func (a *Array) promote(img *image, site Site, p Parameters) {
	local, peer := img.copies[site], img.copies[a.peer(site)]
	if local.primary {
		if every, _ := p.interval(img.fast); every != img.interval {
			a.schedule(img, site, p, false)
		}
		return
	}
	local.primary, local.resyncAsked = true, false
	a.turn(local, ownPrimary)
	if peer != nil {
		peer.sync = nil
	}
	// No daemon knows yet: the peer's follows when it looks the next time.
	img.halt()
	a.schedule(img, site, p, true)
}

// Demote makes the site secondary. A volume that is published to a node is refused.
func (a *Array) Demote(site Site, t Target) error {
	defer a.lock()()
	images, err := a.mirroredImages(site, t)
	if err != nil {
		return err
	}
	for _, img := range images {
		if img.isPrimary(site) && img.copies[site].attached {
			return errorf(FailedPrecondition, "volume cannot be demoted: image %s is still published to a node", img.handle)
		}
	}
	for _, img := range images {
		if img.isPrimary(site) {
			a.demote(img, site)
		}
	}
	return nil
}

func (a *Array) demote(img *image, site Site) {
	local := img.copies[site]
	local.primary, local.savedCreation = false, true
	a.turn(local, ownDemotion)
	if img.isPrimary(a.peer(site)) {
		return // the schedule is the peer's now
	}
	now := a.clock.Now()
	img.nextSnapshot, img.arrives = time.Time{}, time.Time{}
	img.pending = &snapshot{from: site, taken: now, content: local.content, past: local.past, demotion: true}
	a.startTransfer(img, now)
}

// resolve finds the images of a target; the peer's are not the site's.
func (a *Array) resolve(site Site, t Target) ([]*image, error) {
	handles := []string{t.Volume}
	if t.Group != "" {
		g, err := a.group(site, t.Group)
		if err != nil {
			return nil, err
		}
		if g.upstream { // ceph-csi takes the group's handle for that of a volume
			return nil, errorf(NotFound, "volume %s not found", t.Group)
		}
		handles = slices.Sorted(slices.Values(g.members[site]))
	} else if t.Volume == "" {
		return nil, errorf(InvalidArgument, "empty volume ID in request")
	}
	images := make([]*image, 0, len(handles))
	for _, h := range handles {
		img, err := a.image(site, h)
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	return images, nil
}

func (a *Array) mirroredImages(site Site, t Target) ([]*image, error) {
	images, err := a.resolve(site, t)
	if err != nil {
		return nil, err
	}
	for _, img := range images {
		if !img.mirrored {
			return nil, errorf(InvalidArgument, "mirroring is not enabled on %s, image is in disabled Mode", img.handle)
		}
		if img.copies[site].recreating {
			return nil, errorf(NotFound, "image %s not found on %s: it is being made again", img.handle, site)
		}
	}
	return images, nil
}

func (img *image) isPrimary(site Site) bool {
	c := img.copies[site]
	return c != nil && c.primary
}
