// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
)

const (
	replicationGroup = "replication.storage.openshift.io"
	// patience is for slow machines; nothing takes this long.
	patience = 2 * time.Minute
)

func TestLab(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two control planes")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	l, err := lab.Start(ctx, lab.Options{Log: t.Output(), VendorBuild: true})
	if err != nil {
		t.Fatal(err)
	}
	pids := pidsOf(l)
	closed := false
	t.Cleanup(func() {
		if !closed {
			l.Close()
		}
	})
	east := l.Site(lab.East)
	t.Run("claims are bound", func(t *testing.T) { createClaims(ctx, t, east, 3) })
	t.Run("a csi-addons group becomes primary", func(t *testing.T) { promoteGroup(ctx, t, l) })
	t.Run("a cut site is out of reach for clients only", func(t *testing.T) { cutAndReconnect(ctx, t, east) })
	t.Run("requests from outside go wrong on demand", func(t *testing.T) { breakRequests(ctx, t, l) })
	t.Run("writes are counted and have an author", func(t *testing.T) { countWrites(ctx, t, east) })
	t.Run("a process that was killed comes back", func(t *testing.T) { killAndStart(ctx, t, east) })
	closed = true
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for _, pid := range append(pids, pidsOf(l)...) {
		if alive(pid) {
			t.Errorf("process %d survived Close", pid)
		}
	}
}

func createClaims(ctx context.Context, t *testing.T, site *lab.Site, n int) {
	client := kubernetes.NewForConfigOrDie(site.RESTConfig()).CoreV1().PersistentVolumeClaims("default")
	class := lab.StorageClass
	for i := range n {
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("data-%d", i), Labels: map[string]string{"app": "orders"}},
			Spec: corev1.PersistentVolumeClaimSpec{
				StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			},
		}
		if _, err := client.Create(ctx, claim, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(ctx, t, "claims to be bound", func(ctx context.Context) error {
		list, err := client.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, claim := range list.Items {
			if claim.Status.Phase != corev1.ClaimBound {
				return fmt.Errorf("%s is %s", claim.Name, claim.Status.Phase)
			}
		}
		return nil
	})
}

func promoteGroup(ctx context.Context, t *testing.T, l *lab.Lab) {
	client := dynamic.NewForConfigOrDie(l.Site(lab.East).RESTConfig())
	parameters := map[string]any{"schedulingInterval": "1m", "clusterID": "rook-ceph", "pool": "replicapool"}
	for _, key := range []string{"replication-secret", "group-replication-secret"} {
		parameters["replication.storage.openshift.io/"+key+"-name"], parameters["replication.storage.openshift.io/"+key+"-namespace"] = "rook-csi-rbd-provisioner", "rook-ceph"
	}
	class := map[string]any{"provisioner": "rbd.csi.ceph.com", "parameters": parameters}
	create(ctx, t, client, "volumegroupreplicationclasses", "", "VolumeGroupReplicationClass", "ceph", class)
	create(ctx, t, client, "volumereplicationclasses", "", "VolumeReplicationClass", "ceph", class)
	create(ctx, t, client, "volumegroupreplications", "default", "VolumeGroupReplication", "orders", map[string]any{
		"volumeGroupReplicationClassName": "ceph", "volumeReplicationClassName": "ceph", "replicationState": "primary",
		"source": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": "orders"}}},
	})
	groups := client.Resource(replication("volumegroupreplications")).Namespace("default")
	eventually(ctx, t, "the group to be primary", func(ctx context.Context) error {
		group, err := groups.Get(ctx, "orders", metav1.GetOptions{})
		if err != nil {
			return err
		}
		state, _, _ := unstructured.NestedString(group.Object, "status", "state")
		lastSync, _, _ := unstructured.NestedString(group.Object, "status", "lastSyncTime")
		if state != "Primary" || !hasCondition(group, "Completed", "True", "Promoted") || lastSync == "" {
			return fmt.Errorf("status is %v", group.Object["status"])
		}
		return nil
	})
	mirrored := 0
	for _, image := range l.Array.State().Images {
		if image.Mirrored && image.Copies["east"].Primary && image.Copies["west"].Mirror == "replaying" {
			mirrored++
		}
	}
	if mirrored != 3 {
		t.Errorf("%d images are mirrored, want 3:\n%+v", mirrored, l.Array.State())
	}
}

