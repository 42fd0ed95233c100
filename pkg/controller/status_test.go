// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/controller"
)

// careless is a backend that leaves out of its answer what an API server demands of ours.
type careless struct{ hidden }

func (careless) Watches() []backend.Watch { return nil }

func (careless) Observe(_ context.Context, g backend.Group) (backend.Observation, error) {
	obs := backend.Observation{Exists: true, Current: true, State: vgrv1.StatePrimary, LastSyncTime: &metav1.Time{}, LastCompletionTime: &metav1.Time{}}
	for _, m := range g.Members {
		obs.Volumes = append(obs.Volumes, vgrv1.VolumeStatus{Name: m.PVC, State: vgrv1.StatePrimary, LastSyncTime: &metav1.Time{}})
	}
	obs.Conditions = []metav1.Condition{
		{Type: vgrv1.ConditionCompleted, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonPromoted},
		{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionFalse},
		{Type: vgrv1.ConditionReplicating, Status: "Maybe", Reason: "no reason"},
	}
	return obs, nil
}

// TestCarelessBackend: what a backend leaves out, or what an API server does not take, costs the rest of the status
// nothing.
func TestCarelessBackend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false, controller.Backend{
		Profile: backend.Profile{Name: "careless", Provisioners: []string{"careless.example.com"}, CheckParameters: func(backend.Class) []backend.Problem { return nil }},
		Adapter: careless{},
	})
	spec := vgrv1.ClassSpec{Provisioner: "careless.example.com"}
	w.create(&vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "careless"}, Spec: spec})
	w.create(&vgrv1.VolumeReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "careless"}, Spec: spec})
	db := map[string]string{"app": "db"}
	w.boundPVC("data", "careless.example.com", db)
	w.boundPVC("one", "careless.example.com", nil)
	g := w.group("db", "careless", db)
	v := &vgrv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"},
		Spec:       vgrv1.VolumeReplicationSpec{VolumeReplicationClass: "careless", PVCName: "one", ReplicationState: vgrv1.Primary},
	}
	w.create(v)
	for _, tc := range []struct {
		obj    client.Object
		status *vgrv1.ReplicationStatus
	}{{g, &g.Status.ReplicationStatus}, {v, &v.Status.ReplicationStatus}} {
		w.eventually(tc.obj.GetName()+" is ready", func(ctx context.Context) bool {
			return w.Get(ctx, client.ObjectKeyFromObject(tc.obj), tc.obj) == nil && meta.IsStatusConditionTrue(tc.status.Conditions, vgrv1.ConditionReady)
		})
		for _, want := range []metav1.Condition{
			{Type: vgrv1.ConditionCompleted, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonPromoted},
			{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonNotReported},
			{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionUnknown, Reason: vgrv1.ReasonNotReported},
		} {
			c := meta.FindStatusCondition(tc.status.Conditions, want.Type)
			if c == nil || c.Status != want.Status || c.Reason != want.Reason || c.LastTransitionTime.IsZero() {
				t.Errorf("%s: %+v", want.Type, c)
			}
		}
		if tc.status.LastSyncTime != nil || tc.status.SyncTimeBefore != nil || tc.status.LastCompletionTime != nil {
			t.Errorf("times that nothing reported: %+v", tc.status)
		}
	}
	w.quiet("at rest", client.ObjectKeyFromObject(g))
}
