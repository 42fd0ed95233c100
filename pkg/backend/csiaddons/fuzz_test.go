// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"encoding/json"
	"slices"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

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

// read fills x; nothing is in it when the text is empty.
func read[T any](data []byte) (x *T, ok bool) {
	if len(data) == 0 {
		return nil, true
	}
	x = new(T)
	return x, json.Unmarshal(data, x) == nil
}

// FuzzReadGroup: what is observed is in words of the API, and no more than what was said.
func FuzzReadGroup(f *testing.F) {
	in := primaryReading()
	group, child, content := text(f, in.backendGroup), text(f, in.child), text(f, in.content)
	f.Add(group, child, content, "primary", "")
	f.Add(group, child, []byte{}, "secondary", "no CSIAddonsNode")
	f.Add(group, []byte{}, content, "resync", "")
	in.child.Status.State = "Broken"
	in.backendGroup.Status.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: "x"}, {Name: "x"}}
	f.Add(text(f, in.backendGroup), text(f, in.child), content, "primary", "")
	f.Add([]byte("{}"), []byte("{}"), []byte("{}"), "", "")
	f.Fuzz(func(t *testing.T, group, child, content []byte, state, trouble string) {
		in := primaryReading()
		in.group.State, in.driverTrouble = vgrv1.ReplicationState(state), trouble
		var ok [3]bool
		in.backendGroup, ok[0] = read[replicationv1.VolumeGroupReplication](group)
		in.child, ok[1] = read[replicationv1.VolumeReplication](child)
		in.content, ok[2] = read[replicationv1.VolumeGroupReplicationContent](content)
		if in.backendGroup == nil || slices.Contains(ok[:], false) {
			return
		}
		obs := readGroup(in)
		sound(t, in.group, obs)
		if silent := in.child == nil || in.child.Status.State == ""; silent && (obs.Current || obs.LastSyncTime != nil || obs.State == vgrv1.StatePrimary || obs.State == vgrv1.StateSecondary) {
			t.Errorf("nothing was said, and it is %+v", obs)
		}
		if c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionGroupConsistent); c == nil || c.Status == "True" && (in.content == nil || in.content.Spec.VolumeGroupReplicationHandle == "") {
			t.Errorf("consistent without a group: %+v", c)
		}
	})
}

// FuzzReadVolumes: the same for volumes one by one.
func FuzzReadVolumes(f *testing.F) {
	vr := *primaryReading().child
	vr.Spec.DataSource = corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "data"}
	other := *vr.DeepCopy()
	other.Name, other.Spec.DataSource.Name, other.Status.State = "vr-2", "logs", "Secondary"
	third := *vr.DeepCopy()
	third.Spec.DataSource.Name, third.Status.State = "gone", ""
	f.Add(text(f, []any{vr, other}), "primary", false)
	f.Add(text(f, []any{vr, other, third, third}), "secondary", false)
	f.Add(text(f, []any{vr, vr}), "primary", true)
	f.Add([]byte(`[{},{}]`), "", true)
	f.Fuzz(func(t *testing.T, volumes []byte, state string, single bool) {
		in := reading{group: primaryReading().group}
		in.group.State = vgrv1.ReplicationState(state)
		if single {
			in.group.Owner.Kind, in.group.Members = backend.VolumeReplicationKind, in.group.Members[:1]
		}
		if json.Unmarshal(volumes, &in.volumes) != nil {
			return
		}
		obs := readVolumes(in)
		sound(t, in.group, obs)
		said := 0
		for _, m := range in.group.Members {
			if slices.ContainsFunc(in.volumes, func(vr replicationv1.VolumeReplication) bool {
				return vr.Spec.DataSource.Name == m.PVC && vr.Status.State != ""
			}) {
				said++
			}
		}
		if said < len(in.group.Members) && (obs.Current || obs.LastSyncTime != nil || obs.State == vgrv1.StatePrimary || obs.State == vgrv1.StateSecondary) {
			t.Errorf("not all was said, and it is %+v", obs)
		}
		_ = notAdoptableAll(in.volumes)
	})
}

func notAdoptableAll(volumes []replicationv1.VolumeReplication) (why []string) {
	for i := range volumes {
		why = append(why, notAdoptable(&volumes[i], &corev1.PersistentVolumeClaim{}))
	}
	return why
}

// sound checks what must hold for every observation: the API server takes it, and it is not better
// than what was said.
func sound(t *testing.T, g backend.Group, obs backend.Observation) {
	t.Helper()
	states := []vgrv1.State{vgrv1.StatePrimary, vgrv1.StateSecondary, vgrv1.StateUnknown}
	if obs.State != "" && !slices.Contains(states, obs.State) {
		t.Errorf("state %q", obs.State)
	}
	if obs.Current && (!obs.Exists || obs.State == "") {
		t.Errorf("current, and nothing was said: %+v", obs)
	}
	if obs.LastSyncTime != nil && obs.State != vgrv1.StatePrimary {
		t.Errorf("%q has a last sync", obs.State)
	}
	if obs.Problem != nil && (obs.Problem.Reason == "" || obs.Problem.Message == "") {
		t.Errorf("problem %+v", obs.Problem)
	}
	names := map[string]bool{}
	for _, v := range obs.Volumes {
		if names[v.Name] {
			t.Errorf("volume %q is there twice", v.Name)
		}
		names[v.Name] = true
		if v.State != "" && !slices.Contains(states, v.State) || !slices.Contains([]vgrv1.Health{vgrv1.HealthHealthy, vgrv1.HealthResyncing, vgrv1.HealthDegraded, vgrv1.HealthError, vgrv1.HealthUnknown}, v.Health) {
			t.Errorf("volume %+v", v)
		}
	}
	for _, m := range g.Members {
		if !names[m.PVC] {
			t.Errorf("nothing is said of %s", m.PVC)
		}
	}
}

// FuzzParameters: parameters are judged in one way, and the driver gets none that is ours.
func FuzzParameters(f *testing.F) {
	f.Add("rbd.csi.ceph.com", []byte(`{"schedulingInterval":"5m","schedulingStartTime":"14:00","mirroringMode":"journal","consistencyGroup":"disabled"}`))
	f.Add("block.csi.ibm.com", []byte(`{"replication.storage.openshift.io/replication-secret-name":"s","groupMirroringMode":"snapshot","backend":"csi-addons"}`))
	f.Fuzz(func(t *testing.T, driver string, params []byte) {
		c := backend.Class{Name: "gold", Provisioner: driver}
		if json.Unmarshal(params, &c.Parameters) != nil {
			return
		}
		if a, b := checkParameters(c), checkParameters(c); !cmp.Equal(a, b) {
			t.Errorf("judged in two ways: %v, %v", a, b)
		}
		for key := range driverParameters(c.Parameters) {
			if slices.Contains([]string{vgrv1.ParameterBackend, vgrv1.ParameterConsistencyGroup, vgrv1.ParameterGroupConsistency, vgrv1.ParameterGroupSnapshots, groupMirroringMode}, key) {
				t.Errorf("the driver gets %s", key)
			}
		}
		if a, b := derivedClassName(c), derivedClassName(c); a != b || len(a) > 253 {
			t.Errorf("names %q, %q", a, b)
		}
	})
}
