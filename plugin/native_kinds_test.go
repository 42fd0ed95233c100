// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// object makes an object of any kind from JSON, and gives it the status that is in it.
func (b *bench) object(c client.Client, format string, args ...any) {
	b.t.Helper()
	u := &unstructured.Unstructured{}
	text := fmt.Sprintf(format, args...)
	if err := json.Unmarshal([]byte(text), &u.Object); err != nil {
		b.t.Fatalf("%v: %s", err, text)
	}
	status := u.Object["status"]
	b.must(c.Create(b.t.Context(), u))
	if status != nil {
		u.Object["status"] = status
		b.must(c.Status().Update(b.t.Context(), u))
	}
}

// ago is a time as API servers write it.
func ago(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) } //nolint:forbidigo // the plugin reads the clock of this machine

// mirror makes a TridentMirrorRelationship of which Trident says a state.
func (b *bench) mirror(c client.Client, name, labels, asks, says, local, remote string) {
	b.t.Helper()
	b.object(c, `{"apiVersion":"trident.netapp.io/v1","kind":"TridentMirrorRelationship","metadata":{"namespace":"default","name":%q,"labels":{%s}},
		"spec":{"state":%q,"volumeMappings":[{"localPVCName":%q,"remoteVolumeHandle":%q}]},
		"status":{"conditions":[{"state":%q,"lastTransitionTime":%q,"localPVCName":%q,"localVolumeHandle":%q,"remoteVolumeHandle":%q,"message":"m"}]}}`,
		name, labels, asks, strings.TrimSuffix(name, "-copy"), remote, says, ago(time.Hour), name, local, remote)
}

// TestNativeTrident: TridentMirrorRelationships are groups, paired by the handles that they publish. Trident's silence stays unknown.
func TestNativeTrident(t *testing.T) {
	b := newNative(t)
	claims := func(name string) {
		b.claim(b.east, "default", name, "pvc-east-"+name, map[string]string{"app.kubernetes.io/instance": "shop"})
		b.claim(b.west, "default", name, "pvc-west-"+name, map[string]string{"app.kubernetes.io/instance": "shop"})
	}
	for _, name := range []string{"web", "two", "torn", "twin"} {
		claims(name)
	}
	b.mirror(b.east, "web", `"app":"web"`, "promoted", "promoted", "svmA:web", "")
	b.mirror(b.west, "web-copy", "", "established", "established", "svmB:web", "svmA:web")
	b.mirror(b.east, "two", "", "promoted", "promoted", "svmA:two", "")
	b.mirror(b.west, "two", "", "promoted", "promoted", "svmB:two", "svmA:two")
	b.mirror(b.east, "torn", "", "promoted", "promoted", "svmA:torn", "")
	b.mirror(b.west, "torn", "", "established", "failed", "svmB:torn", "svmA:torn")
	b.mirror(b.east, "twin", "", "promoted", "promoted", "svm0:twin", "")
	b.mirror(b.west, "twin", "", "promoted", "promoted", "svm0:twin", "")
	b.object(b.east, `{"apiVersion":"trident.netapp.io/v1","kind":"TridentMirrorRelationship","metadata":{"namespace":"default","name":"kept",
		"ownerReferences":[{"apiVersion":"protect.trident.netapp.io/v1","kind":"AppMirrorRelationship","name":"amr","uid":"u","controller":true}]},
		"spec":{"state":"established","volumeMappings":[{"localPVCName":"kept"}]}}`)
	got := b.listed("list", "-A", "--peer-context", "west")
	for name, want := range map[string]struct {
		phase    overview.Phase
		by, text string
	}{
		"default/web":  {overview.Unknown, "trident", "how far its copy is behind is not known"},
		"default/two":  {overview.SplitBrain, "trident", ""},
		"default/torn": {overview.Failed, "trident", "Trident tries again only when the spec changes"},
		"default/twin": {overview.Unpaired, "trident", "on west"}, // the volumes of two storage systems, of which neither follows
		"default/kept": {overview.Unpaired, "trident-protect", ""},
	} {
		if g := got[name]; g.Verdict.Phase != want.phase || g.ManagedBy != want.by || !strings.Contains(g.Verdict.Message, want.text) {
			t.Errorf("%s: %+v, managed by %q", name, g.Verdict, g.ManagedBy)
		}
	}
	if len(got) != 6 {
		t.Errorf("%d groups", len(got))
	}
	if g := b.listed("list", "-l", "app=web", "--peer-context", "west"); len(g) != 1 || g["default/web"].LagSeconds != nil {
		t.Errorf("%+v", g)
	}
	if g := b.listed("list", "--managed-by", "trident", "--group-by", "app.kubernetes.io/instance", "--peer-context", "west")["default/shop"]; len(g.Sites) != 2 || len(g.Sites[0].Volumes) != 4 || g.Sites[1].Native == nil {
		t.Errorf("grouped by a label: %+v", g)
	}
	if r := b.vgr("list", "--group-by", "auto", "--peer-context", "west"); !strings.Contains(r.out, "shop") || !strings.Contains(r.errOut, "grouped by the first label that they or their PVCs have of: app.kubernetes.io/instance") {
		t.Errorf("%+v", r)
	}
	for _, r := range [][]string{{"list"}, {"status", "web", "torn"}} {
		t.Log(b.vgr(append(r, "--peer-context", "west")...).out)
	}
	for _, name := range []string{"web", "kept"} {
		r := b.vgr("failover", name, "--to", "west", "--peer-context", "west", "--yes")
		if want := map[string]string{"web": "kubectl vgr migrate", "kept": "describe appmirrorrelationships.protect.trident.netapp.io amr -n default"}[name]; r.code != 2 || !strings.Contains(r.errOut, want) {
			t.Errorf("%+v", r)
		}
	}
}

