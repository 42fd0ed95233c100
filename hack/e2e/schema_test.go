// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// vendorSchemas reads the vendors' own CRDs, which only a developer's machine may have.
func vendorSchemas(t *testing.T) map[string]*apiextensions.JSONSchemaProps {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "crds", "csi-addons", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the vendors' CRDs are not beside this checkout")
	}
	schemas := map[string]*apiextensions.JSONSchemaProps{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		for _, v := range crd.Spec.Versions {
			var internal apiextensions.JSONSchemaProps
			if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, &internal, nil); err != nil {
				t.Fatal(err)
			}
			schemas[crd.Spec.Group+"/"+v.Name+" "+crd.Spec.Names.Kind] = &internal
		}
	}
	return schemas
}

// TestVendorSchemas checks every backend object that our adapter and plugin have written against
// the vendors' own CRDs: no field that they do not know, no value that they refuse.
func TestVendorSchemas(t *testing.T) {
	t.Parallel()
	schemas := vendorSchemas(t)
	s := newScene(t)
	s.claims(lab.East, map[string]string{"app": "db"}, "data", "logs")
	s.done("create", "native", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.claims(lab.East, map[string]string{"app": "web"}, "pages")
	s.create(lab.East, s.group("single", single, vgrv1.Primary, map[string]string{"app": "web"}))
	s.ready(lab.East, "single", vgrv1.StatePrimary, 1)
	checked := map[string]int{}
	kinds := []string{"VolumeGroupReplication", "VolumeGroupReplicationContent", "VolumeGroupReplicationClass", "VolumeReplication", "VolumeReplicationClass"}
	for _, site := range []string{lab.East, lab.West} {
		for _, kind := range kinds {
			var list unstructured.UnstructuredList
			list.SetGroupVersionKind(replicationv1.GroupVersion.WithKind(kind + "List"))
			s.must(s.sites[site].List(t.Context(), &list, client.InNamespace("")))
			schema := schemas[replicationv1.GroupVersion.String()+" "+kind]
			if schema == nil {
				t.Fatalf("the vendor has no %s", kind)
			}
			for _, item := range list.Items {
				conforms(t, schema, item)
				checked[kind]++
			}
		}
	}
	for _, kind := range kinds {
		if checked[kind] == 0 {
			t.Errorf("no %s was checked", kind)
		}
	}
	t.Logf("checked: %v", checked)
}

func conforms(t *testing.T, schema *apiextensions.JSONSchemaProps, object unstructured.Unstructured) {
	t.Helper()
	validator, _, err := validation.NewSchemaValidator(schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range validation.ValidateCustomResource(nil, object.Object, validator) {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	structural, err := structuralschema.NewStructural(schema)
	if err != nil {
		t.Fatal(err)
	}
	unknown := pruning.PruneWithOptions(object.DeepCopy().Object, structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		t.Errorf("%s %s: unknown fields %v", object.GetKind(), object.GetName(), unknown)
	}
}
