// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
)

// documented are the ClusterRoles of docs/security.md.
func documented(t *testing.T) []rbacv1.ClusterRole {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []rbacv1.ClusterRole
	for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict(found[1], &role); err != nil {
			t.Fatal(err)
		}
		if role.Kind == "ClusterRole" { // a Role there has a part of one, for a namespace
			out = append(out, role)
		}
	}
	return out
}

// led makes what a controller that runs has written: its Lease, and a member of the group.
func (b *bench) led(c client.Client, group string) {
	b.t.Helper()
	b.must(c.Create(b.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: manifests.Namespace}}))
	holder, seconds := "test", int32(3600)
	b.must(c.Create(b.t.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: manifests.Namespace, Name: "vgr-controller", Labels: map[string]string{vgrv1.LabelVersion: version.Get().Label()}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: new(metav1.NowMicro())},
	}))
	var g vgrv1.VolumeGroupReplication
	b.must(c.Get(b.t.Context(), keyOf("default", group), &g))
	g.Status.PersistentVolumeClaimsRefList = []corev1.LocalObjectReference{{Name: "data"}}
	g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", VolumeHandle: "handle-data", State: g.Status.State, Health: vgrv1.HealthHealthy}}
	b.must(c.Status().Update(b.t.Context(), &g))
}

// TestDocumentedRoles runs commands as a user who has just the roles of the documentation.
func TestDocumentedRoles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	roles := documented(t)
	if len(roles) != 2 {
		t.Fatalf("the page has %d roles", len(roles))
	}
	gold := vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}
	for site, c := range map[string]client.Client{"east": b.east, "west": b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: gold}))
		b.volume(c, "data", "rbd.csi.ceph.com", map[string]string{"group": "orders"})
		state, said := vgrv1.Primary, vgrv1.StatePrimary
		if site == "west" {
			state, said = vgrv1.Secondary, vgrv1.StateSecondary
		}
		b.group(c, "orders", state, said, ready("Promoted"))
		b.led(c, "orders")
		for i := range roles {
			b.must(c.Create(t.Context(), roles[i].DeepCopy()))
		}
		b.must(c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "see"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: roles[0].Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "nobody"}},
		}))
	}
	as := []string{"--context", "nobody-east", "--peer-context", "nobody-west"}
	run := func(code int, args ...string) result {
		t.Helper()
		r := b.vgr(slices.Concat(args, as)...)
		if r.code != code || strings.Contains(r.out+r.errOut, "forbidden") {
			t.Errorf("%s: exit code %d, not %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.errOut)
		}
		return r
	}
	for _, args := range [][]string{{"list"}, {"list", "-A"}, {"status", "orders"}, {"history", "orders"}, {"version"}, {"class", "list"}, {"class", "describe", "gold"}} {
		run(0, args...)
	}
	r := run(4, "validate", "orders", "--to", "nobody-west")
	for _, lacks := range []string{"patch volumegroupreplications", "create leases", "create events"} {
		if !strings.Contains(r.out, lacks) {
			t.Errorf("validate does not say that %q is lacking:\n%s", lacks, r.out)
		}
	}
	if r := b.vgr(slices.Concat([]string{"demote", "orders", "--yes"}, as)...); r.code != 2 || !strings.Contains(r.errOut, "you may not patch volumegroupreplications") {
		t.Errorf("who may only see: exit code %d\n%s", r.code, r.errOut)
	}

	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "move"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: roles[1].Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "nobody"}},
		}))
	}
	run(0, "failover", "orders", "--to", "nobody-west", "--quiesce", "--dry-run=server")
	run(0, "demote", "orders", "--force", "--dry-run=server")
}

// TestValidateBegins: what a failover refuses before its checks is a problem for validate too.
func TestValidateBegins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []client.Client{b.east, b.west} {
		state, said := vgrv1.Primary, vgrv1.StatePrimary
		if c == b.west {
			state, said = vgrv1.Secondary, vgrv1.StateSecondary
		}
		b.volume(c, "data", "rbd.csi.ceph.com", map[string]string{"group": "orders"})
		b.group(c, "orders", state, said, ready("Promoted"))
		b.led(c, "orders")
	}
	flight := func(change func(*recovery.Operation)) {
		var g vgrv1.VolumeGroupReplication
		b.must(b.east.Get(t.Context(), keyOf("default", "orders"), &g))
		op := journal("")
		op.Kind, op.From, op.To = recovery.Planned, recovery.SiteRef{Name: "east"}, recovery.SiteRef{Name: "west"}
		for i, c := range []client.Client{b.east, b.west} {
			var ns corev1.Namespace
			b.must(c.Get(t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
			[]*recovery.SiteRef{&op.From, &op.To}[i].Cluster = string(ns.UID)
		}
		change(&op)
		text, err := json.Marshal(op)
		b.must(err)
		g.Annotations = map[string]string{vgrv1.AnnotationOperation: string(text)}
		b.must(b.east.Update(t.Context(), &g))
	}
	both := func(code int, says string, args ...string) {
		t.Helper()
		args = append(args, "--peer-context", "west")
		r := b.vgr(append([]string{"validate", "orders"}, args...)...)
		if r.code != code || !strings.Contains(r.out, says) {
			t.Errorf("validate: exit code %d, want %d and %q\n%s%s", r.code, code, says, r.out, r.errOut)
		}
		f := b.vgr(append([]string{"failover", "orders", "--dry-run=client"}, args...)...)
		if (f.code == 0) != (code == 0) {
			t.Errorf("failover: exit code %d, validate %d\n%s", f.code, r.code, f.errOut)
		}
	}
	both(0, "ok", "--to", "west")
	both(0, "east is primary already", "--to", "east")
	flight(func(*recovery.Operation) {})
	both(0, "is in flight", "--to", "west")
	both(4, "is in flight", "--to", "east")
	flight(func(op *recovery.Operation) { op.Aborting = true })
	both(4, "is being aborted", "--to", "west")
}

// TestDocumentedController compares the table of what the controller may do with its role.
func TestDocumentedController(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	table := page[strings.Index(page, "## What the controller may do"):strings.Index(page, "## What you need")]
	data, err := manifests.FS.ReadFile("rbac/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(data), "---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal([]byte(part), &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, group := range rule.APIGroups {
				if group == "" {
					group = "core"
				}
				if !strings.Contains(table, group) {
					t.Errorf("the page does not have the API group %s", group)
				}
			}
			if slices.Contains(rule.Resources, "secrets") || slices.Contains(rule.Resources, "pods") || slices.Contains(rule.Verbs, "*") {
				t.Errorf("the page says that it may not: %+v", rule)
			}
			claims := slices.Contains(rule.Resources, "persistentvolumeclaims") || slices.Contains(rule.Resources, "persistentvolumes")
			if claims && slices.ContainsFunc(rule.Verbs, func(v string) bool { return v != "get" && v != "list" && v != "watch" }) {
				t.Errorf("the page says that it only reads: %+v", rule)
			}
		}
	}
}

// TestThreats: each test that the threat model names exists.
func TestThreats(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	table := page[strings.Index(page, "## Threat model"):strings.Index(page, "Two attacks remain possible")]
	there := map[string]bool{}
	err = filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(source, -1) {
			there[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| who ") {
			continue
		}
		lines++
		cited := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(line, -1)
		if len(cited) == 0 {
			t.Errorf("no test in %s", line)
		}
		for _, test := range cited {
			if !there[test[1]] {
				t.Errorf("there is no %s", test[1])
			}
		}
	}
	if lines < 20 {
		t.Errorf("only %d lines", lines)
	}
}
