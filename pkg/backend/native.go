// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"
)

// Native finds the groups of a backend in its own objects, made by us or not. It is pure: a program lists the kinds.
type Native struct {
	// Kinds are those to list.
	Kinds []NativeKind
	// Groups returns the groups in what was listed. It is pure, and takes any objects.
	Groups func(l Listed, r NativeRequest) []NativeGroup
}

// NativeRequest says how groups are to be made of what was listed.
type NativeRequest struct {
	// GroupBy are labels: all volumes of a namespace with the same value of the first of them that they have are one group.
	GroupBy []string
	// Now is the clock of the site.
	Now time.Time
}

// NativeKind is a kind that Native reads.
type NativeKind struct {
	Resource schema.GroupVersionResource
	// Namespaced is false for kinds of the cluster.
	Namespaced bool
	// Groups is true when its objects may be groups, so that without it groups are missing.
	Groups bool
	// Unmarked is true when its objects do not say which group of ours drives them: only that group does.
	Unmarked bool
	// Pairs is true when it tells which objects of the two sites are one group.
	Pairs bool
}

// PVCResource and PVResource are the kinds that tell which volumes a group has.
func PVCResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
}

// PVResource returns that of PersistentVolumes.
func PVResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
}

// Listed are objects of a site as JSON, by their kinds. A kind that could not be listed is not in it.
type Listed map[schema.GroupVersionResource][]json.RawMessage

// NativeGroup is a group that is made of a backend's own objects.
type NativeGroup struct {
	// APIVersion, Kind and Object are the backend's object; of several volumes in one group, the first.
	APIVersion, Kind string
	Object           metav1.ObjectMeta
	// Manager is who manages the object, in a word.
	Manager string
	// Keeper is the tool or object that decides over it, in words; empty for who writes it by hand.
	Keeper string
	// Owned is true when the object belongs to a VolumeGroupReplication or VolumeReplication of ours.
	Owned bool
	// Bare is true when the object stands for the whole group, and no tool that is known decides over it.
	Bare bool
	// Inner is the generation of the object that the backend keeps inside this one and acts on; 0 without one.
	Inner int64
	// Group is what the backend was asked for, as if a group of ours had asked, and Observation what it said.
	Group       Group
	Observation Observation
	// Since is a time after which a synchronisation is of the present role; nil when none is known.
	Since *metav1.Time
	// Schedule is the interval of the class as it is written there; empty when it is not known.
	Schedule string
	// Handles are the handles of the volumes by the names of the PVCs, where the other site knows them by others than those of
	// their PersistentVolumes; nil for those.
	Handles map[string]string
	// Copies are the handles of the copies by the names of the PVCs, where the backend tells them.
	Copies map[string]string
	// Backend is what replicates, where it is not the backend whose objects were read.
	Backend string
	// Pairing is how the object of the other site is found.
	Pairing Pairing
	// VolumesUnknown is true when the object does not tell which volumes it has on this site.
	VolumesUnknown bool
	// Next is the command by which who manages the object changes it, in words; nil when there is none.
	Next func(At) string
	// Sizes and Terminating are of the volumes, by the names of the PVCs.
	Sizes       map[string]int64
	Terminating map[string]string
	// Unproven is why nothing better than Unknown can be said of the group; empty when something can.
	Unproven string
}

// Group returns the value by which an object is in a group with others, and its label: one of the object's own, or else of its PVC;
// empty when it is a group of its own.
func (r NativeRequest) Group(object map[string]string, pvc *Claim) (label, value string) {
	for _, label := range r.GroupBy {
		if value := object[label]; value != "" {
			return label, value
		}
		if pvc != nil && pvc.Labels[label] != "" {
			return label, pvc.Labels[label]
		}
	}
	return "", ""
}

// Pairing is how the objects of two sites are known to be one group.
type Pairing int

// Pairings.
const (
	// ByHandles is for volumes that have the same handle on both sites, or tell that of their copy.
	ByHandles Pairing = iota
	// ByCopies is for volumes whose copies have other handles: one site tells the handle of the other.
	ByCopies
	// ByName is for objects that have the same namespace and name on both sites.
	ByName
)

// At names a site and an object in commands; all of it is quoted for a shell.
type At struct {
	// Kubectl follows kubectl --context, and Flag follows --context of kubectl vgr.
	Kubectl, Flag string
	// Namespace and Name are the object's.
	Namespace, Name string
}

// Migrate returns the command that takes a group over which was made by hand: one object, or all with a label.
func Migrate(from, label string) func(At) string {
	return func(at At) string {
		what := at.Name + " --into " + at.Name
		if label != "" {
			what = "--group-by " + label
		}
		return fmt.Sprintf("kubectl vgr migrate --from %s %s -n %s --context %s prints a group of kubectl vgr that takes it over; kubectl vgr install comes first, on both sites", from, what, at.Namespace, at.Flag)
	}
}

