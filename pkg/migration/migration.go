// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package migration turns volumes that are replicated in another way into groups of ours: objects of
// the old UnifiedVolumeReplication API, and objects of a backend that were made by hand. It is pure:
// it says what is to be, and what is in the way.
package migration

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
)

// LabelMember is what a migrated PVC carries for its group's selector, with the group's name.
const LabelMember = "replication.unified.io/volume-group"

// AnnotationFrom on what a migration made says what it was made from.
const AnnotationFrom = "replication.unified.io/migrated-from"

// AnnotationTo on an old object names what has taken its place.
const AnnotationTo = "replication.unified.io/migrated-to"

// Volume is one PVC that is replicated in an old way.
type Volume struct {
	// From names the old object for people: kind/name -n namespace.
	From string
	// Old is the object of an old API that the new one replaces, or nil.
	Old client.Object
	// Object is the backend's object to hand over, or nil when nothing replicates the volume. Handle and PeerHandle are
	// as in backend.Replication.
	Object             client.Object
	Handle, PeerHandle string
	// Whole is as in backend.Replication.
	Whole *backend.Whole
	// Tracked is the tool that applies the object from Git.
	Tracked gitops.Manager

	Namespace, PVC string
	// PVCLabels are those that the PVC has; nil when there is no such PVC.
	PVCLabels map[string]string
	// Group is the group that it is to be in; Alone is its name when that is empty.
	Group, Alone string

	State      vgrv1.ReplicationState
	AutoResync bool
	Class      backend.Class

	// Problems forbid the migration. Notes are what is lost or begins by it.
	Problems, Notes []string
}

// Target is what some volumes become: a VolumeGroupReplication, or a VolumeReplication for one alone.
type Target struct {
	Namespace, Name string
	Single          bool
	State           vgrv1.ReplicationState
	AutoResync      bool
	// Class has the name of the class that is to be; the backend is the one that serves it.
	Class   backend.Class
	Backend backend.Profile
	Volumes []Volume

	Problems, Notes []string
}

// Plan sorts volumes into targets, by namespace and name. Taken lists the PVCs of a namespace that have
// LabelMember with a value.
func Plan(volumes []Volume, profiles backend.Profiles, taken func(namespace, label string) []string) []Target {
	type key struct {
		namespace, name string
		single          bool
	}
	byKey := map[key][]Volume{}
	for _, v := range volumes {
		k := key{v.Namespace, cmp.Or(v.Group, v.Alone), v.Group == ""}
		byKey[k] = append(byKey[k], v)
	}
	targets := make([]Target, 0, len(byKey))
	for k, members := range byKey {
		slices.SortFunc(members, func(a, b Volume) int { return cmp.Or(cmp.Compare(a.PVC, b.PVC), cmp.Compare(a.From, b.From)) })
		t := Target{Namespace: k.namespace, Name: k.name, Single: k.single, Volumes: members}
		t.agree(profiles)
		t.check(taken)
		targets = append(targets, t)
	}
	slices.SortFunc(targets, func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Volumes[0].From, b.Volumes[0].From))
	})
	return targets
}

func (t *Target) problem(format string, args ...any) {
	t.Problems = append(t.Problems, fmt.Sprintf(format, args...))
}

// agree takes over what all volumes share. What differs is reported: no side is chosen.
func (t *Target) agree(profiles backend.Profiles) {
	first := t.Volumes[0]
	t.State, t.AutoResync, t.Class = first.State, first.AutoResync, first.Class
	for _, same := range []struct {
		what string
		of   func(Volume) string
	}{
		{"state", func(v Volume) string { return string(v.State) }},
		{"auto-resync", func(v Volume) string { return strconv.FormatBool(v.AutoResync) }},
		{"driver and parameters", func(v Volume) string { return spelled(v.Class) }},
		{"the object that replicates them", func(v Volume) string { return v.whole() }},
		{"whether something replicates them", func(v Volume) string { return strconv.FormatBool(v.Object != nil) }},
	} {
		values := map[string][]string{}
		for _, v := range t.Volumes {
			values[same.of(v)] = append(values[same.of(v)], v.PVC)
		}
		if len(values) == 1 {
			continue
		}
		var said []string
		for _, value := range slices.Sorted(maps.Keys(values)) {
			said = append(said, fmt.Sprintf("%s (%s)", value, strings.Join(values[value], ", ")))
		}
		t.problem("its volumes differ in %s: %s", same.what, strings.Join(said, "; "))
	}
	t.Class.Name = className(t.Class)
	profile, ok := profiles.ForClass(t.Class)
	if !ok {
		if t.Class.Provisioner != "" {
			t.problem("no backend serves the driver %q", t.Class.Provisioner)
		}
		return
	}
	t.Backend = profile
	for _, p := range profile.CheckParameters(t.Class) {
		t.problem("%s", p.Message)
	}
}

// check checks each volume, and PVCs that would become members unasked.
func (t *Target) check(taken func(namespace, label string) []string) {
	if len(t.Name) > 63 {
		t.problem("the name has %d characters; 63 are possible", len(t.Name))
	}
	if limit := t.Backend.Traits.MaxVolumes; limit > 0 && len(t.Volumes) > limit {
		t.problem("it would have %d volumes; %s groups at most %d", len(t.Volumes), t.Backend.Name, limit)
	}
	if t.Single && len(t.Volumes) > 1 {
		t.problem("several objects would become one of this name")
	}
	if w := t.Whole(); w != nil && (t.Single || t.Name != w.Name) {
		t.problem("%s can only be taken over by a group of its name: use --into %s", t.Volumes[0].From, w.Name)
	}
	t.checkVolumes()
	if t.Single || t.Whole() != nil {
		return
	}
	for _, pvc := range taken(t.Namespace, t.Name) {
		if !slices.ContainsFunc(t.Volumes, func(v Volume) bool { return v.PVC == pvc }) {
			t.problem("PVC %s has the label %s=%s too and would come in", pvc, LabelMember, t.Name)
		}
	}
}

