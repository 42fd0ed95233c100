// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestEstimate: how long an operation takes is told only from operations of the same kind that had the same steps, and the wait for
// a synchronisation is not in it.
func TestEstimate(t *testing.T) {
	ceph, trident, dell := backend.Traits{Fences: true, ConfirmsSync: true, SyncPause: 30 * time.Second}, backend.Traits{PromoteFirst: true}, backend.Traits{Fences: true, HandsOver: true}
	east, west := recovery.SiteRef{Name: "east", Cluster: "e"}, recovery.SiteRef{Name: "west", Cluster: "w"}
	planned := recovery.Operation{Kind: recovery.Planned, From: east, To: west}
	// earlier is an operation whose steps took a second, two, three and so on.
	earlier := func(id string, op recovery.Operation, traits backend.Traits) recovery.Operation {
		op.ID, op.Result, op.Finished = id, recovery.Done, new(metav1.NewMicroTime(time.Unix(100, 0)))
		for i, s := range recovery.Steps(op, traits) {
			op.Steps = append(op.Steps, recovery.StepTimes{ID: s.ID, Started: metav1.NewMicroTime(time.Unix(0, 0)), Finished: new(metav1.NewMicroTime(time.Unix(int64(i+1), 0)))})
		}
		return op
	}
	quiesce := planned
	quiesce.Quiesce = true
	aborted := earlier("a", planned, ceph)
	aborted.Result = recovery.Aborted
	for name, tc := range map[string]struct {
		op     recovery.Operation
		traits backend.Traits
		known  []recovery.Operation
		synced bool
		want   recovery.Estimate
	}{
		"Ceph, the first one":        {planned, ceph, nil, true, recovery.Estimate{Stops: true, Upto: 30 * time.Second}},
		"Ceph, known":                {planned, ceph, []recovery.Operation{earlier("a", planned, ceph), earlier("b", planned, ceph)}, true, recovery.Estimate{Earlier: 2, Stops: true, Total: 21 * time.Second, Outage: 12 * time.Second}},
		"Ceph, not synchronised":     {planned, ceph, []recovery.Operation{earlier("a", planned, ceph)}, false, recovery.Estimate{Earlier: 1, Stops: true, Waits: true, Total: 19 * time.Second, Outage: 12 * time.Second}},
		"Ceph, an aborted one":       {planned, ceph, []recovery.Operation{aborted}, true, recovery.Estimate{Stops: true, Upto: 30 * time.Second}},
		"Ceph, none stopped pods":    {quiesce, ceph, []recovery.Operation{earlier("a", planned, ceph)}, true, recovery.Estimate{Stops: true, Upto: 30 * time.Second}},
		"Ceph, with pods stopped":    {quiesce, ceph, []recovery.Operation{earlier("a", quiesce, ceph)}, true, recovery.Estimate{Earlier: 1, Stops: true, Total: 28 * time.Second, Outage: 18 * time.Second}},
		"Trident":                    {planned, trident, []recovery.Operation{earlier("a", planned, trident)}, true, recovery.Estimate{Earlier: 1, Total: 15 * time.Second}},
		"Trident, with pods stopped": {quiesce, trident, []recovery.Operation{earlier("a", quiesce, trident)}, true, recovery.Estimate{Earlier: 1, Stops: true, Total: 21 * time.Second, Outage: 9 * time.Second}},
		"Dell":                       {planned, dell, []recovery.Operation{earlier("a", planned, dell)}, true, recovery.Estimate{Earlier: 1, Stops: true, Total: 15 * time.Second, Outage: 5 * time.Second}},
		"Dell, the first one":        {planned, dell, nil, true, recovery.Estimate{Stops: true}},
		"unplanned, only planned ones": {
			recovery.Operation{Kind: recovery.Unplanned, From: east, To: west}, ceph, []recovery.Operation{earlier("a", planned, ceph)}, true, recovery.Estimate{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := metav1.NewTime(time.Unix(1000, 0))
			group := func(role vgrv1.ReplicationState) *vgrv1.VolumeGroupReplication {
				g := &vgrv1.VolumeGroupReplication{}
				g.Spec.ReplicationState, g.Status.StateSince = role, &at
				if role == vgrv1.Primary {
					g.Status.State = vgrv1.StatePrimary
				}
				if tc.synced {
					g.Status.LastSyncTime = new(metav1.NewTime(at.Add(time.Minute)))
				}
				if len(tc.known) > 0 {
					text, err := json.Marshal(tc.known)
					if err != nil {
						t.Fatal(err)
					}
					g.Annotations = map[string]string{vgrv1.AnnotationHistory: string(text)}
				}
				return g
			}
			p := recovery.Pair{Sites: [2]recovery.Site{{SiteRef: east, Answered: true, Group: group(vgrv1.Primary)}, {SiteRef: west, Answered: true, Group: group(vgrv1.Secondary)}}}
			if got := recovery.EstimateOf(p, tc.op, tc.traits); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}
