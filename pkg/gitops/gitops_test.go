// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gitops_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
)

func TestOf(t *testing.T) {
	type marks = map[string]string
	entry := func(manager string, op metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: op, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const role, selector = `{"f:spec":{"f:replicationState":{},"f:selector":{}}}`, `{"f:spec":{"f:selector":{}}}`
	const apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	argo := gitops.Manager{Tool: gitops.ArgoCD, Source: "Application shop", Field: gitops.Role}
	flux := gitops.Manager{Tool: gitops.Flux, Source: "Kustomization shop", Field: gitops.Role}
	last := func(m gitops.Manager) gitops.Manager { m.Last = true; return m }
	cases := map[string]struct {
		labels, annotations marks
		fields              []metav1.ManagedFieldsEntry
		want                gitops.Manager
	}{
		"nothing":                        {},
		"a person with kubectl":          {fields: []metav1.ManagedFieldsEntry{entry("kubectl-client-side-apply", update, role), entry("kubectl", apply, role)}},
		"our plugin and controller":      {fields: []metav1.ManagedFieldsEntry{entry("kubectl-vgr", update, role), entry("vgr-controller", apply, selector)}},
		"a controller that writes":       {fields: []metav1.ManagedFieldsEntry{entry("operator", update, role)}},
		"Argo CD by annotation":          {annotations: marks{"argocd.argoproj.io/tracking-id": "shop:replication.unified.io/VolumeGroupReplication:prod/pg"}, want: argo},
		"Argo CD by label":               {labels: marks{"argocd.argoproj.io/instance": "shop"}, want: argo},
		"Argo CD by its field manager":   {labels: marks{"app.kubernetes.io/instance": "shop"}, fields: []metav1.ManagedFieldsEntry{entry("argocd-controller", update, role)}, want: last(argo)},
		"Helm's label alone":             {labels: marks{"app.kubernetes.io/instance": "shop"}},
		"Argo CD, and we moved it since": {annotations: marks{"argocd.argoproj.io/tracking-id": "shop:x"}, fields: []metav1.ManagedFieldsEntry{entry("argocd-controller", apply, selector), entry("kubectl-vgr", update, role)}, want: argo},
		"Flux":                           {labels: marks{"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}, fields: []metav1.ManagedFieldsEntry{entry("kustomize-controller", apply, role)}, want: last(flux)},
		"Flux that creates only":         {labels: marks{"kustomize.toolkit.fluxcd.io/name": "shop"}, annotations: marks{"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}},
		"Flux that merges":               {labels: marks{"kustomize.toolkit.fluxcd.io/name": "shop"}, annotations: marks{"kustomize.toolkit.fluxcd.io/ssa": "Merge"}, want: flux},
		"Flux that is switched off":      {labels: marks{"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/reconcile": "Disabled"}, fields: []metav1.ManagedFieldsEntry{entry("kustomize-controller", apply, role)}},
		"Flux Helm":                      {labels: marks{"helm.toolkit.fluxcd.io/name": "db", "helm.toolkit.fluxcd.io/namespace": "prod"}, want: gitops.Manager{Tool: gitops.FluxHelm, Source: "HelmRelease db", Field: gitops.Role}},
		"another tool":                   {fields: []metav1.ManagedFieldsEntry{entry("work-agent", apply, role)}, want: gitops.Manager{Tool: "work-agent", Field: gitops.Role, Last: true}},
		"a status is no spec":            {fields: []metav1.ManagedFieldsEntry{{Manager: "work-agent", Operation: apply, Subresource: "status", FieldsV1: metav1.NewFieldsV1(role)}}},
		"fields that cannot be read":     {fields: []metav1.ManagedFieldsEntry{entry("work-agent", apply, `{`), {Manager: "work-agent", Operation: apply}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			obj := &metav1.ObjectMeta{Labels: tc.labels, Annotations: tc.annotations, ManagedFields: tc.fields}
			if got := gitops.Of(obj, gitops.Role); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestRemedy(t *testing.T) {
	for want, m := range map[string]gitops.Manager{
		"have Argo CD ignore /spec/replicationState and /spec/autoResync (ignoreDifferences, and the sync option RespectIgnoreDifferences=true); docs/gitops.md shows how": {Tool: gitops.ArgoCD, Field: gitops.Role},
		"have Argo CD ignore /spec/replicas (ignoreDifferences, and the sync option RespectIgnoreDifferences=true); docs/gitops.md shows how":                              {Tool: gitops.ArgoCD, Field: gitops.Replicas},
		"annotate it in Git with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent; docs/gitops.md shows how":                                                                  {Tool: gitops.Flux, Field: gitops.Role},
		"suspend the Kustomization, or leave spec.replicas out of Git; docs/gitops.md shows how":                                                                           {Tool: gitops.Flux, Field: gitops.Replicas},
		"have Flux ignore /spec/replicas (driftDetection.ignore of the HelmRelease); docs/gitops.md shows how":                                                             {Tool: gitops.FluxHelm, Field: gitops.Replicas},
		"have work-agent ignore /spec/replicas": {Tool: "work-agent", Field: gitops.Replicas},
	} {
		if got := m.Remedy(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
