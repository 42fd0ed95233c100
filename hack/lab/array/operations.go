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

// interval is what ceph-csi accepts, and zero without a schedule.
func (p Parameters) interval() (time.Duration, error) {
	if p["mirroringMode"] == "journal" {
		return journalInterval, nil
	}
	text := p["schedulingInterval"]
	if text == "" {
		return 0, nil
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

func (p Parameters) check() error {
	switch p["mirroringMode"] {
	case "", "snapshot", "journal":
	default:
		return errorf(InvalidArgument, "unsupported mirroring mode %q", p["mirroringMode"])
	}
	_, err := p.interval()
	return err
}

// Enable turns mirroring on with the site as primary. What is mirrored already stays as it is.
func (a *Array) Enable(site Site, t Target, p Parameters) error {
	defer a.lock()()
	if err := p.check(); err != nil {
		return err
	}
	images, err := a.resolve(site, t)
	if err != nil {
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
	// A copy that an earlier mirroring left on the peer is nobody's secondary.
	img.splitBrain = img.isPrimary(a.peer(site))
	img.mirrored, img.demotionCrossed, img.lastSync = true, false, nil
	img.copies[site].primary = true
	a.schedule(img, site, p)
}

// schedule starts over with a snapshot now; parameters were checked before.
func (a *Array) schedule(img *image, site Site, p Parameters) {
	now := a.clock.Now()
	img.interval, _ = p.interval()
	img.nextSnapshot = time.Time{}
	if img.interval > 0 {
		img.nextSnapshot = now.Add(img.interval)
	}
	img.pending, img.arrives = nil, time.Time{}
	if !img.splitBrain {
		img.pending = &snapshot{from: site, taken: now, content: img.copies[site].content}
		a.startTransfer(img, now)
	}
}

// Disable turns mirroring off. On a primary the peer's copy goes with it. On a secondary nothing is
// done, and that is refused unless a live primary replicates to it.
func (a *Array) Disable(site Site, t Target) error {
	defer a.lock()()
	images, err := a.resolve(site, t)
	if err != nil {
		return err
	}
	for _, img := range images {
		if status := a.status(img, site); img.mirrored && !img.isPrimary(site) && status != replaying {
			return errorf(InvalidArgument, "secondary image status is up=%t and state=%s", !a.daemonDown[site], status)
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
	img.mirrored, img.splitBrain, img.demotionCrossed = false, false, false
	img.pending, img.arrives, img.nextSnapshot, img.lastSync = nil, time.Time{}, time.Time{}, nil
	if peer := a.peer(site); a.linkUp && img.copies[peer] != nil && !img.copies[peer].primary {
		a.dropCopy(img, peer)
	}
}

// Promote makes the site primary. Without force the peer must be reachable, demoted and fully
// synchronized; with force nothing is asked, and a peer that went its own way is a split brain.
func (a *Array) Promote(site Site, t Target, force bool, p Parameters) error {
	defer a.lock()()
	if err := p.check(); err != nil {
		return err
	}
	images, err := a.mirroredImages(site, t)
	if err != nil {
		return err
	}
	for _, img := range images {
		if reason := a.promotionBusy(img, site); reason != "" && !force {
			return errorf(FailedPrecondition, "failed to promote image %s: Device or resource busy: %s", img.handle, reason)
		}
	}
	for _, img := range images {
		a.promote(img, site, p)
	}
	return nil
}

func (a *Array) promotionBusy(img *image, site Site) string {
	peer := img.copies[a.peer(site)]
	switch {
	case img.isPrimary(site):
		return ""
	case img.copies[site].recreating:
		return "image is being resynced"
	case !a.linkUp:
		return "peer is unreachable"
	case peer != nil && peer.primary:
		return "image is primary within a remote cluster"
	case peer != nil && !img.demotionCrossed:
		return "demotion is not propagated yet"
	default:
		return ""
	}
}

func (a *Array) promote(img *image, site Site, p Parameters) {
	local, peer := img.copies[site], img.copies[a.peer(site)]
	if local.primary {
		if every, _ := p.interval(); every != img.interval {
			a.schedule(img, site, p)
		}
		return
	}
	img.splitBrain = peer != nil && (peer.primary || !img.demotionCrossed)
	img.demotionCrossed, img.lastSync = false, nil
	local.primary, local.recreating = true, false
	a.schedule(img, site, p)
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
	img.demotionCrossed = false
	if img.splitBrain {
		return
	}
	now := a.clock.Now()
	img.nextSnapshot = time.Time{}
	img.pending, img.arrives = &snapshot{from: site, taken: now, content: local.content, demotion: true}, time.Time{}
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
	}
	return images, nil
}

func (img *image) isPrimary(site Site) bool {
	c := img.copies[site]
	return c != nil && c.primary
}
