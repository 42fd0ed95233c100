// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// applier writes objects with server-side apply, so that installing again changes nothing.
type applier struct {
	client dynamic.Interface
	// namespace is where roles go that name none.
	namespace string
	// applied has "Kind/name" of everything that came from files.
	applied map[string]bool
}

// resources maps the kinds the lab installs, so that it needs no discovery.
func resources() map[string]schema.GroupVersionResource {
	gvr := func(group, version, resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
	}
	const rbac, admission = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
	return map[string]schema.GroupVersionResource{
		"ValidatingAdmissionPolicy":        gvr(admission, "v1", "validatingadmissionpolicies"),
		"ValidatingAdmissionPolicyBinding": gvr(admission, "v1", "validatingadmissionpolicybindings"),
		"Namespace":                        gvr("", "v1", "namespaces"),
		"Pod":                              gvr("", "v1", "pods"),
		"ServiceAccount":                   gvr("", "v1", "serviceaccounts"),
		"ClusterRole":                      gvr(rbac, "v1", "clusterroles"),
		"ClusterRoleBinding":               gvr(rbac, "v1", "clusterrolebindings"),
		"Role":                             gvr(rbac, "v1", "roles"),
		"RoleBinding":                      gvr(rbac, "v1", "rolebindings"),
		"CustomResourceDefinition":         gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
		"Lease":                            gvr("coordination.k8s.io", "v1", "leases"),
		"StorageClass":                     gvr("storage.k8s.io", "v1", "storageclasses"),
		"CSIDriver":                        gvr("storage.k8s.io", "v1", "csidrivers"),
		"CSIAddonsNode":                    gvr("csiaddons.openshift.io", "v1alpha1", "csiaddonsnodes"),
	}
}

func (a *applier) namespaces(ctx context.Context, names ...string) error {
	for _, name := range names {
		u := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
		}}
		if err := a.unstructured(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// files applies all documents of the files that match.
func (a *applier) files(ctx context.Context, files fs.FS, pattern string) error {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("no manifests match %s", pattern)
	}
	for _, name := range names {
		if err := a.file(ctx, files, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (a *applier) file(ctx context.Context, files fs.FS, name string) error {
	file, err := files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(u.Object) == 0 {
			continue
		}
		if u.GetKind() == "Role" && u.GetNamespace() == "" {
			u.SetNamespace(a.namespace)
		}
		if err := a.unstructured(ctx, u); err != nil {
			return err
		}
		if a.applied == nil {
			a.applied = map[string]bool{}
		}
		a.applied[u.GetKind()+"/"+u.GetName()] = true
	}
}

func (a *applier) typed(ctx context.Context, object runtime.Object) error {
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &u.Object); err != nil {
		return err
	}
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	if err := a.unstructured(ctx, u); err != nil {
		return err
	}
	if status, ok := u.Object["status"].(map[string]any); !ok || len(status) == 0 {
		return nil
	}
	return a.apply(ctx, u, "status")
}

func (a *applier) unstructured(ctx context.Context, u *unstructured.Unstructured) error {
	return a.apply(ctx, u)
}

func (a *applier) apply(ctx context.Context, u *unstructured.Unstructured, subresources ...string) error {
	gvr, known := resources()[u.GetKind()]
	if !known {
		return fmt.Errorf("the lab does not know how to install a %s", u.GetKind())
	}
	var client dynamic.ResourceInterface = a.client.Resource(gvr)
	if namespace := u.GetNamespace(); namespace != "" {
		client = a.client.Resource(gvr).Namespace(namespace)
	}
	_, err := client.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "vgr-lab", Force: true}, subresources...)
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", u.GetKind(), u.GetName(), err)
	}
	return nil
}

// waitEstablished returns when the API server serves every CustomResourceDefinition.
func (a *applier) waitEstablished(ctx context.Context) error {
	definitions := a.client.Resource(resources()["CustomResourceDefinition"])
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		list, err := definitions.List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, item := range list.Items {
			if !established(item) {
				return false, nil
			}
		}
		return true, nil
	})
}

func established(crd unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, entry := range conditions {
		condition, _ := entry.(map[string]any)
		if condition["type"] == "Established" && condition["status"] == "True" {
			return true
		}
	}
	return false
}
