// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package recovery decides how a group moves between two sites: whether it may, the steps, and the
// next one. It is pure. What is known comes in as a Pair, an observation of both sites; what is to
// be done goes out as a Decision. Every step is verified by observation, so that the same
// functions begin an operation, continue it, and resume it after any crash.
package recovery

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Pair is what is known of one group on both sites at one moment.
type Pair struct {
	Namespace, Name string
	Sites           [2]Site
}

// Site is what is known of a group on one site.
type Site struct {
	SiteRef
	// Kubectl is what names the site on a command line of kubectl after --context, ready for a shell; the name stands for it
	// when it is empty.
	Kubectl string
	// Answered is false when nothing is known from this site now; Trouble says why.
	Answered          bool
	UnreachableReason string
	// Alive is true when the site's API answers, also when it does not show the group.
	Alive bool
	// NotAsked is true when the site could not be asked, and nothing says that it is lost.
	NotAsked bool
	// ReadOnly is why the site takes no changes, although it answers; empty when it does. Only an operation that does
	// without the site continues then.
	ReadOnly string
	// Unwatched is true when no controller of kubectl vgr watches the group: what is known of its role since when is what
	// the operation writes beside its journal.
	Unwatched bool
	// Now is the cluster's clock.
	Now time.Time
	// Group is nil when the site has no such group, or did not answer. Journal is its last
	// operation, and Illegible why that cannot be read; see Read.
	Group        *vgrv1.VolumeGroupReplication
	Journal      *Operation
	JournalError error
	// Usage is what uses the group's PVCs; nil when nothing was checked for this decision.
	Usage *Usage
}

// Read takes in a group, which may be nil.
func (s *Site) Read(g *vgrv1.VolumeGroupReplication) {
	s.Group, s.Journal, s.JournalError = g, nil, nil
	if g != nil {
		s.Journal, s.JournalError = Journal(g)
	}
}

// Site finds a site by its cluster or, where that is not known, by its name.
func (p *Pair) Site(ref SiteRef) *Site {
	refs := p.refs()
	if i := find(refs[:], ref); i >= 0 {
		return &p.Sites[i]
	}
	return nil
}

func (p *Pair) refs() [2]SiteRef { return [2]SiteRef{p.Sites[0].SiteRef, p.Sites[1].SiteRef} }

// Other returns the site that ref is not.
func (p *Pair) Other(ref SiteRef) SiteRef {
	if s := p.Site(ref); s != nil {
		return p.other(s).SiteRef
	}
	return SiteRef{}
}

// other returns the site that s is not.
func (p *Pair) other(s *Site) *Site {
	if s.SiteRef == p.Sites[0].SiteRef {
		return &p.Sites[1]
	}
	return &p.Sites[0]
}

// What a site's group is, by the predicates that all readers share.
func (s *Site) view() state.View                    { return state.Of(s.Group) }
func (s *Site) desired() vgrv1.ReplicationState     { return s.view().Desired() }
func (s *Site) state() vgrv1.State                  { return s.view().State() }
func (s *Site) ready() *metav1.Condition            { return s.view().Ready() }
func (s *Site) current() bool                       { return s.view().Current() }
func (s *Site) is(want vgrv1.ReplicationState) bool { return s.view().Is(want) }
func (s *Site) demoted() bool                       { return s.view().Demoted() }
func (s *Site) guarded() bool                       { return s.view().Guarded() }
func (s *Site) askedToLead() bool                   { return s.view().AskedToLead() }
func (s *Site) replicated() bool                    { return s.view().Replicated() }
func (s *Site) saysSynced() bool                    { return s.view().SaysInSync() }
func (s *Site) synced() bool                        { return s.view().InSync() }
func (s *Site) replicates() bool                    { return s.view().Replicates() }
func (s *Site) broken() string                      { return s.view().Broken() }

// leaving reports whether the group is on its way out: an operation can neither begin nor be finished on it. One that
// its controller keeps for the operation in its journal is not, as long as that has not ended.
func (s *Site) leaving() bool {
	v := s.view()
	if !v.Deleting() {
		return false
	}
	removing := v.ReadyReason() == vgrv1.ReasonDeleting || v.ReadyReason() == vgrv1.ReasonDeletionBlocked
	return v.Released() || removing && !v.Held() || s.JournalError == nil && !s.Journal.InFlight()
}

// kubectl returns what names the site to kubectl after --context.
func (s *Site) kubectl() string {
	if s.Kubectl != "" {
		return s.Kubectl
	}
	return ShellQuote(s.Name)
}

// fault returns the error that the copy of a site reports, in a sentence; empty without one.
func (s *Site) fault() string {
	what := "has an error"
	switch {
	case s.broken() == "":
		return ""
	case s.view().Diverged() != "":
		what = "has diverged and does not follow"
	}
	return fmt.Sprintf("the copy on %s %s: %s", s.Name, what, s.broken())
}

