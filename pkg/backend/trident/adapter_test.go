// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

// cluster is an API server with Trident's own CRDs. The test plays Trident: it writes statuses.
type cluster struct {
	client.Client
	t       *testing.T
	adapter *trident.Adapter
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	// A test there compares these CRDs with Trident's own.
	c := testserver.Start(t, filepath.Join("..", "..", "..", "hack", "lab", "trident", "crds")).Client(t, trident.AddToScheme)
	strict := &cached{Client: client.WithFieldValidation(c, metav1.FieldValidationStrict)}
	adapter := trident.New(strict, c)
	strict.watches = adapter.Watches()
	return &cluster{Client: strict, t: t, adapter: adapter}
}

// cached finds objects by the adapter's indexes as the controller's cache does, but among what the API server has now.
type cached struct {
	client.Client
	watches []backend.Watch
}

func (c *cached) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	if o.FieldSelector == nil {
		return c.Client.List(ctx, list, opts...)
	}
	wanted := o.FieldSelector.Requirements()[0]
	o.FieldSelector = nil
	if err := c.Client.List(ctx, list, o); err != nil {
		return err
	}
	all, err := meta.ExtractList(list)
	if err != nil {
		return err
	}
	for _, w := range c.watches {
		if keys := w.Indexes[wanted.Field]; keys != nil {
			all = slices.DeleteFunc(all, func(obj runtime.Object) bool { return !slices.Contains(keys(obj.(client.Object)), wanted.Value) })
			return meta.SetList(list, all)
		}
	}
	return fmt.Errorf("no index %s", wanted.Field)
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// says has Trident report a state for the Mirrors of the PVCs.
func (c *cluster) says(state string, pvcs ...string) {
	c.t.Helper()
	for _, pvc := range pvcs {
		m := c.mirror(pvc)
		m.Status.Conditions = []trident.MirrorCondition{{State: state, LocalVolumeHandle: "svm:" + pvc, LastTransitionTime: "2026-01-31T12:00:00Z"}}
		c.must(c.Status().Update(c.t.Context(), m))
	}
}

func (c *cluster) mirror(name string) *trident.Mirror {
	c.t.Helper()
	var m trident.Mirror
	c.must(c.Get(c.t.Context(), client.ObjectKey{Namespace: "default", Name: name}, &m))
	return &m
}

func (c *cluster) updates() []trident.Update {
	c.t.Helper()
	var list trident.UpdateList
	c.must(c.List(c.t.Context(), &list))
	return list.Items
}

func (c *cluster) snapshots() (names []string) {
	c.t.Helper()
	var list trident.GroupSnapshotList
	c.must(c.List(c.t.Context(), &list))
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	return names
}

// drive is one pass of the controller.
func (c *cluster) drive(g backend.Group) backend.Observation {
	c.t.Helper()
	c.must(c.adapter.Apply(c.t.Context(), g))
	obs, err := c.adapter.Observe(c.t.Context(), g)
	c.must(err)
	return obs
}

func (c *cluster) states(want string) {
	c.t.Helper()
	for _, name := range []string{"data", "log"} {
		if got := c.mirror(name).Spec.State; got != want {
			c.t.Errorf("%s asks for %q, want %q", name, got, want)
		}
	}
}

func twoVolumes(state vgrv1.ReplicationState) backend.Group {
	return backend.Group{
		Owner:   backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: types.NamespacedName{Namespace: "default", Name: "g"}},
		Class:   backend.Class{Parameters: map[string]string{"replicationPolicy": "MirrorAllSnapshots", "replicationSchedule": "5min"}},
		Members: []backend.Member{{PVC: "data", PV: "pv-1"}, {PVC: "log", PV: "pv-2"}},
		State:   state, RequestID: string(state),
	}
}

// TestThereAndBack takes one site through all roles, against Trident's CRDs.
func TestThereAndBack(t *testing.T) {
	c := newCluster(t)
	g := twoVolumes(vgrv1.Primary)
	c.drive(g)
	c.says("promoted", "data", "log")
	if obs := c.drive(g); !obs.Current || obs.State != vgrv1.StatePrimary || obs.Volumes[1].ReplicationHandle != "svm:log" {
		t.Errorf("as source: %+v", obs)
	}
	before := c.mirror("data").ResourceVersion
	c.drive(g)
	if after := c.mirror("data").ResourceVersion; after != before {
		t.Error("a second pass has written although nothing was to be done")
	}

	g = twoVolumes(vgrv1.Secondary)
	g.Peer, g.PeerHandles = vgrv1.PeerPrimary, map[string]string{"data": "svm_p:data"}
	if err := c.adapter.Apply(t.Context(), g); !errors.As(err, new(*backend.Problem)) || !strings.Contains(err.Error(), "PVC log") {
		t.Errorf("with the handle of one volume only: %v", err)
	}
	c.states("promoted") // the other volume has not moved either
	g.PeerHandles["log"] = "svm_p:log"
	c.drive(g)
	c.states("reestablished")
	c.says("reestablished", "data", "log")
	if obs := c.drive(g); obs.Volumes[1].FollowedHandle != "svm_p:log" {
		t.Errorf("as a copy: %+v", obs.Volumes)
	}
	if got := c.mirror("log").Spec; got.VolumeMappings[0].RemoteVolumeHandle != "svm_p:log" || got.ReplicationPolicy != "MirrorAllSnapshots" {
		t.Errorf("log follows with %+v", got)
	}

	for _, request := range []string{"op/0", "op/1"} {
		g.SyncRequest = request
		if obs := c.drive(g); obs.SyncRequest == request {
			t.Errorf("%s is fulfilled before Trident has done anything", request)
		}
		for _, u := range c.updates() {
			u.Status.State = "Succeeded"
			c.must(c.Update(t.Context(), &u))
		}
		if obs := c.drive(g); obs.SyncRequest != request || obs.LastSyncTime == nil {
			t.Errorf("request %q, last sync %v; want %s", obs.SyncRequest, obs.LastSyncTime, request)
		}
		if got := len(c.updates()); got != 2 {
			t.Errorf("%d updates are there after %s, want one for each volume", got, request)
		}
	}

	g = twoVolumes(vgrv1.Primary)
	c.drive(g)
	c.states("promoted")
	if obs := c.drive(g); obs.Current || obs.State == vgrv1.StatePrimary {
		t.Errorf("primary before Trident says so: %+v", obs)
	}
	c.says("promoted", "data")
	if obs := c.drive(g); obs.Current || obs.State != vgrv1.StateUnknown {
		t.Errorf("one of two promoted: %+v", obs)
	}
}

