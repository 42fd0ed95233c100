// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

func virtual(name string, spec map[string]any) *unstructured.Unstructured {
	vm := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	vm.SetName(name)
	return vm
}

// TestMachines: a VirtualMachine uses the claims of its volumes; the pods of its instance, and those that hold the volumes
// that it got while it ran, are its own.
func TestMachines(t *testing.T) {
	volume := func(kind string, source map[string]any) any { return map[string]any{"name": "v", kind: source} }
	vm := virtual("db", map[string]any{"runStrategy": "Always", "template": map[string]any{"spec": map[string]any{"volumes": []any{
		volume("containerDisk", map[string]any{"image": "i"}), volume("persistentVolumeClaim", map[string]any{"claimName": "data"}),
		volume("dataVolume", map[string]any{"name": "root"}), volume("ephemeral", map[string]any{"persistentVolumeClaim": map[string]any{"claimName": "base"}}), "malformed",
	}}}})
	vm.SetResourceVersion("7")
	vm.SetLabels(map[string]string{"kustomize.toolkit.fluxcd.io/name": "vms"})
	vm.SetOwnerReferences([]metav1.OwnerReference{{Kind: "VirtualMachinePool", Name: "pool", Controller: new(true)}})
	launcher := pod("virt-launcher-db-x", "data", "VirtualMachineInstance", "db", nil)
	launcher.UID = "1"
	hotplug := pod("hp-volume-y", "root", "Pod", "virt-launcher-db-x", nil)
	hotplug.OwnerReferences[0].UID = "1"
	late := pod("hp-volume-z", "root", "Pod", "virt-launcher-db-x", nil)
	late.OwnerReferences[0].UID = "2"
	s := &Snapshot{
		pods:      []corev1.Pod{launcher, hotplug, late, pod("virt-launcher-other-x", "data", "VirtualMachineInstance", "other", nil)},
		workloads: []workload{machine(vm), machine(virtual("unrelated", map[string]any{"running": true}))},
	}
	g := &vgrv1.VolumeGroupReplication{}
	g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data"}, {Name: "root"}, {Name: "base"}}
	want := &recovery.Usage{
		Users: []recovery.User{
			{Kind: "pod", Name: "virt-launcher-db-x", Claim: "data", Workload: "virtualmachine/db"},
			{Kind: "pod", Name: "virt-launcher-other-x", Claim: "data"},
			{Kind: "pod", Name: "hp-volume-y", Claim: "root", Workload: "virtualmachine/db"},
			{Kind: "pod", Name: "hp-volume-z", Claim: "root"},
		},
		Workloads: []recovery.Workload{{
			Kind: recovery.VirtualMachine, Name: "db", Claims: []string{"data", "root", "base"}, Replicas: 1, RunStrategy: "Always",
			Owner: "virtualmachinepool/pool", ResourceVersion: "7", GitOps: gitops.Manager{Tool: gitops.Flux, Source: "Kustomization vms", Field: "runStrategy"},
		}},
	}
	if diff := cmp.Diff(want, s.Of(g)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !s.Machines() || (&Snapshot{}).Machines() || (*Snapshot)(nil).Machines() {
		t.Error("whether a namespace has VirtualMachines")
	}
}

// TestRuns: what a VirtualMachine had is written into the field that the one to be started has.
func TestRuns(t *testing.T) {
	for name, c := range map[string]struct {
		spec           map[string]any
		form, strategy string
		replicas       int32
		stop, start    map[string]any
	}{
		"always":   {map[string]any{"runStrategy": "Always"}, "runStrategy", "Always", 1, map[string]any{"runStrategy": "Halted"}, map[string]any{"runStrategy": "Always"}},
		"manual":   {map[string]any{"runStrategy": "Manual"}, "runStrategy", "Manual", 1, map[string]any{"runStrategy": "Halted"}, map[string]any{"runStrategy": "Manual"}},
		"halted":   {map[string]any{"runStrategy": "Halted"}, "runStrategy", "Halted", 0, map[string]any{"runStrategy": "Halted"}, map[string]any{"runStrategy": "Halted"}},
		"running":  {map[string]any{"running": true}, "running", "Always", 1, map[string]any{"running": false}, map[string]any{"running": true}},
		"stopped":  {map[string]any{"running": false}, "running", "Halted", 0, map[string]any{"running": false}, map[string]any{"running": false}},
		"neither":  {map[string]any{}, "runStrategy", "Halted", 0, map[string]any{"runStrategy": "Halted"}, map[string]any{"runStrategy": "Halted"}},
		"no words": {map[string]any{"runStrategy": 7, "running": "x"}, "runStrategy", "Halted", 0, map[string]any{"runStrategy": "Halted"}, map[string]any{"runStrategy": "Halted"}},
	} {
		vm := virtual(name, c.spec)
		form, strategy := runs(vm)
		w := machine(vm)
		if form != c.form || strategy != c.strategy || w.Replicas != c.replicas {
			t.Errorf("%s: %s, %s, %d", name, form, strategy, w.Replicas)
		}
		scale := recovery.Scale{Kind: w.Kind, Name: name}
		if diff := cmp.Diff(c.stop, toRun(form, scale)); diff != "" {
			t.Errorf("%s, stopped:\n%s", name, diff)
		}
		scale.Replicas, scale.RunStrategy = w.Replicas, w.RunStrategy
		if diff := cmp.Diff(c.start, toRun(form, scale)); diff != "" {
			t.Errorf("%s, started:\n%s", name, diff)
		}
	}
	got := toRun("running", recovery.Scale{Replicas: 1, RunStrategy: "RerunOnFailure"})
	if diff := cmp.Diff(map[string]any{"running": nil, "runStrategy": "RerunOnFailure"}, got); diff != "" {
		t.Errorf("a strategy that spec.running cannot say:\n%s", diff)
	}
}
