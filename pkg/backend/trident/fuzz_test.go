// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

func text(f *testing.F, x any) []byte {
	f.Helper()
	data, err := json.Marshal(x)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// FuzzObserve: nothing is done or known that Trident did not say.
func FuzzObserve(f *testing.F) {
	wants := group(vgrv1.Secondary, "")
	wants.SyncRequest = "op/1"
	told := mirrorOf("", invalid).with(func(m *Mirror) {
		m.Annotations = map[string]string{annotationLastApplied: requestOf(wants) + "/" + reestablished}
	})
	none := []byte("[]")
	f.Add(text(f, []*Mirror{mirrorOf(promoted, promoted)}), none, "primary", "", "", []byte{}, []byte{})
	f.Add(text(f, []*Mirror{mirrorOf(established, established)}), text(f, []*Update{transfer(wants, "op/1", succeeded, "")}), "secondary", "", "op/1", []byte{}, []byte{})
	f.Add(text(f, []*Mirror{told}), text(f, []*Update{transfer(wants, "op/1", failedUpdate, "no")}), "secondary", string(vgrv1.PeerPrimary), "op/1", []byte{}, []byte{})
	f.Add(text(f, []*Mirror{mirrorOf(promoted, "releasing"), mirrorOf("", "")}), none, "primary", "", "op/2", []byte(`{"status":{"error":{}}}`), []byte(`{"h":"s"}`))
	f.Add([]byte(`[{"status":{"conditions":[{}]}}]`), none, "", "", "", []byte("{}"), []byte("{}"))
	f.Fuzz(func(t *testing.T, mirrors, updates []byte, state, peer, request string, snapshot, handles []byte) {
		v := volume{member: backend.Member{PVC: "data", PV: "pv", Handle: "h"}}
		var at groupSnapshot
		if json.Unmarshal(mirrors, &v.mirrors) != nil || json.Unmarshal(updates, &v.updates) != nil || slices.Contains(v.mirrors, nil) || slices.Contains(v.updates, nil) {
			return
		}
		_, _ = json.Unmarshal(snapshot, &at.object), json.Unmarshal(handles, &at.handles)
		g := group(vgrv1.ReplicationState(state), vgrv1.PeerState(peer))
		g.SyncRequest, g.SnapshotRequest = request, request
		g.Class.Parameters = map[string]string{vgrv1.ParameterGroupSnapshots: "true"}
		volumes := []volume{v}
		if len(v.mirrors) > 1 { // the second one may be of another volume
			volumes = []volume{{member: v.member, mirrors: v.mirrors[:1], updates: v.updates}, {member: backend.Member{PVC: "log"}, mirrors: v.mirrors[1:]}}
		}
		_, _ = decide(g, v)
		_, _, _ = update(g, v), outdated(g, v), retrying(&Mirror{})
		obs := observe(g, volumes)
		observeGroupSnapshot(g, volumes, at, &obs)
		sound(t, g, volumes, obs)
		_, err := json.Marshal(obs.Volumes)
		if err != nil {
			t.Error(err)
		}
	})
}

// sound checks what must hold for every observation.
func sound(t *testing.T, g backend.Group, volumes []volume, obs backend.Observation) {
	t.Helper()
	said := true
	for i, v := range volumes {
		said = said && v.mirror() != nil && v.mirror().said().State != ""
		if s := obs.Volumes[i]; !slices.Contains([]vgrv1.State{vgrv1.StatePrimary, vgrv1.StateSecondary, vgrv1.StateUnknown}, s.State) ||
			!slices.Contains([]vgrv1.Health{vgrv1.HealthResyncing, vgrv1.HealthError, vgrv1.HealthUnknown}, s.Health) || s.Message == "" {
			t.Errorf("volume %+v", s)
		}
	}
	good := func(kind string, status metav1.ConditionStatus) bool {
		c := meta.FindStatusCondition(obs.Conditions, kind)
		return c != nil && c.Status == status
	}
	if !said && (obs.Current || obs.State != vgrv1.StateUnknown || obs.LastSyncTime != nil || good(vgrv1.ConditionCompleted, "True")) {
		t.Errorf("not all was said, and it is %+v", obs)
	}
	if obs.Current && g.State == vgrv1.Primary != (obs.State == vgrv1.StatePrimary) {
		t.Errorf("%s was asked for, and %s is current", g.State, obs.State)
	}
	if good(vgrv1.ConditionReplicating, "True") || good(vgrv1.ConditionDegraded, "False") {
		t.Error("Trident never says that it replicates")
	}
	if obs.LastSyncTime != nil && obs.State != vgrv1.StateSecondary {
		t.Errorf("%s has a last sync", obs.State)
	}
	if obs.Problem != nil && (obs.Problem.Reason == "" || obs.Problem.Message == "") {
		t.Errorf("problem %+v", obs.Problem)
	}
}

// FuzzParameters: parameters are judged in one way, and an interval is a time.
func FuzzParameters(f *testing.F) {
	f.Add([]byte(`{"replicationPolicy":"Sync","schedulingInterval":"5m","groupSnapshots":"true"}`))
	f.Add([]byte(`{"schedulingInterval":"-5m","x":""}`))
	f.Fuzz(func(t *testing.T, params []byte) {
		c := backend.Class{Name: "gold", Provisioner: "csi.trident.netapp.io"}
		if json.Unmarshal(params, &c.Parameters) != nil {
			return
		}
		if a, b := Profile().CheckParameters(c), Profile().CheckParameters(c); !cmp.Equal(a, b) {
			t.Errorf("judged in two ways: %v, %v", a, b)
		}
	})
}
