// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha2_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

const samples = "../../../docs/samples"

// TestAPI asks a real API server; its parts share it.
func TestAPI(t *testing.T) {
	// It has started when the CRDs are Established, and fails when the server refuses one.
	at := testserver.Start(t)
	// A misspelt field of a sample is an error and not dropped.
	c := client.WithFieldValidation(at.Client(t), metav1.FieldValidationStrict)
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "production"}}); err != nil {
		t.Fatal(err)
	}
	t.Run("samples are accepted", func(t *testing.T) { testSamples(t, c) })
	t.Run("invalid samples are refused", func(t *testing.T) { testInvalid(t, c) })
	t.Run("status is a subresource", func(t *testing.T) { testStatus(t, c) })
	t.Run("columns", func(t *testing.T) { testColumns(t, c, at.Admin) })
}

// documents returns the objects of a file and what follows "# want: " in it.
func documents(t *testing.T, file string) (objs []*unstructured.Unstructured, want string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if line, ok := strings.CutPrefix(string(data), "# want: "); ok {
		want, _, _ = strings.Cut(line, "\n")
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objs, want
		}
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(document, &u.Object); err != nil {
			t.Fatal(err)
		}
		objs = append(objs, u)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(samples, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	return found
}

func testSamples(t *testing.T, c client.Client) {
	kinds := map[string]bool{}
	for _, file := range files(t, "*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			objs, _ := documents(t, file)
			for _, obj := range objs {
				kinds[obj.GetKind()] = true
				if obj.GetKind() == "Namespace" {
					continue
				}
				if ns := obj.GetNamespace(); ns == "rook-ceph" { // that of Rook is there before
					if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); client.IgnoreAlreadyExists(err) != nil {
						t.Fatal(err)
					}
				}
				if err := c.Create(t.Context(), obj, client.DryRunAll); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, kind := range []string{"VolumeGroupReplication", "VolumeGroupReplicationClass", "VolumeReplication", "VolumeReplicationClass"} {
		if !kinds[kind] {
			t.Errorf("no sample of a %s; there are %v", kind, slices.Sorted(maps.Keys(kinds)))
		}
	}
}

// testInvalid creates what a file holds; of two documents, the second is an update of the first.
func testInvalid(t *testing.T, c client.Client) {
	for _, file := range files(t, "invalid/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			objs, want := documents(t, file)
			if want == "" {
				t.Fatal(`the first line must be "# want: " and the message`)
			}
			err := c.Create(t.Context(), objs[0])
			if len(objs) > 1 {
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Delete(t.Context(), objs[0]) })
				objs[1].SetResourceVersion(objs[0].GetResourceVersion())
				err = c.Update(t.Context(), objs[1])
				if err := c.Delete(t.Context(), objs[0]); err != nil {
					t.Fatal(err)
				}
			}
			if !apierrors.IsInvalid(err) {
				t.Fatalf("it was not refused as invalid: %v", err)
			}
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func newGroup(name string) *vgrv1.VolumeGroupReplication {
	return &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
		},
	}
}

// A user who writes a status with the object, or a spec with the status, changes nothing.
func testStatus(t *testing.T, c client.Client) {
	g := newGroup("status")
	g.Status.State = vgrv1.StatePrimary
	if err := c.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if g.Status.State != "" {
		t.Error("a status was taken from a user")
	}
	g.Spec.ReplicationState = vgrv1.Secondary
	g.Status.State = vgrv1.StateSecondary
	if err := c.Status().Update(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if g.Spec.ReplicationState != vgrv1.Primary || g.Status.State != vgrv1.StateSecondary || g.Generation != 1 {
		t.Errorf("after a status update: spec %s, status %s, generation %d", g.Spec.ReplicationState, g.Status.State, g.Generation)
	}
}

// testColumns looks at what kubectl get shows.
func testColumns(t *testing.T, c client.Client, config *rest.Config) {
	g := newGroup("columns")
	if err := c.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	g.Status.State, g.Status.VolumeCount, g.Status.Message = vgrv1.StateSecondary, 2, "all is well"
	g.Status.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: "data"}, {Name: "logs"}}
	g.Status.Conditions = []metav1.Condition{{Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonProgressing, LastTransitionTime: metav1.Now()}}
	if err := c.Status().Update(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	config = rest.CopyConfig(config)
	config.GroupVersion, config.APIPath = &vgrv1.GroupVersion, "/apis"
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	rc, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	data, err := rc.Get().Namespace("default").Resource("volumegroupreplications").Name("columns").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		got[column.Name] = table.Rows[0].Cells[i]
	}
	delete(got, "Age")
	want := map[string]any{
		"Name": "columns", "Desired": "primary", "State": "Secondary", "Ready": "False", "Class": "gold",
		"PVCs": float64(2), "Last Sync": nil, "Reason": "Progressing", "Message": "all is well",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

// TestDocumented: every condition and reason is in the documentation.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Condition") && !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		found++
		value := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		if !bytes.Contains(doc, []byte("`"+value+"`")) {
			t.Errorf("%s (%s) is not in docs/api.md", value, spec.Names[0].Name)
		}
		return false
	})
	if found < 20 {
		t.Errorf("only %d constants found", found)
	}
}
