// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

const (
	// identifyTimeout bounds the search for the peer among all contexts.
	identifyTimeout = 3 * time.Second
	// searched is how many groups the search for the peer reads, and confirming how many of them it looks for there.
	searched, confirming = 50, 5
)

// known is a peer that was found: a context can name another cluster later.
type known struct {
	Context string `json:"context"`
	UID     string `json:"uid"`
}

// search finds the context whose cluster has the UID that the groups here remember as their peer's, and where one of
// them remembers this cluster: a user who may write a group here must not choose what the plugin talks to. The remembered
// context name is only a hint, and is asked first.
func (c *Connector) search(ctx context.Context, here *Site) (known, error) {
	cl, err := here.Client()
	if err != nil {
		return known{}, err
	}
	var groups vgrv1.VolumeGroupReplicationList
	if err := cl.List(ctx, &groups, client.Limit(searched)); err != nil {
		return known{}, nil //nolint:nilerr // the command itself will say what is wrong with this site
	}
	var named []client.ObjectKey
	var uid, hint string
	for _, g := range groups.Items {
		switch says := g.Annotations[vgrv1.AnnotationPeerClusterUID]; {
		case says == "":
			continue
		case uid == "":
			uid, hint = says, g.Annotations[vgrv1.AnnotationPeerContext]
		case says != uid:
			return known{}, clierror.Refused("name the other site with --peer-context", "the groups on %s name several clusters as their peer: %s has %s, %s/%s has %s",
				here.Name, named[0], uid, g.Namespace, g.Name, says)
		}
		named = append(named, client.ObjectKeyFromObject(&g))
	}
	if uid == "" {
		return known{}, nil
	}
	if !c.is(ctx, hint, uid) {
		if hint = c.askAll(ctx, uid, here.Name); hint == "" {
			return known{}, nil
		}
	}
	if !c.agrees(ctx, here, hint, named) {
		if c.Warn != nil {
			c.Warn(fmt.Sprintf("%s on %s names the cluster of context %s as its peer, and no such group there names %s: %s is not read. --peer-context names the other site", named[0], here.Name, hint, here.Name, hint))
		}
		return known{}, nil
	}
	return known{hint, uid}, nil
}

// agrees reports whether one of the groups exists on the other site and remembers this cluster as its peer.
func (c *Connector) agrees(ctx context.Context, here *Site, name string, groups []client.ObjectKey) bool {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	uid, err := here.UID(ctx)
	if err != nil {
		return false
	}
	there, err := c.site(name)
	if err != nil {
		return false
	}
	cl, err := there.Client()
	if err != nil {
		return false
	}
	for _, key := range groups[:min(len(groups), confirming)] {
		var g vgrv1.VolumeGroupReplication
		if err := cl.Get(ctx, key, &g); err == nil && g.Annotations[vgrv1.AnnotationPeerClusterUID] == uid {
			return true
		}
	}
	return false
}

func (c *Connector) is(ctx context.Context, name, uid string) bool {
	if name == "" || c.raw.Contexts[name] == nil {
		return false
	}
	s, err := c.site(name)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	got, err := s.UID(ctx)
	return err == nil && got == uid
}

func (c *Connector) askAll(ctx context.Context, uid, except string) string {
	found := make(chan string, len(c.raw.Contexts))
	var asked sync.WaitGroup
	for _, name := range c.Contexts() {
		if name == except {
			continue
		}
		asked.Go(func() {
			if c.is(ctx, name, uid) {
				found <- name
			}
		})
	}
	asked.Wait()
	close(found)
	return <-found
}

// boundSite connects to a peer that was found, as long as its context names the same cluster.
func (c *Connector) boundSite(k known) (*Site, error) {
	s, err := c.site(k.Context)
	if err != nil {
		return nil, err
	}
	s.bind(k.UID)
	return s, nil
}

// The cache maps the address of a cluster to its peer: the context, and the cluster that it is.
func (c *Connector) cacheFile() string {
	dir := c.Env("XDG_CACHE_HOME")
	if dir == "" {
		home := c.Env("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(dir, "kubectl-vgr", "peers.json")
}

func (c *Connector) readCache() map[string]known {
	cache := map[string]known{}
	file := c.cacheFile()
	if file == "" {
		return cache
	}
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &cache) != nil { // also what an earlier version wrote, without the UID
		return map[string]known{}
	}
	return cache
}

func (c *Connector) writeCache(cache map[string]known) {
	file := c.cacheFile()
	data, err := json.Marshal(cache)
	if file == "" || err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return // a cache that cannot be written is only slower
	}
	_ = os.WriteFile(file, data, 0o600)
}
