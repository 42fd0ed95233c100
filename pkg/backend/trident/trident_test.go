// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
)

var noon = metav1.NewTime(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))

// mirrorOf is a Mirror of the PVC data that asks for one state and is reported to be in another one.
func mirrorOf(asks, said string) *Mirror {
	m := &Mirror{ObjectMeta: metav1.ObjectMeta{Name: "data", CreationTimestamp: noon}}
	m.Spec = MirrorSpec{State: asks, VolumeMappings: []VolumeMapping{{LocalPVCName: "data"}}}
	if said != "" {
		m.Status.Conditions = []MirrorCondition{{State: said, LastTransitionTime: "2026-01-31T12:00:05Z", LocalVolumeHandle: "svm_w:data"}}
	}
	return m
}

func (m *Mirror) with(change func(*Mirror)) *Mirror {
	change(m)
	return m
}

func group(state vgrv1.ReplicationState, fate vgrv1.PeerState) backend.Group {
	return backend.Group{
		Owner: backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: types.NamespacedName{Namespace: "db", Name: "g"}},
		State: state, Peer: fate, RequestID: "1", PeerHandles: map[string]string{"data": "svm_e:data"},
	}
}

// transfer is an Update for a request of a group.
func transfer(g backend.Group, request, state, message string) *Update {
	g.SyncRequest = request
	return &Update{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "db", Name: updateName(g, "data"), CreationTimestamp: noon, Labels: g.Owner.Labels(),
			Annotations: map[string]string{vgrv1.AnnotationSyncRequest: request},
		},
		Spec: UpdateSpec{MirrorName: "data"}, Status: UpdateStatus{State: state, Message: message},
	}
}

