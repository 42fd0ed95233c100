// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package state_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) *metav1.Time {
	return new(metav1.NewTime(start.Add(time.Duration(seconds) * time.Second)))
}

// seen is one observation: a state, the synchronisation time that came with it (-1 for none), and when.
type seen struct {
	state    vgrv1.State
	sync, at int
}

func TestRemember(t *testing.T) {
	const none = -1
	cases := map[string]struct {
		story     []seen
		since     int
		sync      int
		lastRole  vgrv1.State
		afterSync bool
	}{
		"a time from before the role does not count": {
			story: []seen{{vgrv1.StateSecondary, none, 0}, {vgrv1.StatePrimary, -30, 10}, {vgrv1.StatePrimary, -30, 20}},
			since: 10, sync: none, lastRole: vgrv1.StatePrimary,
		},
		"a newer one counts": {
			story: []seen{{vgrv1.StateSecondary, none, 0}, {vgrv1.StatePrimary, -30, 10}, {vgrv1.StatePrimary, 15, 20}},
			since: 10, sync: 15, lastRole: vgrv1.StatePrimary,
		},
		"the second in which the role began does not count": {
			story: []seen{{vgrv1.StatePrimary, none, 10}, {vgrv1.StatePrimary, 10, 20}},
			since: 10, sync: none, lastRole: vgrv1.StatePrimary,
		},
		"the clock of the storage is ahead: what it reported first does not count": {
			story: []seen{{vgrv1.StateSecondary, none, 0}, {vgrv1.StatePrimary, 100, 10}, {vgrv1.StatePrimary, 100, 20}},
			since: 10, sync: none, lastRole: vgrv1.StatePrimary,
		},
		"demoted after it had synchronised": {
			story: []seen{{vgrv1.StatePrimary, none, 10}, {vgrv1.StatePrimary, 15, 20}, {vgrv1.StateSecondary, none, 30}},
			since: 30, sync: none, lastRole: vgrv1.StateSecondary, afterSync: true,
		},
		"the same by way of an unknown state": {
			story: []seen{{vgrv1.StatePrimary, none, 10}, {vgrv1.StatePrimary, 15, 20}, {vgrv1.StateUnknown, none, 25}, {vgrv1.StateSecondary, none, 30}},
			since: 30, sync: none, lastRole: vgrv1.StateSecondary, afterSync: true,
		},
		"demoted before it had synchronised": {
			story: []seen{{vgrv1.StateSecondary, none, 0}, {vgrv1.StatePrimary, -30, 10}, {vgrv1.StateSecondary, none, 30}},
			since: 30, sync: none, lastRole: vgrv1.StateSecondary,
		},
		"primary again: the proof of before is gone": {
			story: []seen{{vgrv1.StatePrimary, none, 10}, {vgrv1.StatePrimary, 15, 20}, {vgrv1.StateSecondary, none, 30}, {vgrv1.StatePrimary, 15, 40}, {vgrv1.StateSecondary, none, 50}},
			since: 50, sync: none, lastRole: vgrv1.StateSecondary,
		},
		"an unknown state in between begins the role anew": {
			story: []seen{{vgrv1.StatePrimary, none, 10}, {vgrv1.StatePrimary, 15, 20}, {vgrv1.StateUnknown, none, 30}, {vgrv1.StatePrimary, 15, 40}},
			since: 40, sync: none, lastRole: vgrv1.StatePrimary,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var st vgrv1.ReplicationStatus
			for _, s := range tc.story {
				reported := at(s.sync)
				if s.sync == none {
					reported = nil
				}
				state.Remember(&st, s.state, reported, *at(s.at))
			}
			want := at(tc.sync)
			if tc.sync == none {
				want = nil
			}
			if !st.StateSince.Equal(at(tc.since)) || !st.LastSyncTime.Equal(want) || st.LastRole != tc.lastRole || st.DemotedAfterSync != tc.afterSync {
				t.Errorf("got since %v, sync %v, last role %s, demoted after sync %v", st.StateSince, st.LastSyncTime, st.LastRole, st.DemotedAfterSync)
			}
		})
	}
}

// TestOlderStatus: a status that an older controller wrote has no proof in it.
func TestOlderStatus(t *testing.T) {
	st := vgrv1.ReplicationStatus{State: vgrv1.StatePrimary, LastSyncTime: at(0)}
	state.Remember(&st, vgrv1.StateSecondary, nil, *at(10))
	if st.DemotedAfterSync {
		t.Error("a synchronisation time of an older controller was taken for a proof")
	}
	st = vgrv1.ReplicationStatus{State: vgrv1.StatePrimary, LastSyncTime: at(0)}
	state.Remember(&st, vgrv1.StatePrimary, at(0), *at(10))
	if st.LastSyncTime != nil || !st.StateSince.Equal(at(10)) {
		t.Errorf("%+v", st)
	}
}

