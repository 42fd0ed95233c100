// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package backend says what a storage backend is: the domain types that reconcilers and
// adapters share, and the small interfaces between them. Each backend is a package below this
// one; nothing here knows a vendor's API, and adding a backend changes nothing here.
package backend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// OwnerKind is one of our two kinds that have backend objects.
type OwnerKind string

// Owner kinds.
const (
	VolumeGroupReplicationKind OwnerKind = "VolumeGroupReplication"
	VolumeReplicationKind      OwnerKind = "VolumeReplication"
)

// Owner is the VolumeGroupReplication or VolumeReplication that backend objects serve.
type Owner struct {
	Kind OwnerKind
	types.NamespacedName
}

// Labels returns what the owner's backend objects carry.
func (o Owner) Labels() map[string]string {
	return map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByController, o.label(): o.Name}
}

// Owns reports whether obj is a backend object of the owner. The name is enough: it is unique in
// the namespace, and an object that outlived its owner is taken over by the next of that name.
func (o Owner) Owns(obj client.Object) bool {
	l := obj.GetLabels()
	return obj.GetNamespace() == o.Namespace && l[vgrv1.LabelManagedBy] == vgrv1.ManagedByController && l[o.label()] == o.Name
}

func (o Owner) label() string {
	if o.Kind == VolumeReplicationKind {
		return vgrv1.LabelVolumeReplication
	}
	return vgrv1.LabelGroup
}

// OwnersOf finds the owners of a backend object by its labels: one, or two when another tool has put the label of another
// one on it.
func OwnersOf(obj client.Object) []Owner {
	var owners []Owner
	for _, kind := range []OwnerKind{VolumeGroupReplicationKind, VolumeReplicationKind} {
		o := Owner{Kind: kind, NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace()}}
		if o.Name = obj.GetLabels()[o.label()]; o.Name != "" && o.Owns(obj) {
			owners = append(owners, o)
		}
	}
	return owners
}

// OwnerIndex is the name of the index of OwnerKeys.
const OwnerIndex = "owner"

// OwnerKeys returns those of OwnersOf, for Watch.Indexes.
func OwnerKeys(obj client.Object) []string {
	var keys []string
	for _, o := range OwnersOf(obj) {
		keys = append(keys, o.key())
	}
	return keys
}

// Owned finds what belongs to the owner, in a cache that has the OwnerIndex.
func (o Owner) Owned() []client.ListOption {
	return []client.ListOption{client.InNamespace(o.Namespace), client.MatchingFields{OwnerIndex: o.key()}}
}

func (o Owner) key() string { return string(o.Kind) + "/" + o.Name }

// Class is a VolumeGroupReplicationClass or VolumeReplicationClass.
type Class struct {
	Name        string
	Provisioner string
	Parameters  map[string]string
}

// ClassOf reduces a class to what backends need.
func ClassOf(c *vgrv1.VolumeGroupReplicationClass) Class {
	return Class{Name: c.Name, Provisioner: c.Spec.Provisioner, Parameters: c.Spec.Parameters}
}

// Member is one bound volume of a group.
type Member struct {
	PVC    string
	PV     string
	Handle string
	// Secret is what the volume names for its driver to change it; empty for none.
	Secret types.NamespacedName
	// Copy is true when the volume was prepared as a copy of the peer's.
	Copy bool
}

// Group is what a user asks for, with everything resolved that a backend needs. A
// VolumeReplication is a group of one without a selector.
type Group struct {
	Owner      Owner
	Class      Class
	State      vgrv1.ReplicationState
	AutoResync bool
	// Selector is nil for a single volume.
	Selector *metav1.LabelSelector
	// Source is an existing backend object to adopt, or nil.
	Source *corev1.TypedLocalObjectReference
	// Served is the backend object that was observed last for the whole; nil for none.
	Served *vgrv1.BackendReference
	// Members are the volumes to replicate, sorted by PVC name.
	Members []Member
	// RequestID changes whenever the group asks for something else, or for the same anew.
	RequestID string
	// Peer is what was known of the other copy when the state was asked for.
	Peer vgrv1.PeerState
	// PeerHandles are the replication handles of the peer's volumes by the names of the PVCs, as far as
	// they were set in an annotation.
	PeerHandles map[string]string
	// SyncRequest names the update that was asked for last; empty for none.
	SyncRequest string
	// SnapshotRequest names the snapshot of all volumes that was asked for last; empty for none.
	SnapshotRequest string
	// PeerSnapshots are the peer's snapshots that an update ends at and a promotion goes back to, by the
	// names of the PVCs; empty for the present.
	PeerSnapshots map[string]string
	// Unconfirmed is why no object may be switched to primary; nil when that is confirmed, and for other states.
	Unconfirmed *Problem
	// Copy is true when the volumes are a copy of the peer's: then none may be created as primary either.
	Copy bool
	// Undirected is why no object may be made to hand its role over to the peer; nil when kubectl vgr asks for that.
	Undirected *Problem
	// Changed is what to say when the backend plays another role than the one it had confirmed for the
	// present request; nil when it had confirmed none.
	Changed *Problem
	// Since is when the group was created, until the backend has answered a request of it; see Inherits.
	Since metav1.Time
	// Blocked explains why nothing new may be created for the group; backend objects that exist
	// still follow State. Nil when nothing is wrong.
	Blocked *Problem
}