// replicationGroup makes a DellCSIReplicationGroup as Dell's sidecar reports it.
func (b *bench) replicationGroup(c client.Client, name, array, remote, link string, source bool, heard time.Duration) {
	b.t.Helper()
	b.object(c, `{"apiVersion":"replication.storage.dell.com/v1","kind":"DellCSIReplicationGroup","metadata":{"name":%q,"annotations":{"replication.storage.dell.com/remoteReplicationGroupName":%q}},
		"spec":{"driverName":"csi-powerstore.dellemc.com","action":"","remoteClusterId":"other","protectionGroupId":%q,"remoteProtectionGroupId":%q},
		"status":{"state":"Ready","replicationLinkState":{"state":%q,"isSource":%v,"lastSuccessfulUpdate":%q}}}`, name, name, array, remote, link, source, ago(heard))
}

// TestNativeDell: DellCSIReplicationGroups are groups, with the volumes that name them.
func TestNativeDell(t *testing.T) {
	b := newNative(t)
	for _, name := range []string{"rg-ok", "rg-old", "rg-cut"} {
		for i, c := range []client.Client{b.east, b.west} {
			site := []string{"east", "west"}[i]
			for _, pvc := range []string{"a", "b"} {
				b.object(c, `{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv-%s-%s","labels":{"replication.storage.dell.com/replicationGroupName":%q}},
					"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"x","claimRef":{"namespace":"shop","name":"%s-%s"},
					"csi":{"driver":"csi-powerstore.dellemc.com","volumeHandle":"%s-%s"}}}`, name, pvc, name, name, pvc, site, pvc)
			}
			link, heard := "SYNCHRONIZED", -2*time.Minute // it counts for three minutes, also on a slow machine
			if name == "rg-cut" {
				link = "SUSPENDED"
			}
			if name == "rg-old" {
				heard = time.Hour
			}
			arrays := []string{"array-east-" + name, "array-west-" + name}
			b.replicationGroup(c, name, arrays[i], arrays[1-i], link, i == 0, heard)
		}
	}
	b.replicationGroup(b.east, "rg-lone", "array-lone", "", "SYNCHRONIZED", true, time.Second)
	got := b.listed("list", "-A", "--peer-context", "west")
	for name, want := range map[string]struct {
		phase overview.Phase
		text  string
	}{
		"shop/rg-ok":  {overview.Protected, "its storage says that the link is in sync"},
		"shop/rg-old": {overview.Failed, "the array was last asked with success"},
		"shop/rg-cut": {overview.Degraded, "suspended"},
		"/rg-lone":    {overview.Unpaired, ""},
	} {
		if g := got[name]; g.Verdict.Phase != want.phase || g.ManagedBy != "dell" || !strings.Contains(g.Verdict.Message, want.text) {
			t.Errorf("%s: %+v, managed by %q", name, g.Verdict, g.ManagedBy)
		}
	}
	if g := got["shop/rg-ok"]; len(got) != 4 || len(g.Sites) != 2 || len(g.Sites[0].Volumes) != 2 || g.Sites[1].State != "Secondary" || g.Sites[0].Volumes[0].Name != "rg-ok-a" {
		t.Errorf("%d groups, %+v", len(got), g)
	}
	if g := b.listed("status", "rg-ok", "-n", "shop", "--peer-context", "west"); len(g) != 1 {
		t.Errorf("%+v", g)
	}
	r := b.vgr("failover", "rg-ok", "-n", "shop", "--to", "west", "--peer-context", "west", "--yes")
	if r.code != 2 || !strings.Contains(r.errOut, "repctl failover --rg rg-ok") || !strings.Contains(r.errOut, "DellCSIReplicationGroup rg-ok on east, managed by dell") {
		t.Errorf("%+v", r)
	}
	for _, r := range [][]string{{"list", "-A"}, {"status", "rg-ok", "-n", "shop"}} {
		t.Log(b.vgr(append(r, "--peer-context", "west")...).out)
	}
}

