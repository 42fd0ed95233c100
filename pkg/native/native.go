// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package native shows groups that others made, from the backends' own objects, as if they were groups of ours: each with a status
// by the same rules, and both sites' objects of one group under one name. It is pure.
package native

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/pkg/observed"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Site is what was listed on a site.
type Site struct {
	Name   string
	Listed backend.Listed
	// Ours is true when the site has the API of our groups: then what belongs to one of them is shown as that.
	Ours bool
	// Taken are the names of the groups of ours on the site, and Owned the backends' objects that these tell of.
	Taken []types.NamespacedName
	Owned map[Object]bool
	// Kubectl and Flag name the site in commands, as in backend.At.
	Kubectl, Flag string
	// Now is the clock of the site.
	Now metav1.Time
}

// Object names an object of a backend on its site.
type Object struct{ APIVersion, Kind, Namespace, Name string }

// Tell adds the objects of the backends that a group of ours tells of. Those of the cluster have no namespace, which the group does
// not tell.
func (s *Site) Tell(g *vgrv1.VolumeGroupReplication) {
	s.Taken = append(s.Taken, types.NamespacedName{Namespace: g.Namespace, Name: g.Name})
	if s.Owned == nil {
		s.Owned = map[Object]bool{}
	}
	add := func(ref *vgrv1.BackendReference) {
		if ref != nil {
			for _, namespace := range []string{"", g.Namespace} {
				s.Owned[Object{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: namespace, Name: ref.Name}] = true
			}
		}
	}
	add(g.Status.BackendRef)
	for i := range g.Status.Volumes {
		add(g.Status.Volumes[i].BackendRef)
	}
}

// Groups are those of a site, with what is known of each beside it.
type Groups struct {
	Groups []vgrv1.VolumeGroupReplication
	Native map[types.NamespacedName]overview.Native
}

// entry is a group of one site.
type entry struct {
	backend.NativeGroup
	by   backend.Profile
	site int
	// handles are those of the volumes, and of their copies where they are told, with the PVCs. What both sites have is one volume.
	handles map[string]string
	// next is the command that changes the object.
	next string
	// complete is true when the handles of all volumes are known.
	complete bool
}

// Find finds the groups of one or two sites.
func Find(profiles backend.Profiles, sites []Site, groupBy ...string) []Groups {
	found := make([][]*entry, len(sites))
	var read sync.WaitGroup
	for i := range sites {
		read.Go(func() { found[i] = find(profiles, i, &sites[i], groupBy) })
	}
	read.Wait()
	out := make([]Groups, len(sites))
	for i := range out {
		out[i].Native = map[types.NamespacedName]overview.Native{}
	}
	names, pairs := namesOf(sites), pair(found)
	called := named(sites, pairs)
	for _, p := range pairs {
		key := names.of(p, sites)
		may, why := p.movable(key, called[key] == 1, sites)
		first := p.entries[0]
		for _, e := range p.entries {
			if e == nil {
				continue
			}
			if first == nil {
				first = e
			}
			g := e.group(key, sites[e.site].Now)
			if e != first {
				align(&g, first, e)
			}
			out[e.site].Groups = append(out[e.site].Groups, g)
			n := e.native()
			n.Unproven = join(n.Unproven, p.unproven)
			n.Movable, n.Immovable = may, why
			out[e.site].Native[key] = n
		}
	}
	for _, o := range out {
		slices.SortFunc(o.Groups, func(a, b vgrv1.VolumeGroupReplication) int { return overview.Compare(&a, &b) })
	}
	return out
}

// find finds the groups of one site that are not of ours.
func find(profiles backend.Profiles, site int, s *Site, groupBy []string) (out []*entry) {
	for _, p := range profiles {
		if p.Native == nil {
			continue
		}
		for _, g := range p.Native.Groups(s.Listed, backend.NativeRequest{GroupBy: groupBy, Now: s.Now.Time}) {
			if g.Owned && s.Ours || s.Owned[Object{APIVersion: g.APIVersion, Kind: g.Kind, Namespace: g.Object.Namespace, Name: g.Object.Name}] {
				continue
			}
			out = append(out, begin(site, s, p, g))
		}
	}
	return out
}

func join(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), "; ")
}

