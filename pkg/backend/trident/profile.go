// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Name is what users read in the BACKEND column.
const Name = "trident"

// annotationMirror on a new PVC has Trident make its volume as the destination of that Mirror, which
// must be there before.
const annotationMirror = "trident.netapp.io/mirrorRelationship"

// Driver returns the backend for the programs.
func Driver() backend.Driver {
	return backend.Driver{Profile: Profile(), New: func(c client.Client, live client.Reader, _ clock.PassiveClock) backend.Adapter { return New(c, live) }}
}

// Profile describes the backend without a cluster.
func Profile() backend.Profile {
	return backend.Profile{
		Name:            Name,
		Provisioners:    []string{"csi.trident.netapp.io"},
		Traits:          backend.Traits{PromoteFirst: true},
		Parameters:      parameters(),
		CheckParameters: checkParameters,
		AddToScheme:     AddToScheme,
		APIGroups:       []string{groupVersion.Group, snapshotVersion.Group},
		ClusterScoped:   []string{"VolumeGroupSnapshotContent"},
		Follows:         schema.GroupResource{Group: groupVersion.Group, Resource: "tridentmirrorrelationships"},
		PeerVolumes:     "tridentmirrorrelationships, each with the persistentvolumeclaim whose volume Trident makes as its copy",
		PeerObjects:     peerObjects,
		Replications:    replications,
		Held:            held,
		Unlike:          unlike,
		Ending:          ending(),
		Native:          native(),
		Rehearsal:       backend.Rehearsal{Refuses: refusesRehearsal, Instead: insteadOfRehearsal},
	}
}

func parameters() []backend.Parameter {
	return []backend.Parameter{
		{Name: vgrv1.ParameterBackend, Values: Name, Description: "the backend"},
		{Name: replicationPolicy, Values: "a SnapMirror policy of ONTAP", Description: "how volumes are mirrored; Trident replaces a name that it does not know by the backend's, which the group then says"},
		{Name: replicationSchedule, Values: "a job schedule of ONTAP", Description: "when volumes are mirrored; replaced in the same way"},
		{Name: vgrv1.ParameterSchedulingInterval, Values: "a duration: 300s, 5m, 1h30m, 1d", Description: "how often the schedule runs, to judge a lag by; Trident does not show it"},
		{Name: vgrv1.ParameterConsistencyGroup, Values: "disabled", Description: "SnapMirror replicates each volume by itself"},
		{Name: vgrv1.ParameterGroupConsistency, Values: "crash", Description: "what a volume's point in time means; ONTAP does not quiesce applications"},
		{Name: vgrv1.ParameterGroupSnapshots, Values: "true or false", Description: "whether a planned failover goes through a snapshot of all volumes at one moment"},
		{Name: groupSnapshotClass, Values: "a VolumeGroupSnapshotClass of Trident's", Description: "of those snapshots; the cluster's default when it is not given"},
	}
}

// checkParameters implements backend.Profile.CheckParameters.
func checkParameters(c backend.Class) []backend.Problem {
	allowed := map[string][]string{vgrv1.ParameterConsistencyGroup: {"disabled"}, vgrv1.ParameterGroupConsistency: {"crash"}, vgrv1.ParameterGroupSnapshots: {"true", "false"}}
	var problems []backend.Problem
	addf := func(format string, args ...any) {
		problems = append(problems, *backend.Problemf(vgrv1.ReasonInvalidParameters, format, args...))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Parameters)) {
		value := c.Parameters[key]
		switch {
		case !slices.ContainsFunc(parameters(), func(p backend.Parameter) bool { return p.Name == key }):
			addf("parameter %q is not known to %s; see kubectl vgr class describe", key, Name)
		case key == replicationPolicy && value == synchronous:
			addf("parameter %s is %q; Trident does not update a synchronous mirror when it is asked to, nor say whether it is in sync, so no failover could prove that nothing is lost", key, value)
		case key == vgrv1.ParameterSchedulingInterval && !interval(value):
			addf("parameter %s is %q; it is a duration of a second at least, such as 300s, 5m, 1h30m or 1d", key, value)
		case allowed[key] != nil && !slices.Contains(allowed[key], value):
			addf("parameter %s is %q; %s can do: %s", key, value, Name, strings.Join(allowed[key], " or "))
		}
	}
	return problems
}

func interval(text string) bool {
	_, ok := state.Interval(text)
	return ok
}

// peerObjects implements backend.Profile.PeerObjects. A PVC that exists cannot become a copy, so each
// comes after its Mirror.
func peerObjects(r backend.PeerRequest) ([]client.Object, error) {
	class, owner := backend.ClassOf(r.Class), backend.Owner{
		Kind: backend.VolumeGroupReplicationKind, NamespacedName: types.NamespacedName{Namespace: r.Group.Namespace, Name: r.Group.Name},
	}
	handles := map[string]string{}
	for _, v := range r.Group.Status.Volumes {
		handles[v.Name] = v.ReplicationHandle
	}
	var objs []client.Object
	for _, v := range r.Volumes {
		handle := handles[v.PVC.Name]
		switch {
		case v.PV.Spec.CSI == nil || v.PV.Spec.CSI.Driver != class.Provisioner:
			return nil, backend.Problemf(vgrv1.ReasonForeignDriver, "PVC %s is not a volume of %s", v.PVC.Name, class.Provisioner)
		case handle == "" && !r.Draft:
			return nil, backend.Problemf(vgrv1.ReasonProgressing, "Trident has not published the handle of PVC %s yet", v.PVC.Name)
		}
		objs = append(objs, &Mirror{
			TypeMeta:   metav1.TypeMeta{APIVersion: groupVersion.String(), Kind: mirrorKind},
			ObjectMeta: metav1.ObjectMeta{Namespace: r.Group.Namespace, Name: v.PVC.Name, Labels: owner.Labels()},
			Spec: MirrorSpec{
				State: established, ReplicationPolicy: class.Parameters[replicationPolicy], ReplicationSchedule: class.Parameters[replicationSchedule],
				VolumeMappings: []VolumeMapping{{LocalPVCName: v.PVC.Name, RemoteVolumeHandle: handle}},
			},
		}, peerClaim(v))
	}
	return append(objs, r.PeerGroup()), nil
}

func peerClaim(v backend.PeerVolume) *corev1.PersistentVolumeClaim {
	spec := v.ClaimSpec()
	spec.VolumeName = ""
	labels := maps.Clone(v.PVC.Labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return strings.HasPrefix(key, groupVersion.Group+"/") })
	return &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v.PVC.Namespace, Name: v.PVC.Name, Labels: labels, Annotations: map[string]string{annotationMirror: v.PVC.Name},
		},
		Spec: *spec,
	}
}
