// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

func resource(plural string) schema.GroupVersionResource {
	return replicationv1.GroupVersion.WithResource(plural)
}

func nodeResource() schema.GroupVersionResource {
	return csiaddonsv1.GroupVersion.WithResource("csiaddonsnodes")
}

// native finds groups in the objects of csi-addons.
func native() *backend.Native {
	return &backend.Native{
		Kinds: []backend.NativeKind{
			{Resource: resource("volumereplications"), Namespaced: true, Groups: true},
			{Resource: resource("volumegroupreplications"), Namespaced: true, Groups: true},
			{Resource: ramenResource(), Namespaced: true, Groups: true},
			{Resource: resource("volumegroupreplicationcontents")},
			{Resource: resource("volumereplicationclasses")},
			{Resource: nodeResource(), Namespaced: true},
			{Resource: backend.PVCResource(), Namespaced: true, Pairs: true},
			{Resource: backend.PVResource(), Pairs: true},
		},
		Groups: nativeGroups,
	}
}

// listed are the objects of csi-addons on a site.
type listed struct {
	*backend.Claims
	groups   map[types.NamespacedName]*replicationv1.VolumeGroupReplication
	volumes  map[types.NamespacedName]*replicationv1.VolumeReplication
	contents map[string]*replicationv1.VolumeGroupReplicationContent
	classes  map[string]*replicationv1.VolumeReplicationClass
	nodes    []csiaddonsv1.CSIAddonsNode
	// copies are the handles of copies: of VolumeReplications, and by the names of volumes of contents.
	copies   map[types.NamespacedName]string
	mappings map[string]map[string]string
	// nodesListed is false when it is not known whether a driver is connected.
	nodesListed bool
	// unlisted are kinds that tell of a VolumeGroupReplication and could not be listed.
	unlisted []string
	// ramen are the VolumeReplicationGroups of Ramen, and made and madeGroups what was made for those.
	ramen      []*ramenVRG
	made       map[types.NamespacedName]bool
	madeGroups map[types.NamespacedName]bool
	// odd are objects that cannot be read.
	odd []backend.NativeGroup
}