// Unreadable begins a group of an object that has other fields than its API; false when it has not even a name.
func Unreadable(version schema.GroupVersion, kind string, data []byte, err error) (NativeGroup, bool) {
	var obj struct {
		metav1.ObjectMeta `json:"metadata"`
	}
	if ReadJSON(data, &obj) != nil || obj.Name == "" {
		return NativeGroup{}, false // no API server has stored this
	}
	return NativeGroup{
		APIVersion: version.String(), Kind: kind, Object: obj.ObjectMeta, Unproven: fmt.Sprintf("%s %s cannot be read: %v", kind, obj.Name, err),
		Group: Group{Owner: Owner{Kind: OwnerKind(kind), NamespacedName: types.NamespacedName{Namespace: obj.Namespace, Name: obj.Name}}},
	}, true
}

// Claims are the PVCs of a site with their volumes.
type Claims struct {
	// Listed is false when the PVCs or their volumes could not be listed.
	Listed  bool
	claims  map[types.NamespacedName]*Claim
	in      map[string][]*Claim // by namespace
	volumes map[string]*NativeVolume
}

// Claim is a PVC, reduced to what a group needs of it.
type Claim struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		VolumeName string `json:"volumeName"`
	} `json:"spec"`
}

// NativeVolume is a PersistentVolume, reduced to what a group needs of it.
type NativeVolume struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Capacity         corev1.ResourceList `json:"capacity"`
		StorageClassName string              `json:"storageClassName"`
		ClaimRef         *struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"claimRef"`
		CSI *struct {
			Driver       string `json:"driver"`
			VolumeHandle string `json:"volumeHandle"`
		} `json:"csi"`
	} `json:"spec"`
}

// ReadJSON reads an object as API servers write it.
func ReadJSON(data []byte, into any) error {
	return kjson.UnmarshalCaseSensitivePreserveInts(data, into)
}

// ClaimsOf reads the PVCs and their volumes. What cannot be read is left out, as what does not exist.
func ClaimsOf(l Listed) *Claims {
	out := &Claims{claims: map[types.NamespacedName]*Claim{}, in: map[string][]*Claim{}, volumes: map[string]*NativeVolume{}}
	pvcs, claims := l[PVCResource()]
	pvs, volumes := l[PVResource()]
	out.Listed = claims && volumes
	for _, data := range pvcs {
		c := &Claim{}
		if ReadJSON(data, c) == nil {
			out.claims[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] = c
			out.in[c.Namespace] = append(out.in[c.Namespace], c)
		}
	}
	for _, data := range pvs {
		v := &NativeVolume{}
		if ReadJSON(data, v) == nil {
			out.volumes[v.Name] = v
		}
	}
	return out
}

// Find returns a PVC; nil when none is known.
func (c *Claims) Find(namespace, name string) *Claim {
	return c.claims[types.NamespacedName{Namespace: namespace, Name: name}]
}

// Matching returns the PVCs of a namespace that a predicate takes.
func (c *Claims) Matching(namespace string, take func(*Claim) bool) []*Claim {
	var out []*Claim
	for _, x := range c.in[namespace] {
		if take(x) {
			out = append(out, x)
		}
	}
	return out
}

// Volumes returns all PersistentVolumes, in no order.
func (c *Claims) Volumes() iter.Seq[*NativeVolume] { return maps.Values(c.volumes) }

// Member returns a PVC as a member of a group, with as much as is known of it.
func (c *Claims) Member(namespace, pvc string) Member {
	m := Member{PVC: pvc}
	claim := c.Find(namespace, pvc)
	if claim == nil {
		return m
	}
	m.PV = claim.Spec.VolumeName
	if v := c.volumes[m.PV]; v != nil && v.Spec.CSI != nil {
		m.Handle = v.Spec.CSI.VolumeHandle
	}
	return m
}

// Sizes returns the bytes of the members' volumes, by the names of the PVCs, as far as they are known.
func (c *Claims) Sizes(members []Member) map[string]int64 {
	out := map[string]int64{}
	for _, m := range members {
		if v := c.volumes[m.PV]; v != nil {
			if size := v.Spec.Capacity.Storage().Value(); size > 0 {
				out[m.PVC] = size
			}
		}
	}
	return out
}

// Ending says of those PVCs that are being deleted what is deleted, by their names.
func (c *Claims) Ending(namespace string, members []Member) map[string]string {
	out := map[string]string{}
	for _, m := range members {
		if claim := c.Find(namespace, m.PVC); claim != nil && claim.DeletionTimestamp != nil {
			out[m.PVC] = "the PVC is being deleted"
		} else if v := c.volumes[m.PV]; v != nil && v.DeletionTimestamp != nil {
			out[m.PVC] = fmt.Sprintf("its PersistentVolume %s is being deleted", m.PV)
		}
	}
	return out
}
