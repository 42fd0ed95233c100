// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"encoding/json"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// FuzzOf: whatever pods and workloads are like, what uses a claim is about a claim of the group.
func FuzzOf(f *testing.F) {
	f.Add([]byte(`[{"metadata":{"name":"db-0","labels":{"app":"web"},"ownerReferences":[{"kind":"ReplicaSet","name":"db","controller":true}]},"spec":{"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"data-db-0"}},{"name":"e","ephemeral":{}}]}}]`),
		[]byte(`{"metadata":{"name":"db","ownerReferences":[{"kind":"Pg","name":"x","controller":true}]},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]},"volumeClaimTemplates":[{"metadata":{"name":"data"}}]}}`), "data-db-0")
	f.Add([]byte(`[{}]`), []byte(`{"spec":{"selector":{"matchExpressions":[{"key":"","operator":"x"}]},"volumeClaimTemplates":[{}]}}`), "--0")
	f.Fuzz(func(t *testing.T, pods, set []byte, claim string) {
		var x appsv1.StatefulSet
		s := &Snapshot{nodes: map[string]attachment{"pv": {"worker", "csi-1"}}}
		if json.Unmarshal(pods, &s.pods) != nil || json.Unmarshal(set, &x) != nil {
			return
		}
		stateful := common(statefulSet, &x, x.Spec.Replicas, x.Spec.Selector, x.Spec.Template)
		for _, template := range x.Spec.VolumeClaimTemplates {
			stateful.claims = append(stateful.claims, template.Name)
		}
		s.workloads = []workload{stateful, common(deployment, &x, x.Spec.Replicas, x.Spec.Selector, x.Spec.Template)}
		g := &vgrv1.VolumeGroupReplication{}
		g.Status.Volumes = []vgrv1.VolumeStatus{{Name: claim, VolumeName: "pv"}, {Name: "other"}}
		u := s.Of(g)
		claims := []string{claim, "other"}
		for _, user := range u.Users {
			if !slices.Contains(claims, user.Claim) || user.String() == "" {
				t.Errorf("user %+v", user)
			}
		}
		for _, w := range u.Workloads {
			if len(w.Claims) == 0 || slices.ContainsFunc(w.Claims, func(c string) bool { return !slices.Contains(claims, c) }) {
				t.Errorf("workload %+v", w)
			}
		}
		if !slices.ContainsFunc(u.Users, func(user recovery.User) bool { return user.Kind == "node" && user.Claim == claim }) {
			t.Error("the node that the volume is attached to is not there")
		}
	})
}
