// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package native shows groups that others made, from the backends' own objects, as if they were groups of ours: each with a status
// by the same rules, and both sites' objects of one group under one name. It is pure.
package native

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/observed"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Site is what was listed on a site.
type Site struct {
	Name   string
	Listed backend.Listed
	// Ours is true when the site has the API of our groups: then what belongs to one of them is shown as that.
	Ours bool
	// Taken are the names of the groups of ours on the site.
	Taken []types.NamespacedName
	// Now is the clock of the site.
	Now metav1.Time
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
	// handles are those of the volumes, and of their copies where they are told, with the PVCs.
	handles map[string]string
}

// complete reports whether the handles of all volumes are known.
func (e *entry) complete() bool {
	for _, m := range e.Group.Members {
		if m.Handle == "" {
			return false
		}
	}
	return len(e.Group.Members) > 0
}

// Find finds the groups of one or two sites.
func Find(profiles backend.Profiles, sites []Site, groupBy string) []Groups {
	found := make([][]*entry, len(sites))
	for i, s := range sites {
		for _, p := range profiles {
			if p.Native == nil {
				continue
			}
			for _, g := range p.Native.Groups(s.Listed, groupBy) {
				if g.Owned && s.Ours {
					continue
				}
				found[i] = append(found[i], begin(i, p, g))
			}
		}
	}
	out := make([]Groups, len(sites))
	for i := range out {
		out[i].Native = map[types.NamespacedName]overview.Native{}
	}
	names := namesOf(sites)
	for _, p := range pair(found) {
		key := names.of(p, sites)
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
			out[e.site].Native[key] = n
		}
	}
	for _, o := range out {
		slices.SortFunc(o.Groups, func(a, b vgrv1.VolumeGroupReplication) int { return overview.Compare(&a, &b) })
	}
	return out
}

func join(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), "; ")
}

func begin(site int, p backend.Profile, g backend.NativeGroup) *entry {
	e := &entry{NativeGroup: g, by: p, site: site, handles: map[string]string{}}
	for _, m := range g.Group.Members {
		for _, handle := range []string{m.Handle, g.Copies[m.PVC]} {
			if handle != "" {
				e.handles[handle] = m.PVC
			}
		}
	}
	return e
}

// native returns what is known of the group beside its status.
func (e *entry) native() overview.Native {
	n := overview.Native{
		ManagedBy: e.Manager, Keeper: e.Keeper, APIVersion: e.APIVersion, Kind: e.Kind, Namespace: e.Object.Namespace, Name: e.Object.Name, Unproven: e.Unproven,
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
		CreationTimestamp: o.CreationTimestamp, DeletionTimestamp: o.DeletionTimestamp, Labels: o.Labels,
	}}
	g.Spec.ReplicationState, g.Spec.VolumeGroupReplicationClass = e.Group.State, e.Group.Class.Name
	g.Spec.AutoResync = &e.Group.AutoResync
	st := &g.Status.ReplicationStatus
	if e.Since != nil { // else no synchronisation is known to be of the present role
		st.State, st.StateSince = e.Observation.State, e.Since
	}
	facts := observed.Facts{Backend: e.by.Name, Sizes: e.Sizes, Terminating: e.Terminating}
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
				v.Message = join(fmt.Sprintf("its PVC is %s/%s", e.Object.Namespace, pvc), v.Message)
				v.Name = other
				break
			}
		}
	}
	slices.SortFunc(g.Status.Volumes, func(a, b vgrv1.VolumeStatus) int { return strings.Compare(a.Name, b.Name) })
}
