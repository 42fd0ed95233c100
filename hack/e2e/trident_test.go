// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/trident"
)

// netapp is a namespace with a group on ONTAP.
type netapp struct {
	*scene
	// names are what the test calls the volumes: "east data".
	names map[string]string
}

func newNetApp(t *testing.T) netapp {
	t.Helper()
	return newNetAppIn(newScene(t), "netapp", nil)
}

// newNetAppIn makes a pair with two volumes, of a class with more parameters.
func newNetAppIn(s *scene, name string, more map[string]string) netapp {
	t := s.t
	t.Helper()
	parameters := map[string]string{"replicationPolicy": "MirrorAllSnapshots", "replicationSchedule": "5min", "schedulingInterval": "5m"}
	maps.Copy(parameters, more)
	n := netapp{s, map[string]string{}}
	for _, site := range []string{lab.East, lab.West} {
		class := &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: vgrv1.ClassSpec{Provisioner: trident.Name, Parameters: parameters}}
		if err := client.IgnoreAlreadyExists(n.sites[site].Create(t.Context(), class)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("operations: %q", n.operations())
		}
	})
	n.appClaims("data", "logs")
	n.done("create", "db", "-n", n.ns, "--class", name, "-l", "app=db", "--yes")
	n.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	n.ready(lab.West, "db", vgrv1.StateSecondary, 2)
	n.learn("data", "logs")
	return n
}

// appClaims makes claims of the application on the east.
func (n netapp) appClaims(names ...string) {
	n.t.Helper()
	for _, name := range names {
		n.create(lab.East, n.claim(name, lab.TridentStorageClass, map[string]string{"app": "db"}))
	}
	n.bound(lab.East, names...)
}

// learn remembers which volumes are behind claims.
func (n netapp) learn(claims ...string) {
	n.t.Helper()
	for _, site := range []string{lab.East, lab.West} {
		for _, claim := range claims {
			n.names[n.volume(site, claim)] = site + " " + claim
		}
	}
}

func (n netapp) volume(site, claim string) string {
	n.t.Helper()
	h, err := n.lab.Site(site).ONTAPHandle(n.t.Context(), n.ns, claim)
	n.must(err)
	return h
}

// operations are what ONTAP was asked for in this test.
func (n netapp) operations() []string {
	var out []string
	for _, op := range n.lab.ONTAP.Operations() {
		what, handle, _ := strings.Cut(op, " ")
		if name := n.names[handle]; name != "" {
			out = append(out, what+" "+name)
		}
	}
	return out
}

// did compares with what ONTAP was asked for; volumes of a group have no order.
func (n netapp) did(want ...string) {
	n.t.Helper()
	var all []string
	for _, op := range want {
		all = append(all, op+" data", op+" logs")
	}
	got := n.operations()
	for i := 0; i+1 < len(got); i += 2 {
		slices.Sort(got[i : i+2])
	}
	if !slices.Equal(got, all) {
		n.t.Errorf("ONTAP was asked for\n%q, want\n%q", got, all)
	}
}

func (n netapp) write(site string, times int64) {
	n.t.Helper()
	for _, claim := range []string{"data", "logs"} {
		if !n.lab.ONTAP.Write(n.volume(site, claim), times) {
			n.t.Fatalf("%s of %s is not writable", claim, site)
		}
	}
}

func (n netapp) has(site string, times int64) {
	n.t.Helper()
	for _, claim := range []string{"data", "logs"} {
		if got := n.lab.ONTAP.Written(n.volume(site, claim)); got != times {
			n.t.Errorf("%s of %s has %d writes, want %d", claim, site, got, times)
		}
	}
}

// oneWriter checks which site can be written to.
func (n netapp) oneWriter(site, other string) {
	n.t.Helper()
	for _, claim := range []string{"data", "logs"} {
		if !n.lab.ONTAP.Writable(n.volume(site, claim)) || n.lab.ONTAP.Writable(n.volume(other, claim)) {
			n.t.Errorf("%s: %s is to be writable, and %s not", claim, site, other)
		}
	}
}

