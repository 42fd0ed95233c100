// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// tenant is a client of who has the role edit in the namespace default of both sites, and may patch groups there.
func (b *bench) tenant(site string, admin client.Client) client.Client {
	b.t.Helper()
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "nobody"}}
	b.must(admin.Create(b.t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "groups"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{vgrv1.GroupVersion.Group}, Resources: []string{"volumegroupreplications"}, Verbs: []string{"get", "list", "create", "patch", "update", "delete"}}},
	}))
	for name, ref := range map[string]rbacv1.RoleRef{
		"edit": {APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"}, "groups": {APIGroup: rbacv1.GroupName, Kind: "Role", Name: "groups"},
	} {
		b.must(admin.Create(b.t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, RoleRef: ref, Subjects: subjects}))
	}
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	rest, err := clientcmd.NewNonInteractiveClientConfig(*config, "nobody-"+site, nil, nil).ClientConfig()
	b.must(err)
	c, err := client.New(rest, client.Options{Scheme: admin.Scheme()})
	b.must(err)
	return c
}

// replicas are those that the victim asks for on a site.
func (b *bench) replicas(c client.Client) int32 {
	b.t.Helper()
	var victim appsv1.Deployment
	b.must(c.Get(b.t.Context(), keyOf("default", "victim"), &victim))
	return *victim.Spec.Replicas
}

// TestTenant: what a user writes who may edit a namespace, and the groups in it, does not make an administrator's
// commands do what he did not ask for, nor keep them from working.
func TestTenant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	admins := map[string]client.Client{"east": b.east, "west": b.west}
	tenants, clusters := map[string]client.Client{}, map[string]string{}
	for site, c := range admins {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
		b.volume(c, "data", "rbd.csi.ceph.com", map[string]string{"group": "orders"})
		desired, said := vgrv1.Primary, vgrv1.StatePrimary
		if site == "west" {
			desired, said = vgrv1.Secondary, vgrv1.StateSecondary
		}
		b.group(c, "orders", desired, said, ready("Promoted"))
		b.led(c, "orders")
		none := int32(0)
		app := map[string]string{"app": "victim"}
		b.must(c.Create(t.Context(), &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "victim"},
			Spec: appsv1.DeploymentSpec{Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: app}, Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
			}},
		}))
		var ns corev1.Namespace
		b.must(c.Get(t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
		clusters[site] = string(ns.UID)
		tenants[site] = b.tenant(site, c)
	}
	t.Run("reach", func(t *testing.T) { b.with(t).tenantReaches(tenants["west"]) })
	t.Run("promotes", func(t *testing.T) { b.with(t).tenantPromotes(tenants["west"]) })
	t.Run("journal", func(t *testing.T) { b.with(t).tenantForges(tenants, clusters) })
	t.Run("writer", func(t *testing.T) { b.with(t).tenantIsNamed(tenants, clusters) })
	t.Run("waves", func(t *testing.T) { b.with(t).tenantOrders(tenants["east"]) })
	t.Run("size", func(t *testing.T) { b.with(t).tenantFills(tenants["east"]) })
	t.Run("one permission", func(t *testing.T) { b.with(t).oneKindOnly(admins) })
}

// tenantReaches: what is another namespace's, or the cluster's, is not his.
func (b *bench) tenantReaches(tenant client.Client) {
	elsewhere := metav1.ObjectMeta{Namespace: manifests.Namespace, Name: "tenants"}
	for what, obj := range map[string]client.Object{
		"a group in another namespace": &vgrv1.VolumeGroupReplication{ObjectMeta: elsewhere, Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		}},
		"a class":                 &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "tenants"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com"}},
		"the controller's Lease":  &coordinationv1.Lease{ObjectMeta: elsewhere},
		"a volume marked no copy": &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "tenants"}},
	} {
		if err := tenant.Create(b.t.Context(), obj); !apierrors.IsForbidden(err) {
			b.t.Errorf("%s: %v", what, err)
		}
	}
	var g vgrv1.VolumeGroupReplication
	b.must(tenant.Get(b.t.Context(), keyOf("default", "orders"), &g))
	g.Status.State = vgrv1.StatePrimary
	if err := tenant.Status().Update(b.t.Context(), &g); !apierrors.IsForbidden(err) {
		b.t.Errorf("a status: %v", err)
	}
}

