// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package observed

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// FuzzReady: whatever a backend says, a group is ready only when it has confirmed the present request.
func FuzzReady(f *testing.F) {
	for _, seed := range []string{
		`{"Exists":true,"Current":true,"State":"Primary","Conditions":[{"type":"Completed","status":"True","reason":"Promoted"}]}`,
		`{"Exists":true,"Current":true,"State":"Secondary","Conditions":[{"type":"Completed","status":"True","reason":"Demoted"},{"type":"Degraded","status":"False"}]}`,
		`{"Exists":true,"Current":true,"State":"Secondary","Conditions":[{"type":"Completed","status":"False","reason":"FailedToResync"},{"type":"Degraded","status":"True"},{"type":"Validated","status":"False"}]}`,
		`{"Problem":{}}`,
		`{}`,
	} {
		for _, state := range []string{"primary", "secondary", "resync"} {
			f.Add([]byte(seed), state)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, desired string) {
		var obs backend.Observation
		if json.Unmarshal(data, &obs) != nil {
			return
		}
		wanted := vgrv1.ReplicationState(desired)
		c := verdict(wanted, nil, obs)
		if c.Status == "True" {
			want := map[vgrv1.ReplicationState]vgrv1.State{vgrv1.Primary: vgrv1.StatePrimary, vgrv1.Secondary: vgrv1.StateSecondary, vgrv1.Resync: vgrv1.StateSecondary}[wanted]
			if want == "" || obs.State != want || !obs.Current || !obs.Exists || obs.Problem != nil || !meta.IsStatusConditionTrue(obs.Conditions, vgrv1.ConditionCompleted) {
				t.Errorf("ready as %s with %+v", desired, obs)
			}
		}
		if verdict(wanted, &backend.Problem{Reason: "x"}, obs).Status == "True" {
			t.Error("ready with a problem")
		}
	})
}