// breaks has an operation of ONTAP fail until mended, or until the end of the test.
func (n netapp) breaks(operation string) (mend func()) {
	n.lab.ONTAP.Break(operation, errors.New("ONTAP says no"))
	mend = func() { n.lab.ONTAP.Break(operation, nil) }
	n.t.Cleanup(mend)
	return mend
}

// relationship is the TridentMirrorRelationship of a claim.
func (n netapp) relationship(site, claim string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "trident.netapp.io", Version: "v1", Kind: "TridentMirrorRelationship"})
	return u, n.sites[site].Get(n.t.Context(), client.ObjectKey{Namespace: n.ns, Name: claim}, u)
}

// TestTridentThereAndBack: a planned failover there and back loses nothing, and one site is writable at
// its end.
func TestTridentThereAndBack(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	n.did("establish west")
	if r := n.vgr("rehearse", "db", "-n", n.ns, "--on", "west", "--yes"); r.code != 2 || !strings.Contains(r.errOut, "a FlexClone of a snapshot that SnapMirror has transferred") || !strings.Contains(r.errOut, "docs/rehearse.md") {
		t.Errorf("rehearse: exit code %d\n%s", r.code, r.errOut)
	}
	n.write(lab.East, 7)
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	n.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	n.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	n.has(lab.West, 7)
	n.oneWriter(lab.West, lab.East)
	n.write(lab.West, 3)
	n.done("failover", "db", "-n", n.ns, "--to", "east", "--yes")
	n.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	n.has(lab.East, 10)
	n.oneWriter(lab.East, lab.West)
	n.did("establish west", "update west", "promote west", "resync east", "update east", "promote east", "resync west")
}

// TestTridentSourceLost: the source is lost, promoted without it, returns, and follows again.
func TestTridentSourceLost(t *testing.T) {
	t.Parallel()
	n := newNetAppIn(newSceneAlone(t), "netapp", nil)
	n.write(lab.East, 5) // never crosses: the schedule has not run
	mend := n.isolate(lab.East)
	if r := n.vgr("failover", "db", "-n", n.ns, "--to", "west", "--yes"); r.code != 6 {
		t.Errorf("planned, without the source: exit code %d\n%s", r.code, r.errOut)
	}
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--yes")
	n.did("establish west", "promote west")
	n.write(lab.West, 1)
	mend()
	if out := n.vgr("list", "-n", n.ns).out; !strings.Contains(out, "SplitBrain") {
		t.Errorf("both are writable, and list says\n%s", out)
	}
	n.has(lab.East, 5)
	if r := n.vgr("failback", "db", "-n", n.ns, "--to", "east", "--yes"); r.code != 2 {
		t.Errorf("failback without naming what is discarded: exit code %d\n%s", r.code, r.errOut)
	}
	n.done("failback", "db", "-n", n.ns, "--to", "east", "--discard-site", "east", "--yes")
	n.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	n.has(lab.East, 1)
	n.oneWriter(lab.East, lab.West)
	n.did("establish west", "promote west", "resync east", "update east", "promote east", "resync west")
}

