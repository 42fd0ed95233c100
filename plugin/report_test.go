// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/report"
)

// TestReport: what a report says of two real API servers, in its three forms, with a silent site, without permissions,
// and over 200 groups by as many requests as over a few.
func TestReport(t *testing.T) {
	b := newBench(t)
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{
			ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}},
		}))
	}
	b.volume(b.east, "data", "rbd.csi.ceph.com", nil)
	b.volume(b.east, "single", "rbd.csi.ceph.com", nil)
	b.volume(b.east, "scratch", "rbd.csi.ceph.com", nil)
	b.must(b.east.Create(t.Context(), &vgrv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"},
		Spec:       vgrv1.VolumeReplicationSpec{VolumeReplicationClass: "gold", PVCName: "single", ReplicationState: vgrv1.Primary},
	}))
	b.group(b.east, "db", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.group(b.west, "db", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	b.volumes(b.east, "db", map[string]string{"data": "2Gi", "logs": "1Gi"})
	b.volumes(b.west, "db", map[string]string{"data": "1Gi"})
	b.group(b.east, "alone", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.journalOf(b.east, "db", `{"id":"0badc0de","kind":"planned","from":{"name":"west"},"to":{"name":"east"},"by":"root@vm|<b>","revision":5,"started":"2026-01-01T00:00:00.000000Z",`+
		`"steps":[{"id":"verify","started":"2026-01-01T00:00:00.000000Z","finished":"2026-01-01T00:00:05.000000Z"},`+
		`{"id":"promote","asked":true,"started":"2026-01-01T00:00:10.000000Z","finished":"2026-01-01T00:00:17.500000Z"}],"result":"done","finished":"2026-01-01T00:00:18.000000Z"}`)

	r := b.reported("report", "--peer-context", "west")
	db := r.find(t, "db")
	if db.Primary != "east" || *db.ScheduleSeconds != 300 || db.LagSeconds != nil || db.Readiness.Answer != report.No || db.Readiness.To != "west" || len(db.Readiness.Problems) == 0 {
		t.Errorf("db: %+v", db)
	}
	if fmt.Sprint(db.WithoutCopy, db.SizeDifferences) != "[logs] [data: 2Gi on east, 1Gi on west]" {
		t.Errorf("db: without a copy %q, sizes %q", db.WithoutCopy, db.SizeDifferences)
	}
	if op := db.Operations; len(op) != 1 || *op[0].RecoverySeconds != 12.5 || op[0].DataLoss != "none" || op[0].Result != "done" {
		t.Errorf("operations %+v", op)
	}
	if alone := r.find(t, "alone"); fmt.Sprint(alone.WithoutCopy) != "[data]" || alone.Readiness.Answer == report.Yes {
		t.Errorf("alone: %+v", alone)
	}
	if fmt.Sprint(r.Unprotected) != "[{east default scratch  1Gi}]" || r.Sites[0].Kubernetes == "" || r.Scope != "namespace default" {
		t.Errorf("not protected %+v, sites %+v, %s", r.Unprotected, r.Sites, r.Scope)
	}

	b.pages(t)
	b.reportsTrouble(t)
	b.reportsMany(t)
}

type reported struct{ report.Report }

func (r reported) find(t *testing.T, name string) report.Group {
	t.Helper()
	for _, g := range r.Groups {
		if g.Name == name {
			return g
		}
	}
	t.Fatalf("there is no group %s in %+v", name, r.Groups)
	return report.Group{}
}

// reported runs the command and reads its JSON.
func (b *bench) reported(args ...string) (r reported) {
	b.t.Helper()
	out := b.vgr(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out.out), &r.Report); err != nil {
		b.t.Fatalf("%v: %v\n%s%s", args, err, out.out, out.errOut)
	}
	return r
}

// volumes sets those of a group, with their sizes.
func (b *bench) volumes(c client.Client, group string, sizes map[string]string) {
	b.t.Helper()
	var g vgrv1.VolumeGroupReplication
	b.must(c.Get(b.t.Context(), client.ObjectKey{Namespace: "default", Name: group}, &g))
	g.Status.Volumes = nil
	for _, name := range []string{"data", "logs"} {
		if size, ok := sizes[name]; ok {
			q := resource.MustParse(size)
			g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{Name: name, State: g.Status.State, CapacityBytes: new(q.Value())})
		}
	}
	b.must(c.Status().Update(b.t.Context(), &g))
}

func (b *bench) journalOf(c client.Client, group, journal string) {
	b.t.Helper()
	var g vgrv1.VolumeGroupReplication
	b.must(c.Get(b.t.Context(), client.ObjectKey{Namespace: "default", Name: group}, &g))
	metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationOperation, journal)
	b.must(c.Update(b.t.Context(), &g))
}

