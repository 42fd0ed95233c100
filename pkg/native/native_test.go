// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package native_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/native"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC) }

func csi(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "replication.storage.openshift.io", Version: "v1alpha1", Resource: plural}
}

// site has one volume with a VolumeReplication; more are fields of its status.
func site(name, handle string, primary bool, more string) native.Site {
	spec, said := "secondary", `"state":"Secondary","conditions":[{"type":"Completed","status":"True","reason":"Demoted","lastTransitionTime":"2026-01-02T01:00:00Z"},{"type":"Degraded","status":"True","reason":"VolumeDegraded","lastTransitionTime":"2026-01-02T01:00:00Z"}]`
	if primary {
		spec, said = "primary", `"state":"Primary","conditions":[{"type":"Completed","status":"True","reason":"Promoted","lastTransitionTime":"2026-01-01T01:00:00Z"},{"type":"Degraded","status":"False","reason":"Healthy","lastTransitionTime":"2026-01-02T01:00:00Z"}]`
	}
	return native.Site{Name: name, Now: metav1.NewTime(now()), Listed: backend.Listed{
		csi("volumereplications"): {json.RawMessage(fmt.Sprintf(
			`{"metadata":{"namespace":"a","name":"db","generation":2},"spec":{"volumeReplicationClass":"rbd","replicationState":%q,"dataSource":{"kind":"PersistentVolumeClaim","name":"db"}},"status":{"observedGeneration":2,%s%s}}`, spec, said, more))},
		csi("volumereplicationclasses"): {json.RawMessage(`{"metadata":{"name":"rbd"},"spec":{"provisioner":"rbd.csi.ceph.com","parameters":{"schedulingInterval":"5m"}}}`)},
		backend.PVCResource():           {json.RawMessage(`{"metadata":{"namespace":"a","name":"db"},"spec":{"volumeName":"pv"}}`)},
		backend.PVResource():            {json.RawMessage(fmt.Sprintf(`{"metadata":{"name":"pv"},"spec":{"csi":{"driver":"rbd.csi.ceph.com","volumeHandle":%q}}}`, handle))},
	}}
}

// shown is the overview of the groups of two sites.
func shown(sites ...native.Site) overview.Overview {
	found := native.Find(drivers.Profiles(), sites)
	inputs := make([]overview.SiteInput, len(sites))
	for i, s := range sites {
		inputs[i] = overview.SiteInput{Site: overview.Site{Name: s.Name, Answered: true, ServerTime: &s.Now}, Groups: found[i].Groups, Native: found[i].Native}
	}
	return overview.Build(inputs, now())
}

// TestProven: a group is Protected when all of it is proven, and says why it is not otherwise.
func TestProven(t *testing.T) {
	const synced = `,"lastSyncTime":"2026-01-02T02:59:00Z"`
	edited := func(s native.Site, kind schema.GroupVersionResource, old, text string) native.Site {
		s.Listed[kind] = []json.RawMessage{json.RawMessage(strings.Replace(string(s.Listed[kind][0]), old, text, 1))}
		return s
	}
	without := func(s native.Site, kind schema.GroupVersionResource) native.Site {
		delete(s.Listed, kind)
		return s
	}
	east, west := site("east", "h", true, synced), site("west", "h", false, "")
	vr := csi("volumereplications")
	for what, tc := range map[string]struct {
		east, west native.Site
		want       overview.Phase
		message    string
	}{
		"in time": {east, west, overview.Protected, ""},
		"synchronised before it became primary last": {site("east", "h", true, `,"lastSyncTime":"2026-01-02T00:30:00Z"`), west, overview.Lagging, "reported no synchronisation since"},
		"both primary":                         {east, site("west", "h", true, synced), overview.SplitBrain, ""},
		"both secondary":                       {site("east", "h", false, ""), west, overview.NoPrimary, ""},
		"an old status":                        {edited(site("east", "h", true, synced), vr, `"observedGeneration":2`, `"observedGeneration":1`), west, overview.Transitioning, "waiting for the backend's answer"},
		"no handle":                            {without(site("east", "h", true, synced), backend.PVResource()), west, overview.Unknown, "same volumes is not known"},
		"a status of another type":             {edited(site("east", "h", true, synced), vr, `"observedGeneration":2`, `"observedGeneration":"two"`), west, overview.Unknown, "cannot be read"},
		"no PVC":                               {edited(site("east", "h", true, synced), backend.PVCResource(), `"name":"db"`, `"name":"other"`), west, overview.Unknown, "PVC db does not exist"},
		"a state that nobody knows":            {edited(site("east", "h", true, synced), vr, `"state":"Primary"`, `"state":"Promoting"`), west, overview.Transitioning, ""},
		"a reason of ours":                     {edited(site("east", "h", true, synced), vr, `"status":"True","reason":"Promoted"`, `"status":"False","reason":"PromotionNotConfirmed"`), west, overview.Failed, ""},
		"never synchronised, without schedule": {without(site("east", "h", true, ""), csi("volumereplicationclasses")), without(site("west", "h", false, ""), csi("volumereplicationclasses")), overview.Unknown, "no completed synchronisation"},
		"a time of no condition":               {edited(site("east", "h", true, synced), vr, `"lastTransitionTime":"2026-01-01T01:00:00Z"`, `"lastTransitionTime":null`), west, overview.Unknown, ""},
		"being deleted":                        {edited(site("east", "h", true, synced), vr, `"generation":2`, `"generation":2,"deletionTimestamp":"2026-01-02T02:00:00Z"`), west, overview.Failed, "being deleted, which ends the replication"},
	} {
		o := shown(tc.east, tc.west)
		if len(o.Groups) != 1 {
			t.Errorf("%s: %d groups", what, len(o.Groups))
			continue
		}
		v := o.Groups[0].Verdict
		if v.Phase != tc.want || !strings.Contains(v.Message, tc.message) || v.Phase != overview.Protected && v.Message == "" {
			t.Errorf("%s: %+v", what, v)
		}
	}
}