// TestTridentGroupSnapshot: a planned failover goes through a snapshot of all volumes, and back.
func TestTridentGroupSnapshot(t *testing.T) {
	t.Parallel()
	n := newNetAppIn(newSceneAlone(t), "netapp-moments", map[string]string{"groupSnapshots": "true"})
	consistent := func(site string, want metav1.ConditionStatus) {
		t.Helper()
		c := meta.FindStatusCondition(n.get(site, "db").Status.Conditions, vgrv1.ConditionGroupConsistent)
		if c == nil || c.Status != want || c.Reason != vgrv1.ReasonGroupSnapshots {
			t.Errorf("%s says %+v, want %s", site, c, want)
		}
	}
	consistent(lab.East, metav1.ConditionFalse)
	n.write(lab.East, 4)
	mend := n.breaks(trident.OpSnapshot)
	if r := n.vgr("failover", "db", "-n", n.ns, "--to", "west", "--yes", "--timeout", "30s"); r.code != 3 || !strings.Contains(r.errOut, "ONTAP says no") {
		t.Errorf("a failed snapshot: exit code %d\n%s", r.code, r.errOut)
	}
	mend()
	n.change(lab.East, "db", func(g *vgrv1.VolumeGroupReplication) { g.Annotations[vgrv1.AnnotationRetry] = "1" })
	mend = n.breaks(trident.OpUpdate)
	if r := n.vgr("failover", "db", "-n", n.ns, "--to", "west", "--yes", "--timeout", "30s"); r.code != 3 {
		t.Errorf("a failed update: exit code %d\n%s", r.code, r.errOut)
	}
	n.done("failover", "db", "-n", n.ns, "--abort", "--yes")
	mend()
	for _, site := range []string{lab.East, lab.West} { // a promotion by hand would go back to it
		for _, told := range []string{vgrv1.AnnotationSnapshotRequest, vgrv1.AnnotationPeerSnapshots} {
			if v := n.get(site, "db").Annotations[told]; v != "" {
				t.Errorf("%s has %s=%s after the operation was taken back", site, told, v)
			}
		}
	}
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	n.has(lab.West, 4)
	consistent(lab.West, metav1.ConditionTrue)
	n.write(lab.West, 2)
	n.done("failover", "db", "-n", n.ns, "--to", "east", "--yes")
	n.has(lab.East, 6)
	n.oneWriter(lab.East, lab.West)
	consistent(lab.East, metav1.ConditionTrue)
	for _, site := range []string{lab.East, lab.West} {
		if v := n.get(site, "db").Annotations[vgrv1.AnnotationSnapshotRequest]; v != "" {
			t.Errorf("%s is asked for the snapshot %s in the end", site, v)
		}
	}
	// Without the source there is no snapshot, and what is left of the last one is not gone back to.
	n.write(lab.East, 1)
	n.change(lab.West, "db", func(g *vgrv1.VolumeGroupReplication) { g.Annotations[vgrv1.AnnotationSyncRequest] = "test/1" })
	n.eventually("an update", func(context.Context) error {
		if n.get(lab.West, "db").Status.LastSyncRequest != "test/1" {
			return errors.New("there is none")
		}
		return nil
	})
	n.isolate(lab.East)
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--yes")
	n.has(lab.West, 7)
	consistent(lab.West, metav1.ConditionFalse)
}

