// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package gitops tells which tool applies an object from Git, by the marks that the tool leaves on it and by the
// managers of its fields, and what to set so that the tool leaves a field alone. It is pure.
package gitops

import (
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tools that are known by their marks. Another one is known by its field manager.
const (
	ArgoCD = "Argo CD"
	// Flux is its kustomize-controller, and FluxHelm its helm-controller.
	Flux     = "Flux"
	FluxHelm = "Flux Helm"
)

// Fields of a spec that the plugin changes.
const (
	Role     = "replicationState"
	Replicas = "replicas"
	// RunStrategy and Running are those of a VirtualMachine, which has one of them.
	RunStrategy = "runStrategy"
	Running     = "running"
)

// Manager is what applies an object. The zero value is none.
type Manager struct {
	Tool string
	// Source names what the tool applies the object for: an Application, a Kustomization or a HelmRelease;
	// empty when that is not known.
	Source string
	// Field is the field of the spec that was asked about, and Last is true when the tool was the last to
	// set it.
	Field string
	Last  bool
}

// None reports whether no tool is known to apply the object.
func (m Manager) None() bool { return m.Tool == "" }

// String implements fmt.Stringer.
func (m Manager) String() string {
	if m.Source == "" {
		return m.Tool
	}
	return fmt.Sprintf("%s (%s)", m.Tool, m.Source)
}

// Of finds the tool that applies an object with a field of its spec. One that was told to leave the whole
// object alone does not count.
func Of(obj metav1.Object, field string) Manager {
	m := marked(obj)
	last, applier := managers(obj, field)
	switch {
	case m.Tool == Flux && leftAlone(obj):
		return Manager{}
	case m.None() && applier != "":
		m.Tool = applier
		if m.Tool == ArgoCD {
			m.Source = application(obj.GetLabels()["app.kubernetes.io/instance"]) // what it marks by default before 3.0
		}
	}
	if !m.None() {
		m.Field, m.Last = field, last == m.Tool
	}
	return m
}

// marked finds a tool by its labels and annotations.
func marked(obj metav1.Object) Manager {
	mark := func(key string) string {
		if v := obj.GetLabels()[key]; v != "" {
			return v
		}
		return obj.GetAnnotations()[key]
	}
	app, _, _ := strings.Cut(mark("argocd.argoproj.io/tracking-id"), ":")
	if app == "" {
		app = mark("argocd.argoproj.io/instance")
	}
	switch kustomization, release := mark("kustomize.toolkit.fluxcd.io/name"), mark("helm.toolkit.fluxcd.io/name"); {
	case app != "":
		return Manager{Tool: ArgoCD, Source: application(app)}
	case release != "": // the Kustomization applies the HelmRelease at most
		return Manager{Tool: FluxHelm, Source: "HelmRelease " + release}
	case kustomization != "":
		return Manager{Tool: Flux, Source: "Kustomization " + kustomization}
	default:
		return Manager{}
	}
}

func application(name string) string {
	if name == "" {
		return ""
	}
	return "Application " + name
}

// leftAlone reports whether Flux was told to leave an object as it is.
func leftAlone(obj metav1.Object) bool {
	for _, marks := range []map[string]string{obj.GetLabels(), obj.GetAnnotations()} {
		ssa := marks["kustomize.toolkit.fluxcd.io/ssa"]
		if strings.EqualFold(ssa, "IfNotPresent") || strings.EqualFold(ssa, "Ignore") || strings.EqualFold(marks["kustomize.toolkit.fluxcd.io/reconcile"], "disabled") {
			return true
		}
	}
	return false
}

// managers returns the tool that set a field last, and one that applies anything in the spec; empty for people with
// kubectl and for us.
func managers(obj metav1.Object, field string) (last, applier string) {
	for _, e := range obj.GetManagedFields() {
		var fields struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if e.Subresource != "" || e.FieldsV1 == nil || json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields) != nil || len(fields.Spec) == 0 {
			continue
		}
		tool := toolOf(e)
		if tool == "" {
			continue
		}
		applier = tool
		if _, set := fields.Spec["f:"+field]; set {
			last = tool
		}
	}
	if last != "" {
		applier = last
	}
	return last, applier
}

// toolOf returns the tool behind a field manager.
func toolOf(e metav1.ManagedFieldsEntry) string {
	switch {
	case e.Manager == "argocd-controller":
		return ArgoCD
	case e.Manager == "kustomize-controller":
		return Flux
	case e.Manager == "helm-controller":
		return FluxHelm
	case e.Operation == metav1.ManagedFieldsOperationApply && !strings.HasPrefix(e.Manager, "kubectl") && !strings.HasPrefix(e.Manager, "vgr-"):
		return e.Manager
	default:
		return ""
	}
}

// Remedy returns what to set so that the tool leaves the field alone.
func (m Manager) Remedy() string {
	path := "/spec/" + m.Field
	if m.Field == Role { // an operation holds autoResync back until it is over
		path += " and /spec/autoResync"
	}
	switch {
	case m.Tool == ArgoCD:
		return fmt.Sprintf("have Argo CD ignore %s (ignoreDifferences, and the sync option RespectIgnoreDifferences=true); docs/gitops.md shows how", path)
	case m.Tool == FluxHelm:
		return fmt.Sprintf("have Flux ignore %s (driftDetection.ignore of the HelmRelease); docs/gitops.md shows how", path)
	case m.Tool == Flux && m.Field == Replicas:
		return "suspend the Kustomization, or leave spec.replicas out of Git; docs/gitops.md shows how"
	case m.Tool == Flux && (m.Field == RunStrategy || m.Field == Running): // it must have one of them
		return "suspend the Kustomization; docs/gitops.md shows how"
	case m.Tool == Flux:
		return "annotate it in Git with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent; docs/gitops.md shows how"
	default:
		return fmt.Sprintf("have %s ignore %s", m.Tool, path)
	}
}
