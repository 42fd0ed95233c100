// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestClonedCluster: the DR cluster was restored from a backup of the other one. Once it has a name, create prepares it, and
// both sites find each other and are moved without flags, by an identity that only one of them has.
func TestClonedCluster(t *testing.T) {
	c := newCreating(t)
	for i := range 20 { // since it was restored: its store is ahead
		c.must(c.west.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("later-", i)}}))
	}
	c.restore("/registry/namespaces/kube-system")
	c.volume(c.east, "data", "rbd.csi.ceph.com", map[string]string{"app": "db"})
	settle := func(at client.Client, state vgrv1.State, reason string) {
		t.Helper()
		var g vgrv1.VolumeGroupReplication
		c.must(at.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "db"}, &g))
		g.Status.State, g.Status.ObservedGeneration, g.Status.ConfirmedGeneration, g.Status.StateSince = state, g.Generation, g.Generation, new(metav1.Now())
		g.Status.LastRole, g.Status.Backend = state, "csi-addons"
		isReady := ready(reason)
		isReady.ObservedGeneration, isReady.LastTransitionTime = g.Generation, metav1.Now()
		g.Status.Conditions = []metav1.Condition{isReady}
		g.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", State: state, Health: vgrv1.HealthHealthy, VolumeHandle: "handle-data"}}
		c.must(at.Status().Update(t.Context(), &g))
	}
	c.must(c.east.Create(t.Context(), &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "db"}, Spec: vgrv1.VolumeGroupReplicationSpec{
		VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Primary, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
	}}))
	c.replicated("east", "data", "db", replicationv1.Primary, nil)
	settle(c.east, vgrv1.StatePrimary, "Promoted")
	create := []string{"create", "db", "--class", "gold", "-l", "app=db", "--context", "east", "--peer-context", "west", "--yes", "--timeout", "3s"}
	if r := c.vgr(create...); r.code != 2 || !strings.Contains(r.errOut, "restored from a backup of the other") {
		t.Fatalf("without a name: exit code %d\n%s", r.code, r.errOut)
	}
	var ns corev1.Namespace
	c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
	uid := string(ns.UID)
	metav1.SetMetaDataAnnotation(&ns.ObjectMeta, vgrv1.AnnotationClusterName, "west")
	c.must(c.west.Update(t.Context(), &ns))

	// No controller confirms the secondary, so the command ends with the time.
	if r := c.vgr(create...); r.code != 3 {
		t.Fatalf("with a name: exit code %d\n%s", r.code, r.errOut)
	}
	var pv corev1.PersistentVolume
	c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "pv-data"}, &pv))
	if of := pv.Annotations[vgrv1.AnnotationCopyOf]; of != uid {
		t.Errorf("the copy is one of cluster %q", of)
	}
	for want, at := range map[string]client.Client{uid + "/west": c.east, uid: c.west} {
		var g vgrv1.VolumeGroupReplication
		c.must(at.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "db"}, &g))
		if got := g.Annotations[vgrv1.AnnotationPeerClusterUID]; got != want {
			t.Errorf("the peer of %s is %q, want %q", g.Spec.ReplicationState, got, want)
		}
	}
	settle(c.east, vgrv1.StatePrimary, "Promoted")
	settle(c.west, vgrv1.StateSecondary, "Demoted")
	for _, here := range []string{"east", "west"} {
		c.home = t.TempDir() // nothing is remembered on this machine
		r := c.vgr("list", "-o", "json", "--context", here)
		var o struct {
			Groups []struct {
				Sites []struct {
					Site  string
					State string
				}
			}
		}
		if err := json.Unmarshal([]byte(r.out), &o); err != nil || len(o.Groups) != 1 || len(o.Groups[0].Sites) != 2 || strings.Contains(r.out, "SplitBrain") {
			t.Errorf("from %s: %v: %+v\n%s", here, err, o, r.errOut)
		}
		if r := c.vgr("failover", "db", "--to", "west", "--context", here, "--dry-run=client"); strings.Contains(r.errOut, "same cluster") || strings.Contains(r.errOut, "same identity") || !strings.Contains(r.errOut, "demote") {
			t.Errorf("from %s: exit code %d\n%s", here, r.code, r.errOut)
		}
	}
	if r := c.vgr(create...); r.code != 0 {
		t.Errorf("create again: exit code %d\n%s", r.code, r.errOut)
	}
}
