// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
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

// FuzzObserve: nothing is done or known that the array did not say, and lately.
func FuzzObserve(f *testing.F) {
	f.Add(text(f, link(linkSynchronized, true)), "primary", "", "SYNC")
	f.Add(text(f, link(linkSyncing, false)), "secondary", "", "ASYNC")
	f.Add(text(f, link(linkFailedOver, true).asked(reprotectLocal).ended("Action REPROTECT_LOCAL failed", time.Minute)), "primary", string(vgrv1.PeerDemoted), "")
	f.Add(text(f, link(linkSuspended, false).asked(failoverRemote).with(func(g *ReplicationGroup) { g.Status.State = "FAILOVER_REMOTE_IN_PROGRESS" })), "resync", string(vgrv1.PeerLost), "")
	f.Add(text(f, link(linkSynchronized, true).with(func(g *ReplicationGroup) { g.Status.ReplicationLinkState.LastSuccessfulUpdate = at(-1000 * time.Hour) })), "primary", "", "")
	f.Add([]byte("{}"), "", "", "")
	f.Fuzz(func(t *testing.T, data []byte, state, peer, mode string) {
		var rg ReplicationGroup
		if json.Unmarshal(data, &rg) != nil {
			return
		}
		in := reading{rg: &rg, now: now, mode: mode, group: backend.Group{
			RequestID: "1", State: vgrv1.ReplicationState(state), Peer: vgrv1.PeerState(peer), Members: []backend.Member{{PVC: "data", PV: "pv", Handle: "h"}},
		}}
		n, obs := decide(in), observe(in)
		if !slices.Contains([]vgrv1.State{vgrv1.StatePrimary, vgrv1.StateSecondary, vgrv1.StateUnknown}, obs.State) {
			t.Errorf("state %q", obs.State)
		}
		said := rg.Status.ReplicationLinkState
		good := func(kind string, status metav1.ConditionStatus) bool {
			c := meta.FindStatusCondition(obs.Conditions, kind)
			return c != nil && c.Status == status
		}
		claims := obs.Current || obs.LastSyncTime != nil || good(vgrv1.ConditionCompleted, "True") || good(vgrv1.ConditionReplicating, "True") || good(vgrv1.ConditionDegraded, "False")
		if claims && said.State == "" {
			t.Errorf("nothing was said, and it is %+v", obs)
		}
		old := said.LastSuccessfulUpdate == nil || now.Sub(said.LastSuccessfulUpdate.Time).Abs() > freshFor
		if busy(&rg) == "" && old && (claims && obs.LastSyncTime == nil || obs.State != vgrv1.StateUnknown) {
			t.Errorf("it was said at %v, and it is %+v", said.LastSuccessfulUpdate, obs)
		}
		if obs.Recheck < 0 || obs.Recheck > 2*freshFor+time.Second {
			t.Errorf("looked at again after %s", obs.Recheck)
		}
		if n.action != "" && busy(&rg) != "" || n.action == unplannedFailoverLocal && in.group.Peer != vgrv1.PeerLost {
			t.Errorf("asks for %s of %+v", n.action, rg)
		}
		if obs.Problem != nil && (obs.Problem.Reason == "" || obs.Problem.Message == "") {
			t.Errorf("problem %+v", obs.Problem)
		}
	})
}

// FuzzGroupsNamed: volumes with any labels name one group, or there is a reason.
func FuzzGroupsNamed(f *testing.F) {
	f.Add(text(f, []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-1", "db/b")}), []byte("{}"), []byte("{}"))
	f.Add(text(f, []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-2", "")}), []byte(`{"prefix":"x","schedulingInterval":"5m","consistencyType":"Sync"}`), []byte(`{"x/rpo":"Five_Minutes"}`))
	f.Fuzz(func(t *testing.T, data, params, storage []byte) {
		var volumes []corev1.PersistentVolume
		g := backend.Group{Members: []backend.Member{{PVC: "a", PV: "a"}, {PVC: "b", PV: "b"}}}
		class := &storagev1.StorageClass{}
		if json.Unmarshal(data, &volumes) != nil || json.Unmarshal(params, &g.Class.Parameters) != nil || json.Unmarshal(storage, &class.Parameters) != nil {
			return
		}
		names, problem := groupsNamed(g, volumes)
		if (len(names) == 1) == (problem != nil) {
			t.Errorf("groups %q, problem %v", names, problem)
		}
		if len(names) > 0 {
			_ = foreign(g, names, volumes)
		}
		_ = assert(g.Class, class)
		if a, b := checkParameters(g.Class), checkParameters(g.Class); !cmp.Equal(a, b) {
			t.Errorf("judged in two ways: %v, %v", a, b)
		}
	})
}