// Single reports whether the group is a VolumeReplication.
func (g Group) Single() bool { return g.Owner.Kind == VolumeReplicationKind }

// Inherits reports whether a backend object is from before the group, which has never been answered by it.
// Such an object keeps its role: to adopt changes none.
func (g Group) Inherits(created metav1.Time) bool { return created.Before(&g.Since) }

// Switch returns why a backend object must not be switched to the state of the group; nil when it may. The object
// is primary or not, and was created at some time; is says that in the words of the backend.
func (g Group) Switch(primary bool, created metav1.Time, is string) *Problem {
	switch {
	case primary == (g.State == vgrv1.Primary):
		return nil
	case !primary && g.Unconfirmed != nil:
		return g.Unconfirmed.Of(is)
	case primary && g.Inherits(created):
		return Problemf(vgrv1.ReasonRoleDiffers,
			"%s, since before this object was created, and is not demoted by a new object; to take it over as it is set spec.replicationState to primary", is)
	default:
		return nil
	}
}

// Begin returns why nothing may be created for the group in its state; nil when it may.
func (g Group) Begin() *Problem {
	if !g.Copy || g.Unconfirmed == nil {
		return nil
	}
	return g.Unconfirmed.Of("the volumes are a copy of the peer's")
}

// Observation is what the backend's objects said when they were last read. Zero values mean
// "not said".
type Observation struct {
	// Exists is false while the backend has no object for the owner.
	Exists bool
	// Current is true when the answer refers to the desired state, auto-resync and members of
	// the Group that was passed to Observe, and not to an older request.
	Current bool
	State   vgrv1.State
	Message string
	// Conditions are Completed, Degraded, Resyncing, Replicating and Validated with the
	// transition times of the backend, and GroupConsistent.
	Conditions []metav1.Condition
	// Problem explains why the backend does not get on, where its conditions do not say so.
	Problem *Problem

	Ref         *vgrv1.BackendReference
	GroupHandle string
	Volumes     []vgrv1.VolumeStatus
	// Members are the PVCs that the backend has in the group.
	Members []string

	// SyncRequest is the last update that was asked for and has come through.
	SyncRequest string
	// SnapshotRequest is the last snapshot that was asked for and is there; Volumes name its parts.
	SnapshotRequest string

	// Recheck is when to look again although nothing changes; zero for never.
	Recheck time.Duration

	LastSyncTime       *metav1.Time
	LastSyncDuration   *metav1.Duration
	LastSyncBytes      *int64
	LastCompletionTime *metav1.Time
}

// Problem is a reason (see the Reason constants of the API) and a sentence that names what is
// wrong and what to do.
type Problem struct {
	Reason  string
	Message string
}

// Error makes a Problem an error, so that an adapter can refuse to act.
func (p *Problem) Error() string { return p.Message }

// Of returns the same problem, with what it is about in front.
func (p *Problem) Of(what string) *Problem { return Problemf(p.Reason, "%s: %s", what, p.Message) }

// Problemf makes a Problem.
func Problemf(reason, format string, args ...any) *Problem {
	return &Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Messages are the sentences of all problems.
func Messages(problems []Problem) string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Message)
	}
	return strings.Join(all, "; ")
}

// Removal says how far the removal of a group has come.
type Removal struct {
	// Done is true when nothing of the group is left that must go.
	Done bool
	// Waiting names what is still there and why, when Done is false.
	Waiting string
	// Recheck is when to look again although nothing changes; zero for never.
	Recheck time.Duration
}

