// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// noMereDemotion says of a backend whether a demotion does more than to fence a site.
func noMereDemotion(t backend.Traits) bool { return t.PromoteFirst || t.HandsOver }

// testDemotion: where a demotion discards writes or is a failover, a running primary is demoted only by a write that
// tells of the peer; where it only fences, every user may demote.
func testDemotion(t *testing.T, c client.Client) {
	edit := func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Secondary }
	planned := func(g *vgrv1.VolumeGroupReplication) {
		w := recovery.Write{State: vgrv1.Secondary, Operation: recovery.Operation{ID: "op-1", Kind: recovery.Planned}}
		if err := w.Apply(g); err != nil {
			t.Fatal(err)
		}
	}
	const refused = "only kubectl vgr"
	cases := map[string]struct {
		state, lastRole vgrv1.State
		change          func(*vgrv1.VolumeGroupReplication)
		refused         bool
	}{
		"an edit":                    {vgrv1.StatePrimary, vgrv1.StatePrimary, edit, true},
		"an edit to resync":          {vgrv1.StatePrimary, vgrv1.StatePrimary, func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Resync }, true},
		"an edit, the state unknown": {vgrv1.StateUnknown, vgrv1.StatePrimary, edit, true},
		"by the planner":             {vgrv1.StatePrimary, vgrv1.StatePrimary, planned, false},
		"bound to the write before": {vgrv1.StatePrimary, vgrv1.StatePrimary, func(g *vgrv1.VolumeGroupReplication) {
			planned(g)
			g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, g.Generation)
		}, true},
		"never seen":                   {"", "", edit, false},
		"a copy that was asked for it": {vgrv1.StateSecondary, vgrv1.StateSecondary, edit, false},
		"a copy, the state unknown":    {vgrv1.StateUnknown, vgrv1.StateSecondary, edit, false},
		"unguarded": {vgrv1.StatePrimary, vgrv1.StatePrimary, func(g *vgrv1.VolumeGroupReplication) {
			edit(g)
			metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationPromotion, vgrv1.PromotionUnguarded)
		}, false},
		"another change": {vgrv1.StatePrimary, vgrv1.StatePrimary, func(g *vgrv1.VolumeGroupReplication) { g.Spec.AutoResync = new(true) }, false},
	}
	for _, p := range drivers.Profiles() {
		for name, tc := range cases {
			t.Run(p.Name+"/"+name, func(t *testing.T) {
				g := group(t, c, strings.Map(dashes, p.Name+" "+name), vgrv1.Primary, nil)
				g.Status.State, g.Status.LastRole, g.Status.Backend = tc.state, tc.lastRole, p.Name
				if err := c.Status().Update(t.Context(), g); err != nil {
					t.Fatal(err)
				}
				before, want := g.DeepCopy(), ""
				if tc.refused && noMereDemotion(p.Traits) {
					want = refused
				}
				tc.change(g)
				judge(t, "patch", c.Patch(t.Context(), g, client.MergeFrom(before)), want)
			})
		}
	}
	v := &vgrv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demoted"},
		Spec:       vgrv1.VolumeReplicationSpec{VolumeReplicationClass: "gold", PVCName: "demoted", ReplicationState: vgrv1.Primary},
	}
	judge(t, "create", c.Create(t.Context(), v), "")
	v.Status.State, v.Status.Backend = vgrv1.StatePrimary, "trident"
	judge(t, "status", c.Status().Update(t.Context(), v), "")
	v.Spec.ReplicationState = vgrv1.Secondary
	bound := state.Bound(v, v.Generation+1)
	judge(t, "a volume", c.Update(t.Context(), v.DeepCopy()), fmt.Sprintf("the annotation %s=%s", vgrv1.AnnotationBoundTo, bound))
	metav1.SetMetaDataAnnotation(&v.ObjectMeta, vgrv1.AnnotationBoundTo, bound)
	judge(t, "a volume, told", c.Update(t.Context(), v), "")
}