func (t *Target) checkVolumes() {
	members, said := map[string]bool{}, map[string]bool{}
	for _, v := range t.Volumes {
		if members[v.PVC] {
			t.problem("PVC %s has several replications", v.PVC)
		}
		members[v.PVC] = true
		for _, p := range v.Problems {
			if text := v.From + ": " + p; !said[text] { // each PVC of one object has those of the object
				said[text] = true
				t.Problems = append(t.Problems, text)
			}
		}
		for _, n := range v.Notes {
			if text := v.From + ": " + n; !said[text] {
				said[text] = true
				t.Notes = append(t.Notes, text)
			}
		}
		if other := v.PVCLabels[LabelMember]; other != "" && (t.Single || other != t.Name) {
			t.problem("PVC %s has the label %s=%s of another group", v.PVC, LabelMember, other)
		}
		if owner, ok := owned(v.Object); ok && owner != t.Owner() && (t.Single || v.Single() == "") {
			t.problem("PVC %s belongs to %s %s already", v.PVC, owner.Kind, owner.Name)
		}
	}
}

func owned(obj client.Object) (backend.Owner, bool) {
	if obj == nil {
		return backend.Owner{}, false
	}
	owners := backend.OwnersOf(obj)
	if len(owners) == 0 {
		return backend.Owner{}, false
	}
	return owners[0], true
}

// whole names the object that replicates the volume with others; empty when it has one of its own.
func (v Volume) whole() string {
	if v.Whole == nil {
		return ""
	}
	return v.From
}

// Whole returns what the group takes over from one object that replicates all its volumes; nil when each has its own.
func (t *Target) Whole() *backend.Whole { return t.Volumes[0].Whole }

// Handed returns the objects that change hands, with the volume that names each.
func (t *Target) Handed() []Volume {
	if t.Whole() != nil {
		return t.Volumes[:1]
	}
	return t.Volumes
}

// Single returns the VolumeReplication of ours that has the volume now; empty when none has.
func (v Volume) Single() string {
	if owner, ok := owned(v.Object); ok && owner.Kind == backend.VolumeReplicationKind {
		return owner.Name
	}
	return ""
}

// Owner returns whose the backend's objects will be.
func (t *Target) Owner() backend.Owner {
	kind := backend.VolumeGroupReplicationKind
	if t.Single {
		kind = backend.VolumeReplicationKind
	}
	return backend.Owner{Kind: kind, NamespacedName: client.ObjectKey{Namespace: t.Namespace, Name: t.Name}}
}

// HandsOver reports whether backend objects that exist change hands.
func (t *Target) HandsOver() bool { return t.Volumes[0].Object != nil }

// Objects returns the class, and then what asks for the replication.
func (t *Target) Objects() (class, replication client.Object) {
	from := map[string]string{AnnotationFrom: t.Volumes[0].From}
	spec := vgrv1.ClassSpec{Provisioner: t.Class.Provisioner, Parameters: t.Class.Parameters}
	var autoResync *bool
	if t.AutoResync {
		autoResync = &t.AutoResync
	}
	named := metav1.ObjectMeta{Namespace: t.Namespace, Name: t.Name, Annotations: from}
	classMeta := metav1.ObjectMeta{Name: t.Class.Name, Labels: map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByPlugin}}
	if t.Single {
		return &vgrv1.VolumeReplicationClass{TypeMeta: kind("VolumeReplicationClass"), ObjectMeta: classMeta, Spec: spec},
			&vgrv1.VolumeReplication{TypeMeta: kind("VolumeReplication"), ObjectMeta: named, Spec: vgrv1.VolumeReplicationSpec{
				VolumeReplicationClass: t.Class.Name, PVCName: t.Volumes[0].PVC, ReplicationState: t.State, AutoResync: autoResync,
			}}
	}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{LabelMember: t.Name}}
	if w := t.Whole(); w != nil {
		selector = w.Selector.DeepCopy()
	}
	return &vgrv1.VolumeGroupReplicationClass{TypeMeta: kind("VolumeGroupReplicationClass"), ObjectMeta: classMeta, Spec: spec},
		&vgrv1.VolumeGroupReplication{TypeMeta: kind("VolumeGroupReplication"), ObjectMeta: named, Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: t.Class.Name, Selector: selector,
			ReplicationState: t.State, AutoResync: autoResync,
		}}
}

func kind(name string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: vgrv1.GroupVersion.String(), Kind: name}
}

// className returns the same on both sites, and another one for every content, so that classes of one old
// name do not collide.
func className(c backend.Class) string {
	sum := sha256.Sum256([]byte(spelled(c)))
	base := strings.Trim(c.Name[:min(len(c.Name), 200)], ".-")
	return base + "-" + hex.EncodeToString(sum[:4])
}

func spelled(c backend.Class) string {
	text, err := json.Marshal([]any{c.Provisioner, c.Parameters})
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

// Title names what is to be, as kind/name.
func (t *Target) Title() string { return strings.ToLower(string(t.Owner().Kind)) + "/" + t.Name }