// TestTridentErrors: ONTAP refuses each thing once. The group says so, nothing else happens, and it is
// tried again when that is asked for.
func TestTridentErrors(t *testing.T) {
	t.Parallel()
	n := newNetAppIn(newSceneAlone(t), "netapp", nil)
	retry := 0
	again := func(site string) {
		retry++
		n.change(site, "db", func(g *vgrv1.VolumeGroupReplication) {
			g.Annotations[vgrv1.AnnotationRetry] = fmt.Sprint(retry)
		})
	}
	mend := n.breaks(trident.OpUpdate)
	r := n.vgr("failover", "db", "-n", n.ns, "--to", "west", "--yes", "--timeout", "30s")
	if r.code != 3 || !strings.Contains(r.out+r.errOut, "ONTAP says no") {
		t.Errorf("a failed update: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	n.oneWriter(lab.East, lab.West)
	mend()
	mend = n.breaks(trident.OpPromote)
	again(lab.West)
	r = n.vgr("failover", "db", "-n", n.ns, "--to", "west", "--yes", "--timeout", "30s")
	if r.code == 0 || !strings.Contains(r.out+r.errOut, "Could not promote mirror") {
		t.Errorf("a failed promotion: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	n.oneWriter(lab.East, lab.West)
	mend()
	again(lab.West)
	n.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	mend = n.breaks(trident.OpResync)
	r = n.vgr("failover", "db", "-n", n.ns, "--to", "west", "--yes", "--timeout", "30s")
	if r.code == 0 || !strings.Contains(r.out+r.errOut, "Could not reestablish mirror") {
		t.Errorf("a failed resynchronisation: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	mend()
	again(lab.East)
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	n.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	n.oneWriter(lab.West, lab.East)
}

// TestTridentRestarts in the middle of an update, which it gives up then. The next run asks for another
// one.
func TestTridentRestarts(t *testing.T) {
	t.Parallel()
	n := newNetAppIn(newSceneAlone(t), "netapp", nil)
	west := n.lab.Site(lab.West)
	n.write(lab.East, 2)
	n.change(lab.West, "db", func(g *vgrv1.VolumeGroupReplication) {
		g.Annotations[vgrv1.AnnotationSyncRequest] = "test/1"
	})
	n.eventually("an update to run", func(context.Context) error {
		if !slices.ContainsFunc(n.operations(), func(op string) bool { return strings.HasPrefix(op, trident.OpUpdate) }) {
			return errors.New("none does")
		}
		return nil
	})
	west.StopTrident()
	n.must(west.StartTrident(t.Context()))
	n.says(lab.West, "db", vgrv1.ReasonBackendError, "detected at startup, marking as Failed")
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	n.has(lab.West, 2)
}

// TestTridentControllerDies between what it asks for and the answer.
func TestTridentControllerDies(t *testing.T) {
	t.Parallel()
	n := newNetAppIn(newSceneAlone(t), "netapp", nil)
	west := n.lab.Site(lab.West)
	west.StopTrident()
	n.promoteUnguarded(lab.West, "db")
	n.says(lab.West, "db", vgrv1.ReasonProgressing, "0 of 2 volumes are as asked")
	n.must(west.Kill(t.Context(), lab.Controller))
	n.must(west.StartTrident(t.Context()))
	n.eventually("both volumes to be promoted", func(context.Context) error {
		for _, claim := range []string{"data", "logs"} {
			if !n.lab.ONTAP.Writable(n.volume(lab.West, claim)) {
				return fmt.Errorf("%s is not", claim)
			}
		}
		return nil
	})
	n.must(west.StartProc(lab.Controller))
	n.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	n.did("establish west", "promote west")
}

// TestTridentJoin: a PVC joins the group on both sites, its relationship before its copy.
func TestTridentJoin(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	n.appClaims("more")
	n.ready(lab.East, "db", vgrv1.StatePrimary, 3)
	if r := n.vgr("failover", "db", "-n", n.ns, "--to", "west", "--yes"); r.code != 2 {
		t.Errorf("failover of a volume without a copy: exit code %d\n%s", r.code, r.errOut)
	}
	n.done("create", "db", "-n", n.ns, "--class", "netapp", "-l", "app=db", "--yes")
	n.ready(lab.West, "db", vgrv1.StateSecondary, 3)
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	if !n.lab.ONTAP.Writable(n.volume(lab.West, "more")) {
		t.Error("the new volume has not moved")
	}
}

// TestTridentDelete keeps the relationships, since to delete one breaks it, unless that is asked for.
func TestTridentDelete(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	g := n.get(lab.West, "db")
	n.done("delete", "db", "-n", n.ns, "--yes", "--context", "west", "--peer-context", "east")
	n.gone(lab.West, g)
	n.oneWriter(lab.East, lab.West)
	if _, err := n.relationship(lab.West, "data"); err != nil {
		t.Fatal(err)
	}
	n.done("create", "db", "-n", n.ns, "--class", "netapp", "-l", "app=db", "--yes")
	n.ready(lab.West, "db", vgrv1.StateSecondary, 2)
	n.did("establish west")
	g = n.get(lab.West, "db")
	n.done("delete", "db", "-n", n.ns, "--end-replication", "--yes", "--context", "west", "--peer-context", "east")
	n.gone(lab.West, g)
	if _, err := n.relationship(lab.West, "data"); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the relationship is there still: %v", err)
	}
	n.did("establish west", "promote west")
}

// TestTridentDeleteAfterFailover: a group that was deleted after a failover, with its replication kept, can be made again
// in the direction in which it replicates now. The PVC of the old source was not made as a copy, and is one by now.
func TestTridentDeleteAfterFailover(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	n.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	for _, site := range []string{lab.West, lab.East} {
		g := n.get(site, "db")
		n.done("delete", "db", "-n", n.ns, "--yes", "--context", site, "--peer-context", opposite(site))
		n.gone(site, g)
	}
	n.done("create", "db", "-n", n.ns, "--class", "netapp", "-l", "app=db", "--yes", "--context", "west", "--peer-context", "east")
	n.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	n.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	n.did("establish west", "update west", "promote west", "resync east")
	n.oneWriter(lab.West, lab.East)
	n.write(lab.West, 5)
	n.done("failover", "db", "-n", n.ns, "--to", "east", "--yes")
	n.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	n.has(lab.East, 5)
}

// TestTridentChangedByHand: a role that was changed in Trident is never changed back by the controller, and the command
// that status names brings the pair back.
func TestTridentChangedByHand(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	asks := func(site, claim, state string) {
		n.t.Helper()
		m, err := n.relationship(site, claim)
		n.must(err)
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"state":"`+state+`"}}`))
		n.must(n.sites[site].Patch(t.Context(), m, patch))
	}
	asks(lab.West, "data", "promoted") // one of two
	n.says(lab.West, "db", vgrv1.ReasonRoleChangedOutside, "kubectl vgr reprotect db -n "+n.ns+" --discard-site SITE")
	n.write(lab.East, 3)
	n.done("reprotect", "db", "-n", n.ns, "--discard-site", "west", "--yes")
	n.ready(lab.West, "db", vgrv1.StateSecondary, 2)
	n.oneWriter(lab.East, lab.West)

	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	n.has(lab.West, 3)
	for _, claim := range []string{"data", "logs"} { // both sites follow each other
		asks(lab.West, claim, "reestablished")
	}
	n.says(lab.West, "db", vgrv1.ReasonRoleChangedOutside, "")
	n.eventually("status to name the promotion", func(context.Context) error {
		if v := n.seen("status", "db").Groups[0].Verdict; v.Phase != overview.NoPrimary || !strings.Contains(v.Next, "kubectl vgr promote db") {
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
	n.done("promote", "db", "-n", n.ns, "--context", "west", "--peer-context", "east", "--yes")
	n.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	n.has(lab.West, 3)
}

// TestTridentPolicyReplaced: Trident takes another policy and schedule than those that it does not know,
// without a word. The copy says so.
func TestTridentPolicyReplaced(t *testing.T) {
	t.Parallel()
	n := newNetAppIn(newScene(t), "netapp-misspelt", map[string]string{"replicationPolicy": "MirorAllSnapshots", "replicationSchedule": "5mins"})
	c := meta.FindStatusCondition(n.get(lab.West, "db").Status.Conditions, vgrv1.ConditionValidated)
	if c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, `it uses policy "MirrorAllSnapshots", not "MirorAllSnapshots"; it uses schedule "hourly", not "5mins"`) {
		t.Errorf("it says %+v", c)
	}
}

// TestThreeBackends: groups on different backends in one namespace do not disturb each other, and one
// command moves them all.
func TestThreeBackends(t *testing.T) {
	t.Parallel()
	n := newNetApp(t)
	d := dell{n.scene}
	d.class()
	d.create(lab.East, d.claim("power", lab.DellStorageClass, map[string]string{"app": "power"}))
	d.bound(lab.East, "power")
	d.done("create", "power", "-n", d.ns, "--class", "dell", "-l", "app=power", "--yes")
	n.pair("ceph")
	n.done("failover", "db", "-n", n.ns, "--to", "west", "--yes")
	n.ready(lab.East, "ceph", vgrv1.StatePrimary, 1)
	n.ready(lab.East, "power", vgrv1.StatePrimary, 1)
	n.done("failover", "db", "-n", n.ns, "--to", "east", "--yes")
	n.done("failover", "--all", "-n", n.ns, "--to", "west", "--yes")
	n.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	n.ready(lab.West, "ceph", vgrv1.StatePrimary, 1)
	n.ready(lab.West, "power", vgrv1.StatePrimary, 1)
}

// TestTridentFalsePromotion: Trident reports promoted of a volume that no application can write to when it
// cannot ask ONTAP. Nothing in Kubernetes tells; the volume's message says so.
func TestTridentFalsePromotion(t *testing.T) {
	t.Parallel()
	n := newNetAppIn(newSceneAlone(t), "netapp", nil)
	n.breaks(trident.OpGet)
	n.promoteUnguarded(lab.West, "db")
	n.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	if n.lab.ONTAP.Writable(n.volume(lab.West, "data")) {
		t.Fatal("it is writable")
	}
	for _, v := range n.get(lab.West, "db").Status.Volumes {
		if !strings.Contains(v.Message, "only a mount for writing proves it") || v.Health == vgrv1.HealthHealthy {
			t.Errorf("%s is %s: %s", v.Name, v.Health, v.Message)
		}
	}
}