// TestPairs: what belongs together is found by the volumes, whatever it is called; one name does not make two groups one.
func TestPairs(t *testing.T) {
	const synced = `,"lastSyncTime":"2026-01-02T02:59:00Z"`
	renamed := func(s native.Site) native.Site {
		for kind, objects := range s.Listed {
			s.Listed[kind] = []json.RawMessage{json.RawMessage(strings.NewReplacer(`"namespace":"a"`, `"namespace":"dr"`, `"name":"db"`, `"name":"copy"`).Replace(string(objects[0])))}
		}
		return s
	}
	for what, tc := range map[string]struct {
		west native.Site
		want []overview.Phase
	}{
		"other names":   {renamed(site("west", "h", false, "")), []overview.Phase{overview.Protected}},
		"other handles": {site("west", "x", false, ""), []overview.Phase{overview.Unpaired, overview.Unpaired}},
		"told handles":  {site("west", "x", false, `,"destinationVolumeID":"h"`), []overview.Phase{overview.Protected}},
	} {
		o := shown(site("east", "h", true, synced), tc.west)
		var got []overview.Phase
		for _, g := range o.Groups {
			got = append(got, g.Verdict.Phase)
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) || o.Groups[0].Name != "db" {
			t.Errorf("%s: %v, %+v", what, got, o.Groups[0])
		}
	}
}

// FuzzNative: whatever the fields of an object are, it is shown, and Protected only with a proof.
func FuzzNative(f *testing.F) {
	for _, more := range []string{`,"lastSyncTime":"2026-01-02T02:59:00Z"`, ``, `,"message":"\u001b[2J"`} {
		s := site("east", "h", true, more)
		f.Add([]byte(s.Listed[csi("volumereplications")][0]), []byte(s.Listed[backend.PVCResource()][0]), []byte(s.Listed[backend.PVResource()][0]), []byte(s.Listed[csi("volumereplicationclasses")][0]))
	}
	f.Add([]byte(`{"metadata":{"name":"x"},"spec":{"dataSource":{"kind":"VolumeGroupReplication"}}}`), []byte(`{}`), []byte(`{"spec":{"csi":{}}}`), []byte(`null`))
	f.Add([]byte(`{"metadata":{"name":"x","generation":-1},"status":7}`), []byte(`[]`), []byte(`{"spec":{"capacity":{"storage":"9"}}}`), []byte(`""`))
	f.Fuzz(func(t *testing.T, vr, pvc, pv, class []byte) {
		for _, data := range [][]byte{vr, pvc, pv, class} {
			if !json.Valid(data) {
				return
			}
		}
		east := native.Site{Name: "east", Now: metav1.NewTime(now()), Listed: backend.Listed{
			csi("volumereplications"): {vr}, csi("volumegroupreplications"): {vr}, csi("volumegroupreplicationcontents"): {vr},
			csi("volumereplicationclasses"): {class}, backend.PVCResource(): {pvc}, backend.PVResource(): {pv},
		}}
		for _, g := range shown(east, site("west", "h", false, "")).Groups {
			if g.Verdict.Message == "" {
				t.Errorf("%s: no reason for %s", g.Name, g.Verdict.Phase)
			}
			if g.Verdict.Phase != overview.Protected {
				continue
			}
			for _, s := range g.Sites {
				if !s.Exists || !s.Current || s.Ready.Status != metav1.ConditionTrue {
					t.Errorf("%s is Protected with %+v", g.Name, s)
				}
			}
			if p, ok := g.Primary(); !ok || p.LastSyncTime == nil || p.Desired != vgrv1.Primary {
				t.Errorf("%s is Protected with primary %+v", g.Name, p)
			}
		}
	})
}

