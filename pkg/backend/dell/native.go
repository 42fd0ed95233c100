// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// remoteGroup is the annotation of a replication group, after the prefix, that names the other site's.
const remoteGroup = "/remoteReplicationGroupName"

func groupResource() schema.GroupVersionResource {
	return groupVersion.WithResource("dellcsireplicationgroups")
}

func classResource() schema.GroupVersionResource {
	return storagev1.SchemeGroupVersion.WithResource("storageclasses")
}

// native finds groups in the replication groups.
func native() *backend.Native {
	return &backend.Native{
		Kinds: []backend.NativeKind{
			{Resource: groupResource(), Groups: true, Unmarked: true},
			{Resource: classResource()},
			{Resource: backend.PVCResource(), Namespaced: true, Pairs: true},
			{Resource: backend.PVResource(), Pairs: true},
		},
		Groups: nativeGroups,
	}
}

// listed are the objects of Dell on a site.
type listed struct {
	*backend.Claims
	// volumes are by the names of their replication groups, and classes by their own.
	volumes map[string][]*backend.NativeVolume
	classes map[string]*storagev1.StorageClass
	// twins are the names of the replication groups that stand for one group of the array, by that.
	twins map[string][]string
	now   metav1.Time
}

// nativeGroups implements backend.Native. The array has made the groups: no label makes others.
func nativeGroups(l backend.Listed, r backend.NativeRequest) []backend.NativeGroup {
	if len(l[groupResource()]) == 0 {
		return nil
	}
	in := listed{
		Claims: backend.ClaimsOf(l), volumes: map[string][]*backend.NativeVolume{}, classes: map[string]*storagev1.StorageClass{},
		twins: map[string][]string{}, now: metav1.NewTime(r.Now),
	}
	for v := range in.Volumes() {
		for _, name := range groupsOf(&metav1.PartialObjectMetadata{ObjectMeta: v.ObjectMeta}) {
			in.volumes[name] = append(in.volumes[name], v)
		}
	}
	for _, data := range l[classResource()] {
		c := &storagev1.StorageClass{}
		if backend.ReadJSON(data, c) == nil {
			in.classes[c.Name] = c
		}
	}
	var out []backend.NativeGroup
	var all []*ReplicationGroup
	for _, data := range l[groupResource()] {
		rg := &ReplicationGroup{}
		if err := backend.ReadJSON(data, rg); err != nil {
			if g, ok := backend.Unreadable(groupVersion, replicationGroupKind, data, err); ok {
				g.Manager, g.Next = Name, repctl
				out = append(out, g)
			}
			continue
		}
		all = append(all, rg)
		for _, key := range arrayGroup(rg) {
			in.twins[key] = append(in.twins[key], rg.Name)
		}
	}
	for _, rg := range all {
		out = append(out, in.group(rg))
	}
	slices.SortFunc(out, func(a, b backend.NativeGroup) int {
		return cmp.Or(cmp.Compare(a.Group.Owner.Namespace, b.Group.Owner.Namespace), cmp.Compare(a.Group.Owner.Name, b.Group.Owner.Name))
	})
	return out
}

// repctl is what Dell gives to change a replication group.
func repctl(at backend.At) string {
	return fmt.Sprintf("repctl failover --rg %s --target SITE moves it, with Dell's own tool; or kubectl vgr install on both sites, and kubectl vgr create with the labels of its PVCs takes it over", at.Name)
}

