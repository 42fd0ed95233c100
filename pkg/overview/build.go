// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// SiteInput is what was read from one site.
type SiteInput struct {
	Site
	// Version is where a watch of the groups can begin; empty when it cannot.
	Version string
	// Groups are in the order of Compare.
	Groups  []vgrv1.VolumeGroupReplication
	Classes []vgrv1.VolumeGroupReplicationClass
	// Native are those of the groups that are not of kubectl vgr.
	Native map[types.NamespacedName]Native
	// Writers are who else wrote the journals of groups, where that was asked for.
	Writers map[types.NamespacedName]recovery.Writer
}

// Group finds a group by its name; nil when the site has not told of it.
func (s SiteInput) Group(namespace, name string) *vgrv1.VolumeGroupReplication {
	i, found := slices.BinarySearchFunc(s.Groups, groupName{namespace, name}, func(g vgrv1.VolumeGroupReplication, wanted groupName) int {
		return groupName{g.Namespace, g.Name}.compare(wanted)
	})
	if !found {
		return nil
	}
	return &s.Groups[i]
}

// Sort puts the groups in order.
func (s SiteInput) Sort() {
	inOrder := func(a, b vgrv1.VolumeGroupReplication) int { return Compare(&a, &b) }
	if !slices.IsSortedFunc(s.Groups, inOrder) {
		slices.SortFunc(s.Groups, inOrder)
	}
}

// Build makes the overview of one or two sites. It never fails: what is not known is said to be
// unknown. Now is the clock of this machine, used where a site did not tell its own.
func Build(sites []SiteInput, now time.Time) Overview { return new(Builder).Build(sites, now) }

// Builder makes one overview after another. It remembers the journals that it has read: there are
// many, they are long, and few change from one overview to the next. The zero value is ready.
type Builder struct {
	// journals are those of the groups of the last overview.
	journals, next map[groupName][]journal
}

// journal is what was read of a text; nil when it cannot be read.
type journal struct {
	text string
	op   *recovery.Operation
}

// Build makes an overview, as the function of the same name.
func (b *Builder) Build(sites []SiteInput, now time.Time) Overview {
	b.next = make(map[groupName][]journal, len(b.journals))
	defer func() { b.journals, b.next = b.next, nil }()
	o := Overview{
		TypeMeta:   metav1.TypeMeta{APIVersion: APIVersion, Kind: Kind},
		ObservedAt: metav1.NewTime(now),
		Sites:      []Site{},
		Groups:     []Group{},
	}
	sites = slices.Clone(sites)
	for i := range sites {
		s := &sites[i]
		s.Controller = s.Controller.heard(s.Name, clockOf(sites, s.Name, now))
		o.Sites = append(o.Sites, s.Site)
	}
	schedules := schedulesOf(sites)
	all := paired(sites)
	o.Groups = make([]Group, 0, len(all))
	for _, p := range all {
		o.Groups = append(o.Groups, b.group(p.namespace, p.name, sites, p.copies, schedules, now))
	}
	return o
}

// pairOf is a group with its copy on each site; nil where there is none.
type pairOf struct {
	groupName
	copies []*vgrv1.VolumeGroupReplication
}

type groupName struct{ namespace, name string }

// paired brings the copies of each group together, in the order of Compare.
func paired(sites []SiteInput) []pairOf {
	var all []pairOf
	at := map[groupName]int{}
	for i, s := range sites {
		for j := range s.Groups {
			g := &s.Groups[j]
			name := groupName{g.Namespace, g.Name}
			n, known := at[name]
			if !known {
				n = len(all)
				at[name], all = n, append(all, pairOf{name, make([]*vgrv1.VolumeGroupReplication, len(sites))})
			}
			all[n].copies[i] = g
		}
	}
	slices.SortFunc(all, func(a, b pairOf) int { return a.compare(b.groupName) })
	return all
}

// Compare orders groups as API servers list them: by "namespace/name", byte by byte.
func Compare(a, b *vgrv1.VolumeGroupReplication) int {
	return groupName{a.Namespace, a.Name}.compare(groupName{b.Namespace, b.Name})
}

