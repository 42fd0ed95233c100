// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/unified-replication/kubectl-vgr/hack/lab/trident"
)

const admissionPolicies = "admission/*.yaml"

// installAPIs applies the CRDs and RBAC of csi-addons and, unless the site is bare, of ours, and what makes csi-addons find
// the driver. It returns when all kinds can be used.
func (s *Site) installAPIs(ctx context.Context) error {
	client, err := dynamic.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return err
	}
	install := applier{client: client, namespace: csiAddonsNamespace}
	namespaces := []string{csiAddonsNamespace, driverNamespace}
	if !s.bare {
		namespaces = append(namespaces, controllerNamespace)
	}
	if err := install.namespaces(ctx, namespaces...); err != nil {
		return err
	}
	vendor := os.DirFS(s.plane.assets.CSIAddonsManifests())
	type source struct {
		files   fs.FS
		pattern string
	}
	sources := []source{{vendor, "*.yaml"}}
	if !s.bare {
		sources = append(sources, source{manifests.FS, "crd/*.yaml"}, source{manifests.FS, admissionPolicies}, source{manifests.FS, "rbac/*.yaml"})
	}
	if s.dell != nil {
		sources = append(sources, source{os.DirFS(s.plane.assets.DellManifests()), "*.yaml"})
	}
	if s.netapp != nil {
		sources = append(sources, source{trident.CRDs, "crds/*.yaml"})
	}
	for _, source := range sources {
		err := install.files(ctx, source.files, source.pattern)
		if source.pattern == admissionPolicies && apierrors.IsNotFound(err) {
			continue // before Kubernetes 1.30; kubectl vgr install leaves them out, too
		}
		if err != nil {
			return err
		}
	}
	if err := install.waitEstablished(ctx); err != nil {
		return err
	}
	for _, object := range slices.Concat(s.bindings(install), s.storage(), s.dellStorage(), s.tridentStorage()) {
		if err := install.typed(ctx, object); err != nil {
			return err
		}
	}
	for _, c := range s.sidecars() {
		if err := install.unstructured(ctx, s.csiAddonsNode(c)); err != nil {
			return err
		}
	}
	return nil
}

// bindings give each controller the rules it ships with, and no more.
func (s *Site) bindings(install applier) []runtime.Object {
	objects := []runtime.Object{
		clusterBinding("csi-addons-manager", "manager-role", csiAddonsUser),
		binding(csiAddonsNamespace, "leader-election-role", csiAddonsUser),
	}
	if !s.bare {
		objects = append(objects, clusterBinding("vgr-controller", "vgr-controller", controllerUser))
	}
	if install.applied["Role/"+controllerAccount] {
		objects = append(objects, binding(controllerNamespace, controllerAccount, controllerUser))
	}
	return objects
}

func binding(namespace, role, subject string) runtime.Object {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role},
		Subjects:   []rbacv1.Subject{user(subject)},
	}
}

func clusterBinding(name, role, subject string) runtime.Object {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{user(subject)},
	}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// csiAddonsNode announces the driver to csi-addons. It is unstructured so that the lab does not
// depend on the version of csi-addons' Go types.
func (s *Site) csiAddonsNode(c sidecar) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "csiaddons.openshift.io/v1alpha1", "kind": "CSIAddonsNode",
		"metadata": map[string]any{"namespace": c.namespace, "name": c.node},
		"spec": map[string]any{"driver": map[string]any{
			"name": c.driver, "nodeID": "lab-" + s.Name,
			"endpoint": fmt.Sprintf("pod://%s.%s:%d", c.pod, c.namespace, s.Driver.Port()),
		}},
	}}
}

// waitUntilConnected returns when csi-addons has found the driver under each of its names.
func (s *Site) waitUntilConnected(ctx context.Context) error {
	client, err := dynamic.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return err
	}
	nodes := client.Resource(schema.GroupVersionResource{Group: "csiaddons.openshift.io", Version: "v1alpha1", Resource: "csiaddonsnodes"})
	return s.await(ctx, CSIAddons, func(ctx context.Context) error {
		for _, c := range s.sidecars() {
			node, err := nodes.Namespace(c.namespace).Get(ctx, c.node, metav1.GetOptions{})
			if err != nil {
				return err
			}
			state, _, _ := unstructured.NestedString(node.Object, "status", "state")
			if !strings.EqualFold(state, "Connected") {
				return fmt.Errorf("driver %s is not connected: %q", c.driver, state)
			}
		}
		return nil
	})
}