// pages: a page that is drawn from a file names the SHA-256 of the file, and what others wrote is text in it.
func (b *bench) pages(t *testing.T) {
	t.Helper()
	record := filepath.Join(t.TempDir(), "report.json")
	text := b.vgr("report", "--peer-context", "west", "-o", "json").out
	b.must(os.WriteFile(record, []byte(text), 0o600))
	sum := sha256.Sum256([]byte(text))
	for format, wants := range map[string][]string{
		"html":     {hex.EncodeToString(sum[:]), "root@vm|&lt;b&gt;", "2Gi on east, 1Gi on west", "12.5s", "prefers-color-scheme: dark", "@media print"},
		"markdown": {hex.EncodeToString(sum[:]), `root@vm\|\<b\>`, "2Gi on east, 1Gi on west", "12.5s", "| east | default/scratch |  | 1Gi |"},
	} {
		r := b.vgr("report", "--from", record, "-o", format, "--context", "dead")
		for _, want := range wants {
			if !strings.Contains(r.out, want) {
				t.Errorf("%s does not have %q:\n%s", format, want, r.out)
			}
		}
		if strings.Contains(r.out, "<b>") || strings.Contains(r.out, "http:") || strings.Contains(r.out, "https:") || r.code != 0 {
			t.Errorf("%s: exit code %d\n%s", format, r.code, r.out)
		}
	}
	b.must(os.WriteFile(record, []byte(`{"kind":"List"}`), 0o600))
	b.has(b.vgr("report", "--from", record), 1, "is no report", "kubectl vgr report -A -o json")
	b.has(b.vgr("report", "--from", record+"x"), 1, "cannot read the report")
	b.has(b.vgr("report", "-o", "pdf"), 1, `there is no format "pdf"`)
}

// reportsTrouble: a site that does not answer, and permissions that are missing, are said.
func (b *bench) reportsTrouble(t *testing.T) {
	t.Helper()
	out := b.vgr("report", "--peer-context", "dead")
	b.has(out, 6, "## Not known", "dead does not answer")
	for _, want := range []string{"0 of 2 groups could fail over", "unknown of 3 PVCs in groups have no copy", "at least 1 PVCs are in no group"} {
		if !strings.Contains(out.out, want) {
			t.Errorf("with one site nothing says %q:\n%s", want, out.out)
		}
	}
	r := b.reported("report", "--peer-context", "dead")
	if db := r.find(t, "db"); len(db.WithoutCopy) > 0 || db.Readiness.Answer == report.Yes {
		t.Errorf("with one site: %+v", db)
	}
	b.has(b.vgr("report", "--context", "dead", "--peer-context", "dead2"), 1)
	// Who may see groups and no PVCs.
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "see"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{vgrv1.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"get", "list"}},
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}},
		}}))
		b.must(c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "see"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "see"},
			Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "nobody"}},
		}))
	}
	r = b.reported("report", "--context", "nobody-east", "--peer-context", "nobody-west")
	if said := strings.Join(r.NotKnown, "\n"); len(r.Groups) != 2 || len(r.Unprotected) > 0 || strings.Count(said, "are in no group: ") != 2 || !strings.Contains(said, "forbidden") {
		t.Errorf("without permissions: %d groups, not protected %v, not known:\n%s", len(r.Groups), r.Unprotected, said)
	}
}

// reportsMany: requests do not grow with the groups.
func (b *bench) reportsMany(t *testing.T) {
	t.Helper()
	requests := b.counted()
	before := requests(func() { b.reported("report", "-A", "--context", "counted-east", "--peer-context", "counted-west") })
	for i := range 200 {
		name := fmt.Sprintf("many-%03d", i)
		b.group(b.east, name, vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
		b.group(b.west, name, vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
	}
	var r reported
	after := requests(func() { r = b.reported("report", "-A", "--context", "counted-east", "--peer-context", "counted-west") })
	if r.Summary.Groups != 202 || after != before {
		t.Errorf("%d groups by %d requests, 2 by %d", r.Summary.Groups, after, before)
	}
	page := b.vgr("report", "-A", "--peer-context", "west", "-o", "html")
	if page.code != 0 || strings.Count(page.out, "<tr>") < 202 {
		t.Errorf("exit code %d, %d rows", page.code, strings.Count(page.out, "<tr>"))
	}
}

// counted makes the contexts counted-east and counted-west, and returns what counts the requests of a call.
func (b *bench) counted() func(call func()) int64 {
	b.t.Helper()
	var n atomic.Int64
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	for _, name := range []string{"east", "west"} {
		to, err := clientcmd.NewNonInteractiveClientConfig(*config, name, nil, nil).ClientConfig()
		b.must(err)
		over, err := rest.TransportFor(to)
		b.must(err)
		target, err := url.Parse(to.Host)
		b.must(err)
		server := httptest.NewServer(&httputil.ReverseProxy{Transport: over, Rewrite: func(r *httputil.ProxyRequest) {
			n.Add(1)
			r.SetURL(target)
		}})
		b.t.Cleanup(server.Close)
		addContext(config, "counted-"+name, &rest.Config{Host: server.URL})
	}
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	return func(call func()) int64 {
		n.Store(0)
		call()
		return n.Load()
	}
}