// TestRemove: a relationship stays unless its end was asked for, and one of another tool always.
func TestRemove(t *testing.T) {
	c := newCluster(t)
	theirs := &trident.Mirror{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "theirs"}}
	theirs.Spec = trident.MirrorSpec{State: "promoted", VolumeMappings: []trident.VolumeMapping{{LocalPVCName: "log"}}}
	c.must(c.Create(t.Context(), theirs))
	g := twoVolumes(vgrv1.Primary)
	c.drive(g)
	if removal, err := c.adapter.Remove(t.Context(), g.Owner, true); err != nil || !removal.Done {
		t.Errorf("retain: %+v, %v", removal, err)
	}
	c.mirror("data")
	ours := &trident.Update{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ours", Labels: g.Owner.Labels()}, Spec: trident.UpdateSpec{MirrorName: "data"}}
	other := &trident.Update{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}, Spec: trident.UpdateSpec{MirrorName: "theirs"}}
	c.must(c.Create(t.Context(), ours))
	c.must(c.Create(t.Context(), other))
	for name, labels := range map[string]map[string]string{"ours": g.Owner.Labels(), "other": nil} {
		snapshot := &trident.GroupSnapshot{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: labels}}
		snapshot.Spec.Source.Selector, snapshot.Spec.ClassName = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, "snapshots"
		c.must(c.Create(t.Context(), snapshot))
	}
	if removal, err := c.adapter.Remove(t.Context(), g.Owner, true); err != nil || !removal.Done || len(c.snapshots()) != 2 {
		t.Errorf("retain: %+v, %v, %v", removal, err, c.snapshots())
	}
	held := c.mirror("data")
	held.Finalizers = []string{"trident.netapp.io", "example.com/backup"}
	c.must(c.Update(t.Context(), held))
	for range 2 { // as it is deleted, and as it stays
		removal, err := c.adapter.Remove(t.Context(), g.Owner, false)
		c.must(err)
		const waits = "; data waits for trident.netapp.io (Trident, until it has ended the mirror relationship; the events of the object have its errors), example.com/backup (of another tool, which must take it off)"
		if removal.Done || !strings.HasPrefix(removal.Waiting, "Trident is ending the relationships data") || !strings.HasSuffix(removal.Waiting, waits) {
			t.Errorf("delete: %+v", removal)
		}
	}
	held = c.mirror("data")
	held.Finalizers = nil
	c.must(c.Update(t.Context(), held))
	if removal, err := c.adapter.Remove(t.Context(), g.Owner, false); err != nil || !removal.Done {
		t.Errorf("deleted: %+v, %v", removal, err)
	}
	c.mirror("theirs")
	if updates := c.updates(); len(updates) != 1 || updates[0].Name != "other" {
		t.Errorf("left are %d updates", len(updates))
	}
	if names := c.snapshots(); !slices.Equal(names, []string{"other"}) {
		t.Errorf("left are the group snapshots %v", names)
	}
}

// TestNameTaken: a Mirror that has the name of a PVC and is about another one is left alone.
func TestNameTaken(t *testing.T) {
	c := newCluster(t)
	other := &trident.Mirror{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"}}
	other.Spec = trident.MirrorSpec{State: "promoted", VolumeMappings: []trident.VolumeMapping{{LocalPVCName: "other"}}}
	c.must(c.Create(t.Context(), other))
	if err := c.adapter.Apply(t.Context(), twoVolumes(vgrv1.Primary)); !errors.As(err, new(*backend.Problem)) || !strings.Contains(err.Error(), "for PVC other") {
		t.Errorf("got %v", err)
	}
	if got := c.mirror("data").Spec.VolumeMappings[0].LocalPVCName; got != "other" {
		t.Errorf("the Mirror is about %s now", got)
	}
}
