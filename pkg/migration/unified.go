// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migration

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// Unified returns the old API. Its objects are read without a type, since fields have come and gone in it.
func Unified() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: vgrv1.GroupVersion.Group, Version: "v1alpha1", Kind: "UnifiedVolumeReplication"}
}

// UnifiedFinalizer is the old controller's: while that runs, a deletion of the object deletes the backend's
// object too, which ends the replication.
const UnifiedFinalizer = "replication.storage.io/finalizer"

// Environment is what the cluster has for an old object.
type Environment struct {
	// Provisioner is that of the StorageClass that the object names; empty when there is none.
	Provisioner string
	// PVCLabels are nil when there is no such PVC.
	PVCLabels map[string]string
	// Replication is what replicates the PVC; nil when nothing does.
	Replication *backend.Replication
	// Held are objects of a backend whose objects need not change hands, such as Dell's, that replicate the PVC.
	Held []backend.Held
	// CopyOf is the cluster that the volume was copied from; empty when it was not.
	CopyOf string
	// Within is the namespace that the migration is confined to; empty for all.
	Within string
}

// Local names what has to be looked up for an old object: the PVC, and the StorageClass of this site.
func Local(u *unstructured.Unstructured) (namespace, pvc, storageClass string) {
	return field(u, "volumeMapping", "source", "namespace"), field(u, "volumeMapping", "source", "pvcName"), field(u, "sourceEndpoint", "storageClass")
}

// FromUnified reads an old object. The label groupBy has the group's name. Where something replicates the
// PVC already, that is believed, and the old object is only compared with it.
func FromUnified(u *unstructured.Unstructured, groupBy string, around Environment, profiles backend.Profiles) Volume {
	namespace, pvc, storageClass := Local(u)
	v := Volume{
		From: "unifiedvolumereplication/" + u.GetName(), Old: u, Namespace: cmp.Or(namespace, u.GetNamespace()), PVC: pvc, PVCLabels: around.PVCLabels,
		Group: u.GetLabels()[groupBy], Alone: u.GetName(),
	}
	v.readState(field(u, "replicationState"))
	switch {
	case pvc == "":
		v.problem("it names no PVC")
	case around.Within != "" && v.Namespace != around.Within:
		v.problem("PVC %s is in namespace %s, and only %s is migrated; -A migrates what objects of all namespaces name", pvc, v.Namespace, around.Within)
	case around.PVCLabels == nil:
		v.problem("PVC %s does not exist in namespace %s", pvc, v.Namespace)
	}
	if r := around.Replication; r != nil {
		v.compare(*r)
		return v
	}
	if around.Provisioner == "" {
		v.problem("StorageClass %q does not exist, so the backend is not known", storageClass)
		return v
	}
	v.Class = backend.Class{Name: storageClass, Provisioner: around.Provisioner}
	profile, _ := profiles.ForClass(v.Class)
	v.Class.Parameters = v.parameters(u, profile)
	v.keepsRole(around)
	switch {
	case profile.Replications == nil:
	case v.State == vgrv1.Primary:
		v.Notes = append(v.Notes, "nothing replicates its PVC in this namespace; the replication begins with the migration")
	case v.State == vgrv1.Secondary:
		v.problem("nothing replicates its PVC in this namespace, so it cannot be %s", v.State)
	}
	return v
}

func (v *Volume) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

// readState takes the two states that rest. The others are on their way, and a guess could make a copy
// primary.
func (v *Volume) readState(state string) {
	switch state {
	case "source":
		v.State = vgrv1.Primary
	case "replica":
		v.State = vgrv1.Secondary
	default:
		v.problem("it is %q; settle it as source or replica first", state)
	}
}

// keepsRole reports what the group would change: the old object may be older than the last failover.
func (v *Volume) keepsRole(around Environment) {
	want, primary := map[vgrv1.ReplicationState]vgrv1.State{vgrv1.Primary: vgrv1.StatePrimary, vgrv1.Secondary: vgrv1.StateSecondary}[v.State], false
	for _, h := range around.Held {
		primary = primary || h.Role == vgrv1.StatePrimary
		switch {
		case h.Owner.Name == "" && !h.Open:
			v.problem("%s replicates its PVC, and cannot be handed over with it", h.Object)
		case v.State == "" || h.Role == want, h.Role == "" && want == vgrv1.StatePrimary: // the controller asks a primary for nothing
		case h.Role == "" || h.Role == vgrv1.StateUnknown:
			v.problem("%s %s, so which role its PVC has is not known", h.Object, h.Says)
		default:
			v.problem("it says %s, and %s %s; settle which is true", v.State, h.Object, h.Says)
		}
	}
	if v.State == vgrv1.Primary && around.CopyOf != "" && !primary {
		v.problem("the volume of its PVC is a copy of cluster %s; as primary it would be its second version", around.CopyOf)
	}
}

