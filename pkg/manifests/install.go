// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Namespace is where the controller runs.
const Namespace = "vgr-system"

// Controller is the name of the controller's objects.
const Controller = "vgr-controller"

// AdmissionGroup is the API group of the policy that refuses promotions which nothing confirms. Servers before
// Kubernetes 1.30 do not serve policies; there the controller refuses alone.
const AdmissionGroup = "admissionregistration.k8s.io"

// PromotionPolicy is the name of the policy and of its binding.
const PromotionPolicy = "promotion.replication.unified.io"

// Options says what to install.
type Options struct {
	// Image is the controller's.
	Image string
	// PullPolicy is when a node pulls the image; empty for the cluster's default.
	PullPolicy string
	// PullSecrets are names of Secrets in Namespace by which a node may pull the image.
	PullSecrets []string
	Replicas    int64
	// Args are flags of the controller.
	Args []string
	// Without are API groups that the controller gets no permissions for: those of backends that it is
	// not to serve.
	Without []string
}

// Install returns everything that a cluster needs, in the order in which it can be applied.
func Install(o Options) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, pattern := range []string{"crd/*.yaml", "admission/*.yaml", "controller/*.yaml", "rbac/*.yaml"} {
		names, err := fs.Glob(FS, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			objects, err := read(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, objects...)
		}
	}
	for _, u := range all {
		if err := o.apply(u); err != nil {
			return nil, fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
		}
	}
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })
	return all, nil
}

// rank has what others need come first, and the controller last.
func rank(u *unstructured.Unstructured) int {
	switch u.GetKind() {
	case "Namespace":
		return 0
	case "CustomResourceDefinition":
		return 1
	case "Deployment":
		return 3
	default:
		return 2
	}
}

func read(name string) ([]*unstructured.Unstructured, error) {
	data, err := FS.ReadFile(name)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var out []*unstructured.Unstructured
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(u.Object) > 0 {
			out = append(out, u)
		}
	}
}

// apply sets what depends on who installs.
func (o Options) apply(u *unstructured.Unstructured) error {
	switch u.GetKind() {
	case "Deployment":
		if err := unstructured.SetNestedField(u.Object, o.Replicas, "spec", "replicas"); err != nil {
			return err
		}
		containers, _, err := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
		if err != nil || len(containers) != 1 {
			return errors.Join(err, errors.New("not one container"))
		}
		container, ok := containers[0].(map[string]any)
		if !ok {
			return errors.New("the container is not an object")
		}
		container["image"] = o.Image
		if o.PullPolicy != "" {
			container["imagePullPolicy"] = o.PullPolicy
		}
		if len(o.Args) > 0 {
			args := make([]any, len(o.Args))
			for i, a := range o.Args {
				args[i] = a
			}
			container["args"] = args
		}
		if err := unstructured.SetNestedSlice(u.Object, containers, "spec", "template", "spec", "containers"); err != nil || len(o.PullSecrets) == 0 {
			return err
		}
		secrets := make([]any, len(o.PullSecrets))
		for i, name := range o.PullSecrets {
			secrets[i] = map[string]any{"name": name}
		}
		return unstructured.SetNestedSlice(u.Object, secrets, "spec", "template", "spec", "imagePullSecrets")
	case "ClusterRole":
		rules, _, err := unstructured.NestedSlice(u.Object, "rules")
		if err != nil {
			return err
		}
		rules = slices.DeleteFunc(rules, func(rule any) bool {
			r, _ := rule.(map[string]any)
			groups, _, _ := unstructured.NestedStringSlice(r, "apiGroups")
			return len(groups) > 0 && !slices.ContainsFunc(groups, func(g string) bool { return !slices.Contains(o.Without, g) })
		})
		return unstructured.SetNestedSlice(u.Object, rules, "rules")
	default:
		return nil
	}
}
