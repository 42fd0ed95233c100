// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"io/fs"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// CRDs returns the CRDs of this version.
func CRDs() ([]*unstructured.Unstructured, error) {
	names, err := fs.Glob(FS, "crd/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, name := range names {
		objects, err := read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// Lacks returns the fields, sorted, that one CRD has and another one has not. The API server drops what a client
// writes into a field that its CRD does not have, and says nothing.
func Lacks(crd, other *unstructured.Unstructured) []string {
	have, want := fields(crd), fields(other)
	maps.DeleteFunc(want, func(field string, _ bool) bool { return have[field] })
	return slices.Sorted(maps.Keys(want))
}

// fields returns the fields of all versions of a CRD, as status.stateSince.
func fields(crd *unstructured.Unstructured) map[string]bool {
	out := map[string]bool{}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions") // what is no list has no fields
	for _, v := range versions {
		version, _ := v.(map[string]any)
		schema, _, _ := unstructured.NestedMap(version, "schema", "openAPIV3Schema")
		addFields(out, "", schema)
	}
	return out
}

// addFields adds what is below a schema. An array has the fields of its items.
func addFields(to map[string]bool, path string, schema map[string]any) {
	if items, ok := schema["items"].(map[string]any); ok {
		addFields(to, path+"[]", items)
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, p := range properties {
		at := name
		if path != "" {
			at = path + "." + name
		}
		to[at] = true
		if below, ok := p.(map[string]any); ok {
			addFields(to, at, below)
		}
	}
}