// TestNativeRamen: a VolumeReplicationGroup of Ramen is one group with what Ramen has made for it. On the secondary it is all there is.
func TestNativeRamen(t *testing.T) {
	b := newNative(t)
	vrg := func(c client.Client, namespace, name, asks, says string, observed int, more string) {
		b.object(c, `{"apiVersion":"ramendr.openshift.io/v1alpha1","kind":"VolumeReplicationGroup","metadata":{"namespace":%q,"name":%q,
			"annotations":{"drplacementcontrol.ramendr.openshift.io/drpc-name":"%s-drpc","drplacementcontrol.ramendr.openshift.io/drpc-namespace":"apps"}},
			"spec":{"replicationState":%q,"pvcSelector":{},"s3Profiles":["s3"],"async":{"schedulingInterval":"5m"}},
			"status":{"state":%q,"observedGeneration":%d,"lastUpdateTime":%q,"conditions":[{"type":"DataReady","status":"True","reason":"Ready","message":"PVCs are ready","observedGeneration":%d,"lastTransitionTime":%q}%s}}`,
			namespace, name, name, asks, says, observed, ago(time.Minute), observed, ago(time.Hour), more)
	}
	primary := func(pvc string, synced time.Duration) string {
		return fmt.Sprintf(`],"lastGroupSyncTime":%q,"protectedPVCs":[{"namespace":"default","name":%q,"lastSyncTime":%q,"lastSyncBytes":10,"resources":{}}]`, ago(synced), pvc, ago(synced))
	}
	for _, name := range []string{"shop", "late", "old", "torn", "half"} {
		b.claim(b.east, "default", "pvc-"+name, "h-"+name, nil)
		synced := time.Minute
		if name == "late" {
			synced = time.Hour / 2
		}
		observed := 1
		if name == "old" {
			observed = 7
		}
		more := primary("pvc-"+name, synced)
		if name == "torn" {
			more = fmt.Sprintf(`,{"type":"ClusterDataProtected","status":"False","reason":"UploadError","message":"no bucket","lastTransitionTime":%q}`, ago(time.Minute)) + more
		}
		vrg(b.east, "default", name, "primary", "Primary", observed, more)
		b.replication(b.east, "default", "pvc-"+name, "pvc-"+name, name != "half", synced, func(vr *replicationv1.VolumeReplication) {
			vr.Labels = map[string]string{"ramendr.openshift.io/owner-name": name, "ramendr.openshift.io/owner-namespace-name": "default"}
		})
		vrg(b.west, "default", name, "secondary", "Secondary", 1, "]")
	}
	vrg(b.west, "default", "only", "secondary", "Secondary", 1, "]")
	got := b.listed("list", "-A", "--peer-context", "west")
	for name, want := range map[string]struct {
		phase overview.Phase
		text  string
	}{
		"default/shop": {overview.Protected, "replicates in time"},
		"default/late": {overview.Lagging, "the schedule is 5m0s"},
		"default/old":  {overview.Transitioning, "waiting for the backend's answer"},
		"default/torn": {overview.Degraded, "no bucket"},
		"default/half": {overview.Unknown, "half asks for primary, and VolumeReplication pvc-half for secondary"},
		"default/only": {overview.Unpaired, "on east"},
	} {
		if g := got[name]; g.Verdict.Phase != want.phase || g.ManagedBy != "ramen" || !strings.Contains(g.Verdict.Message, want.text) {
			t.Errorf("%s: %+v, managed by %q", name, g.Verdict, g.ManagedBy)
		}
	}
	if len(got) != 6 {
		t.Errorf("%d groups", len(got))
	}
	if g := got["default/shop"]; g.Sites[1].State != "Secondary" || g.Sites[0].Volumes[0].LastSyncTime == nil || g.Sites[0].Native.Kind != "VolumeReplicationGroup" {
		t.Errorf("%+v", g)
	}
	for _, args := range [][]string{{"failover", "shop", "--to", "west"}, {"demote", "shop"}, {"delete", "shop"}} {
		r := b.vgr(append(args, "--peer-context", "west", "--yes")...)
		if r.code != 2 || !strings.Contains(r.errOut, "kubectl edit drplacementcontrols.ramendr.openshift.io shop-drpc -n apps") || !strings.Contains(r.errOut, "managed by ramen") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	for _, r := range [][]string{{"list", "-A"}, {"status", "shop"}} {
		t.Log(b.vgr(append(r, "--peer-context", "west")...).out)
	}
}

// TestNativeBeside: what a group of ours drives is shown as that alone, also when the query leaves that group out.
func TestNativeBeside(t *testing.T) {
	b := newBench(t, vendorCRDs(t)...)
	b.profiles = drivers.Profiles()
	for i, c := range []client.Client{b.east, b.west} {
		site := []string{"east", "west"}[i]
		for _, name := range []string{"rg-ours", "rg-theirs"} {
			b.object(c, `{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv-%s","labels":{"replication.storage.dell.com/replicationGroupName":%q}},
				"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"storageClassName":"x","claimRef":{"namespace":"default","name":%q},
				"csi":{"driver":"csi-powerstore.dellemc.com","volumeHandle":"%s-%s"}}}`, name, name, name, site, name)
			arrays := []string{"array-east-" + name, "array-west-" + name}
			b.replicationGroup(c, name, arrays[i], arrays[1-i], "SYNCHRONIZED", i == 0, -time.Minute)
		}
		b.object(c, `{"apiVersion":"replication.unified.io/v1alpha2","kind":"VolumeGroupReplication","metadata":{"namespace":"default","name":"db","labels":{"app":"db"}},
			"spec":{"volumeGroupReplicationClass":"dell","replicationState":%q,"selector":{"matchLabels":{"app":"db"}}},
			"status":{"backendRef":{"apiVersion":"replication.storage.dell.com/v1","kind":"DellCSIReplicationGroup","name":"rg-ours"}}}`, []string{"primary", "secondary"}[i])
	}
	for what, tc := range map[string]struct {
		args []string
		want []string
	}{
		"all":                  {[]string{"list", "--managed-by", "all"}, []string{"default/db", "default/rg-theirs"}},
		"its manager":          {[]string{"list", "--managed-by", "dell"}, []string{"default/rg-theirs"}},
		"our name":             {[]string{"list", "db", "--managed-by", "all"}, []string{"default/db"}},
		"the other's name":     {[]string{"list", "rg-theirs", "--managed-by", "all"}, []string{"default/rg-theirs"}},
		"a label":              {[]string{"list", "-A", "-l", "app!=db", "--managed-by", "all"}, []string{"default/rg-theirs"}},
		"a label, its manager": {[]string{"list", "-A", "-l", "app!=db", "--managed-by", "dell"}, []string{"default/rg-theirs"}},
	} {
		if got := slices.Sorted(maps.Keys(b.listed(append(tc.args, "--peer-context", "west")...))); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", what, got, tc.want)
		}
	}
	if r := b.vgr("list", "rg-ours", "--managed-by", "all", "--peer-context", "west"); r.code != 2 || !strings.Contains(r.errOut, "no group rg-ours") {
		t.Errorf("the name of what db drives: %+v", r)
	}
}

