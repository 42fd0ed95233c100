// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package consumers

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Values of spec.runStrategy. The older field spec.running says the same as two of them.
const (
	halted = "Halted"
	always = "Always"
)

// machines lists the VirtualMachines of KubeVirt; none where it is not installed.
func machines(ctx context.Context, s *site.Site, c client.Client, namespace string) ([]workload, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(site.VirtualMachine().GroupVersion().WithKind(site.VirtualMachine().Kind + "List"))
	err := c.List(ctx, list, client.InNamespace(namespace))
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil
	case apierrors.IsForbidden(err):
		// An API server forbids also what it does not have.
		if serves, unknown := s.Serves(ctx, site.VirtualMachine().GroupVersion()); unknown == nil && !serves {
			return nil, nil
		}
		return nil, err
	case err != nil:
		return nil, err
	}
	out := make([]workload, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, machine(&list.Items[i]))
	}
	return out, nil
}

// Machines reports whether a namespace has VirtualMachines.
func (s *Snapshot) Machines() bool {
	return s != nil && slices.ContainsFunc(s.workloads, func(w workload) bool { return w.Kind == recovery.VirtualMachine })
}

// machine reads a VirtualMachine.
func machine(vm *unstructured.Unstructured) workload {
	form, strategy := runs(vm)
	w := workload{
		Workload: recovery.Workload{
			Kind: recovery.VirtualMachine, Name: vm.GetName(), RunStrategy: strategy,
			ResourceVersion: vm.GetResourceVersion(), GitOps: gitops.Of(vm, form),
		},
		selector: labels.Nothing(),
	}
	if strategy != halted {
		w.Replicas = 1
	}
	if owner := metav1.GetControllerOfNoCopy(vm); owner != nil {
		w.Owner = strings.ToLower(owner.Kind) + "/" + owner.Name
	}
	volumes, _, _ := unstructured.NestedSlice(vm.Object, "spec", "template", "spec", "volumes")
	for _, v := range volumes {
		volume, ok := v.(map[string]any)
		if !ok {
			continue
		}
		for _, path := range [][]string{
			{"persistentVolumeClaim", "claimName"}, {"dataVolume", "name"}, // a DataVolume's PVC has its name
			{"ephemeral", "persistentVolumeClaim", "claimName"}, {"memoryDump", "claimName"},
		} {
			if name, _, _ := unstructured.NestedString(volume, path...); name != "" {
				w.exact = append(w.exact, name)
			}
		}
	}
	return w
}

// runs returns the field by which a VirtualMachine is started and stopped, and what it says as a run strategy.
func runs(vm *unstructured.Unstructured) (form, strategy string) {
	if strategy, _, _ := unstructured.NestedString(vm.Object, "spec", "runStrategy"); strategy != "" {
		return gitops.RunStrategy, strategy
	}
	running, told, _ := unstructured.NestedBool(vm.Object, "spec", "running")
	switch {
	case running:
		return gitops.Running, always
	case told:
		return gitops.Running, halted
	default:
		return gitops.RunStrategy, halted
	}
}

// run stops or starts a VirtualMachine, if it is still the one that was seen. The field that it has is the one that is
// written: KubeVirt refuses both together, which a tool that applies the other one would bring about.
func run(ctx context.Context, c client.Client, namespace string, s recovery.Scale, opts ...client.PatchOption) error {
	vm := &unstructured.Unstructured{}
	vm.SetGroupVersionKind(site.VirtualMachine())
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.Name}, vm); err != nil {
		return err
	}
	form, _ := runs(vm)
	body, err := json.Marshal(map[string]any{"metadata": bound(s.ResourceVersion), "spec": toRun(form, s)})
	if err != nil {
		return err
	}
	return c.Patch(ctx, vm, client.RawPatch(types.MergePatchType, body), append(opts, site.FieldManager)...)
}

func bound(resourceVersion string) map[string]any {
	if resourceVersion == "" { // only a dry run
		return map[string]any{}
	}
	return map[string]any{"resourceVersion": resourceVersion}
}

// toRun returns what is written into the spec of a VirtualMachine that has one of the two fields.
func toRun(form string, s recovery.Scale) map[string]any {
	strategy := s.Strategy()
	if form != gitops.Running {
		return map[string]any{"runStrategy": strategy}
	}
	switch strategy {
	case halted:
		return map[string]any{"running": false}
	case always:
		return map[string]any{"running": true}
	default: // spec.running cannot say it
		return map[string]any{"running": nil, "runStrategy": strategy}
	}
}