// tenantPromotes by the spec alone, as an old script does.
func (b *bench) tenantPromotes(tenant client.Client) {
	var g vgrv1.VolumeGroupReplication
	b.must(tenant.Get(b.t.Context(), keyOf("default", "orders"), &g))
	before := g.DeepCopy()
	g.Spec.ReplicationState = vgrv1.Primary
	deadline := time.Now().Add(30 * time.Second) //nolint:forbidigo // the server takes a moment to read the policy
	for {
		err := tenant.Patch(b.t.Context(), g.DeepCopy(), client.MergeFrom(before), client.DryRunAll)
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "nothing in this write confirms") {
			return
		}
		if time.Now().After(deadline) { //nolint:forbidigo // as above
			b.t.Fatalf("it is not refused: %v", err)
		}
	}
}

// tenantForges journals: operations that were never begun, at the point where the promotion comes next, and with workloads
// of others to scale.
func (b *bench) tenantForges(tenants map[string]client.Client, clusters map[string]string) {
	at := metav1.NewMicroTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	op := recovery.Operation{
		ID: "forged", Kind: recovery.Planned, By: "root@admin", Holder: "root@admin/1-x", Revision: 1_000, Started: at,
		From: recovery.SiteRef{Name: "east", Cluster: clusters["east"]}, To: recovery.SiteRef{Name: "west", Cluster: clusters["west"]},
		Members: map[string]string{"data": "handle-data"}, Quiesce: true, Start: true,
		Stopped: []recovery.StoppedWorkload{
			{Cluster: clusters["east"], Kind: "Deployment", Name: "victim", Replicas: 300}, {Cluster: clusters["west"], Kind: "Deployment", Name: "victim", Replicas: 300},
		},
		Steps: []recovery.StepTimes{
			{ID: recovery.StepRecord, Started: at, Finished: &at},
			{ID: recovery.StepVerify, Started: at, Finished: &at},
			{ID: recovery.StepDemote, Site: clusters["east"], Started: at, Finished: &at, Asked: true},
			{ID: recovery.StepSync, Started: at, Finished: &at},
		},
	}
	discarding := op
	discarding.Kind, discarding.Discard = recovery.Failback, true
	aborting := op
	aborting.Aborting = true
	unplanned := op
	unplanned.Kind, unplanned.Accepted = recovery.Unplanned, "unknown"
	for name, forged := range map[string]recovery.Operation{"planned": op, "unplanned": unplanned, "failback": discarding, "aborting": aborting} {
		for _, on := range [][]string{{"east"}, {"west"}, {"east", "west"}} {
			text, err := json.Marshal(forged)
			b.must(err)
			for _, site := range []string{"east", "west"} {
				var g vgrv1.VolumeGroupReplication
				b.must(tenants[site].Get(b.t.Context(), keyOf("default", "orders"), &g))
				g.Annotations = nil
				for _, s := range on {
					if s == site {
						g.Annotations = map[string]string{vgrv1.AnnotationOperation: string(text)}
					}
				}
				b.must(tenants[site].Update(b.t.Context(), &g))
			}
			for _, args := range [][]string{{"--to", "west"}, {"--abort"}} {
				r := b.vgr(append([]string{"failover", "orders", "--peer-context", "west", "--yes", "--timeout", "2s"}, args...)...)
				what := name + " on " + strings.Join(on, " and ") + ", " + strings.Join(args, " ")
				var west vgrv1.VolumeGroupReplication
				b.must(b.west.Get(b.t.Context(), keyOf("default", "orders"), &west))
				if west.Spec.ReplicationState == vgrv1.Primary {
					b.t.Errorf("%s: west was asked to be primary beside east\n%s", what, r.errOut)
				}
				if b.replicas(b.east) != 0 || b.replicas(b.west) != 0 {
					b.t.Errorf("%s: the victim has %d and %d replicas\n%s", what, b.replicas(b.east), b.replicas(b.west), r.errOut)
				}
				if strings.Contains(r.errOut, "asked to be primary already") {
					b.t.Errorf("%s: it says what is not so\n%s", what, r.errOut)
				}
			}
			if r := b.vgr("failover", "orders", "--peer-context", "west", "--discard-journal", "--yes"); r.code != 0 {
				b.t.Errorf("%s: no way out: exit code %d\n%s", name, r.code, r.errOut)
			}
		}
	}
}

