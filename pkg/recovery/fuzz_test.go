// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/testchoices"
)

// FuzzJournal: what can be read of a journal is the same once it is written again, and the history of
// a group is told in one way.
func FuzzJournal(f *testing.F) {
	op := recovery.Operation{
		ID: "1", Kind: recovery.Planned, From: sites[east], To: sites[west], By: "me", Holder: "me", Revision: 3, Started: metav1.NewMicroTime(before.Time),
		Members: map[string]string{"data": "h"}, AutoResync: []string{"c"}, Accepted: "unknown", LastSync: &before, VolumeSyncs: []recovery.VolumeSync{{Name: "data", LastSync: &before}},
		Stopped: []recovery.StoppedWorkload{{Cluster: "c", Kind: "deployment", Name: "web", Replicas: 2}}, OneWay: true, Quiesce: true, Start: true,
		Steps: []recovery.StepTimes{{ID: recovery.StepPromote, Site: "c", Started: metav1.NewMicroTime(before.Time), Finished: new(metav1.NewMicroTime(before.Time)), Asked: true, Attempt: 1}},
	}
	data, err := json.Marshal(op)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data), "["+string(data)+"]")
	f.Add(`{"id":"2","result":"done","kind":"other","steps":[{},{}]}`, `[{"id":"3","revision":1},{"id":"4","revision":1},{"id":"5","revision":1},{"id":"6","revision":1}]`)
	f.Add(`{"id":"2","revision":9223372036854775807}`, `[null,{}]`)
	f.Add(`{"id":"2","steps":null,"lastSync":null,"started":null}`, `{}`)
	f.Add("null", "x")
	f.Fuzz(func(t *testing.T, operation, history string) {
		g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Name: "db", Annotations: map[string]string{
			vgrv1.AnnotationOperation: operation, vgrv1.AnnotationHistory: history,
		}}}
		first, err := recovery.Timeline(g)
		for range 3 {
			if again, _ := recovery.Timeline(g); !cmp.Equal(first, again) {
				t.Errorf("the same history is told in two ways:\n%s", cmp.Diff(first, again))
			}
		}
		op, unreadable := recovery.Journal(g)
		if (err == nil) != (unreadable == nil) || unreadable != nil && op != nil {
			t.Errorf("journal %v, %v; timeline %v", op, unreadable, err)
		}
		if op == nil || !written(op) {
			return
		}
		_, _ = op.String()+op.Title()+op.ResumeCommand("a", "b")+op.AbortCommand("a", "b"), recovery.Steps(*op, backend.Traits{})
		_, _ = op.Duration()
		copied := &vgrv1.VolumeGroupReplication{}
		if err := (recovery.Write{Operation: *op}).Apply(copied); err != nil {
			t.Fatal(err)
		}
		again, err := recovery.Journal(copied)
		if err != nil {
			t.Fatalf("%v: %s", err, copied.Annotations[vgrv1.AnnotationOperation])
		}
		if was, is := spelled(t, op), spelled(t, again); was != is {
			t.Errorf("%s became %s", was, is)
		}
		if err := (recovery.Write{Operation: recovery.Operation{ID: op.ID + "-next", Revision: op.Revision}}).Apply(g); err != nil {
			t.Fatal(err)
		}
		if ops := recovery.History(g); len(ops) == 0 || ops[0].ID != op.ID || ops[0].InFlight() || len(ops) > 9 {
			t.Errorf("history %v", ops)
		}
	})
}

func spelled(t *testing.T, op *recovery.Operation) string {
	t.Helper()
	data, err := json.Marshal(op)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// written reports whether the times of a journal are such that the API's own types read what they write:
// of four digits for the year in UTC.
func written(op *recovery.Operation) bool {
	at := []time.Time{op.Started.Time}
	for _, x := range []*metav1.MicroTime{op.Finished} {
		if x != nil {
			at = append(at, x.Time)
		}
	}
	if op.LastSync != nil {
		at = append(at, op.LastSync.Time)
	}
	for _, v := range op.VolumeSyncs {
		if v.LastSync != nil {
			at = append(at, v.LastSync.Time)
		}
	}
	for _, s := range op.Steps {
		at = append(at, s.Started.Time)
		if s.Finished != nil {
			at = append(at, s.Finished.Time)
		}
	}
	for _, x := range at {
		if year := x.UTC().Year(); year < 0 || year > 9999 {
			return false
		}
	}
	return true
}

// FuzzNext: whatever a journal and the sites say, there is one decision, and none makes the target
// primary while the source has not been seen to have given up.
func FuzzNext(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := testchoices.From(data)
		traits := testchoices.Of(s, backend.Traits{Fences: true, ConfirmsSync: true}, backend.Traits{Fences: true, HandsOver: true}, backend.Traits{PromoteFirst: true}, backend.Traits{})
		op := someOperation(s)
		p := recovery.Pair{Namespace: "prod", Name: "db", Sites: [2]recovery.Site{someSite(s, sites[east], op), someSite(s, sites[west], op)}}
		was := spelled(t, &op)
		d := recovery.Next(p, op, traits)
		if spelled(t, &op) != was {
			t.Error("the journal that it was given has changed")
		}
		set := 0
		for _, is := range []bool{d.Write != nil, d.Wait != "", d.Stop != nil, d.Done} {
			if is {
				set++
			}
		}
		if set != 1 {
			t.Errorf("%d decisions: %+v", set, d)
		}
		if d.Write == nil || len(d.Write.Scale) > 0 {
			return
		}
		at, source := p.Site(d.Write.Site), p.Site(d.Operation.From)
		if !at.Answered || at.Group == nil || !at.Group.DeletionTimestamp.IsZero() {
			t.Errorf("it writes where nothing is: %+v", d.Write)
		}
		if d.Step.ID != recovery.StepPromote || d.Write.State != vgrv1.Primary || op.Kind == recovery.Unplanned {
			return
		}
		if gaveUp := source.Group.Spec.ReplicationState == vgrv1.Secondary && source.Group.Status.State == vgrv1.StateSecondary; !gaveUp && !traits.PromoteFirst {
			t.Errorf("it promotes while the source is %s: %+v", source.Group.Status.State, d)
		}
		if used := source.Usage == nil || len(source.Usage.Users) > 0; used && traits.PromoteFirst {
			t.Errorf("it promotes while the source is in use: %+v", d)
		}
	})
}

