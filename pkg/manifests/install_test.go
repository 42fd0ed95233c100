// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestKustomization: the kustomize base has every file that install applies.
func TestKustomization(t *testing.T) {
	text, err := os.ReadFile("kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var base struct {
		Resources []string `json:"resources"`
	}
	if err := yaml.Unmarshal(text, &base); err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(FS, "*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(base.Resources)
	if !slices.Equal(files, base.Resources) {
		t.Errorf("it has %q, want %q", base.Resources, files)
	}
}

// TestInstall: what is applied first, what depends on who installs, and that nothing more is allowed than
// what is to be served.
func TestInstall(t *testing.T) {
	all, err := Install(Options{Image: "image:v1", PullPolicy: "Always", PullSecrets: []string{"mirror"}, Replicas: 3, Args: []string{"--backends=ceph"}, Without: []string{"trident.netapp.io", "groupsnapshot.storage.k8s.io"}})
	if err != nil {
		t.Fatal(err)
	}
	if first, last := all[0].GetKind(), all[len(all)-1].GetKind(); first != "Namespace" || last != "Deployment" {
		t.Errorf("%s comes first and %s last", first, last)
	}
	deployment, err := yaml.Marshal(all[len(all)-1].Object)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"replicas: 3", "image: image:v1", "imagePullPolicy: Always", "imagePullSecrets:\n      - name: mirror", "- --backends=ceph", "readOnlyRootFilesystem: true"} {
		if !strings.Contains(string(deployment), want) {
			t.Errorf("the Deployment has no %q", want)
		}
	}
	i := slices.IndexFunc(all, func(u *unstructured.Unstructured) bool { return u.GetKind() == "ClusterRole" })
	role, err := yaml.Marshal(all[i].Object)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(role); strings.Contains(s, "netapp") || strings.Contains(s, "groupsnapshot") || !strings.Contains(s, "replication.storage.dell.com") {
		t.Errorf("the role without Trident:\n%s", s)
	}
}
