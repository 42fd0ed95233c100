// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// machine is a VirtualMachine with one of the fields by which it runs.
func machine(namespace, name string, volume map[string]any, field string, value any) *unstructured.Unstructured {
	vm := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		field:      value,
		"template": map[string]any{"spec": map[string]any{"volumes": []any{map[string]any{"name": "root", "containerDisk": map[string]any{"image": "i"}}, volume}}},
	}}}
	vm.SetGroupVersionKind(site.VirtualMachine())
	vm.SetNamespace(namespace)
	vm.SetName(name)
	return vm
}

// machines: VirtualMachines of KubeVirt are stopped where they run and started on the other site as they ran, by the field that
// each has. Others are left alone.
func (s *servers) machines(t *testing.T) {
	w := s.world(t, fences)
	data := map[string]any{"name": "data", "dataVolume": map[string]any{"name": "data"}}
	claim := map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "data"}}
	other := map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "elsewhere"}}
	for i, c := range w.client {
		runs := i == east
		strategy := func(name string) string {
			if runs {
				return name
			}
			return "Halted"
		}
		for _, vm := range []*unstructured.Unstructured{
			machine(w.namespace, "always", data, "runStrategy", strategy("Always")),
			machine(w.namespace, "rerun", claim, "runStrategy", strategy("RerunOnFailure")),
			machine(w.namespace, "running", claim, "running", runs),
			machine(w.namespace, "other", other, "runStrategy", "Always"),
		} {
			must(t, c.Create(t.Context(), vm))
		}
	}
	move := func(to int) *recovery.Operation {
		t.Helper()
		c := w.command(nil)
		defer c.close()
		job, stop := c.run(recovery.Request{Kind: recovery.Planned, To: w.ref(to), Quiesce: true, Start: true})
		if stop != nil || job.Err() != nil {
			t.Fatalf("%+v %v%s", stop, job, c.said())
		}
		return &job.Operation
	}
	stopped, running := "always=Halted rerun=Halted running=false other=Always", "always=Always rerun=RerunOnFailure running=true other=Always"
	op := move(west)
	if diff := cmp.Diff([2]string{stopped, running}, [2]string{w.run(east), w.run(west)}); diff != "" {
		t.Errorf("on west:\n%s", diff)
	}
	var said []string
	for _, x := range op.Stopped {
		said = append(said, x.String())
	}
	if diff := cmp.Diff([]string{"deployment/app (3)", "virtualmachine/always (Always)", "virtualmachine/rerun (RerunOnFailure)", "virtualmachine/running (Always)"}, said); diff != "" {
		t.Errorf("the journal:\n%s", diff)
	}
	move(east)
	if diff := cmp.Diff([2]string{running, stopped}, [2]string{w.run(east), w.run(west)}); diff != "" {
		t.Errorf("back on east:\n%s", diff)
	}
}

// run tells of each VirtualMachine how it is to run.
func (w *world) run(on int) string {
	w.t.Helper()
	text := ""
	for _, name := range []string{"always", "rerun", "running", "other"} {
		vm := &unstructured.Unstructured{}
		vm.SetGroupVersionKind(site.VirtualMachine())
		must(w.t, w.client[on].Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, vm))
		spec, _, err := unstructured.NestedMap(vm.Object, "spec")
		must(w.t, err)
		for _, field := range []string{"running", "runStrategy"} {
			if value, has := spec[field]; has {
				text += fmt.Sprintf(" %s=%v", name, value)
			}
		}
	}
	return text[1:]
}
