// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/powerstore"
)

// dell is a namespace with a group on PowerStore, whose one array group is the namespace's.
type dell struct{ *scene }

// groupLabel is where a volume names its replication group.
const groupLabel = "replication.storage.dell.com/replicationGroupName"

// array is the name of the group on the arrays.
func (d dell) array() string { return "csi-" + d.ns + "-RT-west-Five_Minutes" }

func newDell(t *testing.T) dell {
	t.Helper()
	return newDellIn(newScene(t))
}

// newDellIn makes a pair with two volumes.
func newDellIn(s *scene) dell {
	s.t.Helper()
	d := dell{s}
	d.class()
	d.t.Cleanup(func() {
		if d.t.Failed() {
			d.tail(lab.DellReplicator)
			d.t.Logf("actions: %q", d.actions())
		}
	})
	for _, name := range []string{"data", "logs"} {
		d.create(lab.East, d.claim(name, lab.DellStorageClass, map[string]string{"app": "db"}))
		d.bound(lab.East, name)
		d.grouped(name) // else Dell's sidecar may make two groups of the one: see TestDellTwins
	}
	d.done("create", "db", "-n", d.ns, "--class", "dell", "-l", "app=db", "--yes")
	d.ready(lab.West, "db", vgrv1.StateSecondary, 2)
	return d
}

// grouped waits until the sidecar of the east knows the replication group of a claim's volume.
func (d dell) grouped(claim string) *unstructured.Unstructured {
	d.t.Helper()
	rg := &unstructured.Unstructured{}
	rg.SetGroupVersionKind(schema.GroupVersionKind{Group: "replication.storage.dell.com", Version: "v1", Kind: "DellCSIReplicationGroup"})
	d.eventually("the replication group of "+claim, func(ctx context.Context) error {
		var pvc corev1.PersistentVolumeClaim
		if err := d.sites[lab.East].Get(ctx, client.ObjectKey{Namespace: d.ns, Name: claim}, &pvc); err != nil {
			return err
		}
		var pv corev1.PersistentVolume
		if err := d.sites[lab.East].Get(ctx, client.ObjectKey{Name: pvc.Spec.VolumeName}, &pv); err != nil {
			return err
		}
		if err := d.sites[lab.East].Get(ctx, client.ObjectKey{Name: pv.Labels[groupLabel]}, rg); err != nil {
			return err
		}
		if state, _, _ := unstructured.NestedString(rg.Object, "status", "state"); state != "Ready" {
			return fmt.Errorf("%s is %q", rg.GetName(), state)
		}
		return nil
	})
	return rg
}

// class makes the class on both sites.
func (d dell) class() {
	d.t.Helper()
	for _, site := range []string{lab.East, lab.West} {
		class := &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "dell"}, Spec: vgrv1.ClassSpec{
			Provisioner: powerstore.Name, Parameters: map[string]string{"schedulingInterval": "5m"},
		}}
		if err := client.IgnoreAlreadyExists(d.sites[site].Create(d.t.Context(), class)); err != nil {
			d.t.Fatal(err)
		}
	}
}

// actions are those that the arrays were asked for in this test.
func (d dell) actions() []string {
	var out []string
	for _, a := range d.lab.PowerStore.Actions() {
		if rest, ok := strings.CutSuffix(a, " "+d.array()); ok {
			out = append(out, rest)
		}
	}
	return out
}

func (d dell) did(want ...string) {
	d.t.Helper()
	if got := d.actions(); !slices.Equal(got, want) {
		d.t.Errorf("the arrays were asked for %q, want %q", got, want)
	}
}

func (d dell) write(site string, n int64) {
	d.t.Helper()
	if !d.lab.PowerStore.Write(site, d.array(), n) {
		d.t.Fatalf("%s is not writable", site)
	}
}

func (d dell) has(site string, n int64) {
	d.t.Helper()
	if got := d.lab.PowerStore.Written(site, d.array()); got != n {
		d.t.Errorf("%s has %d writes, want %d", site, got, n)
	}
}

// TestDellThereAndBack: a planned failover there and back asks for each action once, and loses
// nothing.
func TestDellThereAndBack(t *testing.T) {
	t.Parallel()
	d := newDell(t)
	if r := d.vgr("rehearse", "db", "-n", d.ns, "--on", "west", "--yes"); r.code != 2 || !strings.Contains(r.errOut, "the driver of PowerStore has no action that shows the data of a copy") {
		t.Errorf("rehearse: exit code %d\n%s", r.code, r.errOut)
	}
	d.write(lab.East, 7)
	d.done("failover", "db", "-n", d.ns, "--to", "west", "--yes")
	d.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	d.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	d.has(lab.West, 14)
	if d.lab.PowerStore.Write(lab.East, d.array(), 1) {
		t.Error("east is writable still")
	}
	d.write(lab.West, 3)
	d.done("failover", "db", "-n", d.ns, "--to", "east", "--yes")
	d.has(lab.East, 20)
	d.did("east FAILOVER_REMOTE", "west REPROTECT_LOCAL", "west FAILOVER_REMOTE", "east REPROTECT_LOCAL")
	d.eventually("the sidecars of both sites to look at the link again", func(context.Context) error {
		if out := d.done("list", "-n", d.ns); !strings.Contains(out, "Protected") {
			return fmt.Errorf("list says\n%s", out)
		}
		return nil
	})
}

