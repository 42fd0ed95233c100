// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// State is what rbd shows on both sites; a site that does not answer has no copies.
func (p *Pair) State(ctx context.Context) array.State {
	var copies [2]map[string]shown
	var both sync.WaitGroup
	for i, c := range p {
		both.Go(func() { copies[i], _ = c.shown(ctx) }) // what cannot be seen is not there
	}
	both.Wait()
	state := array.State{LinkUp: true, Images: []array.ImageState{}, Groups: []array.GroupState{}}
	names := map[string]bool{}
	for _, site := range copies {
		for name := range site {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		img := array.ImageState{Handle: handlePrefix + strings.TrimPrefix(name, "csi-vol-"), Name: name, Copies: map[array.Site]array.CopyState{}}
		primaries := 0
		for i, site := range copies {
			s, there := site[name]
			if !there {
				continue
			}
			img.Mirrored = img.Mirrored || s.info.enabled()
			if s.info.Mirroring.Primary {
				primaries++
				img.LastSync = s.peerSync()
			}
			img.SplitBrain = img.SplitBrain || strings.Contains(s.status.Description, "split-brain")
			img.Copies[array.Site(p[i].Site)] = array.CopyState{Primary: s.info.Mirroring.Primary, Mirror: s.status.State}
		}
		img.SplitBrain = img.SplitBrain || primaries > 1
		state.Images = append(state.Images, img)
	}
	return state
}

// shown is what one site shows of an image.
type shown struct {
	info   info
	status status
}

func (s shown) peerSync() *array.Sync {
	peer, ok := s.status.remote()
	if !ok {
		return nil
	}
	last, err := peer.lastSync()
	if err != nil {
		return nil
	}
	sync := last.sync()
	return &sync
}

func (c *Cluster) shown(ctx context.Context) (map[string]shown, error) {
	var names []string
	if err := c.decode(ctx, &names, "rbd", "ls", Pool, "--format", "json"); err != nil {
		return nil, err
	}
	var pool struct {
		Images []status `json:"images"`
	}
	if err := c.decode(ctx, &pool, "rbd", "mirror", "pool", "status", "--verbose", Pool, "--format", "json"); err != nil {
		return nil, err
	}
	all := map[string]shown{}
	for _, name := range names {
		var s shown
		if err := c.decode(ctx, &s.info, "rbd", "info", Pool+"/"+name, "--format", "json"); err != nil {
			continue // it went meanwhile
		}
		for _, mirrored := range pool.Images {
			if mirrored.Name == name {
				s.status = mirrored
			}
		}
		all[name] = s
	}
	return all, nil
}
