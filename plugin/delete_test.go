// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// TestDelete: a group goes and its replication stays, unless the end is asked for; then the plan says what that
// destroys. The finalizer here stands for the controller, which reads the policy.
func TestDelete(t *testing.T) {
	t.Parallel()
	c := newCreating(t)
	member := func(c *creating, site client.Client, name string, change func(*vgrv1.VolumeGroupReplication)) {
		var g vgrv1.VolumeGroupReplication
		c.must(site.Get(t.Context(), keyOf("default", name), &g))
		g.Finalizers = []string{"example.com/controller"}
		if change != nil {
			change(&g)
		}
		c.must(site.Update(t.Context(), &g))
		g.Status.Volumes = []vgrv1.VolumeStatus{{Name: name, VolumeName: "pv-" + name, VolumeHandle: "handle-" + name}}
		c.must(site.Status().Update(t.Context(), &g))
	}
	pair := func(name string) {
		c.volume(c.east, name, "rbd.csi.ceph.com", map[string]string{"group": name})
		c.volume(c.west, name, "rbd.csi.ceph.com", map[string]string{"group": name})
		c.group(c.east, name, vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
		c.group(c.west, name, vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"))
		member(c, c.east, name, nil)
		member(c, c.west, name, func(g *vgrv1.VolumeGroupReplication) {
			g.Annotations = map[string]string{vgrv1.AnnotationPeerClusterUID: "uid-of-east"}
		})
		c.replicated("east", name, name, replicationv1.Primary, nil)
		c.replicated("west", name, name, replicationv1.Secondary, nil)
	}
	policy := func(site client.Client, name string) string {
		var g vgrv1.VolumeGroupReplication
		c.must(site.Get(t.Context(), keyOf("default", name), &g))
		if g.DeletionTimestamp.IsZero() {
			t.Errorf("%s was not deleted", name)
		}
		return g.Annotations[vgrv1.AnnotationDeletionPolicy]
	}
	run := func(code int, args ...string) result {
		t.Helper()
		r := c.vgr(append([]string{"delete", "--yes", "--wait=false"}, args...)...)
		if r.code != code {
			t.Errorf("delete %v: exit code %d, want %d\n%s%s", args, r.code, code, r.out, r.errOut)
		}
		return r
	}
	says := func(r result, all ...string) {
		t.Helper()
		for _, s := range all {
			if !strings.Contains(r.errOut, s) {
				t.Errorf("does not say %q:\n%s", s, r.errOut)
			}
		}
	}
	east, west := []string{"--context", "east", "--peer-context", "west"}, []string{"--context", "west", "--peer-context", "east"}

	pair("kept")
	says(run(0, append(east, "kept")...), "replication stays")
	if p := policy(c.east, "kept"); p != vgrv1.DeletionPolicyRetain {
		t.Errorf("the policy is %q", p)
	}
	says(run(0, append(west, "kept", "--retain")...), "replication stays") // what scripts have

	pair("ended")
	r := run(0, append(west, "ended", "--end-replication")...)
	says(r, "replication of 1 volumes ends", "marked as copies", "Ceph updates them further, and removes their images when the primary's replication ends")
	if p := policy(c.west, "ended"); p != vgrv1.DeletionPolicyDelete {
		t.Errorf("the policy is %q", p)
	}
	var pv corev1.PersistentVolume
	c.must(c.west.Get(t.Context(), client.ObjectKey{Name: "pv-ended"}, &pv))
	if pv.Annotations[vgrv1.AnnotationCopyOf] != "uid-of-east" {
		t.Errorf("the copy is not marked: %v", pv.Annotations)
	}
	says(run(0, append(east, "ended", "--end-replication")...), "east is the primary", "Ceph removes the images of the copies within seconds", "without data")
	c.must(c.east.Get(t.Context(), client.ObjectKey{Name: "pv-ended"}, &pv))
	if pv.Annotations[vgrv1.AnnotationCopyOf] != "" {
		t.Error("the primary's volume is marked as a copy")
	}

	// The backend's object is on its way out already.
	pair("leaving")
	vr := &replicationv1.VolumeReplication{}
	c.must(c.site["east"].Get(t.Context(), keyOf("default", "leaving"), vr))
	vr.Finalizers = []string{"example.com/hold"}
	c.must(c.site["east"].Update(t.Context(), vr))
	c.must(c.site["east"].Delete(t.Context(), vr))
	r = run(0, append(east, "leaving")...)
	says(r, "replication of PVC leaving ends: VolumeReplication leaving is being deleted")
	if strings.Contains(r.errOut, "replication stays") {
		t.Errorf("says that the replication stays:\n%s", r.errOut)
	}
	pair("unreplicated")
	c.must(c.site["east"].Delete(t.Context(), &replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "unreplicated"}}))
	says(run(0, append(east, "unreplicated")...), "PVC unreplicated has no object of the backend that replicates it")

	// An operation is in flight; its journal may be on the other site only.
	pair("moving")
	member(c, c.west, "moving", func(g *vgrv1.VolumeGroupReplication) {
		g.Annotations[vgrv1.AnnotationOperation] = `{"id":"5f0df4c3","kind":"planned","from":{"name":"east"},"to":{"name":"west"},"by":"root@vm"}`
	})
	r = run(2, append(east, "moving")...)
	says(r, "planned failover 5f0df4c3 from east to west is in flight", "kubectl vgr failover moving --context east --peer-context west -n default --to west", "-n default --abort", "--force")
	var g vgrv1.VolumeGroupReplication
	c.must(c.east.Get(t.Context(), keyOf("default", "moving"), &g))
	if !g.DeletionTimestamp.IsZero() {
		t.Error("the group was deleted in the middle of a failover")
	}
	says(run(0, append(east, "moving", "--force")...), "no site may be primary")
	says(run(0, append(west, "moving", "--force")...), "the controller keeps the group until it has ended")

	says(run(2, append(east, "--all", "-n", "nowhere")...), "no group in namespace nowhere", "groups are in namespace default")
	run(1, append(east, "kept", "--retain", "--end-replication")...)
}
