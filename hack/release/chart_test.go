// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	testImage  = "registry.example.com/vgr-controller"
	testDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// load returns the chart as Helm reads it.
func load(t *testing.T, image, digest string) *chart.Chart {
	t.Helper()
	files, err := chartOf("v1.2.3", image, digest)
	if err != nil {
		t.Fatal(err)
	}
	var buffered []*loader.BufferedFile
	for _, f := range files {
		buffered = append(buffered, &loader.BufferedFile{Name: f.name, Data: f.data})
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render returns the objects that Helm would apply, by kind and name, or the reason why it refuses.
func render(t *testing.T, c *chart.Chart, namespace string, values map[string]any) (map[string]map[string]any, error) {
	t.Helper()
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.APIVersions = append(capabilities.APIVersions, manifests.AdmissionGroup+"/v1/ValidatingAdmissionPolicy")
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "vgr-controller", Namespace: namespace}, capabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for text := range strings.SplitSeq("\n"+rendered[name], "\n---\n") {
			u := unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
			if len(u.Object) == 0 {
				continue
			}
			key := u.GetKind() + " " + u.GetName()
			if out[key] != nil {
				t.Errorf("%s is there twice", key)
			}
			out[key] = u.Object
		}
	}
	return out, nil
}

// installed returns what kubectl vgr install applies, as Helm gets it: without the namespace, which is the user's to
// make, and with CRDs that stay when the release goes.
func installed(t *testing.T, o manifests.Options) map[string]map[string]any {
	t.Helper()
	objects, err := manifests.Install(o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, u := range objects {
		switch u.GetKind() {
		case "Namespace":
			continue
		case "CustomResourceDefinition":
			u.SetAnnotations(mergedWith(u.GetAnnotations(), "helm.sh/resource-policy", "keep"))
		}
		text, err := yaml.Marshal(u.Object) // so that numbers have the types that YAML gives them
		if err != nil {
			t.Fatal(err)
		}
		again := map[string]any{}
		if err := yaml.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		out[u.GetKind()+" "+u.GetName()] = again
	}
	return out
}

// TestChartIsInstall: Helm applies what kubectl vgr install applies, object by object.
func TestChartIsInstall(t *testing.T) {
	image := testImage + "@" + testDigest
	c := load(t, testImage, testDigest)
	without := drivers.Profiles()
	var unserved []string
	for _, p := range without {
		if p.Name != "trident" {
			unserved = append(unserved, p.APIGroups...)
		}
	}
	for name, tc := range map[string]struct {
		values map[string]any
		want   manifests.Options
	}{
		"as it is": {nil, manifests.Options{Image: image, Replicas: 2}},
		"a mirror with a Secret": {
			map[string]any{"image": map[string]any{"repository": "mirror.example.com/vgr", "pullPolicy": "Always", "pullSecrets": []any{"mirror"}}},
			manifests.Options{Image: "mirror.example.com/vgr@" + testDigest, Replicas: 2, PullPolicy: "Always", PullSecrets: []string{"mirror"}},
		},
		"a tag, one replica and one backend": {
			map[string]any{"image": map[string]any{"tag": "dev"}, "replicas": 1, "backends": []any{"trident"}},
			manifests.Options{Image: testImage + ":dev", Replicas: 1, Args: []string{"--backends=trident"}, Without: unserved},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := render(t, c, manifests.Namespace, tc.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(installed(t, tc.want), got); diff != "" {
				t.Errorf("install (-) and the chart (+):\n%s", diff)
			}
		})
	}
}

// TestChartValues: each value does what values.yaml says, and a wrong one is refused before anything is applied.
func TestChartValues(t *testing.T) {
	c := load(t, testImage, testDigest)
	got := func(t *testing.T, values map[string]any) map[string]map[string]any {
		t.Helper()
		out, err := render(t, c, manifests.Namespace, values)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	pod := func(t *testing.T, values map[string]any) map[string]any {
		t.Helper()
		spec, found, err := unstructured.NestedMap(got(t, values)["Deployment "+manifests.Controller], "spec", "template", "spec")
		if err != nil || !found {
			t.Fatal(found, err)
		}
		return spec
	}
	t.Run("where the Pod runs", func(t *testing.T) {
		spec := pod(t, map[string]any{
			"nodeSelector": map[string]any{"zone": "a"}, "tolerations": []any{map[string]any{"key": "k", "operator": "Exists"}},
			"resources": map[string]any{"limits": map[string]any{"memory": "2Gi"}},
		})
		container, ok := spec["containers"].([]any)[0].(map[string]any)
		if !ok {
			t.Fatal("no container")
		}
		memory, _, err := unstructured.NestedString(container, "resources", "limits", "memory")
		if diff := cmp.Diff([]any{map[string]any{"zone": "a"}, []any{map[string]any{"key": "k", "operator": "Exists"}}, "2Gi", error(nil)},
			[]any{spec["nodeSelector"], spec["tolerations"], memory, err}); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("without", func(t *testing.T) {
		for key := range got(t, map[string]any{"crds": false, "admissionPolicy": false}) {
			if strings.HasPrefix(key, "CustomResource") || strings.HasPrefix(key, "ValidatingAdmission") {
				t.Errorf("%s is there", key)
			}
		}
	})
	t.Run("monitored", func(t *testing.T) {
		const monitor = "ServiceMonitor " + manifests.Controller
		if got(t, nil)[monitor] != nil {
			t.Error("it is there without being asked for")
		}
		all := got(t, map[string]any{"serviceMonitor": map[string]any{"enabled": true, "labels": map[string]any{"release": "prometheus"}}})
		labels, _, err := unstructured.NestedStringMap(all[monitor], "metadata", "labels")
		if err != nil || labels["release"] != "prometheus" {
			t.Error(labels, err)
		}
		// The Service must find a port that the Pod has.
		ports, _, err := unstructured.NestedSlice(all["Service vgr-controller-metrics"], "spec", "ports")
		if err != nil || len(ports) != 1 {
			t.Fatal(ports, err)
		}
		text, err := yaml.Marshal(all["Deployment "+manifests.Controller])
		target, _, _ := unstructured.NestedString(ports[0].(map[string]any), "targetPort") //nolint:forcetypeassert // else the test ends
		if err != nil || !strings.Contains(string(text), "name: "+target+"\n") {
			t.Errorf("no port of the Pod is called %q: %v", target, err)
		}
	})
	for name, tc := range map[string]struct {
		image     string
		namespace string
		values    map[string]any
		want      string
	}{
		"no image":          {"", manifests.Namespace, nil, "name the image of the controller: image.repository"},
		"another namespace": {testImage, "default", nil, "install this chart in namespace " + manifests.Namespace},
		"an unknown value":  {testImage, manifests.Namespace, map[string]any{"replica": 1}, "replica"},
		"no replicas":       {testImage, manifests.Namespace, map[string]any{"replicas": 0}, "replicas"},
		"unknown backend":   {testImage, manifests.Namespace, map[string]any{"backends": []any{"ceph"}}, "backends"},
		"no backend":        {testImage, manifests.Namespace, map[string]any{"backends": []any{}}, "backends"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := render(t, load(t, tc.image, testDigest), tc.namespace, tc.values); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// TestChartLint has Helm look at the chart as a directory, which is where it finds what its library does not.
func TestChartLint(t *testing.T) {
	dir := t.TempDir()
	r := release{Version: "v1.2.3", Image: testImage, out: dir}
	if err := r.chart(testDigest); err != nil {
		t.Fatal(err)
	}
	packed, err := loader.Load(filepath.Join(dir, "vgr-controller-1.2.3.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := render(t, packed, manifests.Namespace, nil); err != nil {
		t.Error(err)
	}
	for _, m := range lint.All(filepath.Join(dir, "build", "chart"), nil, manifests.Namespace, true).Messages {
		if m.Severity >= support.WarningSev {
			t.Error(m)
		}
	}
}