// group makes a group of a replication group. Nothing asks it for a role: what the array says that it has is what it is to have.
func (in *listed) group(rg *ReplicationGroup) backend.NativeGroup {
	g := backend.NativeGroup{
		APIVersion: groupVersion.String(), Kind: replicationGroupKind, Object: rg.ObjectMeta, Manager: Name, Pairing: backend.ByCopies, Next: repctl,
		Handles: map[string]string{}, Copies: map[string]string{}, Sizes: map[string]int64{}, Terminating: map[string]string{},
		Since: new(cmp.Or(rg.Status.LastAction.Time, &rg.CreationTimestamp).Rfc3339Copy()),
	}
	for key, other := range rg.Annotations { // whatever the prefix is
		if strings.HasSuffix(key, remoteGroup) && other != "" && rg.Spec.ProtectionGroupID != "" && rg.Spec.RemoteProtectionGroupID != "" { // else it is not known whose half it is
			g.Handles[""] = rg.Name + "/" + rg.Spec.ProtectionGroupID
			g.Copies[""] = other + "/" + rg.Spec.RemoteProtectionGroupID
		}
	}
	r := reading{rg: rg, now: in.now.Time}
	g.Group = backend.Group{Owner: backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: types.NamespacedName{Name: rg.Name}}, State: vgrv1.Secondary}
	g.Group.Class.Provisioner = rg.Spec.DriverName
	if rg.Status.ReplicationLinkState.IsSource {
		g.Group.State = vgrv1.Primary
	}
	in.members(&g, rg, &r)
	r.group = g.Group
	r.problem = terminating(rg)
	for _, key := range arrayGroup(rg) {
		if names := slices.Sorted(slices.Values(in.twins[key])); len(names) > 1 && r.problem == nil {
			r.problem = backend.Problemf(vgrv1.ReasonObjectConflict, "%ss %s stand for one group of the array, %s; delete neither: that deletes the group on the array",
				replicationGroupKind, strings.Join(names, " and "), rg.Spec.ProtectionGroupID)
		}
	}
	g.Observation = observe(r)
	if len(g.Group.Members) == 0 {
		g.VolumesUnknown, g.Unproven = true, "no volume of this cluster is known to be in "+rg.Name
		if !in.Listed {
			g.Unproven = "the volumes of " + rg.Name + " are not known"
		}
	}
	if rg.Spec.RemoteClusterID == "self" {
		g.Unproven = cmp.Or(g.Unproven, fmt.Sprintf("%s replicates inside this cluster", rg.Name))
	}
	return g
}

// members puts the volumes into a group, and its namespace: that of their PVCs, or the first of them. A volume of another one
// is called by both.
func (in *listed) members(g *backend.NativeGroup, rg *ReplicationGroup, r *reading) {
	volumes := slices.SortedFunc(slices.Values(in.volumes[rg.Name]), func(a, b *backend.NativeVolume) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range volumes {
		if ref := v.Spec.ClaimRef; ref != nil && (g.Group.Owner.Namespace == "" || ref.Namespace < g.Group.Owner.Namespace) {
			g.Group.Owner.Namespace = ref.Namespace
		}
	}
	for _, v := range volumes {
		m := backend.Member{PVC: v.Name, PV: v.Name}
		if v.Spec.CSI != nil {
			m.Handle = v.Spec.CSI.VolumeHandle
		}
		if ref := v.Spec.ClaimRef; ref != nil {
			m.PVC = ref.Name
			if ref.Namespace != g.Group.Owner.Namespace {
				m.PVC = ref.Namespace + "/" + ref.Name
			}
			if claim := in.Find(ref.Namespace, ref.Name); claim != nil && claim.DeletionTimestamp != nil {
				g.Terminating[m.PVC] = "the PVC is being deleted"
			}
		}
		if v.DeletionTimestamp != nil {
			g.Terminating[m.PVC] = fmt.Sprintf("its PersistentVolume %s is being deleted", v.Name)
		}
		if size := v.Spec.Capacity.Storage().Value(); size > 0 {
			g.Sizes[m.PVC] = size
		}
		if class := in.classes[v.Spec.StorageClassName]; class != nil {
			for key, value := range class.Parameters {
				if strings.HasSuffix(key, "/mode") {
					r.mode = strings.ToUpper(value)
				}
			}
		}
		g.Group.Members = append(g.Group.Members, m)
	}
	slices.SortFunc(g.Group.Members, func(a, b backend.Member) int { return cmp.Compare(a.PVC, b.PVC) })
}
