// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/gather"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

var now = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

func render(t *testing.T, o any) string {
	t.Helper()
	text, err := present.ToYAML(o) // as the files are written
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func group(name string, state vgrv1.State, desired vgrv1.ReplicationState, ago time.Duration, message string) vgrv1.VolumeGroupReplication {
	g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: name, Generation: 1}}
	g.Spec.VolumeGroupReplicationClass, g.Spec.ReplicationState = "gold", desired
	g.Status.State, g.Status.ObservedGeneration, g.Status.Backend, g.Status.Message = state, 1, "csi-addons", message
	if ago > 0 {
		g.Status.LastSyncTime, g.Status.StateSince = new(metav1.NewTime(now.Add(-ago))), new(metav1.NewTime(now.Add(-24*time.Hour)))
	}
	g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", State: state, Health: vgrv1.HealthHealthy, Message: message, LastSyncTime: g.Status.LastSyncTime}}
	g.Status.Conditions = []metav1.Condition{
		{Type: vgrv1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Promoted", Message: message, ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(now)},
		{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionTrue, Reason: "Replicating", ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(now)},
	}
	return g
}

// nasty tries to be code, to hide, and to turn text around.
const nasty = "<script>document.title='owned'</script><img src=http://example.com/x onerror=alert(1)>\x1b[31mred\u202egnp.exe password=hunter2"

func report() gather.Report {
	class := vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Parameters: map[string]string{"schedulingInterval": "5m"}}}
	east := overview.SiteInput{Site: overview.Site{Name: "east", Answered: true, ServerTime: new(metav1.NewTime(now))}, Classes: []vgrv1.VolumeGroupReplicationClass{class}, Groups: []vgrv1.VolumeGroupReplication{
		group("orders", vgrv1.StatePrimary, vgrv1.Primary, 2*time.Minute, ""), group("users", vgrv1.StatePrimary, vgrv1.Primary, 20*time.Minute, nasty),
	}}
	west := overview.SiteInput{Site: overview.Site{Name: "west", Answered: true, ServerTime: new(metav1.NewTime(now))}, Classes: east.Classes, Groups: []vgrv1.VolumeGroupReplication{
		group("orders", vgrv1.StateSecondary, vgrv1.Secondary, 0, ""), group("users", vgrv1.StatePrimary, vgrv1.Primary, time.Minute, ""),
	}}
	happened := unstructured.Unstructured{Object: map[string]any{
		"type": "Warning", "reason": "BackendError", "message": nasty, "count": int64(3), "lastTimestamp": "2026-03-01T02:59:00Z",
		"involvedObject": map[string]any{"kind": "VolumeGroupReplication", "name": "users"},
	}}
	gather.Object(happened.Object)
	return gather.Report{
		At: now, Plugin: "v1", Overview: overview.Build([]overview.SiteInput{east, west}, now),
		Sites: []gather.Site{
			{Name: "east", Server: "v1.37.2", Controller: "v1", Kinds: []gather.Kind{{Name: "events", Objects: []unstructured.Unstructured{happened}}, {Name: "leases.coordination.k8s.io", Missing: "forbidden"}}},
			{Name: "west", Server: "v1.37.2", Controller: "v1"},
		},
	}
}

func TestPage(t *testing.T) {
	var page bytes.Buffer
	if err := gather.HTML(&page, report()); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "page.html", page.String())
	for _, never := range []string{"<script", "<img", "hunter2", "\x1b", "\u202e", "src=\"http", "url("} {
		if strings.Contains(page.String(), never) {
			t.Errorf("the page has %q", never)
		}
	}
}

// TestBrowser opens the page in a real browser: what came from the API is text, not code.
func TestBrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
		}
	}
	if browser == "" {
		t.Skip("no Chromium is installed")
	}
	dir := t.TempDir()
	if err := gather.Write(dir, report()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--v=0", "--dump-dom", "file://"+filepath.Join(dir, gather.Page))
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errOut.String())
	}
	for _, want := range []string{"<title>kubectl vgr gather, 2026-03-01 03:00:00 UTC</title>", "SplitBrain", "production/users", "&lt;script&gt;", `\u001b[31mred\u202e`, "BackendError ×3", "leases.coordination.k8s.io: forbidden"} {
		if !strings.Contains(string(dom), want) {
			t.Errorf("the browser does not show %q", want)
		}
	}
	if strings.Contains(errOut.String(), "CONSOLE") {
		t.Errorf("the browser complains:\n%s", errOut.String())
	}
	for _, file := range []string{gather.Page, "overview.json", "east/events.yaml", "east/missing.txt"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
}
