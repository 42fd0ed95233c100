// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// readable are the kinds that groups of others are read from, with their API groups.
func readable() map[string]string {
	return map[string]string{
		"persistentvolumeclaims": "", "persistentvolumes": "", "storageclasses": "storage.k8s.io",
		"volumereplications": "replication.storage.openshift.io", "volumegroupreplications": "replication.storage.openshift.io",
		"volumegroupreplicationcontents": "replication.storage.openshift.io", "volumereplicationclasses": "replication.storage.openshift.io",
		"csiaddonsnodes": "csiaddons.openshift.io", "tridentmirrorrelationships": "trident.netapp.io", "tridentactionmirrorupdates": "trident.netapp.io",
		"dellcsireplicationgroups": "replication.storage.dell.com", "volumereplicationgroups": "ramendr.openshift.io",
	}
}

// all but one of the kinds may be listed by a user, on both sites.
func (b *bench) denied(user, kind string) {
	b.t.Helper()
	var rules []rbacv1.PolicyRule
	for resource, group := range readable() {
		if resource != kind {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"list"}})
		}
	}
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(b.t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules}))
		b.must(c.Create(b.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		}))
	}
}

// everyTool makes a group of each tool that replicates from east to west.
func (b *bench) everyTool() {
	b.t.Helper()
	b.nativePair()
	for i, c := range []client.Client{b.east, b.west} {
		site := []string{"east", "west"}[i]
		for _, pvc := range []string{"a", "b"} {
			b.claim(c, "default", pvc, "h-"+pvc, map[string]string{"app": "shop"})
		}
		b.nativeGroup(c, "shop", i == 0, "a", "b")
		b.claim(c, "default", "web", "pvc-"+site+"-web", nil)
		b.mirror(c, "web", "", []string{"promoted", "established"}[i], []string{"promoted", "established"}[i], []string{"svmA:web", "svmB:web"}[i], []string{"", "svmA:web"}[i])
		b.object(c, `{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv-rg","labels":{"replication.storage.dell.com/replicationGroupName":"rg"}},
			"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"x","claimRef":{"namespace":"default","name":"dell"},
			"csi":{"driver":"csi-powerstore.dellemc.com","volumeHandle":"%s-dell"}}}`, site)
		arrays := []string{"array-east", "array-west"}
		b.replicationGroup(c, "rg", arrays[i], arrays[1-i], "SYNCHRONIZED", i == 0, 0)
		more := "]"
		if i == 0 {
			b.claim(c, "default", "pvc-ramen", "h-ramen", nil)
			b.replication(c, "default", "pvc-ramen", "pvc-ramen", true, time.Minute, func(vr *replicationv1.VolumeReplication) {
				vr.Labels = map[string]string{"ramendr.openshift.io/owner-name": "ramen", "ramendr.openshift.io/owner-namespace-name": "default"}
			})
			more = fmt.Sprintf(`],"lastGroupSyncTime":%q,"protectedPVCs":[{"namespace":"default","name":"pvc-ramen","lastSyncTime":%q,"resources":{}}]`, ago(time.Minute), ago(time.Minute))
		}
		b.object(c, `{"apiVersion":"ramendr.openshift.io/v1alpha1","kind":"VolumeReplicationGroup","metadata":{"namespace":"default","name":"ramen"},
			"spec":{"replicationState":%q,"pvcSelector":{},"s3Profiles":["s3"],"async":{"schedulingInterval":"5m"}},
			"status":{"state":%q,"observedGeneration":1,"conditions":[{"type":"DataReady","status":"True","reason":"Ready","message":"m","observedGeneration":1,"lastTransitionTime":%q}%s}}`,
			[]string{"primary", "secondary"}[i], []string{"Primary", "Secondary"}[i], ago(time.Hour), more)
	}
}

// TestNativeDenied: of a kind that may not be listed that is said once for each site, and the rest is shown; what it would prove is not
// claimed. The same while the other site is down.
func TestNativeDenied(t *testing.T) {
	t.Parallel()
	b := newNative(t)
	b.everyTool()
	const gone, any = overview.Phase("not shown"), overview.Phase("of any phase") // Dell's objects are soon too old to be believed
	all := map[string]overview.Phase{
		"default/data": overview.Protected, "default/shop": overview.Protected, "default/web": overview.Unknown, "default/rg": any, "default/ramen": overview.Protected,
	}
	for kind, want := range map[string]map[string]overview.Phase{ // what differs
		"volumereplications":             {"default/data": gone, "default/shop": overview.Unknown},
		"volumegroupreplications":        {"default/shop": gone},
		"volumegroupreplicationcontents": {"default/shop": overview.Unknown},
		"volumereplicationclasses":       {},
		"csiaddonsnodes":                 {},
		"tridentmirrorrelationships":     {"default/web": gone},
		"tridentactionmirrorupdates":     {},
		"dellcsireplicationgroups":       {"default/rg": gone},
		"storageclasses":                 {},
		"volumereplicationgroups":        {"default/ramen": gone, "default/pvc-ramen": overview.Unknown},
		"persistentvolumeclaims":         {"default/data": overview.Unknown, "default/shop": overview.Unknown},
		"persistentvolumes":              {"default/data": overview.Unknown, "default/shop": overview.Unknown, "default/rg": gone, "/rg": overview.Unknown},
	} {
		t.Run(kind, func(t *testing.T) {
			b := b.with(t)
			user, learned := "without-"+kind, time.After(3*time.Minute)
			b.denied(user, kind)
			both := []string{"list", "-A", "--peer-context", "west", "--as", user}
			r := b.vgr(both...)
			for ; strings.Count(r.errOut, "cannot be listed") != 2; r = b.vgr(both...) { // the API servers learn of the permissions
				select {
				case <-learned:
					t.Fatalf("%+v", r)
				case <-time.After(100 * time.Millisecond):
				}
			}
			name := kind
			if group := readable()[kind]; group != "" {
				name += "." + group
			}
			if n := strings.Count(r.errOut, name+" cannot be listed"); n != 2 || r.code != 0 {
				t.Errorf("said %d times: %+v", n, r)
			}
			wanted := maps.Clone(all)
			maps.Copy(wanted, want)
			got := b.listed(both...)
			for group, phase := range wanted {
				g, ok := got[group]
				if !ok {
					g.Verdict.Phase = gone
				}
				if g.Verdict.Phase != phase && (!ok || phase != any) {
					t.Errorf("%s: %+v, want %s", group, g.Verdict, phase)
				}
			}
			alone := b.vgr("list", "-A", "--peer-context", "dead", "--as", user)
			if n := strings.Count(alone.errOut, name+" cannot be listed"); n != 1 || alone.code != 0 {
				t.Errorf("alone: said %d times: %+v", n, alone)
			}
			for group, g := range b.listed("list", "-A", "--peer-context", "dead", "--as", user) {
				if g.Verdict.Phase == overview.Protected || g.Verdict.Message == "" {
					t.Errorf("alone: %s: %+v", group, g.Verdict)
				}
			}
			t.Log(r.out, r.errOut)
		})
	}
}
