// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	// File is the kubeconfig that has the context; empty for that of all commands.
	File string `json:"kubeconfig,omitempty"`
}

// remembered returns the peer that was found for a site before.
func (c *Connector) remembered(here *Site) (at target, uid string, ok bool) {
	k := c.readCache()[here.Endpoint()]
	if file := c.PeerFile(); k.Context == "" || file != "" && k.File != file {
		return target{}, "", false
	}
	at, err := c.in(k.File, k.Context)
	return at, k.UID, err == nil
}

// search finds the context whose cluster has the UID that the groups here remember as their peer's, and where one of
// them remembers this cluster: a user who may write a group here must not choose what the plugin talks to. The remembered
// context name is only a hint, and is asked first.
func (c *Connector) search(ctx context.Context, here *Site) (found *target, uid string, err error) {
	cl, err := here.Client()
	if err != nil {
		return nil, "", nil //nolint:nilerr // the command itself will say what is wrong with this site
	}
	var groups vgrv1.VolumeGroupReplicationList
	if err := cl.List(ctx, &groups, client.Limit(searched)); err != nil {
		return nil, "", nil //nolint:nilerr // likewise
	}
	var named []client.ObjectKey
	var hint string
	for _, g := range groups.Items {
		switch says := g.Annotations[vgrv1.AnnotationPeerClusterUID]; {
		case says == "":
			continue
		case uid == "":
			uid, hint = says, g.Annotations[vgrv1.AnnotationPeerContext]
		case says != uid:
			return nil, "", clierror.Refused("name the other site with --peer-context", "the groups on %s name several clusters as their peer: %s has %s, %s/%s has %s",
				here.Name, named[0], uid, g.Namespace, g.Name, says)
		}
		named = append(named, client.ObjectKeyFromObject(&g))
	}
	if uid == "" {
		return nil, "", nil
	}
	at, ok := c.having(ctx, uid, hint, here)
	if !ok {
		return nil, "", nil
	}
	there := c.site(at)
	hereUID, agreed := c.agrees(ctx, here, there, named)
	if !agreed {
		if c.Warn != nil {
			c.Warn(fmt.Sprintf("%s on %s names the cluster of context %s as its peer, and no such group there names %s: %s is not read. --peer-context names the other site", named[0], here.Name, at.context, here.Name, at.context))
		}
		return nil, "", nil
	}
	c.Learn(groups.Items, map[string]*Site{hereUID: here, uid: there})
	return &at, uid, nil
}

// agrees reports whether one of the groups exists on the other site and remembers this cluster as its peer.
func (c *Connector) agrees(ctx context.Context, here, there *Site, groups []client.ObjectKey) (hereUID string, agreed bool) {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	hereUID, err := here.UID(ctx)
	if err != nil {
		return "", false
	}
	cl, err := there.Client()
	if err != nil {
		return "", false
	}
	for _, key := range groups[:min(len(groups), confirming)] {
		var g vgrv1.VolumeGroupReplication
		if err := cl.Get(ctx, key, &g); err == nil && g.Annotations[vgrv1.AnnotationPeerClusterUID] == hereUID {
			return hereUID, true
		}
	}
	return "", false
}

func (c *Connector) is(ctx context.Context, at target, uid string) bool {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	got, err := c.site(at).UID(ctx)
	return err == nil && got == uid
}

// having returns a context of the cluster with an identity: the hint, or else any that answers.
func (c *Connector) having(ctx context.Context, uid, hint string, except *Site) (target, bool) {
	file := c.PeerFile()
	raw, err := c.contexts(file)
	if err != nil {
		return target{}, false
	}
	if at := (target{hint, file, raw}); raw.Contexts[hint] != nil && c.is(ctx, at, uid) {
		return at, true
	}
	found := make(chan string, len(raw.Contexts))
	var asked sync.WaitGroup
	for name := range raw.Contexts {
		at := target{name, file, raw}
		if at.same(target{context: except.Context, file: except.File}) {
			continue
		}
		asked.Go(func() {
			if c.is(ctx, at, uid) {
				found <- name
			}
		})
	}
	asked.Wait()
	close(found)
	var all []string
	for name := range found {
		all = append(all, name)
	}
	if len(all) == 0 {
		return target{}, false
	}
	name := slices.Min(all) // of several, always the same
	if slices.Contains(all, raw.CurrentContext) {
		name = raw.CurrentContext
	}
	return target{name, file, raw}, true
}

// boundSite connects to a peer that was found, as long as its context names the same cluster.
func (c *Connector) boundSite(at target, uid string) *Site {
	s := c.site(at)
	s.bind(uid, unsent("the context %s names another cluster than when it was found to be the peer; --peer-context %s uses it all the same", at.context, at.context))
	return s
}

// The cache maps the address of a cluster to its peer: the context, and the cluster that it is.
func (c *Connector) cacheFile() string {
	if dir := c.directory("XDG_CACHE_HOME", ".cache"); dir != "" {
		return filepath.Join(dir, "peers.json")
	}
	return ""
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