// confirmed reports whether a site says that its promotion, or a demotion that hands over, is not confirmed, or that its
// role was changed elsewhere, and it was written since what the controller may do: a write that changes no spec makes no
// new generation, so the controller's word is older than the write.
func (s *Site) confirmed(ready *metav1.Condition) bool {
	switch {
	case ready.Reason == vgrv1.ReasonRoleDiffers: // nothing confirms that to a group that was made anew
		return s.Group.Status.ObservedGeneration > 0 && state.IsBound(s.Group)
	case ready.Reason == vgrv1.ReasonRoleChangedOutside && s.desired() != vgrv1.Primary:
		return s.Group.Annotations[vgrv1.AnnotationRetry] != s.Group.Status.ConfirmedRetry
	}
	return state.Refuses(ready.Reason) && state.MayPromote(s.Group, &s.Group.Status.ReplicationStatus)
}

// strays reports whether the backend of a copy plays another role than the one that it had confirmed, and no write asks
// the controller to change that back.
func (s *Site) strays() bool {
	r := s.ready()
	return r != nil && r.Reason == vgrv1.ReasonRoleChangedOutside && s.desired() == vgrv1.Secondary && !s.confirmed(r)
}

// spent reports whether the backend of a primary gave up the role after it had confirmed it: what permitted that promotion
// permits no second one.
func (s *Site) spent() bool {
	return s.guarded() && s.Group.Status.ConfirmedGeneration >= s.Group.Generation
}

// follows reports whether a site is a secondary without an error, whatever its spec asks for.
func (s *Site) follows() bool { return (s.is(vgrv1.Secondary) || s.guarded()) && s.broken() == "" }

// silence returns that a site has not answered, and why.
func (s *Site) silence() string {
	if s.NotAsked {
		return s.Name + " could not be queried: " + s.UnreachableReason
	}
	return s.Name + " does not answer: " + s.UnreachableReason
}

// says returns the last word of the site about its present spec.
func (s *Site) says() string {
	switch {
	case !s.Answered:
		return "does not answer: " + s.UnreachableReason
	case s.Group == nil:
		return "has no such group"
	case s.ready() == nil:
		return "waiting for the controller"
	default:
		return s.ready().Reason + ": " + state.NameSites(s.ready().Message, s.flag(), "")
	}
}

// members returns the group's PVCs and their volume handles, as the backend has them.
func (s *Site) members() map[string]string {
	out := map[string]string{}
	if s.Group == nil {
		return out
	}
	inGroup := s.Group.Status.PersistentVolumeClaimsRefList
	for _, v := range s.Group.Status.Volumes {
		if slices.ContainsFunc(inGroup, func(r corev1.LocalObjectReference) bool { return r.Name == v.Name }) {
			out[v.Name] = v.VolumeHandle
		}
	}
	return out
}

// groupSnapshots reports whether the site can take a snapshot of all volumes of the group, and wants it.
func (s *Site) groupSnapshots(t backend.Traits) bool {
	if s.Group == nil || !t.PromoteFirst {
		return false
	}
	c := meta.FindStatusCondition(s.Group.Status.Conditions, vgrv1.ConditionGroupConsistent)
	return c != nil && c.Reason == vgrv1.ReasonGroupSnapshots
}

// snapshots returns those that were taken of the members for a request; nil before they are there.
func (s *Site) snapshots(request string) map[string]string {
	if s.Group.Status.LastSnapshotRequest != request {
		return nil
	}
	out, members := map[string]string{}, s.members()
	for _, v := range s.Group.Status.Volumes {
		if _, is := members[v.Name]; is && v.SnapshotHandle != "" {
			out[v.Name] = v.SnapshotHandle
		}
	}
	if len(out) < len(members) {
		return nil
	}
	return out
}

// replicationHandles returns what the peer's backend needs to follow the volumes.
func (s *Site) replicationHandles() map[string]string {
	out := map[string]string{}
	for _, v := range s.Group.Status.Volumes {
		if v.ReplicationHandle != "" {
			out[v.Name] = v.ReplicationHandle
		}
	}
	return out
}

// followsAnother names a PVC whose copy follows another volume than the source's PVC of that name has; empty without one,
// and where the backend does not tell.
func (s *Site) followsAnother(source *Site) string {
	if s.Group == nil || source.Group == nil {
		return ""
	}
	handles := source.replicationHandles()
	for _, v := range s.Group.Status.Volumes {
		if want := handles[v.Name]; v.FollowedHandle != "" && want != "" && v.FollowedHandle != want {
			return fmt.Sprintf("the copy of PVC %s on %s follows the volume %s, and the PVC on %s has %s", v.Name, s.Name, v.FollowedHandle, source.Name, want)
		}
	}
	return ""
}

func names(members map[string]string) []string { return slices.Sorted(maps.Keys(members)) }