func someOperation(s *testchoices.Source) recovery.Operation {
	op := recovery.Operation{
		ID: testchoices.Of(s, "op", "other"), Kind: testchoices.Of(s, recovery.Planned, recovery.Unplanned, recovery.Failback, "unknown"), From: sites[east], To: sites[west],
		Holder: testchoices.Of(s, "me", "you"), Revision: int64(s.N(4)), Members: map[string]string{"data": "h"}, Aborting: s.N(4) == 3, OneWay: s.Yes(), Discard: s.Yes(), Snapshot: s.Yes(), Quiesce: s.Yes(), Start: s.Yes(),
		Result: testchoices.Of(s, "", "", "", recovery.Done, recovery.Aborted),
	}
	if s.Yes() {
		op.Stopped = []recovery.StoppedWorkload{{Cluster: testchoices.Of(s, sites[east], sites[west]).Cluster, Kind: "deployment", Name: "web", Replicas: 2}}
	}
	if s.Yes() {
		op.AutoResync = []string{sites[west].Cluster}
	}
	for _, id := range []recovery.StepID{
		recovery.StepRecord, recovery.StepDemoteStale, recovery.StepDiscard, recovery.StepRejoin, recovery.StepStopTarget, recovery.StepQuiesce, recovery.StepDemote, recovery.StepSnapshot,
		recovery.StepUpdate, recovery.StepSync, recovery.StepPromote, recovery.StepReprotect, recovery.StepRestore, recovery.StepStart, recovery.StepFinish, "unknown",
	} {
		step := recovery.StepTimes{ID: id, Asked: s.Yes(), Attempt: s.N(2)}
		if s.Yes() {
			step.Finished = &metav1.MicroTime{}
		}
		if s.Yes() {
			op.Steps = append(op.Steps, step)
		}
	}
	return op
}

func someSite(s *testchoices.Source, ref recovery.SiteRef, op recovery.Operation) recovery.Site {
	site := recovery.Site{SiteRef: ref, Answered: s.N(8) != 7, UnreachableReason: "no answer", Now: before.Time}
	if s.N(8) == 7 || !site.Answered {
		return site
	}
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db", Generation: int64(s.N(2) + 1)}}
	g.Spec.ReplicationState = testchoices.Of(s, vgrv1.Secondary, vgrv1.Primary, vgrv1.Resync, "")
	g.Status.State = testchoices.Of(s, vgrv1.StateSecondary, vgrv1.StatePrimary, vgrv1.StateUnknown, "")
	g.Status.ObservedGeneration = 1
	g.Spec.AutoResync = testchoices.Of(s, nil, new(true), new(false))
	if s.N(16) == 15 {
		g.DeletionTimestamp = &before
	}
	for _, kind := range []string{vgrv1.ConditionReady, vgrv1.ConditionDegraded, vgrv1.ConditionReplicating, vgrv1.ConditionGroupConsistent} {
		if s.N(4) != 3 {
			g.Status.Conditions = append(g.Status.Conditions, metav1.Condition{
				Type: kind, Status: testchoices.Of[metav1.ConditionStatus](s, "True", "False", "Unknown"), ObservedGeneration: 1,
				Reason: testchoices.Of(s, "Other", "Error", vgrv1.ReasonProgressing, vgrv1.ReasonResyncing, vgrv1.ReasonNoVolumes, vgrv1.ReasonGroupSnapshots),
			})
		}
	}
	g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", VolumeHandle: testchoices.Of(s, "h", "g"), SnapshotHandle: testchoices.Of(s, "", "s"), ReplicationHandle: testchoices.Of(s, "", "r")}}
	g.Status.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: testchoices.Of(s, "data", "more")}}
	g.Status.LastSyncRequest, g.Status.LastSnapshotRequest = testchoices.Of(s, "", "op/0", "op/1"), testchoices.Of(s, "", "op/snapshot-0")
	g.Status.LastSyncTime = testchoices.Of(s, nil, &before)
	journal := op
	switch s.N(4) {
	case 0:
	case 1:
		journal = someOperation(s)
	case 2:
		journal.ID = ""
	default:
		journal.Steps = nil
	}
	if data, err := json.Marshal(journal); err == nil && s.N(4) != 3 {
		g.Annotations = map[string]string{vgrv1.AnnotationOperation: string(data)}
	}
	site.Read(g)
	if s.N(4) != 3 {
		site.Usage = &recovery.Usage{Unknown: testchoices.Of(s, "", "", "", "forbidden")}
		if s.Yes() {
			site.Usage.Users = []recovery.User{{Kind: testchoices.Of(s, "pod", "node"), Name: "web-1", Claim: "data", Workload: testchoices.Of(s, "deployment/web", "")}}
		}
		if s.Yes() {
			site.Usage.Workloads = []recovery.Workload{{Kind: "deployment", Name: "web", Claims: []string{"data"}, Replicas: int32(s.N(3)), Owner: testchoices.Of(s, "", "argo/x")}}
		}
	}
	return site
}
