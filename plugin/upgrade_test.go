// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
)

// installsOverOtherVersions: install over an older version, with an operation in flight, replaces the CRDs and changes no
// group; over a newer one it keeps the CRDs, so that what the newer controller has remembered stays.
func (b *bench) installsOverOtherVersions(want func(what string, r result, code int, texts ...string)) {
	const groups = "customresourcedefinition/volumegroupreplications.replication.unified.io"
	install := func(more ...string) result {
		return b.vgr(append([]string{"install", "--image", "controller:v2", "--yes"}, more...)...)
	}
	for _, crd := range b.olderCRDs() {
		b.replace(crd)
	}
	b.group(b.east, "flying", vgrv1.Primary, vgrv1.StateSecondary, metav1.Condition{Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonProgressing})
	var g vgrv1.VolumeGroupReplication
	key := client.ObjectKey{Namespace: "default", Name: "flying"}
	b.must(b.east.Get(b.t.Context(), key, &g))
	g.Annotations = map[string]string{vgrv1.AnnotationOperation: `{"id":"0badc0de","kind":"planned","revision":5,"steps":[{"id":"promote","asked":true}]}`}
	b.must(b.east.Update(b.t.Context(), &g))
	want("over an older version", install(), 0, "change "+groups, groups+" changed", "the controller is ready on east")
	before := g.ResourceVersion
	b.must(b.east.Get(b.t.Context(), key, &g))
	if g.ResourceVersion != before {
		b.t.Errorf("install has written the group: %+v", g)
	}
	b.must(b.east.Delete(b.t.Context(), &g))

	own, err := manifests.CRDs()
	b.must(err)
	i := slices.IndexFunc(own, func(u *unstructured.Unstructured) bool {
		return u.GetName() == "volumegroupreplications.replication.unified.io"
	})
	newer := own[i].DeepCopy()
	b.addField(newer)
	b.replace(newer)
	for _, mode := range []string{"--dry-run=server", "--replicas=3", "--wait=false"} {
		want("over a newer version", install("--wait=false", mode), 0, "keep "+groups+", which has fields of a newer version: status.ofNextYear")
	}
	there := newer.DeepCopy()
	b.must(b.east.Get(b.t.Context(), client.ObjectKeyFromObject(newer), there))
	if lacks := manifests.Lacks(there, newer); len(lacks) > 0 {
		b.t.Errorf("install took off %q", lacks)
	}
	want("not as it was exported", b.vgr("install", "--image", "controller:v2", "--export"), 0, "kind: CustomResourceDefinition")
	b.replace(own[i])
}

// olderCRDs are those of a version whose status remembered no roles.
func (b *bench) olderCRDs() []*unstructured.Unstructured {
	b.t.Helper()
	files, err := filepath.Glob("../pkg/manifests/testdata/before-the-guard/*.yaml")
	b.must(err)
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		b.must(err)
		u := &unstructured.Unstructured{}
		b.must(yaml.Unmarshal(text, &u.Object))
		all = append(all, u)
	}
	return all
}

// replace writes a CRD over the one on east.
func (b *bench) replace(crd *unstructured.Unstructured) {
	b.t.Helper()
	there := crd.DeepCopy()
	b.must(b.east.Get(b.t.Context(), client.ObjectKeyFromObject(crd), there))
	there.Object["spec"] = crd.DeepCopy().Object["spec"]
	b.must(b.east.Update(b.t.Context(), there))
}

// addField adds a field to the status, as a newer version would.
func (b *bench) addField(crd *unstructured.Unstructured) {
	b.t.Helper()
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	b.must(err)
	version, _ := versions[0].(map[string]any)
	b.must(unstructured.SetNestedField(version, map[string]any{"type": "string"}, "schema", "openAPIV3Schema", "properties", "status", "properties", "ofNextYear"))
	b.must(unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"))
}
