// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"slices"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// TestOtherWriters: checks warn of what else writes roles and replicas, and refuse nothing because of it.
func TestOtherWriters(t *testing.T) {
	argo := gitops.Manager{Tool: gitops.ArgoCD, Source: "Application shop", Field: gitops.Role, Last: true}
	flux := gitops.Manager{Tool: gitops.Flux, Source: "Kustomization shop", Field: gitops.Replicas}
	runs := func(w recovery.Workload) func(*recovery.Facts) {
		return func(f *recovery.Facts) {
			w.GitOps = flux
			f.Sites[east].Usage = &recovery.Usage{Workloads: []recovery.Workload{w}}
		}
	}
	stops := db
	stops.Replicas = 0
	cases := map[string]struct {
		change  func(*recovery.Facts)
		quiesce bool
		want    []string
	}{
		"no other writer": {func(*recovery.Facts) {}, true, nil},
		"Argo CD": {
			func(f *recovery.Facts) { f.GitOps[west] = argo }, false,
			[]string{"gitops: Argo CD (Application shop) applies the group on west and set spec.replicationState last: it sets the role back to what Git has: " + argo.Remedy()},
		},
		"Flux starts what is stopped": {runs(db), true, []string{"gitops: Flux (Kustomization shop) applies statefulset/db on east: it starts it again: " + flux.Remedy()}},
		"nothing is to be stopped":    {runs(db), false, nil},
		"it does not run":             {runs(stops), true, nil},
		"unguarded": {
			func(f *recovery.Facts) {
				f.Sites[west].Group.Annotations = map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}
			}, false,
			[]string{"guard: the group is unguarded on west: the controller obeys every request for primary, whatever east is: remove the annotation replication.unified.io/promotion on west"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, facts := ceph(func(*recovery.Pair, *[2]recovery.Environment) {})
			tc.change(&facts)
			checks := recovery.Checks(facts, recovery.Operation{Kind: recovery.Planned, From: sites[east], To: sites[west], Quiesce: tc.quiesce})
			var got []string
			for _, c := range checks {
				if c.ID != "gitops" && c.ID != "guard" {
					continue
				}
				got = append(got, strings.Join([]string{c.ID, c.Evidence, c.Remedy}, ": "))
				if c.Severity != recovery.CheckWarning {
					t.Errorf("%s is a %s", c.ID, c.Severity)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q\nwant %q", got, tc.want)
			}
		})
	}
}