// FuzzKinds: the same for the objects of Trident, Dell and Ramen, which may have any fields.
func FuzzKinds(f *testing.F) {
	const mirror = `{"metadata":{"namespace":"a","name":"db"},"spec":{"state":"promoted","volumeMappings":[{"localPVCName":"db"}]},"status":{"conditions":[{"state":"promoted","localVolumeHandle":"s:v","lastTransitionTime":"2026-01-01T01:00:00Z"}]}}`
	const group = `{"metadata":{"name":"rg","annotations":{"replication.storage.dell.com/remoteReplicationGroupName":"rg"}},"spec":{"protectionGroupId":"p","remoteProtectionGroupId":"q"},"status":{"replicationLinkState":{"state":"SYNCHRONIZED","isSource":true,"lastSuccessfulUpdate":"2026-01-02T02:59:59Z"}}}`
	const ramen = `{"metadata":{"namespace":"a","name":"db","generation":1},"spec":{"replicationState":"primary","async":{"schedulingInterval":"5m"}},"status":{"state":"Primary","observedGeneration":1,"lastGroupSyncTime":"2026-01-02T02:59:00Z","protectedPVCs":[{"name":"db","lastSyncTime":"2026-01-02T02:59:00Z"}],"conditions":[{"type":"DataReady","status":"True","observedGeneration":1,"lastTransitionTime":"2026-01-01T01:00:00Z"}]}}`
	const pv = `{"metadata":{"name":"pv","labels":{"replication.storage.dell.com/replicationGroupName":"rg"}},"spec":{"claimRef":{"namespace":"a","name":"db"},"csi":{"driver":"d","volumeHandle":"h"}}}`
	const vr = `{"metadata":{"namespace":"a","name":"db","generation":1,"labels":{"ramendr.openshift.io/owner-name":"db"}},"spec":{"replicationState":"primary","dataSource":{"kind":"PersistentVolumeClaim","name":"db"}},"status":{"state":"Primary","observedGeneration":1}}`
	f.Add([]byte(mirror), []byte(`{"metadata":{"namespace":"a","name":"u"},"spec":{"tridentMirrorRelationshipName":"db"},"status":{"state":"Succeeded"}}`), []byte(group), []byte(ramen), []byte(pv), []byte(vr))
	f.Add([]byte(`{"metadata":{"name":"x"},"spec":{"volumeMappings":7}}`), []byte(`null`), []byte(`{"metadata":{"name":"x"},"status":[]}`), []byte(`{"metadata":{"name":"x"},"status":{"protectedPVCs":[{},{"name":1}]}}`), []byte(`{}`), []byte(`{}`))
	f.Add([]byte(`{"spec":{}}`), []byte(`{}`), []byte(`{"metadata":{"annotations":{"/remoteReplicationGroupName":"x"}},"spec":{"remoteClusterId":"self"}}`), []byte(`{"spec":{"sync":{},"protectedNamespaces":["b",""]},"status":{"protectedPVCs":[{},{}]}}`), []byte(pv), []byte(vr))
	f.Fuzz(func(t *testing.T, mirror, update, group, ramen, pv, vr []byte) {
		for _, data := range [][]byte{mirror, update, group, ramen, pv, vr} {
			if !json.Valid(data) {
				return
			}
		}
		of := func(group, version, plural string) schema.GroupVersionResource {
			return schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
		}
		listed := backend.Listed{
			of("trident.netapp.io", "v1", "tridentmirrorrelationships"): {mirror, mirror}, of("trident.netapp.io", "v1", "tridentactionmirrorupdates"): {update},
			of("replication.storage.dell.com", "v1", "dellcsireplicationgroups"): {group}, of("ramendr.openshift.io", "v1alpha1", "volumereplicationgroups"): {ramen},
			csi("volumereplications"): {vr}, backend.PVCResource(): {json.RawMessage(`{"metadata":{"namespace":"a","name":"db"},"spec":{"volumeName":"pv"}}`)}, backend.PVResource(): {pv},
		}
		east, west := native.Site{Name: "east", Now: metav1.NewTime(now()), Listed: listed}, native.Site{Name: "west", Now: metav1.NewTime(now()), Listed: listed}
		for _, g := range shown(east, west).Groups {
			if g.Verdict.Message == "" || g.Verdict.Phase == overview.Protected {
				t.Errorf("%s is %s with the same on both sites: %q", g.Name, g.Verdict.Phase, g.Verdict.Message)
			}
		}
		west.Listed = nil
		for _, g := range shown(east, west).Groups {
			if g.Verdict.Message == "" || g.Verdict.Phase == overview.Protected {
				t.Errorf("%s is %s on one site: %q", g.Name, g.Verdict.Phase, g.Verdict.Message)
			}
		}
	})
}
