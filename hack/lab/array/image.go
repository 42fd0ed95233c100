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
	copies map[Site]*copyOf
	// written counts the acknowledged writes on any site, and numbers them.
	written int64

	mirrored bool
	// splitBrain: both copies were primary since they last agreed.
	splitBrain bool
	// demotionCrossed: the peer has everything up to the last demotion and knows of it.
	demotionCrossed bool
	interval        time.Duration
	nextSnapshot    time.Time
	// pending is the newest snapshot that has not arrived; arrives is zero while it cannot travel.
	pending *snapshot
	arrives time.Time
	// lastSync is what the primary knows of its peer; nil until the first synchronization.
	lastSync *Sync
}

// copyOf is what one site has of an image.
type copyOf struct {
	primary  bool
	attached bool
	content  content
	// savedCreation: the copy was demoted and not created again since, so a forced resync applies.
	savedCreation bool
	// recreating: a forced resync deleted the copy and has not brought it back.
	recreating bool
}

type snapshot struct {
	from     Site
	taken    time.Time
	content  content
	demotion bool
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
	defer a.lock()()
	for _, img := range a.images {
		if img.name == name && img.copies[site] != nil {
			return img.handle
		}
	}
	img := &image{handle: a.handle("image"), name: name, bytes: size, copies: map[Site]*copyOf{site: {primary: true}}}
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

// receiver is the site that a pending snapshot travels to, and empty without one.
func (img *image) receiver(a *Array) Site {
	if img.pending == nil {
		return ""
	}
	return a.peer(img.pending.from)
}