// TestObserve has every state and trap that Trident's reports can hold: what is asked for next, and
// what is said.
func TestObserve(t *testing.T) {
	primary, secondary := vgrv1.Primary, vgrv1.Secondary
	gone := func(m *Mirror) { m.Status.Conditions[0].Message = "Could not promote mirror" }
	policy := func(m *Mirror) {
		m.Spec.ReplicationPolicy, m.Spec.ReplicationSchedule = "MirrorAndVault", "5min"
		m.Status.Conditions[0].ReplicationPolicy, m.Status.Conditions[0].ReplicationSchedule = "MirrorAllSnapshots", "5min"
	}
	ending := func(m *Mirror) {
		m.DeletionTimestamp, m.Finalizers = &noon, []string{"trident.netapp.io", "example.com/hold"}
	}
	copied := func(m *Mirror) { m.Spec.VolumeMappings[0].RemoteVolumeHandle = "svm_e:data" }
	frozen := func(m *Mirror) { m.Status.Conditions[0].RemoteVolumeHandle = "svm_e:older" }
	none, told := group(secondary, vgrv1.PeerPrimary), group(secondary, vgrv1.PeerPrimary)
	none.PeerHandles = nil
	lead, follow := group(primary, ""), group(secondary, "")
	wants := follow
	wants.SyncRequest = "op/1"
	mended := wants
	mended.RequestID = "2"
	toldNow := func(m *Mirror) {
		m.Annotations = map[string]string{annotationLastApplied: requestOf(follow) + "/" + reestablished}
	}
	unread := func(m *Mirror) { m.Generation, m.Status.Conditions[0].ObservedGeneration = 3, 2 }
	guarded, over, changed, anew := lead, lead, told, follow
	guarded.Unconfirmed = backend.Problemf(vgrv1.ReasonPromotionNotConfirmed, "not confirmed")
	over.Unconfirmed, over.Copy = guarded.Unconfirmed, true
	changed.Changed = backend.Problemf(vgrv1.ReasonRoleChangedOutside, "changed outside")
	anew.Since = metav1.NewTime(noon.Add(time.Hour))
	cases := map[string]struct {
		group   backend.Group
		mirrors []*Mirror
		updates []*Update
	}{
		"source without a mirror":                   {group: lead},
		"source":                                    {lead, []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"source, Trident has not looked":            {lead, []*Mirror{mirrorOf(promoted, "")}, nil},
		"two mirrors of one PVC":                    {lead, []*Mirror{mirrorOf(promoted, promoted), mirrorOf(promoted, invalid).with(func(m *Mirror) { m.Name = "other" })}, nil},
		"target":                                    {follow, []*Mirror{mirrorOf(established, established)}, nil},
		"target, first transfer":                    {follow, []*Mirror{mirrorOf(established, establishing)}, nil},
		"target, resynchronised":                    {follow, []*Mirror{mirrorOf(reestablished, reestablished)}, nil},
		"target, while it is resynchronised":        {follow, []*Mirror{mirrorOf(reestablished, reestablishing)}, nil},
		"target without a mirror":                   {group: follow},
		"target with a policy that was replaced":    {follow, []*Mirror{mirrorOf(established, established).with(policy)}, nil},
		"promotion":                                 {lead, []*Mirror{mirrorOf(established, established)}, nil},
		"promoted, if that is true":                 {lead, []*Mirror{mirrorOf(promoted, promoted).with(copied)}, nil},
		"promotion runs":                            {lead, []*Mirror{mirrorOf(promoted, "promoting")}, nil},
		"promotion asked for, not looked at":        {lead, []*Mirror{mirrorOf(promoted, established)}, nil},
		"promotion failed, and stays so":            {lead, []*Mirror{mirrorOf(promoted, failed).with(gone)}, nil},
		"failed, and told for an earlier wish":      {follow, []*Mirror{mirrorOf(reestablished, failed)}, nil},
		"failed, and told for this wish":            {follow, []*Mirror{mirrorOf(reestablished, failed).with(toldNow)}, nil},
		"retry, asks for nothing, not answered":     {follow, []*Mirror{mirrorOf("", failed).with(toldNow)}, nil},
		"retry, asks for nothing, answered":         {follow, []*Mirror{mirrorOf("", invalid).with(toldNow)}, nil},
		"retry, asked again":                        {follow, []*Mirror{mirrorOf(reestablished, invalid).with(toldNow).with(unread)}, nil},
		"retry, overtaken by a promotion":           {lead, []*Mirror{mirrorOf("", invalid).with(toldNow)}, nil},
		"asks for nothing, made by somebody else":   {follow, []*Mirror{mirrorOf("", invalid)}, nil},
		"the driver cannot mirror":                  {follow, []*Mirror{mirrorOf(established, invalid)}, nil},
		"source, being deleted":                     {lead, []*Mirror{mirrorOf(promoted, promoted).with(ending)}, nil},
		"target, being deleted":                     {follow, []*Mirror{mirrorOf(established, established).with(ending)}, nil},
		"promotion, being deleted":                  {lead, []*Mirror{mirrorOf(established, established).with(ending)}, nil},
		"to follow, the peer is not seen":           {follow, []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"to follow, the peer was lost":              {group(secondary, vgrv1.PeerLost), []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"to follow, no handle":                      {none, []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"to follow":                                 {told, []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"to follow another volume than it did":      {told, []*Mirror{mirrorOf(promoted, promoted).with(frozen)}, nil},
		"to follow, asked for, still promoted":      {told, []*Mirror{mirrorOf(reestablished, promoted)}, nil},
		"an update is wanted":                       {wants, []*Mirror{mirrorOf(established, established)}, nil},
		"an update is wanted before it follows":     {wants, []*Mirror{mirrorOf(established, establishing)}, nil},
		"an update runs":                            {wants, []*Mirror{mirrorOf(established, established)}, []*Update{transfer(wants, "op/1", "In progress", "")}},
		"an update has come through":                {wants, []*Mirror{mirrorOf(established, established)}, []*Update{transfer(wants, "op/1", succeeded, "")}},
		"an earlier update has come through":        {wants, []*Mirror{mirrorOf(established, established)}, []*Update{transfer(wants, "op/0", succeeded, "")}},
		"an update has failed":                      {wants, []*Mirror{mirrorOf(established, established)}, []*Update{transfer(wants, "op/1", failedUpdate, "Trident restarted")}},
		"an update has failed and is to be retried": {mended, []*Mirror{mirrorOf(established, established)}, []*Update{transfer(wants, "op/1", failedUpdate, "Trident restarted")}},
		"direct edit to primary":                    {guarded, []*Mirror{mirrorOf(established, established)}, nil},
		"direct edit during a resync":               {guarded, []*Mirror{mirrorOf("", invalid).with(toldNow)}, nil},
		"direct edit to primary of a primary":       {guarded, []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"a promotion that failed, not confirmed":    {guarded, []*Mirror{mirrorOf(promoted, failed).with(gone)}, nil},
		"first creation":                            {guarded, nil, nil},
		"first creation over a copy":                {over, nil, nil},
		"promoted outside":                          {changed, []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"made again as secondary over a source":     {anew, []*Mirror{mirrorOf(promoted, promoted)}, nil},
		"made again as secondary over a copy":       {anew, []*Mirror{mirrorOf(established, established)}, nil},
		"a new update makes the old one outdated":   {wants, []*Mirror{mirrorOf(established, established)}, []*Update{transfer(wants, "op/0", succeeded, ""), transfer(wants, "op/1", succeeded, "")}},
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		tc := cases[name]
		v := volume{member: backend.Member{PVC: "data", PV: "pv", Handle: "h"}, mirrors: tc.mirrors, updates: tc.updates}
		fmt.Fprintf(&b, "%s (%s %s)\n", name, tc.group.State, tc.group.Peer)
		does(&b, tc.group, v)
		says(&b, observe(tc.group, []volume{v}))
	}
	golden.Compare(t, "observe.golden", b.String())
}

func does(b *strings.Builder, g backend.Group, v volume) {
	switch spec, problem := decide(g, v); {
	case problem != nil:
		fmt.Fprintf(b, "  refuses: %s\n", problem.Message)
	case spec != nil:
		text, _ := json.Marshal(spec)
		fmt.Fprintf(b, "  asks for %s\n", text)
	}
	if u := update(g, v); u != nil {
		fmt.Fprintf(b, "  asks for the update %s\n", u.Name)
	}
	for _, u := range outdated(g, v) {
		fmt.Fprintf(b, "  deletes the update %s\n", u.Name)
	}
}

func says(b *strings.Builder, obs backend.Observation) {
	v := obs.Volumes[0]
	fmt.Fprintf(b, "  says %s, current %v, %s, %s\n", obs.State, obs.Current, v.Health, v.Message)
	if obs.Problem != nil {
		fmt.Fprintf(b, "  %s: %s\n", obs.Problem.Reason, obs.Problem.Message)
	}
	if obs.SyncRequest != "" || obs.LastSyncTime != nil {
		fmt.Fprintf(b, "  update %q, last sync %v\n", obs.SyncRequest, obs.LastSyncTime)
	}
	for _, c := range obs.Conditions {
		if c.Type != vgrv1.ConditionGroupConsistent {
			fmt.Fprintf(b, "  %s=%s/%s %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

// TestAggregate: a group is what all of its volumes are, and names those that are not.
func TestAggregate(t *testing.T) {
	of := func(pvc, asks, said string) volume {
		m := mirrorOf(asks, said).with(func(m *Mirror) { m.Name, m.Spec.VolumeMappings[0].LocalPVCName = pvc, pvc })
		return volume{member: backend.Member{PVC: pvc}, mirrors: []*Mirror{m}}
	}
	for name, tc := range map[string]struct {
		volumes []volume
		state   vgrv1.State
		current bool
		message string
	}{
		"none":            {nil, "", false, ""},
		"all":             {[]volume{of("a", promoted, promoted), of("b", promoted, promoted)}, vgrv1.StatePrimary, true, "2 volumes"},
		"one is missing":  {[]volume{of("a", promoted, promoted), of("b", promoted, established)}, vgrv1.StateUnknown, false, "1 of 2 volumes are as asked; b: established"},
		"one has failed":  {[]volume{of("a", promoted, promoted), of("b", promoted, failed)}, vgrv1.StateUnknown, false, "b: failed"},
		"one has nothing": {[]volume{of("a", promoted, promoted), {member: backend.Member{PVC: "b"}}}, vgrv1.StateUnknown, false, "b: not replicated"},
	} {
		obs := observe(group(vgrv1.Primary, ""), tc.volumes)
		if obs.State != tc.state || obs.Current != tc.current || !strings.Contains(obs.Message, tc.message) {
			t.Errorf("%s: %q, current %v, %q; want %q, %v, %q", name, obs.State, obs.Current, obs.Message, tc.state, tc.current, tc.message)
		}
		if tc.volumes == nil {
			continue
		}
		consistent := slices.ContainsFunc(obs.Conditions, func(c metav1.Condition) bool {
			return c.Type == vgrv1.ConditionGroupConsistent && c.Status == metav1.ConditionFalse
		})
		if !consistent {
			t.Errorf("%s: nothing says that the volumes have points in time of their own", name)
		}
	}
}

// TestUpdateOfAll: a request is fulfilled when every volume has its update, and not before.
func TestUpdateOfAll(t *testing.T) {
	g := group(vgrv1.Secondary, "")
	g.SyncRequest = "op/1"
	updated := volume{member: backend.Member{PVC: "data"}, mirrors: []*Mirror{mirrorOf(established, established)}, updates: []*Update{transfer(g, "op/1", succeeded, "")}}
	waiting := volume{member: backend.Member{PVC: "log"}, mirrors: []*Mirror{mirrorOf(established, established)}}
	if obs := observe(g, []volume{updated}); obs.SyncRequest != "op/1" || !obs.LastSyncTime.Equal(&noon) {
		t.Errorf("all updated: request %q, last sync %v", obs.SyncRequest, obs.LastSyncTime)
	}
	if obs := observe(g, []volume{updated, waiting}); obs.SyncRequest != "" || obs.LastSyncTime != nil {
		t.Errorf("one of two updated: request %q, last sync %v", obs.SyncRequest, obs.LastSyncTime)
	}
	if obs := observe(g, nil); obs.SyncRequest != "" {
		t.Errorf("no volume at all: request %q", obs.SyncRequest)
	}
}