// Watch is a kind of backend object whose changes concern groups.
type Watch struct {
	Object client.Object
	// Owners are the groups that a change of obj concerns; nil takes OwnersOf.
	Owners func(ctx context.Context, obj client.Object) []Owner
	// Claims are the PVCs that obj is about, instead of Owners: the change concerns those that want one of them.
	Claims func(ctx context.Context, obj client.Object) []types.NamespacedName
	// Indexes are those by which the cache finds the objects: of very many, a group has a few.
	Indexes map[string]client.IndexerFunc
}

// Adapter drives one backend in one cluster.
type Adapter interface {
	// CRDs are the names of the CustomResourceDefinitions without which the backend is not installed.
	CRDs() []string
	// Watches are the kinds whose changes make a group worth another look.
	Watches() []Watch
	// Observe reads from the cache what the backend says about the group. It writes nothing.
	Observe(ctx context.Context, g Group) (Observation, error)
	// Apply makes the backend's objects ask for what the group asks for. It is idempotent,
	// writes only differences, and returns before the backend has acted. A *Problem as error
	// says that it refused and nothing was changed.
	Apply(ctx context.Context, g Group) error
	// Remove ends the replication of the owner in the order that the backend needs. It needs
	// no class and no member, since they may be gone. With retain it only lets go.
	Remove(ctx context.Context, o Owner, retain bool) (Removal, error)
}

// Parameter is one class parameter that a backend knows.
type Parameter struct {
	Name        string
	Values      string // what is allowed, in words
	Description string
}

// Traits are the properties that a failover must know of a backend.
type Traits struct {
	// Fences is true when the backend makes a secondary read-only by itself.
	Fences bool
	// ConfirmsSync is true when two demoted sites report, by the condition Degraded turning
	// False, that everything is replicated. A promotion before that splits the pair.
	ConfirmsSync bool
	// PromoteFirst is true when a copy is promoted before the old source can follow it, because
	// the backend cannot demote. Writers must then be stopped and a last update be fetched.
	PromoteFirst bool
	// HandsOver is true when a demotion gives the role to the peer, in the storage at once, and cannot be
	// undone; and when it is the primary that resynchronises a copy that has diverged.
	HandsOver bool
	// MaxVolumes is how many volumes a group can have; 0 means no limit.
	MaxVolumes int
	// SyncPause is how long the backend may wait until it looks again at whether two demoted sites are in sync; 0 where that is
	// not known.
	SyncPause time.Duration
	// SyncNow is what an administrator of the storage does to have the primary synchronise at once, in
	// words; empty where there is nothing.
	SyncNow string
}

// PeerRequest is what a peer site needs to be prepared for a group.
type PeerRequest struct {
	Group       *vgrv1.VolumeGroupReplication
	Class       *vgrv1.VolumeGroupReplicationClass
	GroupHandle string
	Volumes     []PeerVolume
	// Cluster is the UID of the cluster that the volumes are copied from.
	Cluster string
	// Draft asks for the objects before the handles are known, to compare them with what exists.
	Draft bool
}

// PeerVolume is a bound volume of the group on the site that has it.
type PeerVolume struct {
	PVC corev1.PersistentVolumeClaim
	PV  corev1.PersistentVolume
	// PeerHandle is the handle of its copy, where that differs.
	PeerHandle string
}

// PeerGroup returns the group as it is to be on the peer: the same, as secondary.
func (r PeerRequest) PeerGroup() *vgrv1.VolumeGroupReplication {
	return &vgrv1.VolumeGroupReplication{
		TypeMeta:   metav1.TypeMeta{APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplication"},
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Group.Namespace, Name: r.Group.Name, Labels: maps.Clone(r.Group.Labels)},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: r.Class.Name,
			Selector:                    r.Group.Spec.Selector.DeepCopy(),
			ReplicationState:            vgrv1.Secondary,
			AutoResync:                  r.Group.Spec.AutoResync,
		},
	}
}