// tenantIsNamed: who wrote a journal, and is not kubectl vgr, is said before anything is done with it.
func (b *bench) tenantIsNamed(tenants map[string]client.Client, clusters map[string]string) {
	op := recovery.Operation{
		ID: "forged", Kind: recovery.Planned, By: "root@admin", Holder: "root@admin/1-x", Revision: 1_000,
		From: recovery.SiteRef{Name: "east", Cluster: clusters["east"]}, To: recovery.SiteRef{Name: "west", Cluster: clusters["west"]},
	}
	elsewhere := op
	elsewhere.To.Cluster, elsewhere.To.Name = "another", "north"
	ended := op
	ended.Kind, ended.Result = recovery.Unplanned, recovery.Done
	var texts []string
	for _, op := range []recovery.Operation{op, elsewhere, ended} {
		text, err := json.Marshal(op)
		b.must(err)
		texts = append(texts, string(text))
	}
	const named = "the journal on west was last written by kubectl-annotate at 2"
	for name, text := range map[string]string{"in flight": texts[0], "elsewhere": texts[1], "ended": texts[2], "garbage": "{"} {
		var g vgrv1.VolumeGroupReplication
		b.must(tenants["west"].Get(b.t.Context(), keyOf("default", "orders"), &g))
		g.Annotations = map[string]string{vgrv1.AnnotationOperation: text}
		b.must(tenants["west"].Update(b.t.Context(), &g, client.FieldOwner("kubectl-annotate")))
		for _, args := range [][]string{
			{"failover", "orders", "--to", "west", "--dry-run=client"},
			{"failover", "orders", "--abort", "--dry-run=client"},
			{"failover", "orders", "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--dry-run=client"},
			{"validate", "orders"},
			{"status", "orders"},
			{"status", "-o", "json"},
			{"failover", "orders", "--discard-journal", "--dry-run=client"},
		} {
			r := b.vgr(append(args, "--peer-context", "west", "--color=never")...)
			said := strings.Contains(r.out+r.errOut, named)
			switch {
			case args[len(args)-1] == "json":
				said = strings.Contains(r.out, `"manager": "kubectl-annotate"`)
			case args[1] == "orders" && strings.Contains(args[len(args)-2], "--discard-journal"):
				said = strings.Contains(r.errOut, "it was last written by kubectl-annotate at 2")
			}
			if atRest := name == "ended" && args[0] == "status"; said == atRest {
				b.t.Errorf("%s: %v says it: %v\n%s%s", name, args, said, r.out, r.errOut)
			}
		}
	}
	if r := b.vgr("failover", "orders", "--peer-context", "west", "--discard-journal", "--yes"); r.code != 0 {
		b.t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	if r := b.vgr("validate", "orders", "--peer-context", "west"); strings.Contains(r.out, "last written by") {
		b.t.Errorf("of no journal:\n%s", r.out)
	}
}

// may is a client of a user who may do one thing in the namespace default of a site, and nothing else.
func (b *bench) may(site, user string, admin client.Client, rule rbacv1.PolicyRule) client.Client {
	b.t.Helper()
	meta := metav1.ObjectMeta{Namespace: "default", Name: user}
	b.must(admin.Create(b.t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}}))
	b.must(admin.Create(b.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
	}))
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	rest, err := clientcmd.NewNonInteractiveClientConfig(*config, site, nil, nil).ClientConfig()
	b.must(err)
	rest.Impersonate.UserName = user
	c, err := client.New(rest, client.Options{Scheme: admin.Scheme()})
	b.must(err)
	return c
}

