// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import "time"

// blockSize turns a number of writes into the bytes a synchronization reports.
const blockSize = 4096

// image is one volume and its copies. There is at most one per site, under the same handle.
type image struct {
	handle string
	name   string
	bytes  int64
	// fast: schedules in seconds are taken, snapshots too, and the daemons look often.
	fast   bool
	copies map[Site]*copyOf
	// written counts the acknowledged writes on any site, and numbers them.
	written int64

	mirrored     bool
	interval     time.Duration
	nextSnapshot time.Time
	// pending is the newest snapshot that has not arrived; arrives is zero while it does not travel.
	pending *snapshot
	arrives time.Time
	// follower is the site whose daemon replays what the other one sends; empty until it has looked.
	follower Site
	// looks are the times when each site's daemon looks the next time, shown what it wrote then.
	looks map[Site]time.Time
	shown map[sighting]report
}

// copyOf is what one site has of an image.
type copyOf struct {
	primary  bool
	attached bool
	content  content
	// past are the promotions and demotions that led to what the copy is. A copy can follow another one
	// whose past begins with its own.
	past []int
	// newest is the kind of the copy's newest mirror snapshot.
	newest snapshotKind
	// sync is the last synchronization from the present primary; nil until there was a scheduled one.
	sync *Sync
	// savedCreation: the copy was demoted and not created again since, so a forced resync applies.
	savedCreation bool
	// resyncAsked: a forced resync that the daemon has not seen; recreating: it has deleted the copy and
	// not brought it back.
	resyncAsked, recreating bool
}

// snapshotKind is what a mirror snapshot says of the copy that has it.
type snapshotKind string

const (
	ownPrimary       snapshotKind = "primary"
	ownDemotion      snapshotKind = "demoted"
	received         snapshotKind = "non-primary"
	receivedDemotion snapshotKind = "non-primary demoted"
)

// demotion reports whether RBD promotes a copy with such a snapshot without force. It asks no more.
func (k snapshotKind) demotion() bool { return k == ownDemotion || k == receivedDemotion }

// linked reports whether the copy still hangs on what it received last, so that the daemon brings it to an
// end even from a peer that is primary no more.
func (k snapshotKind) linked() bool { return k == received || k == receivedDemotion }

type snapshot struct {
	from    Site
	taken   time.Time
	content content
	past    []int
	// demotion carries that the source was demoted; timeless is one that yields no synchronization time, as
	// that of a promotion.
	demotion, timeless bool
}

// Sync is one completed synchronization.
type Sync struct {
	Time     time.Time     `json:"time"`
	Duration time.Duration `json:"duration"`
	Bytes    int64         `json:"bytes"`
}

// CreateImage provisions an image on a site and returns its handle. Asking again for the same name
// gives the same image.
func (a *Array) CreateImage(site Site, name string, size int64) string {
	return a.create(site, name, size, false)
}

// CreateFastImage returns the same for an image that takes schedules in seconds, and is synchronized and observed every
// second, which no Ceph has.
func (a *Array) CreateFastImage(site Site, name string, size int64) string {
	return a.create(site, name, size, true)
}

func (a *Array) create(site Site, name string, size int64, fast bool) string {
	defer a.lock()()
	for _, img := range a.images {
		if img.name == name && img.copies[site] != nil {
			return img.handle
		}
	}
	img := &image{handle: a.handle("image"), name: name, bytes: size, fast: fast, copies: map[Site]*copyOf{site: {primary: true}}}
	a.images[img.handle] = img
	return img.handle
}

// DeleteImage removes an image from a site. A mirrored image stays.
func (a *Array) DeleteImage(site Site, handle string) error {
	defer a.lock()()
	img, err := a.image(site, handle)
	if err != nil {
		return err
	}
	if img.mirrored {
		return errorf(FailedPrecondition, "image %s is mirrored", handle)
	}
	a.dropCopy(img, site)
	return nil
}

// Attach marks a volume as published to a node of the site, or as not published any more.
func (a *Array) Attach(site Site, handle string, attached bool) error {
	defer a.lock()()
	img, err := a.image(site, handle)
	if err != nil {
		return err
	}
	img.copies[site].attached = attached
	return nil
}

// Write acknowledges n writes to a volume on a site, if its copy there takes any.
func (a *Array) Write(site Site, handle string, n int64) error {
	defer a.lock()()
	img, err := a.image(site, handle)
	if err != nil {
		return err
	}
	copy := img.copies[site]
	if !copy.primary {
		return errorf(FailedPrecondition, "image %s is read-only on %s: it is not primary there", handle, site)
	}
	if n <= 0 {
		return errorf(InvalidArgument, "%d is no number of writes", n)
	}
	copy.content = copy.content.with(span{first: img.written + 1, last: img.written + n})
	img.written += n
	return nil
}

// image finds the copy of a site; an image that exists only on the peer is not found.
func (a *Array) image(site Site, handle string) (*image, error) {
	img := a.images[handle]
	if img == nil || img.copies[site] == nil {
		return nil, errorf(NotFound, "image %s not found on %s", handle, site)
	}
	return img, nil
}

func (a *Array) dropCopy(img *image, site Site) {
	delete(img.copies, site)
	if len(img.copies) == 0 {
		delete(a.images, img.handle)
	}
}

// receiver returns the site that a pending snapshot travels to, and empty without one.
func (img *image) receiver(a *Array) Site {
	if img.pending == nil {
		return ""
	}
	return a.peer(img.pending.from)
}

// halt ends the replay; what was under way starts again when a daemon looks.
func (img *image) halt() { img.follower, img.arrives = "", time.Time{} }