func TestMayPromote(t *testing.T) {
	cases := map[string]struct {
		annotations map[string]string
		generation  int64
		confirmed   int64
		want        bool
	}{
		"nothing told":                      {nil, 3, 2, false},
		"told with this write":              {map[string]string{vgrv1.AnnotationPeer: "demoted/op-1", vgrv1.AnnotationBoundTo: "uid/3"}, 3, 2, true},
		"the peer was lost":                 {map[string]string{vgrv1.AnnotationPeer: "lost/op-1", vgrv1.AnnotationBoundTo: "uid/3"}, 3, 2, true},
		"told for another role":             {map[string]string{vgrv1.AnnotationPeer: "primary/op-1", vgrv1.AnnotationBoundTo: "uid/3"}, 3, 2, false},
		"told with an earlier write":        {map[string]string{vgrv1.AnnotationPeer: "demoted/op-1", vgrv1.AnnotationBoundTo: "uid/3"}, 4, 2, false},
		"told to an object of before":       {map[string]string{vgrv1.AnnotationPeer: "demoted/op-1", vgrv1.AnnotationBoundTo: "old/3"}, 3, 2, false},
		"bound to nothing, by an older one": {map[string]string{vgrv1.AnnotationPeer: "demoted/op-1"}, 3, 2, false},
		"that promotion is over":            {map[string]string{vgrv1.AnnotationPeer: "demoted/op-1", vgrv1.AnnotationBoundTo: "uid/3"}, 3, 3, false},
		"unguarded":                         {map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}, 3, 3, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := &metav1.ObjectMeta{UID: types.UID("uid"), Generation: tc.generation, Annotations: tc.annotations}
			if got := state.MayPromote(obj, &vgrv1.ReplicationStatus{ConfirmedGeneration: tc.confirmed}); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestRememberDoubt: a primary whose backend did not confirm any more that it replicates proves nothing by being demoted.
func TestRememberDoubt(t *testing.T) {
	for name, tc := range map[string]struct {
		c    []metav1.Condition
		want bool
	}{
		"never reported":   {nil, true},
		"confirmed":        {[]metav1.Condition{{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionTrue}}, true},
		"an older driver":  {[]metav1.Condition{{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionUnknown, Reason: vgrv1.ReasonStatusNotReported}}, true},
		"not known":        {[]metav1.Condition{{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionUnknown, Reason: "Unknown"}}, false},
		"it has an error":  {[]metav1.Condition{{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionFalse, Reason: "Degraded"}}, false},
		"another is false": {[]metav1.Condition{{Type: vgrv1.ConditionResyncing, Status: metav1.ConditionFalse}}, true},
	} {
		st := &vgrv1.ReplicationStatus{}
		state.Remember(st, vgrv1.StatePrimary, nil, *at(10))
		state.Remember(st, vgrv1.StatePrimary, at(15), *at(20))
		st.Conditions = tc.c
		state.Remember(st, vgrv1.StateUnknown, nil, *at(30))
		state.Remember(st, vgrv1.StateSecondary, nil, *at(40))
		if st.DemotedAfterSync != tc.want {
			t.Errorf("%s: demoted after a synchronisation: %t", name, st.DemotedAfterSync)
		}
	}
}

// TestRememberVolumes: a volume of a copy that was primary on its own has writes that nothing else has.
func TestRememberVolumes(t *testing.T) {
	half := []vgrv1.VolumeStatus{{Name: "data", State: vgrv1.StatePrimary}, {Name: "logs", State: vgrv1.StateSecondary}}
	demoted := func() *vgrv1.ReplicationStatus {
		st := &vgrv1.ReplicationStatus{}
		state.Remember(st, vgrv1.StatePrimary, nil, *at(10))
		state.Remember(st, vgrv1.StatePrimary, at(15), *at(20))
		return st
	}
	st := demoted()
	state.Remember(st, vgrv1.StateUnknown, nil, *at(30))
	state.RememberVolumes(st, half) // one volume is demoted before the other
	state.Remember(st, vgrv1.StateSecondary, nil, *at(40))
	state.RememberVolumes(st, []vgrv1.VolumeStatus{{State: vgrv1.StateSecondary}})
	if !st.DemotedAfterSync {
		t.Error("a demotion that took a while proves nothing")
	}
	state.Remember(st, vgrv1.StateUnknown, nil, *at(50))
	state.RememberVolumes(st, half) // a promotion that came half way
	state.Remember(st, vgrv1.StateSecondary, nil, *at(60))
	if st.DemotedAfterSync {
		t.Error("a copy of which a volume was primary is taken for one in sync")
	}
}