// TestDellSourceLost: the source is lost, promoted without it, returns, and follows again.
func TestDellSourceLost(t *testing.T) {
	t.Parallel()
	d := newDellIn(newSceneAlone(t))
	d.write(lab.East, 5)
	mend := d.isolate(lab.East)
	d.write(lab.East, 2) // never crosses
	if r := d.vgr("failover", "db", "-n", d.ns, "--to", "west", "--yes"); r.code != 6 {
		t.Errorf("planned, without the source: exit code %d\n%s", r.code, r.errOut)
	}
	if r := d.vgr("failover", "db", "-n", d.ns, "--to", "west", "--unplanned", "--accept-data-loss", "10m", "--yes"); r.code != 2 {
		t.Errorf("a loss that cannot be known was accepted by 10m: exit code %d\n%s", r.code, r.errOut)
	}
	d.done("failover", "db", "-n", d.ns, "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--yes")
	d.did("west UNPLANNED_FAILOVER_LOCAL")
	d.has(lab.West, 10)
	d.write(lab.West, 1)
	mend()
	// It is asked for primary still, and its array knows that it was given up. Nothing is discarded
	// before a user says so.
	d.eventually("east to know that it was given up", func(context.Context) error {
		g := d.get(lab.East, "db")
		if c := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionDegraded); c == nil || c.Reason != "Error" {
			return fmt.Errorf("it says %+v", g.Status)
		}
		return nil
	})
	d.did("west UNPLANNED_FAILOVER_LOCAL")
	d.has(lab.East, 14)
	if r := d.vgr("failback", "db", "-n", d.ns, "--to", "east", "--yes"); r.code != 2 {
		t.Errorf("failback without naming what is discarded: exit code %d\n%s", r.code, r.errOut)
	}
	d.done("failback", "db", "-n", d.ns, "--to", "east", "--discard-site", "east", "--yes")
	d.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	d.did("west UNPLANNED_FAILOVER_LOCAL", "west REPROTECT_LOCAL", "west FAILOVER_REMOTE", "east REPROTECT_LOCAL")
	d.has(lab.East, 12)
}

// TestDellLieOfSuccess: without a link the driver reports success for a failover that the array has
// refused. Only the link state is believed.
func TestDellLieOfSuccess(t *testing.T) {
	t.Parallel()
	d := newDellIn(newSceneAlone(t))
	d.lab.PowerStore.Break("FAILOVER_REMOTE", powerstore.ErrIgnored)
	t.Cleanup(func() { d.lab.PowerStore.Break("FAILOVER_REMOTE", nil) })
	if r := d.vgr("failover", "db", "-n", d.ns, "--to", "west", "--yes", "--timeout", "60s"); r.code == 0 || !strings.Contains(r.out+r.errOut, "is reported to have succeeded, and the array says") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	d.did("east FAILOVER_REMOTE") // not fired again
	d.lab.PowerStore.Break("FAILOVER_REMOTE", nil)
	d.change(lab.East, "db", func(g *vgrv1.VolumeGroupReplication) {
		g.Annotations[vgrv1.AnnotationRetry] = "1"
	})
	d.done("failover", "db", "-n", d.ns, "--to", "west", "--yes")
	d.did("east FAILOVER_REMOTE", "east FAILOVER_REMOTE", "west REPROTECT_LOCAL")
}

// TestDellFailedAction: the driver says no for good.
func TestDellFailedAction(t *testing.T) {
	t.Parallel()
	d := newDellIn(newSceneAlone(t))
	d.lab.PowerStore.Break("FAILOVER_REMOTE", errors.New("the array says no"))
	t.Cleanup(func() { d.lab.PowerStore.Break("FAILOVER_REMOTE", nil) })
	d.unguarded(lab.East, "db", vgrv1.Secondary)
	d.says(lab.East, "db", vgrv1.ReasonFailedToDemote, "the array says no")
	d.did("east FAILOVER_REMOTE")
}

