// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migration_test

import (
	"fmt"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/dell"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
)

func profiles() backend.Profiles {
	return backend.Profiles{csiaddons.Profile(), dell.Profile(), trident.Profile()}
}

// old is an object of the old API; lines are added to its spec, or replace what it has.
func old(t *testing.T, name, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := `
metadata: {name: ` + name + `, namespace: default, labels: {volumeGroup: db, app: shop}}
spec:
  sourceEndpoint: {cluster: east, region: r, storageClass: sc}
  volumeMapping: {source: {pvcName: ` + name + `, namespace: production}, destination: {volumeHandle: h, namespace: production}}
` + spec
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

const (
	ceph    = "rbd.csi.ceph.com"
	netapp  = "csi.trident.netapp.io"
	dellCSI = "csi-powerstore.dellemc.com"
)

// TestUnified shows what becomes of old objects: the whole plan, with what is in the way and what is lost.
func TestUnified(t *testing.T) {
	type object struct{ name, provisioner, spec string }
	interval := "  replicationMode: asynchronous\n  schedule: {mode: interval, rpo: 15m}\n"
	mirror := func(state replicationv1.ReplicationState, notAdoptable string) *backend.Replication {
		vr := &replicationv1.VolumeReplication{TypeMeta: metav1.TypeMeta{Kind: "VolumeReplication"}, ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "by-hand"}}
		return &backend.Replication{
			Object: vr, PVC: "data", State: vgrv1.ReplicationState(state), NotAdoptable: notAdoptable,
			Class: backend.Class{Name: "theirs", Provisioner: ceph, Parameters: map[string]string{"schedulingInterval": "5m", "consistencyGroup": "disabled"}},
		}
	}
	for name, tc := range map[string]struct {
		objects  []object
		existing *backend.Replication
	}{
		"ceph-group":         {objects: []object{{"data", ceph, "  replicationState: source\n" + interval + "  extensions: {ceph: {mirroringMode: snapshot}}"}, {"logs", ceph, "  replicationState: source\n" + interval + "  extensions: {ceph: {mirroringMode: snapshot}}"}}},
		"differ":             {objects: []object{{"data", ceph, "  replicationState: source\n" + interval}, {"logs", netapp, "  replicationState: source\n  replicationMode: asynchronous\n  schedule: {mode: interval, rpo: 5m}"}}},
		"on-their-way":       {objects: []object{{"data", ceph, "  replicationState: syncing\n" + interval}, {"logs", ceph, "  replicationState: failed\n" + interval}}},
		"replica-of-nothing": {objects: []object{{"data", ceph, "  replicationState: replica\n" + interval}}},
		"days":               {objects: []object{{"data", netapp, "  replicationState: source\n  schedule: {mode: continuous, rpo: 1d, rto: 1h}"}}},
		"synchronous":        {objects: []object{{"data", netapp, "  replicationState: source\n  replicationMode: synchronous"}}},
		"dell-legacy":        {objects: []object{{"data", dellCSI, "  replicationState: source\n  replicationMode: asynchronous\n  extensions: {powerstore: {rpoSettings: Five_Minutes, volumeGroups: [vg1]}}"}}},
		"trident-legacy":     {objects: []object{{"data", netapp, "  replicationState: source\n  extensions: {trident: {actions: [{type: mirror-update, snapshotHandle: s}]}, ceph: {schedulingStartTime: '14:00'}}"}}},
		"unknown-driver":     {objects: []object{{"data", "example.com/csi", "  replicationState: source\n" + interval}}},
		"no-class":           {objects: []object{{"data", "", "  replicationState: source\n" + interval}}},
		"taken-over":         {objects: []object{{"data", ceph, "  replicationState: source\n" + interval}}, existing: mirror("primary", "")},
		"contradicts":        {objects: []object{{"data", ceph, "  replicationState: replica\n" + interval}}, existing: mirror("primary", "")},
		"not adoptable":      {objects: []object{{"data", ceph, "  replicationState: source\n" + interval}}, existing: mirror("primary", "csi-addons has not answered its last change yet")},
	} {
		t.Run(name, func(t *testing.T) {
			var volumes []migration.Volume
			for _, o := range tc.objects {
				around := migration.Environment{Provisioner: o.provisioner, PVCLabels: map[string]string{}, Replication: tc.existing}
				volumes = append(volumes, migration.FromUnified(old(t, o.name, o.spec), "volumeGroup", around, profiles()))
			}
			golden.Compare(t, name+".txt", told(t, migration.Plan(volumes, profiles(), nobody)))
		})
	}
}

func nobody(string, string) []string { return nil }

