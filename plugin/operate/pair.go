// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/native"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Clocks keep the clocks of both clusters for the length of a command. What a cluster says of its
// time is only good to a second; that they keep going makes durations right.
type Clocks struct {
	Local clock.PassiveClock
	ahead [2]*time.Duration
}

func (c *Clocks) now(i int, in overview.SiteInput) time.Time {
	now := c.Local.Now()
	if in.ServerTime == nil {
		return time.Time{}
	}
	if c.ahead[i] == nil {
		c.ahead[i] = new(in.ServerTime.Sub(now))
	}
	return now.Add(*c.ahead[i])
}

// Pair returns what the inputs of both sites say of one group.
func Pair(inputs []overview.SiteInput, sites [2]*site.Site, clusters [2]string, clocks *Clocks, namespace, name string) recovery.Pair {
	p := recovery.Pair{Namespace: namespace, Name: name}
	for i, in := range inputs {
		s := recovery.Site{SiteRef: Ref(sites[i], Cluster(inputs, clusters, i, namespace, name)), Kubectl: sites[i].Kubectl(), Answered: in.Answered, UnreachableReason: in.Message, Now: clocks.now(i, in)}
		s.NotAsked = in.Problem == overview.SiteNotAsked
		s.Alive = in.Answered || in.Problem != overview.SiteUnreachable && !s.NotAsked
		if in.Answered {
			s.Read(in.Group(namespace, name))
		}
		p.Sites[i] = s
	}
	unwatched(&p, inputs)
	return p
}

// unwatched completes what is known of a group by what its objects are: those of a backend, or ours.
func unwatched(p *recovery.Pair, inputs []overview.SiteInput) {
	key := types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
	bare := slices.ContainsFunc(inputs, func(in overview.SiteInput) bool { _, is := in.Native[key]; return is })
	for i, in := range inputs {
		s := &p.Sites[i]
		n, is := in.Native[key]
		s.Unwatched = bare
		switch {
		case !in.Answered:
		case !bare && in.NativeOnly: // of groups of ours it has said nothing
			s.Answered, s.UnreachableReason = false, "the CRDs of replication.unified.io are not installed"
		case bare && in.Incomplete: // what it has not shown may be there
			s.Read(nil)
			s.Answered, s.UnreachableReason = false, strings.Join(in.Unread, "; ")
		case is && s.Group != nil:
			s.Read(native.Recalled(s.Group, n.Unwatched))
		}
	}
}

// Ref returns what names a site in operations.
func Ref(s *site.Site, cluster string) recovery.SiteRef {
	return recovery.SiteRef{Name: s.Name, Cluster: cluster, Context: s.Context, Flag: s.Flag()}
}

// Cluster identifies a site for one group: a lost site is known by what this group on its peer remembers, for no other group.
func Cluster(inputs []overview.SiteInput, clusters [2]string, at int, namespace, name string) string {
	if clusters[at] != "" || inputs[at].Answered || !inputs[1-at].Answered {
		return clusters[at]
	}
	g := inputs[1-at].Group(namespace, name)
	if g == nil || g.Annotations[vgrv1.AnnotationPeerClusterUID] == clusters[1-at] {
		return "" // a group that names its own cluster says nothing about the other one
	}
	return g.Annotations[vgrv1.AnnotationPeerClusterUID]
}
