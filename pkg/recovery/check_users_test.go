// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

func find(checks []recovery.Check, id string) recovery.Check {
	i := slices.IndexFunc(checks, func(c recovery.Check) bool { return c.ID == id })
	if i < 0 {
		return recovery.Check{}
	}
	return checks[i]
}

// TestNodeWithoutPods: a volume that only a node holds is named with its VolumeAttachment, and "stop them" is no help.
func TestNodeWithoutPods(t *testing.T) {
	_, facts := ceph(func(*recovery.Pair, *[2]recovery.Environment) {})
	facts.Sites[east].Usage = &recovery.Usage{Users: []recovery.User{attached}}
	got := find(recovery.Checks(facts, recovery.Operation{Kind: recovery.Planned, From: sites[east], To: sites[west]}), "users")
	if got.Severity != recovery.CheckProblem || !strings.Contains(got.Evidence, "volumeattachment/csi-0") ||
		strings.Contains(got.Remedy, "stop them") || !strings.Contains(got.Remedy, "kubectl get node worker-1") {
		t.Errorf("%+v", got)
	}
}

// TestNotValidated: what the backend has refused is told before a failover, and refuses nothing.
func TestNotValidated(t *testing.T) {
	_, facts := ceph(func(*recovery.Pair, *[2]recovery.Environment) {})
	g := facts.Sites[west].Group.DeepCopy()
	g.Status.Conditions = append(g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionValidated, Status: metav1.ConditionFalse, Reason: "FailedPrecondition", Message: "no mirroring in the pool"})
	facts.Sites[west].Read(g)
	got := find(recovery.Checks(facts, recovery.Operation{Kind: recovery.Planned, From: sites[east], To: sites[west]}), "validated")
	want := recovery.Check{ID: "validated", Severity: recovery.CheckWarning, Evidence: "the backend has refused what was asked for on west (Validated is False): no mirroring in the pool"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestLinkOfTheCopy: what the copy's array says of the link counts also where the primary's says that all is well.
func TestLinkOfTheCopy(t *testing.T) {
	_, facts := ceph(func(*recovery.Pair, *[2]recovery.Environment) {})
	g := facts.Sites[west].Group.DeepCopy()
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonLinkNotInSync, Message: "link SUSPENDED: paused by the storage admin"})
	facts.Sites[west].Read(g)
	for _, kind := range []recovery.Kind{recovery.Planned, recovery.Unplanned} {
		got := find(recovery.Checks(facts, recovery.Operation{Kind: kind, From: sites[east], To: sites[west]}), "health")
		if got.Severity != recovery.CheckWarning || got.Evidence != "the controller on west says: link SUSPENDED: paused by the storage admin" {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

// TestResized: a copy that is smaller than its source is told with what mends it, and refuses nothing. create mends what it has
// made itself; other copies are resized by their own drivers, and those that nothing of ours made are left to their users.
func TestResized(t *testing.T) {
	const patch = `once west is primary: kubectl --context west -n production patch pvc data --type=merge -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'`
	for name, tc := range map[string]struct {
		from, to *int64
		change   func(*recovery.Facts)
		want     string
		remedy   string
	}{
		"resized": {new(int64(2 << 30)), new(int64(1 << 30)), func(f *recovery.Facts) {
			f.Sites[0].Group.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}
			f.Sites[0].Group.Spec.VolumeGroupReplicationClass = "gold"
		}, "it has 2Gi on east, its copy on west has 1Gi", "kubectl vgr create db -n production --class gold -l app=db --context east --peer-context west"},
		"resized, not of ours": {new(int64(2 << 30)), new(int64(1 << 30)), func(f *recovery.Facts) {
			f.Sites[0].Group.Spec.Selector, f.Sites[0].Group.Spec.VolumeGroupReplicationClass = nil, ""
		}, "it has 2Gi on east, its copy on west has 1Gi", patch},
		"resized, of Trident": {new(int64(2 << 30)), new(int64(1 << 30)), func(f *recovery.Facts) {
			f.Traits.ConfirmsSync, f.Traits.PromoteFirst = false, true
		}, "it has 2Gi on east, its copy on west has 1Gi", patch},
		"alike":           {new(int64(2 << 30)), new(int64(2 << 30)), nil, "", ""},
		"larger":          {new(int64(1 << 30)), new(int64(2 << 30)), nil, "", ""},
		"older, no sizes": {new(int64(2 << 30)), nil, nil, "", ""},
	} {
		_, facts := ceph(func(*recovery.Pair, *[2]recovery.Environment) {})
		for i, size := range []*int64{tc.from, tc.to} {
			g := facts.Sites[i].Group.DeepCopy()
			g.Status.Volumes[0].CapacityBytes = size
			facts.Sites[i].Read(g)
		}
		if tc.change != nil {
			tc.change(&facts)
		}
		got := find(recovery.Checks(facts, recovery.Operation{Kind: recovery.Planned, From: sites[east], To: sites[west]}), "sizes")
		if tc.want == "" && got.ID != "" || tc.want != "" && (got.Severity != recovery.CheckWarning || !strings.Contains(got.Evidence, tc.want) || !strings.HasPrefix(got.Remedy, tc.remedy)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