func cutAndReconnect(ctx context.Context, t *testing.T, site *lab.Site) {
	outside, inside := kubernetes.NewForConfigOrDie(site.RESTConfig()), kubernetes.NewForConfigOrDie(site.DirectRESTConfig())
	if err := site.Cut(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := outside.ServerVersion(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("through the proxy: %v, want the connection refused", err)
	}
	if _, err := inside.ServerVersion(); err != nil {
		t.Errorf("direct: %v", err)
	}
	if err := site.Reconnect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := outside.ServerVersion(); err != nil {
		t.Errorf("through the proxy after the cut: %v", err)
	}
}

func breakRequests(ctx context.Context, t *testing.T, l *lab.Lab) {
	site := l.Site(lab.East)
	outside, inside := kubernetes.NewForConfigOrDie(site.RESTConfig()), kubernetes.NewForConfigOrDie(site.DirectRESTConfig())
	list := func(client kubernetes.Interface) error {
		_, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		return err
	}
	fault := lab.Fault{Kind: lab.FaultHTTP, Site: lab.East, HTTP: &httpfault.Fault{Codes: []int{503}, Path: "/api/v1/namespaces"}}
	if err := l.Inject(ctx, fault); err != nil {
		t.Fatal(err)
	}
	if err := list(outside); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("through the proxy: %v, want 503", err)
	}
	if _, err := outside.ServerVersion(); err != nil {
		t.Errorf("another path: %v", err)
	}
	if err := list(inside); err != nil {
		t.Errorf("direct: %v", err)
	}
	if faults := l.Faults(); len(faults) != 1 || faults[0].String() != "site east: each request under /api/v1/namespaces is answered with 503 (from outside)" {
		t.Errorf("faults %v", faults)
	}
	if err := l.ClearFaults(ctx); err != nil {
		t.Fatal(err)
	}
	if err := list(outside); err != nil || len(l.Faults()) > 0 {
		t.Errorf("after clearing: %v, faults %v", err, l.Faults())
	}
	fault.Process = lab.Controller
	if err := l.Inject(ctx, fault); err == nil {
		t.Error("the requests of a controller that does not run are broken")
	}
}

func countWrites(ctx context.Context, t *testing.T, site *lab.Site) {
	claims := func(r lab.Requests) bool { return r.Resource == "persistentvolumeclaims" && r.Verb == "POST" }
	n, err := site.WriteRequests(ctx, claims)
	if err != nil {
		t.Fatal(err)
	}
	if n != 3 {
		t.Errorf("%v claims were created, want 3", n)
	}
	eventually(ctx, t, "csi-addons' writes to be in the audit log", func(context.Context) error {
		writes, err := site.Writes()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(writes, func(w lab.AuditEvent) bool {
			return strings.HasSuffix(w.User, ":csi-addons-controller-manager") && w.Resource == "volumereplications" && w.Verb == "create"
		}) {
			return fmt.Errorf("%d writes, none of them the creation of a VolumeReplication", len(writes))
		}
		return nil
	})
}

func killAndStart(ctx context.Context, t *testing.T, site *lab.Site) {
	if err := site.Kill(ctx, lab.APIServer); err != nil {
		t.Fatal(err)
	}
	if _, err := kubernetes.NewForConfigOrDie(site.DirectRESTConfig()).ServerVersion(); err == nil {
		t.Error("the API server answers although it was killed")
	}
	if err := site.StartProc(lab.APIServer); err != nil {
		t.Fatal(err)
	}
	if err := site.WaitReady(ctx); err != nil {
		t.Error(err)
	}
	if err := site.Kill(ctx, "scheduler"); err == nil {
		t.Error("a process that does not exist was killed")
	}
}

func replication(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: replicationGroup, Version: "v1alpha1", Resource: resource}
}

func create(ctx context.Context, t *testing.T, client dynamic.Interface, resource, namespace, kind, name string, spec map[string]any) {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": replicationGroup + "/v1alpha1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
	if _, err := client.Resource(replication(resource)).Namespace(namespace).Create(ctx, object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func hasCondition(object *unstructured.Unstructured, kind, status, reason string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(entry any) bool {
		c, _ := entry.(map[string]any)
		return c["type"] == kind && c["status"] == status && c["reason"] == reason
	})
}

// eventually polls, and fails with the last reason why not.
func eventually(ctx context.Context, t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v: %v", what, err, last)
	}
}

func pidsOf(l *lab.Lab) []int {
	var pids []int
	for _, site := range l.Sites() {
		for _, p := range site.Processes() {
			if p.PID != 0 {
				pids = append(pids, p.PID)
			}
		}
	}
	return pids
}

// alive reports whether a process exists; signal 0 only asks.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