// told is a plan as text.
func told(t *testing.T, targets []migration.Target) string {
	t.Helper()
	var out strings.Builder
	for i := range targets {
		target := &targets[i]
		fmt.Fprintf(&out, "%s -n %s\n", target.Title(), target.Namespace)
		for _, n := range target.Notes {
			fmt.Fprintf(&out, "note: %s\n", n)
		}
		for _, p := range target.Problems {
			fmt.Fprintf(&out, "problem: %s\n", p)
		}
		class, replication := target.Objects()
		for _, obj := range []any{class, replication} {
			text, err := yaml.Marshal(obj)
			if err != nil {
				t.Fatal(err)
			}
			if len(target.Problems) == 0 {
				fmt.Fprintf(&out, "---\n%s", text)
			}
		}
	}
	return out.String()
}

// TestStrangers: a PVC that would come in unasked, one that another group has, and a missing one.
func TestStrangers(t *testing.T) {
	volume := func(pvc string, labels map[string]string) migration.Volume {
		vr := &replicationv1.VolumeReplication{TypeMeta: metav1.TypeMeta{Kind: "VolumeReplication"}, ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: pvc}}
		return migration.FromReplication(backend.Replication{
			Object: vr, PVC: pvc, State: vgrv1.Primary,
			Class: backend.Class{Name: "theirs", Provisioner: ceph, Parameters: map[string]string{"consistencyGroup": "disabled"}},
		}, "db", labels)
	}
	owned := volume("owned", map[string]string{})
	other := backend.Owner{Kind: backend.VolumeGroupReplicationKind}
	other.Namespace, other.Name = "production", "other"
	owned.Object.SetLabels(other.Labels())
	got := migration.Plan([]migration.Volume{
		volume("fine", map[string]string{}), volume("fine", map[string]string{}), volume("labelled", map[string]string{migration.LabelMember: "other"}), volume("missing", nil), owned,
	}, profiles(), func(string, string) []string { return []string{"fine", "stranger"} })
	golden.Compare(t, "strangers.txt", told(t, got))
}

// TestUnifiedKeepsRoles: an old object may be older than the last failover, so it is not believed against the storage.
func TestUnifiedKeepsRoles(t *testing.T) {
	rg := func(role vgrv1.State, says string) []backend.Held {
		return []backend.Held{{PVC: "data", Object: "DellCSIReplicationGroup rg", Role: role, Says: says, Open: true}}
	}
	for name, tc := range map[string]struct {
		state  string
		held   []backend.Held
		copyOf string
		want   string
	}{
		"as the array says":        {"source", rg(vgrv1.StatePrimary, "is the source"), "", ""},
		"moved since":              {"source", rg(vgrv1.StateSecondary, "is the target"), "", "it says primary, and DellCSIReplicationGroup rg is the target; settle which is true"},
		"moved back since":         {"replica", rg(vgrv1.StatePrimary, "is the source"), "", "it says secondary, and DellCSIReplicationGroup rg is the source"},
		"in the middle of a move":  {"source", rg(vgrv1.StateUnknown, "runs the action FAILOVER_REMOTE"), "", "which role its PVC has is not known"},
		"not heard of, a primary":  {"source", rg("", "has not reported which site is the source"), "", ""},
		"not heard of, a copy":     {"replica", rg("", "has not reported which site is the source"), "", "which role its PVC has is not known"},
		"a copy as primary":        {"source", nil, "a-cluster", "is a copy of cluster a-cluster"},
		"a copy that was promoted": {"source", rg(vgrv1.StatePrimary, "is the source"), "a-cluster", ""},
		"a copy as a copy":         {"replica", rg(vgrv1.StateSecondary, "is the target"), "a-cluster", ""},
		"somebody else's":          {"source", []backend.Held{{Object: "VolumeGroupReplication theirs", Role: vgrv1.StatePrimary}}, "", "VolumeGroupReplication theirs replicates its PVC"},
	} {
		around := migration.Environment{Provisioner: dellCSI, PVCLabels: map[string]string{}, Held: tc.held, CopyOf: tc.copyOf}
		v := migration.FromUnified(old(t, "data", "  replicationState: "+tc.state+"\n  replicationMode: asynchronous\n"), "volumeGroup", around, profiles())
		if got := strings.Join(v.Problems, "; "); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// TestOtherNamespace: an old object in the namespace that was asked for does not have a migration act in another one.
func TestOtherNamespace(t *testing.T) {
	u := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "tenant", "name": "orders"},
		"spec":     map[string]any{"replicationState": "source", "volumeMapping": map[string]any{"source": map[string]any{"namespace": "production", "pvcName": "data"}}},
	}}
	for within, refused := range map[string]bool{"tenant": true, "production": false, "": false} {
		v := migration.FromUnified(u, "volumeGroup", migration.Environment{PVCLabels: map[string]string{}, Within: within}, nil)
		if got := strings.Contains(strings.Join(v.Problems, "; "), "is in namespace production, and only tenant is migrated"); got != refused {
			t.Errorf("within %q: %v", within, v.Problems)
		}
	}
}
