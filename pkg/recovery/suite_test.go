// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// What uses PVCs, for tests.
var (
	db       = recovery.Workload{Kind: "statefulset", Name: "db", Replicas: 3, Claims: []string{"data"}}
	db0      = recovery.User{Kind: "pod", Name: "db-0", Claim: "data", Workload: "statefulset/db"}
	attached = recovery.User{Kind: "node", Name: "worker-1", Claim: "data", Attachment: "csi-0"}
	stopped  = []recovery.StoppedWorkload{
		{Cluster: sites[east].Cluster, Kind: "statefulset", Name: "db", Replicas: 3},
		{Cluster: sites[west].Cluster, Kind: "deployment", Name: "web", Replicas: 2},
	}
)

// ceph is a healthy pair with east as primary, that a test may break.
func ceph(change func(p *recovery.Pair, a *[2]recovery.Environment)) (recovery.Pair, recovery.Facts) {
	w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
	w.app = false
	p := w.observe(true)
	p.Sites[east].Group.Annotations = map[string]string{vgrv1.AnnotationPeerClusterUID: "uid-west"}
	p.Sites[east].Group.Status.LastSyncTime, p.Sites[east].Group.Status.StateSince = &before, new(metav1.NewTime(now.Add(-3*time.Hour)))
	p.Sites[east].Group.Status.SyncTimeBefore = nil
	a := [2]recovery.Environment{{Controller: "v1"}, {Controller: "v1"}}
	change(&p, &a)
	return p, recovery.Facts{Pair: p, Backend: "ceph", Traits: w.traits, Schedule: 5 * time.Minute, Environments: a}
}

func isTo(g *vgrv1.VolumeGroupReplication, state vgrv1.ReplicationState, is vgrv1.State, ready metav1.Condition) {
	g.Spec.ReplicationState, g.Status.State = state, is
	ready.Type, ready.ObservedGeneration = vgrv1.ConditionReady, g.Generation
	meta.SetStatusCondition(&g.Status.Conditions, ready)
}

// conflict is what the Dell adapter says of a group of the array that another PVC was put into.
func conflict(g *vgrv1.VolumeGroupReplication) {
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{
		Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonObjectConflict, ObservedGeneration: g.Generation,
		Message: "DellCSIReplicationGroup rg-1 has more volumes than the selector: shop/stranger; an action would move them too",
	})
}

// terminating is what the controller says of a group of which a PVC is being deleted.
func terminating(g *vgrv1.VolumeGroupReplication) {
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{
		Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonVolumeTerminating, ObservedGeneration: g.Generation,
		Message: "the group is about to lose volumes: PVC data: the PVC is being deleted",
	})
}

var met = metav1.Condition{Status: metav1.ConditionTrue, Reason: "AsAsked", Message: "confirmed"}

// guarded makes a secondary one whose spec asks for primary without a confirmation.
func guarded(g *vgrv1.VolumeGroupReplication) {
	isTo(g, vgrv1.Primary, vgrv1.StateSecondary, metav1.Condition{Status: metav1.ConditionFalse, Reason: vgrv1.ReasonPromotionNotConfirmed, Message: "not confirmed"})
	g.Status.ConfirmedGeneration = g.Generation - 1
}

// another has the copy on west follow a volume of another group.
func another(p *recovery.Pair) {
	p.Sites[east].Group.Status.Volumes[0].ReplicationHandle = "svm_e:data"
	p.Sites[west].Group.Status.Volumes[0].FollowedHandle = "svm_e:payroll"
}

func addMember(g *vgrv1.VolumeGroupReplication, name string) {
	g.Status.PersistentVolumeClaimsRefList = append(g.Status.PersistentVolumeClaimsRefList, corev1.LocalObjectReference{Name: name})
	g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{Name: name, VolumeHandle: name})
}
