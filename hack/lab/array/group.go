// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array

import "slices"

// group is an RBD group. Its membership is kept per site, as each site's driver was told it.
type group struct {
	handle  string
	name    string
	members map[Site][]string
	// enabledOn is the site that enabled mirroring; empty while it is off.
	enabledOn  Site
	parameters Parameters
	// upstream: no Ceph mirrors it.
	upstream bool
}

// CreateGroup makes a group of images on a site and returns its handle. Asking again for the same
// name gives the same group with the new membership.
func (a *Array) CreateGroup(site Site, name string, handles []string, p Parameters) (string, error) {
	defer a.lock()()
	if err := a.checkMembers(site, handles); err != nil {
		return "", err
	}
	if !a.allFast(handles) {
		for _, key := range []string{"clusterID", "pool"} {
			if p[key] == "" {
				return "", errorf(InvalidArgument, "%s must be set", key)
			}
		}
	}
	for _, g := range a.groups {
		if _, here := g.members[site]; here && g.name == name {
			g.members[site] = slices.Clone(handles)
			return g.handle, nil
		}
	}
	g := &group{handle: a.handle("group"), name: name, members: map[Site][]string{site: slices.Clone(handles)}}
	g.upstream = !a.mirrors(g)
	a.groups[g.handle] = g
	return g.handle, nil
}

// ModifyGroup sets the whole membership. On the primary site an image that joins a mirrored group
// is mirrored with it, and one that leaves is not mirrored any more.
func (a *Array) ModifyGroup(site Site, handle string, handles []string) error {
	defer a.lock()()
	g, err := a.group(site, handle)
	if err != nil {
		return err
	}
	if err := a.checkMembers(site, handles); err != nil {
		return err
	}
	before := g.members[site]
	g.members[site] = slices.Clone(handles)
	g.upstream = !a.mirrors(g)
	if g.enabledOn == "" {
		return nil
	}
	for _, h := range before {
		if img := a.images[h]; img != nil && !slices.Contains(handles, h) && img.isPrimary(site) {
			a.disable(img, site)
		}
	}
	for _, h := range handles {
		if img := a.images[h]; !img.mirrored && !slices.Contains(before, h) {
			a.enable(img, site, g.parameters)
		}
	}
	return nil
}

// allFast reports whether a group is of fast images; one without images is.
func (a *Array) allFast(handles []string) bool {
	return !slices.ContainsFunc(handles, func(h string) bool { return a.images[h] != nil && !a.images[h].fast })
}

// mirrors reports whether a group can be mirrored.
func (a *Array) mirrors(g *group) bool {
	if a.vendor {
		return true
	}
	for _, handles := range g.members {
		if !a.allFast(handles) {
			return false
		}
	}
	return true
}

// DeleteGroup removes a group from a site. One that is already gone is no error, but to ceph-csi.
func (a *Array) DeleteGroup(site Site, handle string) error {
	defer a.lock()()
	g := a.groups[handle]
	if g == nil {
		if a.deleted[handle] {
			return errorf(Internal, "BUG: name is not set")
		}
		return nil
	}
	a.deleted[handle] = g.upstream
	delete(g.members, site)
	if g.enabledOn == "" || len(g.members) == 0 {
		delete(a.groups, handle)
	}
	return nil
}

// GroupMembers lists the images of a group as the site knows it.
func (a *Array) GroupMembers(site Site, handle string) ([]string, error) {
	defer a.lock()()
	g, err := a.group(site, handle)
	if err != nil {
		return nil, err
	}
	return slices.Clone(g.members[site]), nil
}

func (a *Array) group(site Site, handle string) (*group, error) {
	g := a.groups[handle]
	if g == nil {
		return nil, errorf(NotFound, "volume group %s not found on %s", handle, site)
	}
	if _, here := g.members[site]; !here {
		return nil, errorf(NotFound, "volume group %s not found on %s", handle, site)
	}
	return g, nil
}

func (a *Array) checkMembers(site Site, handles []string) error {
	for _, h := range handles {
		if _, err := a.image(site, h); err != nil {
			return err
		}
	}
	return nil
}

// announceGroups makes mirrored groups known to the peer, as rbd-mirror does once it can.
func (a *Array) announceGroups() {
	for _, g := range a.groups {
		if g.enabledOn == "" {
			continue
		}
		peer := a.peer(g.enabledOn)
		if _, known := g.members[peer]; !known {
			g.members[peer] = nil
		}
	}
}
