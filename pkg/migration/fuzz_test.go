// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migration_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
)

// FuzzUnified: whatever an old object has in its fields, the plan is one, and what has no problem is
// whole.
func FuzzUnified(f *testing.F) {
	for _, seed := range []string{
		`{"metadata":{"name":"data","namespace":"default","labels":{"volumeGroup":"db"}},"spec":{"replicationState":"source","replicationMode":"asynchronous","schedule":{"mode":"interval","rpo":"1d","rto":"1h"},
		  "sourceEndpoint":{"storageClass":"sc"},"volumeMapping":{"source":{"pvcName":"data","namespace":"production"}},"extensions":{"ceph":{"mirroringMode":"snapshot","schedulingStartTime":"14:00"},"powerstore":{"rpoSettings":"","volumeGroups":["v"]}}}}`,
		`{"metadata":{"name":1,"labels":{"a":1}},"spec":[]}`,
		`{"spec":{"schedule":{"rpo":"768614336404564651d"}}}`,
		`null`,
	} {
		f.Add([]byte(seed), ceph, "volumeGroup", "")
		f.Add([]byte(seed), netapp, "", "primary")
		f.Add([]byte(seed), dellCSI, "app", "secondary")
	}
	f.Fuzz(func(t *testing.T, data []byte, driver, groupBy, existing string) {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		if json.Unmarshal(data, &u.Object) != nil {
			return
		}
		around := migration.Environment{Provisioner: driver, PVCLabels: map[string]string{}}
		if existing != "" {
			vr := &replicationv1.VolumeReplication{TypeMeta: metav1.TypeMeta{Kind: "VolumeReplication"}, ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "by-hand"}}
			around.Replication = &backend.Replication{Object: vr, State: vgrv1.ReplicationState(existing), Class: backend.Class{Name: "theirs", Provisioner: driver}}
		}
		v := migration.FromUnified(u, groupBy, around, profiles())
		if !cmp.Equal(v, migration.FromUnified(u, groupBy, around, profiles())) {
			t.Errorf("it is read in two ways: %+v", v)
		}
		rpo, _, _ := unstructured.NestedString(u.Object, "spec", "schedule", "rpo")
		if every := v.Class.Parameters[vgrv1.ParameterSchedulingInterval]; existing == "" && every != "" && every != rpo {
			days, _ := strconv.Atoi(strings.TrimSuffix(rpo, "d"))
			if hours, err := strconv.Atoi(strings.TrimSuffix(every, "h")); err != nil || hours/24 != days || hours%24 != 0 {
				t.Errorf("%q became %q", rpo, every)
			}
		}
		migration.GroupHints([]unstructured.Unstructured{*u, *u}, groupBy)
		for _, target := range migration.Plan([]migration.Volume{v}, profiles(), nobody) {
			class, replication := target.Objects()
			if _, err := json.Marshal([]any{class, replication}); err != nil {
				t.Error(err)
			}
			if len(target.Problems) > 0 {
				continue
			}
			whole := v.PVC != "" && len(target.Name) <= 63 && target.Backend.Name != "" && len(class.GetName()) <= 253
			if !whole || existing == "" && !slices.Contains([]vgrv1.ReplicationState{vgrv1.Primary, vgrv1.Secondary}, target.State) {
				t.Errorf("no problem with %+v", target)
			}
		}
	})
}
