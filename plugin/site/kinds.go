// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"maps"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
)

// kinds are those that commands read and write, those of the backends included.
type kinds struct {
	scheme *runtime.Scheme
	// mapper is made when the first client is; most commands read without one.
	mapper func() meta.RESTMapper
}

func newKinds(profiles backend.Profiles) (kinds, error) {
	scheme := runtime.NewScheme()
	adders := []func(*runtime.Scheme) error{
		vgrv1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, autoscalingv1.AddToScheme,
		coordinationv1.AddToScheme, storagev1.AddToScheme, authorizationv1.AddToScheme, batchv1.AddToScheme,
	}
	for _, p := range profiles {
		if p.AddToScheme != nil {
			adders = append(adders, p.AddToScheme)
		}
	}
	for _, add := range adders {
		if err := add(scheme); err != nil {
			return kinds{}, err
		}
	}
	return kinds{scheme: scheme, mapper: sync.OnceValue(func() meta.RESTMapper { return mapper(scheme, profiles) })}, nil
}

// mapper knows the resources of all kinds in the scheme: their plural is regular, and these are
// the ones without a namespace, beside those that the backends name.
func mapper(scheme *runtime.Scheme, profiles backend.Profiles) meta.RESTMapper {
	clusterScoped := map[string]bool{
		"Namespace": true, "PersistentVolume": true, "Node": true, "VolumeAttachment": true, "SelfSubjectAccessReview": true,
		"VolumeGroupReplicationClass": true, "VolumeReplicationClass": true,
		"ClusterRole": true, "ClusterRoleBinding": true, "CustomResourceDefinition": true, "StorageClass": true,
		"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	}
	for _, p := range profiles {
		for _, kind := range p.ClusterScoped {
			clusterScoped[kind] = true
		}
	}
	m := meta.NewDefaultRESTMapper(scheme.PrioritizedVersionsAllGroups())
	all := slices.Concat(slices.Collect(maps.Keys(scheme.AllKnownTypes())), installed())
	for _, gvk := range all {
		scope := meta.RESTScope(meta.RESTScopeNamespace)
		if clusterScoped[gvk.Kind] {
			scope = meta.RESTScopeRoot
		}
		m.Add(gvk, scope)
	}
	return m
}

// installed returns the kinds that need no Go types: those that install writes, migrate reads, or that are stopped and started.
func installed() []schema.GroupVersionKind {
	const rbac = "rbac.authorization.k8s.io"
	return []schema.GroupVersionKind{
		{Group: rbac, Version: "v1", Kind: "ClusterRole"},
		{Group: rbac, Version: "v1", Kind: "ClusterRoleBinding"},
		{Group: rbac, Version: "v1", Kind: "Role"},
		{Group: rbac, Version: "v1", Kind: "RoleBinding"},
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicy"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"},
		{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
		{Group: "ramendr.openshift.io", Version: "v1alpha1", Kind: "VolumeReplicationGroup"},
		migration.Unified(),
		VirtualMachine(),
	}
}

// VirtualMachine is KubeVirt's kind, which is read and written without its client.
func VirtualMachine() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "kubevirt.io", Version: "v1", Kind: "VirtualMachine"}
}