// TestNativeRamenOther: volumes that Ramen replicates by VolSync have no VolumeReplication, and their times are Ramen's; of storage
// that replicates synchronously Ramen reports no proof.
func TestNativeRamenOther(t *testing.T) {
	t.Parallel()
	b := newNative(t)
	vrg := func(c client.Client, name, role, kind, more string) {
		says := map[string]string{"primary": "Primary", "secondary": "Secondary"}[role]
		b.object(c, `{"apiVersion":"ramendr.openshift.io/v1alpha1","kind":"VolumeReplicationGroup","metadata":{"namespace":"default","name":%q},
			"spec":{"replicationState":%q,"pvcSelector":{},"s3Profiles":["s3"],%s},
			"status":{"state":%q,"observedGeneration":1,"conditions":[{"type":"DataReady","status":"True","reason":"Ready","message":"m","observedGeneration":1,"lastTransitionTime":%q}]%s}}`,
			name, role, kind, says, ago(time.Hour), more)
	}
	const async, volSync = `"async":{"schedulingInterval":"5m"}`, `"async":{"schedulingInterval":"5m"},"volSync":{"rdSpec":[{"protectedPVC":{"name":"files","namespace":"default","protectedByVolSync":true,"resources":{}}}]}`
	protected := func(pvc string, byVolSync bool, synced time.Duration) string {
		return fmt.Sprintf(`,"lastGroupSyncTime":%q,"protectedPVCs":[{"namespace":"default","name":%q,"protectedByVolSync":%v,"lastSyncTime":%q,"resources":{}}]`, ago(synced), pvc, byVolSync, ago(synced))
	}
	for _, name := range []string{"files", "files-late", "metro"} {
		b.claim(b.east, "default", name, "h-"+name, nil)
	}
	vrg(b.east, "files", "primary", async, protected("files", true, time.Minute))
	vrg(b.west, "files", "secondary", volSync, "")
	vrg(b.east, "files-late", "primary", async, protected("files-late", true, time.Hour/2))
	vrg(b.west, "files-late", "secondary", async, "")
	vrg(b.east, "metro", "primary", `"sync":{}`, `,"protectedPVCs":[{"namespace":"default","name":"metro","resources":{}}]`)
	vrg(b.west, "metro", "secondary", `"sync":{}`, "")
	got := b.listed("list", "-A", "--peer-context", "west")
	for name, want := range map[string]struct {
		phase         overview.Phase
		backend, text string
	}{
		"default/files":      {overview.Protected, "volsync", "replicates in time"},
		"default/files-late": {overview.Lagging, "volsync", "the schedule is 5m0s"},
		"default/metro":      {overview.Unknown, "csi-addons", "replicates synchronously"},
	} {
		if g := got[name]; g.Verdict.Phase != want.phase || g.ManagedBy != "ramen" || g.Backend != want.backend || !strings.Contains(g.Verdict.Message, want.text) {
			t.Errorf("%s: %+v, managed by %q, backend %q", name, g.Verdict, g.ManagedBy, g.Backend)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d groups", len(got))
	}
	for name, g := range b.listed("list", "-A", "--peer-context", "dead") {
		if g.Verdict.Phase != overview.Unreachable || g.Sites[0].State != "Primary" {
			t.Errorf("alone: %s: %+v", name, g.Verdict)
		}
	}
	t.Log(b.vgr("status", "-A", "--peer-context", "west").out)
}