func begin(site int, s *Site, p backend.Profile, g backend.NativeGroup) *entry {
	e := &entry{NativeGroup: g, by: p, site: site, handles: map[string]string{}}
	if m := gitops.Of(&g.Object, gitops.Role); e.Keeper == "" && !m.None() {
		e.Keeper, e.next = m.String(), "change it in Git, from where "+m.Tool+" applies it"
	} else if g.Next != nil {
		e.next = g.Next(backend.At{Kubectl: s.Kubectl, Flag: s.Flag, Namespace: recovery.ShellQuote(g.Object.Namespace), Name: recovery.ShellQuote(g.Object.Name)})
	}
	if g.Pairing == backend.ByName {
		e.handles[e.identity()] = ""
		return e
	}
	own := g.Handles
	if own == nil {
		own = map[string]string{}
		for _, m := range g.Group.Members {
			own[m.PVC] = m.Handle
		}
	}
	put := func(handles map[string]string, where int) (all bool) {
		all = len(handles) > 0
		for pvc, handle := range handles {
			if handle == "" {
				all = false
				continue
			}
			if g.Pairing == backend.ByCopies { // the same handle on two storage systems is of two volumes
				handle = fmt.Sprintf("%d/%s", where, handle)
			}
			e.handles[handle] = pvc
		}
		return all
	}
	e.complete = put(own, site)
	put(g.Copies, 1-site)
	return e
}

// native returns what is known of the group beside its status.
func (e *entry) native() overview.Native {
	n := overview.Native{
		ManagedBy: e.Manager, Keeper: e.Keeper, APIVersion: e.APIVersion, Kind: e.Kind, Namespace: e.Object.Namespace, Name: e.Object.Name, Unproven: e.Unproven,
		Next: e.next, VolumesUnknown: e.VolumesUnknown, Unwatched: state.Unwatched{LastSync: e.Observation.LastSyncTime, Inner: e.Inner},
	}
	if every, ok := state.Interval(e.Schedule); ok {
		n.ScheduleSeconds = new(int64(every.Seconds()))
	}
	return n
}

// group returns the group as one of ours would be that has observed the same. What only time tells is not known of it: no controller of ours
// has watched it.
func (e *entry) group(key types.NamespacedName, now metav1.Time) vgrv1.VolumeGroupReplication {
	o := e.Object
	g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{
		Namespace: key.Namespace, Name: key.Name, UID: o.UID, ResourceVersion: o.ResourceVersion, Generation: max(o.Generation, 1),
		CreationTimestamp: o.CreationTimestamp, DeletionTimestamp: o.DeletionTimestamp, Labels: o.Labels, Annotations: keptOf(o.Annotations),
	}}
	g.Spec.ReplicationState, g.Spec.VolumeGroupReplicationClass = e.Group.State, e.Group.Class.Name
	g.Spec.AutoResync = &e.Group.AutoResync
	st := &g.Status.ReplicationStatus
	if e.Since != nil { // else no synchronisation is known to be of the present role
		st.State, st.StateSince = e.Observation.State, e.Since
	}
	facts := observed.Facts{Backend: cmp.Or(e.Backend, e.by.Name), Sizes: e.Sizes, Terminating: e.Terminating}
	if e.Unproven != "" && e.Observation.Problem == nil {
		facts.Problem = backend.Problemf(vgrv1.ReasonProgressing, "%s", e.Unproven)
	}
	volumes := observed.Put(observed.Request{Object: &g, State: e.Group.State, Status: st}, facts, e.Observation, now)
	observed.PutVolumes(&g, e.Observation, volumes)
	for i := range st.Conditions { // a backend of others may use any words; these are of our controller
		if c := &st.Conditions[i]; state.Refuses(c.Reason) || c.Type == vgrv1.ConditionDeletionHeld {
			c.Reason = vgrv1.ReasonBackendError
		}
	}
	return g
}

// align gives the volumes of a copy the names that the same volumes have on the other site, and says what they are called here.
func align(g *vgrv1.VolumeGroupReplication, first, e *entry) {
	for i := range g.Status.Volumes {
		v := &g.Status.Volumes[i]
		for handle, pvc := range e.handles {
			if other := first.handles[handle]; pvc == v.Name && other != "" && other != pvc {
				v.Message = join(fmt.Sprintf("its PVC is %s/%s", e.Group.Owner.Namespace, pvc), v.Message)
				v.Name = other
				break
			}
		}
	}
	slices.SortFunc(g.Status.Volumes, func(a, b vgrv1.VolumeStatus) int { return strings.Compare(a.Name, b.Name) })
}