// oneKindOnly: users who may write PVCs, Leases or Events, and nothing else, reach nothing else, and decide nothing.
func (b *bench) oneKindOnly(admins map[string]client.Client) {
	if r := b.vgr("failover", "orders", "--peer-context", "west", "--discard-journal", "--yes"); r.code != 0 { // of the test before
		b.t.Fatal(r.errOut)
	}
	before := map[string]string{}
	for _, args := range [][]string{{"status", "orders", "-o", "name"}, {"history", "orders"}} {
		before[args[0]] = b.vgr(append(args, "--peer-context", "west")...).out
	}
	orders := corev1.ObjectReference{APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplication", Namespace: "default", Name: "orders"}
	for site, admin := range admins {
		labeller := b.may(site, "labeller", admin, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"persistentvolumeclaims"}, Verbs: []string{"get", "patch"}})
		leaser := b.may(site, "leaser", admin, rbacv1.PolicyRule{APIGroups: []string{coordinationv1.GroupName}, Resources: []string{"leases"}, Verbs: []string{"create", "update", "get", "delete"}})
		teller := b.may(site, "teller", admin, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}})
		for user, c := range map[string]client.Client{"labeller": labeller, "leaser": leaser, "teller": teller} {
			g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "orders"}}
			if err := c.Patch(b.t.Context(), g, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"a":"b"}}}`))); !apierrors.IsForbidden(err) {
				b.t.Errorf("%s: %s writes groups: %v", site, user, err)
			}
			pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-data"}}
			if err := c.Patch(b.t.Context(), pv, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"replication.unified.io/copy-of":null}}}`))); !apierrors.IsForbidden(err) {
				b.t.Errorf("%s: %s writes volumes: %v", site, user, err)
			}
		}
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"group":null,"other":"x"}}}`))
		b.must(labeller.Patch(b.t.Context(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"}}, patch))
		b.must(leaser.Create(b.t.Context(), &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "vgr-orders"},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new("leaser"), LeaseDurationSeconds: new(int32(2147483647)), RenewTime: new(metav1.NewMicroTime(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))),
			},
		}))
		for _, reason := range []string{"OperationDone", "OperationBegun", "Promoted"} {
			b.must(teller.Create(b.t.Context(), &corev1.Event{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "forged-"}, InvolvedObject: orders, Type: corev1.EventTypeNormal,
				Reason: reason, Message: "west is primary", Source: corev1.EventSource{Component: "vgr-controller"},
			}))
		}
	}
	for _, args := range [][]string{{"status", "orders", "-o", "name"}, {"history", "orders"}} {
		if after := b.vgr(append(args, "--peer-context", "west")...).out; after != before[args[0]] {
			b.t.Errorf("%v says\n%s\nand said\n%s", args, after, before[args[0]])
		}
	}
	// The Leases are not renewed, so that the operation begins, and waits for the controllers that the bench has not.
	r := b.vgr("failover", "orders", "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--peer-context", "west", "--yes", "--timeout", "40s")
	var g vgrv1.VolumeGroupReplication
	b.must(admins["west"].Get(b.t.Context(), keyOf("default", "orders"), &g))
	if op, err := recovery.Journal(&g); err != nil || op == nil || op.Kind != recovery.Unplanned || g.Spec.ReplicationState != vgrv1.Primary {
		b.t.Errorf("a Lease has stopped it: exit code %d\n%s", r.code, r.errOut)
	}
}

// tenantOrders: waves that are no numbers.
func (b *bench) tenantOrders(tenant client.Client) {
	for _, wave := range []string{"99999999999999999999", "-9223372036854775808", "1e3", " ", "\x1b[31m0"} {
		var g vgrv1.VolumeGroupReplication
		b.must(tenant.Get(b.t.Context(), keyOf("default", "orders"), &g))
		g.Annotations = map[string]string{vgrv1.AnnotationWave: wave}
		b.must(tenant.Update(b.t.Context(), &g))
		r := b.vgr("failover", "--all", "--peer-context", "west", "--to", "west", "--dry-run=client")
		if strings.Contains(r.out+r.errOut, "\x1b") || r.code != 0 && !strings.Contains(r.errOut, vgrv1.AnnotationWave) {
			b.t.Errorf("wave %q: exit code %d\n%s%s", wave, r.code, r.out, r.errOut)
		}
	}
}

// tenantFills annotations as far as an API server lets him. What the commands print does not grow with them.
func (b *bench) tenantFills(tenant client.Client) {
	const limit = 255 << 10
	operation := `{"id":"x","kind":"` + strings.Repeat("k", 1000) + `","steps":[` + strings.Repeat(`{"id":"promote"},`, 10) + `{}]},`
	for name, annotations := range map[string]map[string]string{
		"history": {vgrv1.AnnotationHistory: "[" + strings.TrimSuffix(strings.Repeat(operation, limit/len(operation)), ",") + "]"},
		"journal": {vgrv1.AnnotationOperation: `{"id":"` + strings.Repeat("x", limit-100) + `"}`},
		"nested":  {vgrv1.AnnotationOperation: strings.Repeat("[", limit-100)},
	} {
		var g vgrv1.VolumeGroupReplication
		b.must(tenant.Get(b.t.Context(), keyOf("default", "orders"), &g))
		g.Annotations = annotations
		b.must(tenant.Update(b.t.Context(), &g))
		for _, args := range [][]string{{"list"}, {"status", "orders"}, {"validate", "orders"}, {"failover", "orders", "--to", "west", "--dry-run=client"}, {"failover", "orders", "--abort", "--dry-run=client"}} {
			r := b.vgr(append(args, "--peer-context", "west")...)
			if n := len(r.out) + len(r.errOut); n > 32<<10 {
				b.t.Errorf("%s: %v prints %d bytes", name, args, n)
			}
		}
	}
}