// Profile is what can be known of a backend without a cluster: pure data and functions, shared
// by the controller and the command line.
type Profile struct {
	// Name is what users read in the BACKEND column.
	Name string
	// Provisioners are the CSI drivers that the backend serves unless a class names another one: exact names, or
	// AnyNamespace and the rest of one.
	Provisioners []string
	Traits       Traits
	// Parameters are the class parameters that the backend knows.
	Parameters []Parameter
	// CheckParameters reports every parameter that is unknown, malformed or cannot be honoured.
	CheckParameters func(Class) []Problem
	// AddToScheme registers the kinds that PeerObjects returns.
	AddToScheme func(*runtime.Scheme) error
	// APIGroups are the backend's own, which nothing but its adapter needs permissions for.
	APIGroups []string
	// ClusterScoped are the backend's kinds that have no namespace.
	ClusterScoped []string
	// Follows is what the API server asks of a user who names the peer's volumes in PeerHandles: the permission to patch
	// it. Empty for a backend that is told none.
	Follows schema.GroupResource
	// Retains is true when deleting a group never ends the replication.
	Retains bool
	// PeerVolumes says what is made on the peer for each volume, in words for a plan.
	PeerVolumes string
	// PeerObjects are the objects to create on the peer, in this order, so that the group can
	// exist there as secondary: volumes, claims, the group's handle, the group itself.
	PeerObjects func(PeerRequest) ([]client.Object, error)
	// Replications lists what replicates single PVCs of a namespace, made by us or not. Nil for a backend
	// whose objects need not change hands.
	Replications func(ctx context.Context, c client.Reader, namespace string) ([]Replication, error)
	// Held finds the objects that replicate PVCs of a namespace, made by us or not, from an API server. A backend
	// that is not installed has none. Nil for a backend without such objects.
	Held func(ctx context.Context, c client.Reader, namespace string, pvcs []string) ([]Held, error)
	// Unconnected says what is wrong between the backend and a CSI driver on a site, or any driver that it serves for "", and
	// what to do; empty when nothing is. It reads from an API server. Nil for a backend that has no connection of its own.
	Unconnected func(ctx context.Context, c client.Reader, driver string) (string, error)
	// NamesPeerClasses says by what the backend chooses the StorageClass of a copy itself; empty when it is chosen for it.
	NamesPeerClasses string
	// Unlike says in words how objects that exist on the peer differ from those that PeerObjects wants, beyond what
	// every kind of object is compared by; empty when they serve. There are as many of both; a nil is not there.
	Unlike func(wanted, there []client.Object) string
	// Native finds the groups that are made of the backend's own objects, made by us or not. Nil for a backend of which none are read.
	Native *Native
	// Rehearsal says how a copy is cloned beside its replication.
	Rehearsal Rehearsal
	// Ending says what the end of a replication destroys, by the role of the site that ends it.
	Ending map[vgrv1.State]string
}

// Rehearsal is what a backend can do for kubectl vgr rehearse.
type Rehearsal struct {
	// Refuses says why the copies of a driver's volumes cannot be cloned beside their replication; empty when they can.
	Refuses func(driver string) string
	// Instead names the way that the storage itself has for that; empty without one. Nil for a backend that has none.
	Instead func(driver string) string
	// Pods finds those that run a driver, from an API server. Nil for a backend that refuses all.
	Pods func(ctx context.Context, c client.Reader, driver string) ([]types.NamespacedName, error)
}

// Profiles are the backends of a program, in the order in which they are asked.
type Profiles []Profile

// Named finds a backend by its name.
func (ps Profiles) Named(name string) (Profile, bool) {
	i := slices.IndexFunc(ps, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return ps[i], true
}

// Names lists the backends.
func (ps Profiles) Names() []string {
	var all []string
	for _, p := range ps {
		all = append(all, p.Name)
	}
	return all
}

// Natives lists the backends whose own objects are read.
func (ps Profiles) Natives() []string {
	var all []string
	for _, p := range ps {
		if p.Native != nil {
			all = append(all, p.Name)
		}
	}
	return all
}

// ForClass finds the backend of a class: the one that it names, or else the one that serves its driver.
func (ps Profiles) ForClass(c Class) (Profile, bool) {
	i := slices.IndexFunc(ps, func(p Profile) bool { return p.Serves(c) })
	if i < 0 {
		return Profile{}, false
	}
	return ps[i], true
}

// Serves reports whether the backend is the one of a class.
func (p Profile) Serves(c Class) bool {
	if name := c.Parameters[vgrv1.ParameterBackend]; name != "" {
		return p.Name == name
	}
	return ServesDriver(p.Provisioners, c.Provisioner)
}

// AnyNamespace begins the name of a driver that is named after its operator's namespace.
const AnyNamespace = "NAMESPACE."

// ServesDriver reports whether a driver is one of those names.
func ServesDriver(names []string, driver string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		rest, any := strings.CutPrefix(name, AnyNamespace)
		if !any {
			return driver == name
		}
		namespace, ok := strings.CutSuffix(driver, "."+rest)
		return ok && len(validation.IsDNS1123Label(namespace)) == 0
	})
}

// Provisioners lists every CSI driver that some backend serves.
func (ps Profiles) Provisioners() []string {
	var all []string
	for _, p := range ps {
		all = append(all, p.Provisioners...)
	}
	return all
}