// nativeGroups implements backend.Native.
func nativeGroups(l backend.Listed, r backend.NativeRequest) []backend.NativeGroup {
	in := readListed(l)
	out := in.odd
	for _, vrg := range in.ramen {
		out = append(out, in.ofRamen(vrg))
	}
	for key, g := range in.groups {
		if !in.madeGroups[key] {
			out = append(out, in.ofGroup(g))
		}
	}
	together, groupedBy := map[types.NamespacedName][]*replicationv1.VolumeReplication{}, map[types.NamespacedName]string{}
	for key, vr := range in.volumes {
		if in.made[key] {
			continue
		}
		label, value := r.Group(vr.Labels, in.Find(vr.Namespace, vr.Spec.DataSource.Name))
		switch {
		case vr.Spec.DataSource.Kind == groupKind && in.groups[types.NamespacedName{Namespace: vr.Namespace, Name: vr.Spec.DataSource.Name}] != nil:
			continue // csi-addons' own, of a group
		case vr.Spec.DataSource.Kind != pvcKind:
			out = append(out, in.withoutPVC(vr))
		case value != "":
			key := types.NamespacedName{Namespace: vr.Namespace, Name: value}
			together[key], groupedBy[key] = append(together[key], vr), label
		default:
			g := in.ofVolumes(backend.Owner{Kind: backend.VolumeReplicationKind, NamespacedName: types.NamespacedName{Namespace: vr.Namespace, Name: vr.Name}}, vr)
			g.Bare = bare(&g)
			out = append(out, g)
		}
	}
	for key, volumes := range together {
		slices.SortFunc(volumes, func(a, b *replicationv1.VolumeReplication) int { return strings.Compare(a.Name, b.Name) })
		g := in.ofVolumes(backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: key}, volumes...)
		if g.Keeper == "" {
			g.Next = backend.Migrate(Name, groupedBy[key])
		}
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b backend.NativeGroup) int {
		return cmp.Or(cmp.Compare(a.Group.Owner.Namespace, b.Group.Owner.Namespace), cmp.Compare(a.Group.Owner.Name, b.Group.Owner.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

func readListed(l backend.Listed) *listed {
	in := &listed{
		Claims: backend.ClaimsOf(l), groups: map[types.NamespacedName]*replicationv1.VolumeGroupReplication{}, volumes: map[types.NamespacedName]*replicationv1.VolumeReplication{},
		contents: map[string]*replicationv1.VolumeGroupReplicationContent{}, classes: map[string]*replicationv1.VolumeReplicationClass{},
		copies: map[types.NamespacedName]string{}, mappings: map[string]map[string]string{},
		made: map[types.NamespacedName]bool{}, madeGroups: map[types.NamespacedName]bool{},
	}
	for _, data := range l[ramenResource()] {
		vrg := &ramenVRG{}
		if err := backend.ReadJSON(data, vrg); err == nil {
			in.ramen = append(in.ramen, vrg)
		} else if g, ok := backend.Unreadable(ramenVersion(), ramenKind, data, err); ok {
			g.Manager, g.Pairing, g.Next = "ramen", backend.ByName, dispatch(g.Object.Namespace, g.Object.Name)
			in.odd = append(in.odd, g)
		}
	}
	for _, data := range l[resource("volumegroupreplications")] {
		g := &replicationv1.VolumeGroupReplication{}
		if err := backend.ReadJSON(data, g); err != nil {
			in.notRead(groupKind, data, err)
			continue
		}
		in.groups[types.NamespacedName{Namespace: g.Namespace, Name: g.Name}] = g
	}
	for _, data := range l[resource("volumereplications")] {
		vr := &replicationv1.VolumeReplication{}
		if err := backend.ReadJSON(data, vr); err != nil {
			in.notRead(volumeKind, data, err)
			continue
		}
		key := types.NamespacedName{Namespace: vr.Namespace, Name: vr.Name}
		if in.volumes[key] = vr; destination(data) != "" {
			in.copies[key] = destination(data)
		}
	}
	for _, data := range l[resource("volumegroupreplicationcontents")] {
		c := &replicationv1.VolumeGroupReplicationContent{}
		if backend.ReadJSON(data, c) == nil {
			in.contents[c.Name], in.mappings[c.Name] = c, mappings(data)
		}
	}
	for _, data := range l[resource("volumereplicationclasses")] {
		c := &replicationv1.VolumeReplicationClass{}
		if backend.ReadJSON(data, c) == nil {
			in.classes[c.Name] = c
		}
	}
	for _, kind := range []string{"volumereplications", "volumegroupreplicationcontents"} {
		if _, ok := l[resource(kind)]; !ok {
			in.unlisted = append(in.unlisted, kind)
		}
	}
	var nodes []json.RawMessage
	nodes, in.nodesListed = l[nodeResource()]
	for _, data := range nodes {
		n := csiaddonsv1.CSIAddonsNode{}
		if backend.ReadJSON(data, &n) == nil {
			in.nodes = append(in.nodes, n)
		}
	}
	return in
}

// notRead keeps an object that has fields of other types than csi-addons' API.
func (in *listed) notRead(kind string, data []byte, err error) {
	if g, ok := backend.Unreadable(replicationv1.GroupVersion, kind, data, err); ok {
		who := begin(kind, &g.Object)
		g.Manager, g.Keeper, g.Owned, g.Next = who.Manager, who.Keeper, who.Owned, who.Next
		in.odd = append(in.odd, g)
	}
}

// destination returns the handle of the copy, which csi-addons after v0.14 tells.
func destination(data []byte) string {
	if !bytes.Contains(data, []byte("destinationVolumeID")) {
		return ""
	}
	var vr struct {
		Status struct {
			ID string `json:"destinationVolumeID"`
		} `json:"status"`
	}
	if backend.ReadJSON(data, &vr) != nil {
		return ""
	}
	return vr.Status.ID
}

// mappings returns the handles of the copies by the names of the volumes, which csi-addons after v0.14 tells.
func mappings(data []byte) map[string]string {
	if !bytes.Contains(data, []byte("persistentVolumeMappingList")) {
		return nil
	}
	var content struct {
		Status struct {
			List []struct {
				Name   string `json:"name"`
				Handle string `json:"destinationVolumeHandle"`
			} `json:"persistentVolumeMappingList"`
		} `json:"status"`
	}
	if backend.ReadJSON(data, &content) != nil {
		return nil
	}
	out := map[string]string{}
	for _, m := range content.Status.List {
		out[m.Name] = m.Handle
	}
	return out
}

// begin returns a group with who manages its object.
func begin(kind string, obj *metav1.ObjectMeta) backend.NativeGroup {
	partial := &metav1.PartialObjectMetadata{ObjectMeta: *obj}
	g := backend.NativeGroup{
		APIVersion: replicationv1.GroupVersion.String(), Kind: kind, Object: *obj, Manager: Name, Keeper: keeper(partial), Owned: len(backend.OwnersOf(partial)) > 0,
	}
	g.Next = describe(kind)
	if g.Keeper == "" {
		g.Next = backend.Migrate(Name, "")
	}
	if strings.HasPrefix(g.Keeper, "Ramen") {
		g.Manager, g.Next = "ramen", dispatch("", "")
	}
	return g
}

// describe returns the command that shows an object.
func describe(kind string) func(backend.At) string {
	return func(at backend.At) string {
		return fmt.Sprintf("kubectl --context %s describe %s.%s %s -n %s", at.Kubectl, strings.ToLower(kind)+"s", replicationv1.GroupVersion.Group, at.Name, at.Namespace)
	}
}

// dispatch returns the command that has Ramen change a role: only its hub does.
func dispatch(namespace, name string) func(backend.At) string {
	return func(backend.At) string {
		if name == "" {
			return "on the hub of Ramen, set spec.action of the DRPlacementControl of the application: kubectl get drplacementcontrols.ramendr.openshift.io -A"
		}
		return fmt.Sprintf("on the hub of Ramen, set spec.action of the DRPlacementControl: kubectl edit drplacementcontrols.ramendr.openshift.io %s -n %s", name, namespace)
	}
}

// class returns the class of a VolumeReplication, and its interval.
func (in *listed) class(name string) (backend.Class, string) {
	c := in.classes[name]
	if c == nil {
		return backend.Class{Name: name}, ""
	}
	return backend.Class{Name: name, Provisioner: c.Spec.Provisioner, Parameters: c.Spec.Parameters}, c.Spec.Parameters[vgrv1.ParameterSchedulingInterval]
}

// reading begins what is read of a group.
func (in *listed) reading(g *backend.NativeGroup) reading {
	out := reading{group: g.Group, native: true}
	if p := g.Group.Class.Provisioner; p != "" && in.nodesListed {
		out.driverTrouble, out.capabilities = troubleOf(in.nodes, p)
	}
	return out
}

// complete puts into a group what is known of its volumes.
func (in *listed) complete(g *backend.NativeGroup) {
	g.Sizes, g.Terminating = in.Sizes(g.Group.Members), in.Ending(g.Object.Namespace, g.Group.Members)
}

// ofVolumes makes a group of VolumeReplications, of which there is at least one.
func (in *listed) ofVolumes(owner backend.Owner, volumes ...*replicationv1.VolumeReplication) backend.NativeGroup {
	first := volumes[0]
	g := begin(volumeKind, &first.ObjectMeta)
	g.Copies = map[string]string{}
	g.Group = backend.Group{Owner: owner, State: vgrv1.ReplicationState(first.Spec.ReplicationState), AutoResync: first.Spec.AutoResync}
	g.Group.Class, g.Schedule = in.class(first.Spec.VolumeReplicationClass)
	var asking []string
	for _, vr := range volumes {
		m := in.Member(vr.Namespace, vr.Spec.DataSource.Name)
		g.Group.Members = append(g.Group.Members, m)
		if handle := in.copies[types.NamespacedName{Namespace: vr.Namespace, Name: vr.Name}]; handle != "" {
			g.Copies[m.PVC] = handle
		}
		asking = append(asking, fmt.Sprintf("%s for %s", vr.Name, vr.Spec.ReplicationState))
		one := begin(volumeKind, &vr.ObjectMeta)
		g.Owned, g.Keeper = g.Owned && one.Owned, cmp.Or(g.Keeper, one.Keeper)
		if one.Manager != Name {
			g.Manager, g.Next = one.Manager, one.Next
		}
		if _, interval := in.class(vr.Spec.VolumeReplicationClass); interval != g.Schedule {
			g.Schedule = "" // they differ
		}
	}
	slices.SortFunc(g.Group.Members, func(a, b backend.Member) int { return strings.Compare(a.PVC, b.PVC) })
	r := in.reading(&g)
	alike := true
	for _, vr := range volumes {
		alike = alike && vr.Spec.ReplicationState == first.Spec.ReplicationState
		x := *vr
		x.Spec.AutoResync = first.Spec.AutoResync // each answers for its own
		r.volumes = append(r.volumes, x)
	}
	g.Observation = readVolumes(r)
	var times []*metav1.Time
	for _, vr := range volumes {
		var one backend.Observation
		readReplication(&one, vr)
		times = append(times, since(one))
		if vr.DeletionTimestamp != nil {
			g.Observation.Problem = leaving(volumeKind, &vr.ObjectMeta)
		}
	}
	g.Since = latest(times)
	if !alike {
		g.Unproven = "the VolumeReplications ask for different roles: " + strings.Join(asking, ", ")
	}
	if i := slices.IndexFunc(g.Group.Members, func(m backend.Member) bool { return in.Listed && in.Find(first.Namespace, m.PVC) == nil }); i >= 0 {
		g.Unproven = fmt.Sprintf("PVC %s does not exist", g.Group.Members[i].PVC)
	}
	in.complete(&g)
	return g
}

// bare reports whether an object is its user's own.
func bare(g *backend.NativeGroup) bool { return g.Keeper == "" && g.Manager == Name && !g.Owned }

// leaving says of an object that it is being deleted.
func leaving(kind string, obj *metav1.ObjectMeta) *backend.Problem {
	return backend.Problemf(vgrv1.ReasonBackendError, "%s %s is being deleted, which ends the replication%s", kind, obj.Name, state.WaitsFor("; it waits for ", obj))
}

// withoutPVC makes a group of a VolumeReplication whose data source is something else than a PVC or a group that is known.
func (in *listed) withoutPVC(vr *replicationv1.VolumeReplication) backend.NativeGroup {
	g := begin(volumeKind, &vr.ObjectMeta)
	g.Group = backend.Group{
		Owner: backend.Owner{Kind: backend.VolumeReplicationKind, NamespacedName: types.NamespacedName{Namespace: vr.Namespace, Name: vr.Name}},
		State: vgrv1.ReplicationState(vr.Spec.ReplicationState), AutoResync: vr.Spec.AutoResync,
	}
	g.Group.Class, g.Schedule = in.class(vr.Spec.VolumeReplicationClass)
	g.Observation = backend.Observation{Exists: true, Ref: reference("", volumeKind, vr.Name)}
	readReplication(&g.Observation, vr)
	g.Unproven = fmt.Sprintf("its data source %s %s is not known", cmp.Or(vr.Spec.DataSource.Kind, "without a kind"), vr.Spec.DataSource.Name)
	return g
}

// ofGroup makes a group of a VolumeGroupReplication.
func (in *listed) ofGroup(group *replicationv1.VolumeGroupReplication) backend.NativeGroup {
	g := begin(groupKind, &group.ObjectMeta)
	g.Group = backend.Group{
		Owner:    backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: types.NamespacedName{Namespace: group.Namespace, Name: group.Name}},
		State:    vgrv1.ReplicationState(group.Spec.ReplicationState),
		Selector: group.Spec.Source.Selector, AutoResync: group.Spec.AutoResync, Members: in.membersOf(group),
	}
	g.Group.Class, g.Schedule = in.class(group.Spec.VolumeReplicationClassName)
	g.Group.Class.Name = group.Spec.VolumeGroupReplicationClassName
	r := in.reading(&g)
	r.backendGroup, r.content = group, in.contents[group.Spec.VolumeGroupReplicationContentName]
	r.child = in.volumes[types.NamespacedName{Namespace: group.Namespace, Name: childName(group)}]
	g.Observation = readGroup(r)
	g.Since = since(g.Observation)
	if g.Bare = bare(&g) && !group.Spec.External; r.child != nil {
		g.Inner = r.child.Generation
	}
	if group.DeletionTimestamp != nil {
		g.Observation.Problem = leaving(groupKind, &group.ObjectMeta)
	}
	if r.content != nil {
		g.Copies = map[string]string{}
		for _, m := range g.Group.Members {
			if handle := in.mappings[r.content.Name][m.PV]; handle != "" {
				g.Copies[m.PVC] = handle
			}
		}
	}
	switch {
	case group.Spec.External:
		if g.Keeper == "" {
			g.Keeper, g.Next = "the storage vendor's controller (spec.external)", describe(groupKind)
		}
		g.Observation.State = stateOf(group.Status.State)
		g.Unproven = fmt.Sprintf("VolumeGroupReplication %s is external: its controller does not say which request its state answers", group.Name)
	case len(in.unlisted) > 0: // what is not known of it is not missing
		g.Unproven = fmt.Sprintf("whether VolumeGroupReplication %s replicates is not known: %s cannot be listed", group.Name, strings.Join(in.unlisted, " and "))
		if group.DeletionTimestamp == nil {
			g.Observation.Problem = nil
		}
	case !in.Listed || r.content == nil && group.Spec.VolumeGroupReplicationContentName != "":
		g.Unproven = fmt.Sprintf("the volumes of VolumeGroupReplication %s are not known", group.Name)
	}
	in.complete(&g)
	return g
}

// membersOf returns the PVCs that a group wants, as far as they are known.
func (in *listed) membersOf(group *replicationv1.VolumeGroupReplication) []backend.Member {
	var names []string
	selector, err := metav1.LabelSelectorAsSelector(group.Spec.Source.Selector)
	if in.Listed && err == nil {
		for _, claim := range in.Matching(group.Namespace, func(c *backend.Claim) bool { return selector.Matches(labels.Set(c.Labels)) }) {
			names = append(names, claim.Name)
		}
	} else {
		for _, ref := range group.Status.PersistentVolumeClaimsRefList {
			names = append(names, ref.Name)
		}
	}
	slices.Sort(names)
	var out []backend.Member
	for _, name := range slices.Compact(names) {
		out = append(out, in.Member(group.Namespace, name))
	}
	return out
}

// since returns a time after which a synchronisation is of the present role: the last transition of a condition. Completed alone
// does not tell, as it stays True from one role to the next; but a demotion makes Degraded True, and a promotion False.
func since(obs backend.Observation) *metav1.Time {
	completed := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionCompleted)
	if completed == nil || completed.LastTransitionTime.IsZero() {
		return nil
	}
	times := []*metav1.Time{&completed.LastTransitionTime}
	for _, kind := range []string{vgrv1.ConditionDegraded, vgrv1.ConditionResyncing} {
		if c := meta.FindStatusCondition(obs.Conditions, kind); c != nil {
			times = append(times, &c.LastTransitionTime)
		}
	}
	return latest(times)
}

// latest returns the latest time; nil when one of them is not known.
func latest(times []*metav1.Time) *metav1.Time {
	var last *metav1.Time
	for _, t := range times {
		if t == nil {
			return nil
		}
		if last == nil || last.Before(t) {
			last = t
		}
	}
	return last
}