func (a groupName) compare(b groupName) int {
	if a.namespace == b.namespace {
		return strings.Compare(a.name, b.name)
	}
	return strings.Compare(a.namespace+"/", b.namespace+"/")
}

func (b *Builder) group(namespace, name string, sites []SiteInput, objects []*vgrv1.VolumeGroupReplication, schedules map[string]int64, now time.Time) Group {
	g := Group{Namespace: namespace, Name: name, Sites: make([]GroupSite, 0, len(objects)), copies: objects, refs: refsOf(sites, objects)}
	for i, obj := range objects {
		if obj == nil {
			g.Sites = append(g.Sites, GroupSite{Site: sites[i].Name})
			continue
		}
		gs := groupSite(sites[i].Name, obj, clockOf(sites, sites[i].Name, now))
		gs.nameSites(sites, i)
		if w := sites[i].Writers[types.NamespacedName{Namespace: namespace, Name: name}]; !w.None() {
			gs.JournalWriter = &w
		}
		g.Sites = append(g.Sites, gs)
		g.Class = cmp.Or(g.Class, obj.Spec.VolumeGroupReplicationClass)
		g.Backend = cmp.Or(g.Backend, obj.Status.Backend)
	}
	g.Operation = b.lastOperation(namespace, name, objects, g.refs)
	g.rehearsed(sites, now)
	if seconds, ok := schedules[g.Class]; ok {
		g.ScheduleSeconds = &seconds
	}
	g.takeNative(sites)
	p, ok := g.Primary()
	if age, known := state.Age(clockOf(sites, p.Site, now), p.LastSyncTime); ok && known {
		g.LastSyncTime, g.LagSeconds = p.LastSyncTime, new(int64(age.Seconds()))
	} else if ok && reportsNothing(p) {
		for _, s := range g.Sites {
			g.LastSyncTime = cmp.Or(g.LastSyncTime, s.LastSyncTime)
		}
	}
	g.Verdict = judge(&g, sites, now)
	return g
}

// lastOperation returns the newest that a site knows of; a journal that cannot be read is none.
func (b *Builder) lastOperation(namespace, name string, objects []*vgrv1.VolumeGroupReplication, refs []recovery.SiteRef) *Operation {
	var last *recovery.Operation
	group := groupName{namespace, name}
	var read []journal
	for _, obj := range objects {
		if obj == nil || obj.Annotations[vgrv1.AnnotationOperation] == "" {
			continue
		}
		j := journalOf(obj, b.journals[group], read)
		if read = append(read, j); j.op != nil && (last == nil || j.op.Revision > last.Revision) {
			last = j.op
		}
	}
	if read != nil {
		b.next[group] = read
	}
	if last == nil {
		return nil
	}
	last = last.Named(refs...)
	out := &Operation{
		ID: last.ID, Kind: last.Kind, From: last.From.Name, To: last.To.Name, By: last.By, Holder: last.Holder, Started: last.Started, Result: last.Result,
	}
	if last.InFlight() {
		out.ResumeCommand, out.AbortCommand = last.ResumeCommand(namespace, name), last.AbortCommand(namespace, name)
	}
	if n := len(last.Steps); n > 0 {
		out.Step = last.Steps[n-1].ID
	}
	return out
}

// journalOf reads a group's journal, or takes what was read of the same text; it is never changed.
func journalOf(obj *vgrv1.VolumeGroupReplication, known ...[]journal) journal {
	text := obj.Annotations[vgrv1.AnnotationOperation]
	for _, read := range known {
		for _, j := range read {
			if j.text == text {
				return j
			}
		}
	}
	op, _ := recovery.Journal(obj) // nil on an error
	return journal{text, op}
}

// clockOf returns the clock of a site: the lag is a difference of two times of the same cluster.
func clockOf(sites []SiteInput, name string, now time.Time) time.Time {
	for _, s := range sites {
		if s.Name == name && s.ServerTime != nil {
			return s.ServerTime.Time
		}
	}
	return now
}