// compare believes the backend's object.
func (v *Volume) compare(r backend.Replication) {
	v.Handle, v.PeerHandle = r.Handle, r.PeerHandle
	v.Object, v.AutoResync, v.Class = r.Object, r.AutoResync, r.Class
	if r.NotAdoptable != "" {
		v.problem("%s: %s", name(r.Object), r.NotAdoptable)
	}
	if v.State != "" && v.State != r.State {
		v.problem("it says %s, and %s says %s; settle which is true", v.State, name(r.Object), r.State)
	}
	v.State = r.State
	v.Notes = append(v.Notes, fmt.Sprintf("%s is taken over with the parameters that it has", name(r.Object)))
}

// parameters translates what a class of ours can say. What the old object says besides is named.
func (v *Volume) parameters(u *unstructured.Unstructured, profile backend.Profile) map[string]string {
	known := func(key string) bool {
		return slices.ContainsFunc(profile.Parameters, func(p backend.Parameter) bool { return p.Name == key })
	}
	out := map[string]string{}
	set := func(key, value, from string) {
		switch {
		case value == "":
		case known(key):
			out[key] = value
		default:
			v.Notes = append(v.Notes, fmt.Sprintf("%s %q has no counterpart on %s", from, value, cmp.Or(profile.Name, "this driver")))
		}
	}
	if legacy := field(u, "extensions", "powerstore", "rpoSettings"); legacy != "" {
		set("rpo", legacy, "extensions.powerstore.rpoSettings")
	} else {
		set(vgrv1.ParameterSchedulingInterval, inHours(field(u, "schedule", "rpo")), "schedule.rpo")
	}
	set("mirroringMode", field(u, "extensions", "ceph", "mirroringMode"), "extensions.ceph.mirroringMode")
	set("schedulingStartTime", field(u, "extensions", "ceph", "schedulingStartTime"), "extensions.ceph.schedulingStartTime")
	if groups, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "extensions", "powerstore", "volumeGroups"); len(groups) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("extensions.powerstore.volumeGroups %s is not needed: the array's group is found by the label of the PVC", strings.Join(groups, ", ")))
	}
	switch mode := field(u, "replicationMode"); {
	case known("consistencyType") && mode != "":
		out["consistencyType"] = map[string]string{"synchronous": "Sync"}[mode]
		if mode != "synchronous" {
			out["consistencyType"] = "Async"
		}
	case mode == "synchronous":
		v.problem("it is synchronous, which %s does not do", cmp.Or(profile.Name, "this driver"))
	}
	for _, lost := range []string{"rto", "mode"} {
		if value := field(u, "schedule", lost); value != "" && value != "interval" {
			v.Notes = append(v.Notes, fmt.Sprintf("schedule.%s %q has no counterpart", lost, value))
		}
	}
	return out
}

// inHours writes days as hours, since not every backend knows days.
func inHours(interval string) string {
	days, err := strconv.ParseInt(strings.TrimSuffix(interval, "d"), 10, 32)
	if err != nil || !strings.HasSuffix(interval, "d") {
		return interval
	}
	return strconv.FormatInt(24*days, 10) + "h"
}

// GroupHints returns the labels by which old objects could be grouped, with how many share each, for those
// that no group was named for.
func GroupHints(objects []unstructured.Unstructured, groupBy string) []string {
	count := map[string]int{}
	for i := range objects {
		for key := range objects[i].GetLabels() {
			if key != groupBy {
				count[key+"="+objects[i].GetLabels()[key]]++
			}
		}
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n < 2 })
	var out []string
	for _, label := range slices.Sorted(maps.Keys(count)) {
		key, _, _ := strings.Cut(label, "=")
		out = append(out, fmt.Sprintf("%d have the label %s: --group-by %s groups them", count[label], label, key))
	}
	return out
}

func field(u *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(u.Object, append([]string{"spec"}, path...)...)
	return value
}
