// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

// otherCRDs are those of csi-addons as a future release may have them: a version that the plugin does not know instead of the one that it
// reads, or any fields.
func otherCRDs(t *testing.T, change func(plural string, version map[string]any)) string {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(vendorCRDs(t)[0], "replication*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata"`
			Spec       map[string]any `json:"spec"`
		}
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		for _, v := range crd.Spec["versions"].([]any) {
			change(crd.Spec["names"].(map[string]any)["plural"].(string), v.(map[string]any))
		}
		if data, err = yaml.Marshal(crd); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestNativeOdd: objects of a version that the plugin does not know are not shown as missing, and those with fields of other types not
// as if they said something.
func TestNativeOdd(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), home: t.TempDir(), profiles: drivers.Profiles()}
	config := clientcmdapi.NewConfig()
	anyFields := func(plural string, version map[string]any) {
		if plural == "volumegroupreplications" {
			version["schema"] = map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}
		}
	}
	newer := otherCRDs(t, func(plural string, version map[string]any) {
		if anyFields(plural, version); plural == "volumereplications" {
			version["name"] = "v1beta1"
		}
	})
	for name, dir := range map[string]string{"east": newer, "west": otherCRDs(t, anyFields)} {
		at := testserver.StartWithout(t, dir)
		addContext(config, name, at.Admin)
		if c := at.Client(t, csiaddons.AddToScheme); name == "east" {
			b.east = c
		} else {
			b.west = c
		}
	}
	config.CurrentContext = "east"
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))

	r := b.vgr("list", "-A", "--peer-context", "west")
	if strings.Contains(r.out+r.errOut, "No groups on east") || strings.Contains(r.out+r.errOut, "any namespace:") || !strings.Contains(r.errOut, "are served as v1beta1 only") {
		t.Errorf("without any objects: %+v", r)
	}
	for _, c := range []client.Client{b.east, b.west} {
		b.claim(c, "default", "db", "h-db", nil)
		b.object(c, `{"apiVersion":"replication.storage.openshift.io/v1alpha1","kind":"VolumeGroupReplication","metadata":{"namespace":"default","name":"odd"},
			"spec":{"replicationState":"primary","source":{"selector":7}},"status":{"state":["Primary"],"conditions":"none","lastSyncTime":{}}}`)
	}
	class := &replicationv1.VolumeReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "rbd"}}
	class.Spec.Provisioner = "rbd.csi.ceph.com"
	b.must(b.west.Create(t.Context(), class))
	b.object(b.east, `{"apiVersion":"replication.storage.openshift.io/v1beta1","kind":"VolumeReplication","metadata":{"namespace":"default","name":"db"},
		"spec":{"replicationState":"primary","volumeReplicationClass":"rbd","dataSource":{"kind":"PersistentVolumeClaim","name":"db"}}}`)
	b.replication(b.west, "default", "db", "db", false, time.Minute)
	got := b.listed("list", "-A", "--peer-context", "west")
	if g := got["default/db"]; len(got) != 2 || g.Verdict.Phase != overview.Unknown || !g.Sites[0].Unread || !strings.Contains(g.Verdict.Message, "served as v1beta1 only, which this version of kubectl vgr does not read") {
		t.Errorf("%d groups; of a version that is not known: %+v", len(got), g)
	}
	if g := got["default/odd"]; g.Verdict.Phase != overview.Unknown || !strings.Contains(g.Verdict.Message, "cannot be read") {
		t.Errorf("of odd fields: %+v", g)
	}
	if r = b.vgr("status", "-A", "--peer-context", "west"); r.code != 0 || strings.Count(r.errOut, "are served as v1beta1 only") != 1 {
		t.Errorf("%+v", r)
	}
	t.Log(b.vgr("list", "-A", "--peer-context", "west").out, r.errOut, r.out)
}