// TestDellMoreInTheGroup: an action would move what is no member, so none is asked for.
func TestDellMoreInTheGroup(t *testing.T) {
	t.Parallel()
	d := newDell(t)
	d.create(lab.East, d.claim("stranger", lab.DellStorageClass, nil))
	d.bound(lab.East, "stranger")
	d.says(lab.East, "db", vgrv1.ReasonObjectConflict, d.ns+"/stranger")
	if r := d.vgr("failover", "db", "-n", d.ns, "--to", "west", "--yes"); r.code != 2 {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	d.did()
	d.label(lab.East, "stranger", map[string]string{"app": "db"})
	d.ready(lab.East, "db", vgrv1.StatePrimary, 3)
}

// TestDellMovedByHand: a group that was moved with Dell's own tool stays where it is; the commands that status names have
// the specs say so.
func TestDellMovedByHand(t *testing.T) {
	t.Parallel()
	d := newDell(t)
	d.write(lab.East, 5)
	rg := d.grouped("data")
	for _, action := range []struct{ site, name, link string }{{lab.East, "FAILOVER_REMOTE", "FAILEDOVER"}, {lab.West, "REPROTECT_LOCAL", "SYNCHRONIZED"}} {
		there := rg.DeepCopy()
		d.must(d.sites[action.site].Patch(t.Context(), there, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"action":"`+action.name+`"}}`))))
		d.eventually("the array to have done "+action.name, func(ctx context.Context) error {
			for _, site := range []string{lab.East, lab.West} {
				if err := d.sites[site].Get(ctx, client.ObjectKeyFromObject(rg), there); err != nil {
					return err
				}
				link, _, _ := unstructured.NestedMap(there.Object, "status", "replicationLinkState")
				if link["state"] != action.link || link["isSource"] != (site == lab.West) {
					return fmt.Errorf("%s: %v", site, link)
				}
			}
			return nil
		})
	}
	d.says(lab.West, "db", vgrv1.ReasonRoleChangedOutside, "kubectl vgr promote db -n "+d.ns+" --context SITE")
	d.says(lab.East, "db", vgrv1.ReasonRoleChangedOutside, "kubectl vgr demote db -n "+d.ns+" --context SITE")
	d.done("promote", "db", "-n", d.ns, "--context", "west", "--peer-context", "east", "--yes")
	d.ready(lab.West, "db", vgrv1.StatePrimary, 2)
	d.done("demote", "db", "-n", d.ns, "--context", "east", "--peer-context", "west", "--yes")
	d.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	d.has(lab.West, 10)
	d.did("east FAILOVER_REMOTE", "west REPROTECT_LOCAL") // nothing by us
}

// TestDellTwins: there are two objects for one group of the array, as Dell's sidecar can make them, and the volumes name
// both. Which one to ask is not known, so none is.
func TestDellTwins(t *testing.T) {
	t.Parallel()
	d := newDellIn(newSceneAlone(t))
	first := d.grouped("logs")
	twin := &unstructured.Unstructured{Object: map[string]any{"spec": first.Object["spec"]}}
	twin.SetGroupVersionKind(first.GroupVersionKind())
	twin.SetName(first.GetName() + "-twin")
	twin.SetLabels(first.GetLabels())
	d.create(lab.East, twin)
	var pvc corev1.PersistentVolumeClaim
	d.must(d.sites[lab.East].Get(t.Context(), client.ObjectKey{Namespace: d.ns, Name: "logs"}, &pvc))
	names := func(group string) {
		t.Helper()
		var pv corev1.PersistentVolume
		d.must(d.sites[lab.East].Get(t.Context(), client.ObjectKey{Name: pvc.Spec.VolumeName}, &pv))
		before := pv.DeepCopy()
		pv.Labels[groupLabel] = group
		d.must(d.sites[lab.East].Patch(t.Context(), &pv, client.MergeFrom(before)))
	}
	names(twin.GetName())
	d.says(lab.East, "db", vgrv1.ReasonObjectConflict, "stand for one group of the array")
	if r := d.vgr("failover", "db", "-n", d.ns, "--to", "west", "--yes"); r.code != 2 || !strings.Contains(r.errOut, twin.GetName()) {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	d.did()
	names(first.GetName())
	d.ready(lab.East, "db", vgrv1.StatePrimary, 2)
}

// TestDellControllerDies in the moment after an action was asked for: it is not asked for again.
func TestDellControllerDies(t *testing.T) {
	t.Parallel()
	d := newDellIn(newSceneAlone(t))
	east := d.lab.Site(lab.East)
	d.must(east.StopProc(t.Context(), lab.DellReplicator)) // no sidecar takes the action up
	d.unguarded(lab.East, "db", vgrv1.Secondary)
	d.says(lab.East, "db", vgrv1.ReasonProgressing, "action FAILOVER_REMOTE runs")
	d.must(east.Kill(t.Context(), lab.Controller))
	d.must(east.StartProc(lab.DellReplicator))
	d.eventually("the action to be over", func(context.Context) error {
		if got := d.actions(); len(got) == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	d.must(east.StartProc(lab.Controller))
	d.ready(lab.East, "db", vgrv1.StateSecondary, 2)
	d.did("east FAILOVER_REMOTE")
}

// TestDellDelete leaves everything of Dell's in place.
func TestDellDelete(t *testing.T) {
	t.Parallel()
	d := newDell(t)
	g := d.get(lab.East, "db")
	d.done("delete", "db", "-n", d.ns, "--yes")
	d.gone(lab.East, g)
	var pvc corev1.PersistentVolumeClaim
	d.must(d.sites[lab.East].Get(t.Context(), client.ObjectKey{Namespace: d.ns, Name: "data"}, &pvc))
	d.did()
	d.done("create", "db", "-n", d.ns, "--class", "dell", "-l", "app=db", "--yes")
	d.ready(lab.East, "db", vgrv1.StatePrimary, 2)
}