func groupSite(site string, obj *vgrv1.VolumeGroupReplication, now time.Time) GroupSite {
	v := state.Of(obj)
	gs := GroupSite{
		Site: site, Exists: true,
		Desired: obj.Spec.ReplicationState, State: obj.Status.State,
		Deleting:   v.Deleting(),
		Unguarded:  obj.Annotations[vgrv1.AnnotationPromotion] == vgrv1.PromotionUnguarded,
		Guarded:    v.Guarded(),
		Current:    v.Current(),
		CopyError:  v.Broken(),
		Generation: obj.Generation, ObservedGeneration: obj.Status.ObservedGeneration,
		Message: obj.Status.Message, Volumes: obj.Status.Volumes, Conditions: obj.Status.Conditions,
		LastSyncTime: v.LastSync(),
		Ready:        Ready{Status: metav1.ConditionUnknown, Message: "the controller has not answered yet"},
	}
	switch c := v.Ready(); {
	case c != nil:
		gs.Ready = Ready{Status: c.Status, Reason: c.Reason, Message: c.Message}
	case v.Condition(vgrv1.ConditionReady) != nil:
		gs.Ready.Message = "the controller has not answered the last change yet"
	}
	if ahead := state.Ahead(now, gs.LastSyncTime); ahead > 0 {
		gs.LastSyncTime, gs.ClockAheadSeconds = nil, new(int64(ahead.Seconds()))
	}
	gs.Volumes = proven(obj, now)
	return gs
}

// nameSites puts the names of the sites into the commands that the controller prints.
func (gs *GroupSite) nameSites(sites []SiteInput, at int) {
	called := func(s SiteInput) string { return cmp.Or(s.Flag, recovery.ShellQuote(s.Name)) }
	here, other := called(sites[at]), ""
	if len(sites) == 2 {
		other = called(sites[1-at])
	}
	name := func(text string) string { return state.NameSites(text, here, other) }
	gs.Message, gs.Ready.Message, gs.CopyError = name(gs.Message), name(gs.Ready.Message), name(gs.CopyError)
	for i := range gs.Volumes {
		gs.Volumes[i].Message = name(gs.Volumes[i].Message)
	}
	if slices.ContainsFunc(gs.Conditions, func(c metav1.Condition) bool { return name(c.Message) != c.Message }) {
		gs.Conditions = slices.Clone(gs.Conditions)
		for i := range gs.Conditions {
			gs.Conditions[i].Message = name(gs.Conditions[i].Message)
		}
	}
}

// proven returns the volumes without what proves nothing: synchronisation times that are the epoch, to come, or of an
// older controller, which may be of an earlier role; and the health of a primary that has not replicated, as
// csi-addons calls it healthy once it is primary.
func proven(obj *vgrv1.VolumeGroupReplication, now time.Time) []vgrv1.VolumeStatus {
	volumes := slices.Clone(obj.Status.Volumes)
	silent := state.Of(obj).LastSync() == nil && meta.FindStatusCondition(obj.Status.Conditions, vgrv1.ConditionReplicating) == nil
	for i := range volumes {
		v := &volumes[i]
		if !state.Counts(&obj.Status.ReplicationStatus, v.LastSyncTime) || state.Ahead(now, v.LastSyncTime) > 0 {
			v.LastSyncTime = nil
		}
		if silent && v.State == vgrv1.StatePrimary && v.Health == vgrv1.HealthHealthy {
			v.Health, v.Message = vgrv1.HealthUnknown, cmp.Or(v.Message, "no synchronisation since it became primary")
		}
	}
	return volumes
}

// schedulesOf reads the interval of each class. Of two sites that disagree the longer counts.
func schedulesOf(sites []SiteInput) map[string]int64 {
	out := map[string]int64{}
	for _, s := range sites {
		for _, c := range s.Classes {
			if every, ok := state.Interval(c.Spec.Parameters[vgrv1.ParameterSchedulingInterval]); ok {
				out[c.Name] = max(out[c.Name], int64(every.Seconds()))
			}
		}
	}
	return out
}
