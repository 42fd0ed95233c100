// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import (
	"cmp"
	"maps"
	"slices"
)

// State is everything there is to see, for people and for assertions.
type State struct {
	LinkUp      bool         `json:"linkUp"`
	DaemonsDown []Site       `json:"daemonsDown,omitempty"`
	Images      []ImageState `json:"images"`
	Groups      []GroupState `json:"groups"`
}

// ImageState is one image and its copies.
type ImageState struct {
	Handle     string `json:"handle"`
	Name       string `json:"name"`
	Mirrored   bool   `json:"mirrored"`
	SplitBrain bool   `json:"splitBrain,omitempty"`
	// DemotionSynced: no site is primary, and the demotion of the last one has arrived on the other.
	DemotionSynced bool `json:"demotionSynced,omitempty"`
	// LastSync is what the primary is shown of its peer.
	LastSync     *Sync              `json:"lastSync,omitempty"`
	Acknowledged int64              `json:"acknowledgedWrites"`
	Copies       map[Site]CopyState `json:"copies"`
}

// CopyState is what one site has of an image.
type CopyState struct {
	Primary  bool `json:"primary"`
	Attached bool `json:"attached,omitempty"`
	// Mirror is what rbd-mirror shows of the copy on its own site, as of its last look; empty while it shows nothing.
	Mirror string `json:"mirror,omitempty"`
	// Writes counts the acknowledged writes this copy has; those it lacks are lost if it is the
	// one that lives on.
	Writes int64 `json:"writes"`
}

// GroupState is one group with its members as each site knows them.
type GroupState struct {
	Handle   string            `json:"handle"`
	Name     string            `json:"name"`
	Mirrored bool              `json:"mirrored"`
	Members  map[Site][]string `json:"members"`
}

// State returns what there is now, in a stable order.
func (a *Array) State() State {
	defer a.lock()()
	s := State{LinkUp: a.linkUp, Images: []ImageState{}, Groups: []GroupState{}}
	for _, site := range a.sites {
		if a.daemonDown[site] {
			s.DaemonsDown = append(s.DaemonsDown, site)
		}
	}
	for _, img := range a.images {
		s.Images = append(s.Images, a.imageState(img))
	}
	for _, g := range a.groups {
		s.Groups = append(s.Groups, GroupState{Handle: g.handle, Name: g.name, Mirrored: g.enabledOn != "", Members: maps.Clone(g.members)})
	}
	slices.SortFunc(s.Images, func(x, y ImageState) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Handle, y.Handle)) })
	slices.SortFunc(s.Groups, func(x, y GroupState) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Handle, y.Handle)) })
	return s
}

// Image returns one image, and false when no site has it.
func (a *Array) Image(handle string) (ImageState, bool) {
	defer a.lock()()
	img := a.images[handle]
	if img == nil {
		return ImageState{}, false
	}
	return a.imageState(img), true
}

func (a *Array) imageState(img *image) ImageState {
	s := ImageState{
		Handle: img.handle, Name: img.name, Mirrored: img.mirrored, SplitBrain: img.splitBrain(a.sites),
		Acknowledged: img.written, Copies: map[Site]CopyState{},
	}
	x, y := img.copies[a.sites[0]], img.copies[a.sites[1]]
	s.DemotionSynced = img.mirrored && x != nil && y != nil && !x.primary && !y.primary && slices.Equal(x.past, y.past)
	if primary, ok := img.primarySite(); ok {
		if r, _ := a.seen(img, a.peer(primary), primary); r.sync != nil {
			sync := *r.sync
			s.LastSync = &sync
		}
	}
	for site, c := range img.copies {
		r, _ := a.seen(img, site, site)
		s.Copies[site] = CopyState{Primary: c.primary, Attached: c.attached, Writes: c.content.count(), Mirror: string(r.state)}
	}
	return s
}
