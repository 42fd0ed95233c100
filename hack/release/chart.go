// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// chartName is that of the chart, and of the directory in its archive.
const chartName = "vgr-controller"

//go:embed chart
var chartFiles embed.FS

// chart writes the Helm chart. Its templates are the objects that install applies, with the values in their places.
func (r *release) chart(digest string) error {
	files, err := chartOf(r.Version, r.Image, digest)
	if err != nil {
		return err
	}
	dir := filepath.Join(r.out, "build", "chart")
	var packed []file
	for _, f := range files {
		to := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, f.data, 0o644); err != nil {
			return err
		}
		packed = append(packed, file{path.Join(chartName, f.name), to, 0o644})
	}
	var b bytes.Buffer
	if err := tarball(&b, packed, r.made.UTC()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, fmt.Sprintf("%s-%s.tgz", chartName, chartVersion(r.Version))), b.Bytes(), 0o644)
}

// chartVersion is the version without the v, as Helm wants it.
func chartVersion(version string) string { return strings.TrimPrefix(version, "v") }

// chartFile is a file of the chart, by its name below the chart's directory.
type chartFile struct {
	name string
	data []byte
}

// chartOf returns the files of the chart. The image may be empty; then the user must name one.
func chartOf(version, image, digest string) ([]chartFile, error) {
	about, err := yaml.Marshal(map[string]any{
		"apiVersion": "v2", "name": chartName, "type": "application", "version": chartVersion(version), "appVersion": version,
		"description": "Disaster recovery of groups of persistent volumes across two clusters", "kubeVersion": ">=1.29.0-0",
		"home": "https://github.com/unified-replication/kubectl-vgr", "sources": []string{"https://github.com/unified-replication/kubectl-vgr"},
		"keywords": []string{"disaster recovery", "replication", "csi", "ceph", "trident", "dell"},
		"annotations": map[string]string{
			"artifacthub.io/license": "Apache-2.0", "artifacthub.io/category": "storage", "artifacthub.io/operator": "true",
			"artifacthub.io/prerelease": fmt.Sprint(strings.Contains(version, "-")),
			"artifacthub.io/links":      "- name: documentation\n  url: https://github.com/unified-replication/kubectl-vgr/tree/main/docs\n",
		},
	})
	if err != nil {
		return nil, err
	}
	files := []chartFile{{"Chart.yaml", about}}
	for _, f := range []struct{ from, to string }{{"README.md", "README.md"}, {"NOTES.txt", "templates/NOTES.txt"}, {"servicemonitor.yaml", "templates/servicemonitor.yaml"}} {
		data, err := chartFiles.ReadFile("chart/" + f.from)
		if err != nil {
			return nil, err
		}
		files = append(files, chartFile{f.to, data})
	}
	values, schema, err := chartValues(image, digest)
	if err != nil {
		return nil, err
	}
	files = append(files, chartFile{"values.yaml", values}, chartFile{"values.schema.json", schema})
	templates, err := chartTemplates(drivers.Profiles())
	if err != nil {
		return nil, err
	}
	files = append(files, templates...)
	slices.SortFunc(files, func(a, b chartFile) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// chartValues fills in what a release knows: its image, and the backends.
func chartValues(image, digest string) (values, schema []byte, err error) {
	if values, err = chartFiles.ReadFile("chart/values.yaml"); err != nil {
		return nil, nil, err
	}
	names := drivers.Profiles().Names()
	for from, to := range map[string]string{`backends: []`: "backends: [" + strings.Join(names, ", ") + "]", `repository: ""`: `repository: "` + image + `"`, `digest: ""`: `digest: "` + digest + `"`} {
		if image == "" && !strings.HasPrefix(from, "backends") {
			continue
		}
		if values, err = replaceOnce(values, from, to); err != nil {
			return nil, nil, err
		}
	}
	if schema, err = chartFiles.ReadFile("chart/values.schema.json"); err != nil {
		return nil, nil, err
	}
	known, err := json.Marshal(names)
	if err != nil {
		return nil, nil, err
	}
	schema, err = replaceOnce(schema, `"enum": []`, `"enum": `+string(known))
	return values, schema, err
}

// chartTemplates turns the objects of install into templates, a file for each kind.
func chartTemplates(profiles backend.Profiles) ([]chartFile, error) {
	objects, err := manifests.Install(manifests.Options{Image: "IMAGE", PullPolicy: "POLICY", PullSecrets: []string{"SECRETS"}, Replicas: 2, Args: []string{"ARGS"}})
	if err != nil {
		return nil, err
	}
	byName := map[string]*bytes.Buffer{}
	for _, u := range objects {
		if u.GetKind() == "Namespace" {
			continue // Helm makes it, or the user
		}
		text, err := chartTemplate(u, profiles)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
		}
		name := "templates/" + strings.ToLower(u.GetKind()) + ".yaml"
		if byName[name] == nil {
			byName[name] = &bytes.Buffer{}
		}
		fmt.Fprintf(byName[name], "---\n%s", text)
	}
	var out []chartFile
	for name, text := range byName {
		out = append(out, chartFile{name, text.Bytes()})
	}
	return out, nil
}

// chartTemplate returns one object with the values in their places.
func chartTemplate(u *unstructured.Unstructured, profiles backend.Profiles) ([]byte, error) {
	switch u.GetKind() {
	case "CustomResourceDefinition":
		u.SetAnnotations(mergedWith(u.GetAnnotations(), "helm.sh/resource-policy", "keep"))
		return chartWhen(u, ".Values.crds")
	case "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
		return chartWhen(u, `and .Values.admissionPolicy (.Capabilities.APIVersions.Has "`+u.GetAPIVersion()+`/ValidatingAdmissionPolicy")`)
	case "ClusterRole":
		return chartRole(u, profiles)
	case "Deployment":
		return chartDeployment(u, profiles)
	default:
		return chartWhen(u, "")
	}
}

func mergedWith(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

// chartWhen returns an object that is there if a condition holds; an empty one always does.
func chartWhen(u *unstructured.Unstructured, condition string) ([]byte, error) {
	text, err := yaml.Marshal(u.Object)
	if err != nil || condition == "" {
		return text, err
	}
	if bytes.Contains(text, []byte("{{")) {
		return nil, errors.New("it has {{, which Helm would take for a template")
	}
	return fmt.Appendf(nil, "{{- if %s }}\n%s{{- end }}\n", condition, text), nil
}

// chartRole returns the ClusterRole, in which each rule that belongs to backends is there if one of them is served.
func chartRole(u *unstructured.Unstructured, profiles backend.Profiles) ([]byte, error) {
	rules, _, err := unstructured.NestedSlice(u.Object, "rules")
	if err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(u.Object, "rules")
	text, err := yaml.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(text)
	b.WriteString("rules:\n")
	for _, rule := range rules {
		text, err := yaml.Marshal([]any{rule})
		if err != nil {
			return nil, err
		}
		r, _ := rule.(map[string]any)
		groups, _, err := unstructured.NestedStringSlice(r, "apiGroups")
		if err != nil {
			return nil, err
		}
		needs := neededFor(groups, profiles)
		if len(needs) == 0 {
			b.Write(text)
			continue
		}
		fmt.Fprintf(b, "{{- if or %s }}\n%s{{- end }}\n", strings.Join(needs, " "), text)
	}
	return b.Bytes(), nil
}

// neededFor returns the conditions under which a rule for some API groups is needed; none if it always is.
func neededFor(groups []string, profiles backend.Profiles) []string {
	var needs []string
	for _, g := range groups {
		i := slices.IndexFunc(profiles, func(p backend.Profile) bool { return slices.Contains(p.APIGroups, g) })
		if i < 0 {
			return nil
		}
		needs = append(needs, fmt.Sprintf("(has %q .Values.backends)", profiles[i].Name))
	}
	return needs
}

// chartDeployment returns the Deployment with the values that are its own.
func chartDeployment(u *unstructured.Unstructured, profiles backend.Profiles) ([]byte, error) {
	if err := unstructured.SetNestedField(u.Object, "REPLICAS", "spec", "replicas"); err != nil {
		return nil, err
	}
	containers, _, err := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return nil, err
	}
	c, ok := containers[0].(map[string]any)
	if !ok {
		return nil, errors.New("the container is not an object")
	}
	c["resources"] = "RESOURCES"
	if err := unstructured.SetNestedSlice(u.Object, containers, "spec", "template", "spec", "containers"); err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	for _, p := range []struct{ from, to string }{
		{"  replicas: REPLICAS\n", "  replicas: {{ .Values.replicas }}\n"},
		{"      - args:\n        - ARGS\n        image: IMAGE\n        imagePullPolicy: POLICY\n", chartContainer(len(profiles))},
		{"        resources: RESOURCES\n", "        resources: {{- toYaml .Values.resources | nindent 10 }}\n"},
		{"      imagePullSecrets:\n      - name: SECRETS\n", chartPod},
	} {
		if text, err = replaceOnce(text, p.from, p.to); err != nil {
			return nil, err
		}
	}
	return append([]byte("{{- if ne .Release.Namespace \""+manifests.Namespace+"\" }}{{ fail \"install this chart in namespace "+manifests.Namespace+": kubectl vgr looks for the controller there\" }}{{ end }}\n"), text...), nil
}

// chartContainer is the beginning of the container. As with install, the flag is left out when all backends are served.
func chartContainer(backends int) string {
	return fmt.Sprintf(`      - image: {{ required "name the image of the controller: image.repository and image.tag" .Values.image.repository }}{{ if .Values.image.tag }}:{{ .Values.image.tag }}{{ else }}@{{ required "name the image of the controller: image.tag or image.digest" .Values.image.digest }}{{ end }}
        {{- with .Values.image.pullPolicy }}
        imagePullPolicy: {{ . }}
        {{- end }}
        {{- if lt (len .Values.backends) %d }}
        args: ["--backends={{ join "," .Values.backends }}"]
        {{- end }}
`, backends)
}

const chartPod = `      {{- with .Values.image.pullSecrets }}
      imagePullSecrets:
      {{- range . }}
      - name: {{ . }}
      {{- end }}
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
`

func replaceOnce(text []byte, from, to string) ([]byte, error) {
	if n := bytes.Count(text, []byte(from)); n != 1 {
		return nil, fmt.Errorf("%q is there %d times, not once", from, n)
	}
	return bytes.Replace(text, []byte(from), []byte(to), 1), nil
}
