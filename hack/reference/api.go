// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// api writes a table of fields for each CustomResourceDefinition of a directory.
func api(w io.Writer, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s# API fields\n\nWhat they mean together, and all conditions and reasons, is in [the API](../api.md).\n\n", generated)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &crd); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		kind(w, &crd)
	}
	return nil
}

func kind(w io.Writer, crd *apiextensionsv1.CustomResourceDefinition) {
	for _, version := range crd.Spec.Versions {
		schema := version.Schema.OpenAPIV3Schema
		fmt.Fprintf(w, "## %s\n\n`%s/%s`, %s. %s\n\n| field | type | |\n|---|---|---|\n", crd.Spec.Names.Kind, crd.Spec.Group, version.Name, strings.ToLower(string(crd.Spec.Scope)), prose(schema.Description))
		for _, name := range []string{"spec", "status"} {
			if field, ok := schema.Properties[name]; ok {
				fields(w, name, &field)
			}
		}
		fmt.Fprintln(w)
		rules(w, schema)
	}
}

// fields writes a row for every field below one. Conditions and selectors are those of Kubernetes.
func fields(w io.Writer, path string, schema *apiextensionsv1.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		field := schema.Properties[name]
		at := path + "." + name
		required := ""
		if slices.Contains(schema.Required, name) {
			required = ", required"
		}
		fmt.Fprintf(w, "| `%s` | %s%s | %s |\n", at, typeOf(&field), required, cell(prose(field.Description)))
		if name == "conditions" || name == "selector" {
			continue
		}
		if field.Items != nil && field.Items.Schema != nil {
			fields(w, at+"[]", field.Items.Schema)
		}
		fields(w, at, &field)
	}
}

func typeOf(s *apiextensionsv1.JSONSchemaProps) string {
	switch {
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, strings.Trim(string(v.Raw), `"`))
		}
		return strings.Join(values, ", ")
	case s.Items != nil && s.Items.Schema != nil:
		return "list of " + typeOf(s.Items.Schema)
	case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return "map of " + typeOf(s.AdditionalProperties.Schema)
	case s.Format != "":
		return s.Format
	default:
		return s.Type
	}
}

// prose leaves out what generators of Go types add.
func prose(text string) string { return strings.Join(strings.Fields(text), " ") }

// rules are what the API server refuses, in its own words.
func rules(w io.Writer, schema *apiextensionsv1.JSONSchemaProps) {
	var all []string
	var walk func(s *apiextensionsv1.JSONSchemaProps)
	walk = func(s *apiextensionsv1.JSONSchemaProps) {
		for _, rule := range s.XValidations {
			all = append(all, rule.Message)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			below := s.Properties[name]
			walk(&below)
		}
	}
	walk(schema)
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "The API server refuses, with these words:")
	fmt.Fprintln(w)
	for _, message := range slices.Compact(all) {
		fmt.Fprintf(w, "- %s\n", message)
	}
	fmt.Fprintln(w)
}
