// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
)

var now = time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)

func at(age time.Duration) *metav1.Time { return new(metav1.NewTime(now.Add(-age))) }

// link is a replication group whose array was asked ten seconds ago.
func link(state string, isSource bool) ReplicationGroup {
	rg := ReplicationGroup{ObjectMeta: metav1.ObjectMeta{Name: "rg-1", CreationTimestamp: *at(time.Hour)}}
	rg.Status.State = "Ready"
	rg.Status.ReplicationLinkState = LinkState{State: state, IsSource: isSource, LastSuccessfulUpdate: at(10 * time.Second)}
	return rg
}

// asked has been asked for an action before, for the request "1".
func (g ReplicationGroup) asked(action string) ReplicationGroup {
	text, _ := json.Marshal(intent{RequestID: "1", Action: action})
	g.Annotations = map[string]string{annotationIntent: string(text)}
	return g
}

// ended has an action that ended some time ago.
func (g ReplicationGroup) ended(condition string, age time.Duration) ReplicationGroup {
	g.Status.LastAction = LastAction{Condition: condition, Time: at(age)}
	return g
}

func (g ReplicationGroup) with(change func(*ReplicationGroup)) ReplicationGroup {
	change(&g)
	return g
}

// TestObserve has every state and trap that the sidecar's reports can hold: what is asked for next,
// and what is said.
func TestObserve(t *testing.T) {
	primary, secondary, resync := vgrv1.Primary, vgrv1.Secondary, vgrv1.Resync
	running := func(g *ReplicationGroup) {
		g.Spec.Action, g.Status.State = failoverRemote, "FAILOVER_REMOTE_IN_PROGRESS"
	}
	unconfirmed := func(g *backend.Group) {
		g.Unconfirmed = backend.Problemf(vgrv1.ReasonPromotionNotConfirmed, "not confirmed")
	}
	changed := func(g *backend.Group) {
		g.Changed = backend.Problemf(vgrv1.ReasonRoleChangedOutside, "changed outside")
		if g.State == primary {
			g.Unconfirmed = g.Changed
		}
	}
	undirected := func(g *backend.Group) {
		g.Undirected = backend.Problemf(vgrv1.ReasonRoleDiffers, "a failover")
	}
	anew := func(g *backend.Group) { g.Since = metav1.NewTime(now) }
	cases := map[string]struct {
		want vgrv1.ReplicationState
		peer vgrv1.PeerState
		rg   ReplicationGroup
		// guard is what the controller puts into the group.
		guard func(*backend.Group)
	}{
		"source in sync":                              {primary, "", link(linkSynchronized, true), nil},
		"source while it synchronises":                {primary, "", link(linkSyncing, true), nil},
		"source suspended":                            {primary, "", link(linkSuspended, true), nil},
		"target in sync":                              {secondary, "", link(linkSynchronized, false), nil},
		"target while it synchronises":                {secondary, "", link(linkSyncing, false), nil},
		"no link state yet":                           {primary, "", link("", false).with(func(g *ReplicationGroup) { g.Status.ReplicationLinkState = LinkState{} }), nil},
		"made by hand: Ready, but empty":              {primary, "", link(linkEmpty, false), nil},
		"the array has an error":                      {primary, "", link(linkInvalid, true), nil},
		"the array does not answer":                   {primary, "", link("UNKNOWN", true).with(func(g *ReplicationGroup) { g.Status.ReplicationLinkState.ErrorMessage = "connection refused" }), nil},
		"the group is in error, the link is not":      {primary, "", link(linkSynchronized, true).with(func(g *ReplicationGroup) { g.Status.State = "Error" }).ended("Action SYNC failed with error no", time.Minute), nil},
		"the copy's group is in error":                {secondary, "", link(linkSynchronized, false).with(func(g *ReplicationGroup) { g.Status.State = "Error" }), nil},
		"not heard of for long":                       {secondary, "", link(linkSynchronized, true).with(func(g *ReplicationGroup) { g.Status.ReplicationLinkState.LastSuccessfulUpdate = at(time.Hour) }), nil},
		"demotion":                                    {secondary, "", link(linkSynchronized, true), nil},
		"demotion while it synchronises":              {secondary, "", link(linkSyncing, true), nil},
		"demotion of a suspended link":                {secondary, "", link(linkSuspended, true), nil},
		"demotion of a failed over source":            {secondary, "", link(linkFailedOver, true), nil},
		"demotion of a site that was given up":        {secondary, vgrv1.PeerLost, link(linkSynchronized, true), nil},
		"an action runs":                              {secondary, "", link(linkSynchronized, true).asked(failoverRemote).with(running), nil},
		"an action fails and is tried again":          {secondary, "", link(linkSynchronized, true).asked(failoverRemote).with(running).with(func(g *ReplicationGroup) { g.Status.LastAction.ErrorMessage = "deadline exceeded" }), nil},
		"an action that does not look after the link": {secondary, "", link(linkSynchronized, true).with(running).with(func(g *ReplicationGroup) { g.Status.ReplicationLinkState.LastSuccessfulUpdate = at(time.Hour) }), nil},
		"unsupported: taken back without a word":      {secondary, "", link(linkSynchronized, true).asked(failoverRemote), nil},
		"lost: another action ended instead":          {secondary, "", link(linkSynchronized, true).asked(failoverRemote).ended("Action SUSPEND succeeded", time.Minute), nil},
		"failed":                                      {secondary, "", link(linkSynchronized, true).asked(failoverRemote).ended("Action FAILOVER_REMOTE failed with error no", time.Minute), nil},
		"succeeded, and not confirmed yet":            {secondary, "", link(linkSynchronized, true).asked(failoverRemote).ended("Action FAILOVER_REMOTE succeeded", 5*time.Second), nil},
		"succeeded, and the array says no":            {secondary, "", link(linkSynchronized, true).asked(failoverRemote).ended("Action FAILOVER_REMOTE succeeded", time.Minute), nil},
		"asked for another wish before":               {secondary, "", link(linkSynchronized, true).asked(failoverRemote).with(func(g *ReplicationGroup) { g.Annotations[annotationIntent] = `{"wish":"0","action":"FAILOVER_REMOTE"}` }), nil},
		"handed over":                                 {secondary, "", link(linkFailedOver, false).asked(failoverRemote).ended("Action FAILOVER_REMOTE succeeded", time.Minute), nil},
		"given up, and back":                          {secondary, "", link(linkFailedOver, false), nil},
		"promotion, the peer has not handed over":     {primary, vgrv1.PeerDemoted, link(linkSynchronized, false), nil},
		"promotion, the peer has handed over":         {primary, vgrv1.PeerDemoted, link(linkFailedOver, true), nil},
		"promotion, nobody said what the peer has":    {primary, "", link(linkFailedOver, true), nil},
		"reprotect runs":                              {primary, vgrv1.PeerDemoted, link(linkFailedOver, true).asked(reprotectLocal).with(func(g *ReplicationGroup) { g.Spec.Action = reprotectLocal }), nil},
		"reprotect failed":                            {primary, vgrv1.PeerDemoted, link(linkFailedOver, true).asked(reprotectLocal).ended("Action REPROTECT_LOCAL failed with error no", time.Minute), nil},
		"unplanned":                                   {primary, vgrv1.PeerLost, link(linkSynchronized, false), nil},
		"unplanned, the array has not answered":       {primary, vgrv1.PeerLost, link("UNKNOWN", false).with(func(g *ReplicationGroup) { g.Status.ReplicationLinkState.LastSuccessfulUpdate = at(time.Hour) }), nil},
		"unplanned, done":                             {primary, vgrv1.PeerLost, link(linkFailedOver, true).asked(unplannedFailoverLocal).ended("Action UNPLANNED_FAILOVER_LOCAL succeeded", time.Minute), nil},
		"the peer's data may go":                      {primary, vgrv1.PeerDiscarded, link(linkFailedOver, true).asked(unplannedFailoverLocal), nil},
		"resync of a target":                          {resync, "", link(linkSyncing, false), nil},
		"direct edit to primary":                      {primary, "", link(linkSynchronized, false), unconfirmed},
		"direct edit to primary, after a hand-over":   {primary, vgrv1.PeerDemoted, link(linkFailedOver, false), unconfirmed},
		"direct edit to primary of the source":        {primary, "", link(linkSynchronized, true), unconfirmed},
		"unplanned before, moved away with repctl":    {primary, vgrv1.PeerLost, link(linkSynchronized, false), changed},
		"moved here with repctl":                      {secondary, "", link(linkSynchronized, true), changed},
		"moved here with repctl, not reprotected":     {secondary, "", link(linkFailedOver, true), changed},
		"made again as secondary over the source":     {secondary, "", link(linkSynchronized, true), anew},
		"made again as secondary over the target":     {secondary, "", link(linkSynchronized, false), anew},
		"direct edit to secondary":                    {secondary, "", link(linkSynchronized, true), undirected},
		"direct edit to secondary of the target":      {secondary, "", link(linkSynchronized, false), undirected},
		"direct edit to secondary, handed over":       {secondary, "", link(linkFailedOver, true), undirected},
		"resync of the source":                        {resync, "", link(linkSynchronized, true), nil},
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		tc := cases[name]
		in := reading{rg: &tc.rg, now: now, group: backend.Group{
			Owner:     backend.Owner{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "db"}},
			RequestID: "1", State: tc.want, Peer: tc.peer, Members: []backend.Member{{PVC: "data", PV: "pv", Handle: "h"}},
		}}
		if tc.guard != nil {
			tc.guard(&in.group)
		}
		n, obs := decide(in), observe(in)
		does := "nothing"
		switch {
		case n.action != "" && n.asked:
			does = n.action + " was asked for already"
		case n.problem != nil:
			does = "nothing: " + n.problem.Message
		case n.action != "":
			does = n.action
		}
		fmt.Fprintf(&b, "%s (%s %s)\n  does %s\n  says %q, current %v, %s, %s\n", name, tc.want, tc.peer, does, obs.State, obs.Current, obs.Volumes[0].Health, obs.Message)
		if obs.Problem != nil {
			fmt.Fprintf(&b, "  %s: %s\n", obs.Problem.Reason, obs.Problem.Message)
		}
		for _, c := range obs.Conditions {
			if c.Type != vgrv1.ConditionGroupConsistent {
				fmt.Fprintf(&b, "  %s=%s/%s %s\n", c.Type, c.Status, c.Reason, c.Message)
			}
		}
	}
	golden.Compare(t, "observe.golden", b.String())
}

func volume(name, group, claim string) corev1.PersistentVolume {
	pv := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	if group != "" {
		pv.Labels[defaultPrefix+groupLabel] = group
	}
	if ns, name, ok := strings.Cut(claim, "/"); ok {
		pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: ns, Name: name}
	}
	return pv
}

// TestGroupsNamed: which replication group the members are in, and what is in it besides.
func TestGroupsNamed(t *testing.T) {
	elsewhere := volume("a", "", "db/a")
	elsewhere.Labels["my.example.com"+groupLabel] = "rg-1"
	native := volume("a", "rg-1", "db/a")
	native.Labels[defaultPrefix+managedByLabel] = "csi-addons"
	for name, tc := range map[string]struct {
		group   backend.Group
		volumes []corev1.PersistentVolume
		want    string // the group, or part of the problem
	}{
		"all of it":             {volumes: []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-1", "db/b"), volume("c", "rg-2", "db/c")}, want: "rg-1"},
		"in none":               {volumes: []corev1.PersistentVolume{volume("a", "", "db/a"), volume("b", "rg-1", "db/b")}, want: "has put a into no replication group"},
		"in two":                {volumes: []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-2", "db/b")}, want: "2 replication groups (rg-1, rg-2)"},
		"others are in it":      {volumes: []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-1", "db/b"), volume("c", "rg-1", "web/c"), volume("d", "rg-1", "")}, want: "more volumes than the selector: volume d, which no PVC uses, web/c"},
		"one that can join":     {group: backend.Group{Owner: backend.Owner{NamespacedName: types.NamespacedName{Namespace: "db"}}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "1", "app": "db"}}}, volumes: []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-1", "db/b"), volume("c", "rg-1", "db/c")}, want: "kubectl label pvc -n db c app=db tier=1"},
		"through csi-addons":    {volumes: []corev1.PersistentVolume{native}, want: "backend: csi-addons"},
		"another prefix":        {group: backend.Group{Class: backend.Class{Parameters: map[string]string{prefixParameter: "my.example.com"}}}, volumes: []corev1.PersistentVolume{elsewhere}, want: "rg-1"},
		"another prefix, unset": {volumes: []corev1.PersistentVolume{elsewhere}, want: "into no replication group"},
		"not the source":        {group: backend.Group{Source: &corev1.TypedLocalObjectReference{Name: "rg-9"}}, volumes: []corev1.PersistentVolume{volume("a", "rg-1", "db/a")}, want: "spec.source names rg-9, the PVCs are in rg-1"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.group.Members = []backend.Member{{PVC: "a", PV: "a"}, {PVC: "b", PV: "b"}}
			names, problem := groupsNamed(tc.group, tc.volumes)
			if problem == nil {
				problem = foreign(tc.group, names, tc.volumes)
			}
			switch {
			case problem == nil && !slices.Equal(names, []string{tc.want}):
				t.Errorf("got %q, want %q", names, tc.want)
			case problem != nil && !strings.Contains(problem.Message, tc.want):
				t.Errorf("got %q, want %q", problem.Message, tc.want)
			}
		})
	}
}

// TestStretched: on one stretched cluster Dell's controller makes the PVCs anew over the volumes of the
// other replication group, which the group follows then.
func TestStretched(t *testing.T) {
	g := backend.Group{Members: []backend.Member{{PVC: "a", PV: "replicated-a"}, {PVC: "b", PV: "replicated-b"}}}
	volumes := []corev1.PersistentVolume{
		volume("a", "rg-1", ""), volume("b", "rg-1", ""),
		volume("replicated-a", "replicated-rg-1", "db/a"), volume("replicated-b", "replicated-rg-1", "db/b"),
	}
	names, problem := groupsNamed(g, volumes)
	if problem == nil {
		problem = foreign(g, names, volumes)
	}
	if !slices.Equal(names, []string{"replicated-rg-1"}) || problem != nil {
		t.Errorf("got %q, problem %v", names, problem)
	}
}

// TestAssert: a class cannot set what the StorageClass decides.
func TestAssert(t *testing.T) {
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "sc"}, Parameters: map[string]string{
		defaultPrefix + "/rpo": "Five_Minutes", defaultPrefix + "/remoteSystem": "RT-0001", defaultPrefix + "/mode": "async",
	}}
	for name, tc := range map[string]struct {
		params map[string]string
		want   string
	}{
		"nothing":          {nil, ""},
		"the same":         {map[string]string{"schedulingInterval": "5m", "rpo": "Five_Minutes", "remoteSystem": "RT-0001", "consistencyType": "Async"}, ""},
		"another interval": {map[string]string{"schedulingInterval": "15m"}, `says schedulingInterval 15m, StorageClass "sc" has "Five_Minutes"`},
		"another system":   {map[string]string{"remoteSystem": "RT-0002"}, `has "RT-0001"`},
		"another mode":     {map[string]string{"consistencyType": "Sync"}, `has "ASYNC"`},
	} {
		got := assert(backend.Class{Name: "c", Parameters: tc.params}, class)
		if tc.want == "" && got != nil || tc.want != "" && (got == nil || !strings.Contains(got.Message, tc.want)) {
			t.Errorf("%s: %v, want %q", name, got, tc.want)
		}
	}
}

func TestCheckParameters(t *testing.T) {
	for name, tc := range map[string]struct {
		params map[string]string
		want   string
	}{
		"assertions":      {map[string]string{"schedulingInterval": "5m", "remoteSystem": "RT-0001", "consistencyType": "Async", "prefix": "x"}, ""},
		"Metro":           {map[string]string{"consistencyType": "Metro"}, `consistencyType is "Metro"`},
		"a policy":        {map[string]string{"protectionPolicy": "gold"}, "cannot be honoured"},
		"unknown":         {map[string]string{"pool": "x"}, `"pool" is not known`},
		"an odd interval": {map[string]string{"schedulingInterval": "7m"}, `schedulingInterval is "7m"`},
	} {
		got := checkParameters(backend.Class{Parameters: tc.params})
		if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, tc.want)) {
			t.Errorf("%s: %v, want %q", name, got, tc.want)
		}
	}
}

// TestSynchronous: only a link that is synchronous and in sync says when both sites were the same.
func TestSynchronous(t *testing.T) {
	rg := link(linkSynchronized, true)
	for mode, want := range map[string]*metav1.Time{"SYNC": at(10 * time.Second), "ASYNC": nil, "": nil} {
		obs := observe(reading{rg: &rg, now: now, mode: mode, group: backend.Group{State: vgrv1.Primary}})
		if !obs.LastSyncTime.Equal(want) {
			t.Errorf("mode %q: last sync %v, want %v", mode, obs.LastSyncTime, want)
		}
		if c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionReplicating); c == nil || c.Status != metav1.ConditionTrue {
			t.Errorf("mode %q: Replicating is %v", mode, c)
		}
		if obs.Recheck <= 0 || obs.Recheck > freshFor {
			t.Errorf("looked at again after %s", obs.Recheck)
		}
	}
}

// cache is that of a controller.
type cache struct {
	client.Client
	volumes []corev1.PersistentVolume
	groups  []ReplicationGroup
}

func (c cache) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	switch obj := obj.(type) {
	case *corev1.PersistentVolume:
		for i := range c.volumes {
			if c.volumes[i].Name == key.Name {
				c.volumes[i].DeepCopyInto(obj)
				return nil
			}
		}
	case *ReplicationGroup:
		for i := range c.groups {
			if c.groups[i].Name == key.Name {
				*obj = *c.groups[i].DeepCopy()
				return nil
			}
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (c cache) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	wants := func(index string, keys []string) bool {
		wanted, _ := o.FieldSelector.RequiresExactMatch(index)
		return slices.Contains(keys, wanted)
	}
	switch list := list.(type) {
	case *corev1.PersistentVolumeList:
		for i := range c.volumes {
			if wants(groupIndex, groupsOf(&c.volumes[i])) {
				list.Items = append(list.Items, c.volumes[i])
			}
		}
	case *ReplicationGroupList:
		for i := range c.groups {
			if wants(arrayIndex, arrayGroup(&c.groups[i])) {
				list.Items = append(list.Items, c.groups[i])
			}
		}
	}
	return nil
}

// TestTwins: two replication groups can stand for one group of the array. Then an action moves what names either, and who
// names one is woken by the other.
func TestTwins(t *testing.T) {
	group := func(name, driver, id string) ReplicationGroup {
		return ReplicationGroup{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: ReplicationGroupSpec{DriverName: driver, ProtectionGroupID: id}}
	}
	both := []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-1", "db/b")}
	for name, tc := range map[string]struct {
		second  ReplicationGroup
		volumes []corev1.PersistentVolume
		says    string // empty for no problem
		wakes   []string
	}{
		"one member in each": {
			group("rg-2", "powerstore", "pg"),
			[]corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-2", "db/b")},
			"rg-1 and rg-2, which stand for one group of the array, pg; delete neither",
			[]string{"a", "b"},
		},
		"somebody's volume in the other": {
			group("rg-0", "powerstore", "pg"), append(slices.Clone(both), volume("c", "rg-0", "web/c")),
			"rg-0 and rg-1, one group of the array, have more volumes than the selector: web/c",
			[]string{"a", "b", "c"},
		},
		"nothing in the other":     {group("rg-0", "powerstore", "pg"), both, "", []string{"a", "b"}},
		"another driver's":         {group("rg-2", "powermax", "pg"), both, "", nil},
		"without a group yet":      {group("rg-2", "powerstore", ""), both, "", nil},
		"two groups of the array":  {group("rg-2", "powerstore", "other"), []corev1.PersistentVolume{volume("a", "rg-1", "db/a"), volume("b", "rg-2", "db/b")}, "so each needs a group of its own", []string{"b"}},
		"one that does not exist":  {group("rg-3", "powerstore", "x"), []corev1.PersistentVolume{volume("a", "rg-0", "db/a"), volume("b", "rg-1", "db/b")}, "so each needs a group of its own", nil},
		"both in none that exists": {group("rg-3", "powerstore", "x"), []corev1.PersistentVolume{volume("a", "rg-0", "db/a"), volume("b", "rg-0", "db/b")}, "rg-0, which does not exist", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := New(cache{volumes: tc.volumes, groups: []ReplicationGroup{group("rg-1", "powerstore", "pg"), tc.second}}, clock.RealClock{})
			in, err := a.read(t.Context(), backend.Group{Members: []backend.Member{{PVC: "a", PV: "a"}, {PVC: "b", PV: "b"}}})
			if err != nil {
				t.Fatal(err)
			}
			if tc.says == "" && in.problem != nil || tc.says != "" && (in.problem == nil || !strings.Contains(in.problem.Message, tc.says)) {
				t.Errorf("problem %+v, want %q", in.problem, tc.says)
			}
			var woken []string
			for _, c := range a.Watches()[0].Claims(t.Context(), &tc.second) {
				woken = append(woken, c.Name)
			}
			slices.Sort(woken)
			if diff := cmp.Diff(tc.wakes, woken); diff != "" {
				t.Errorf("who is woken (-want +got):\n%s", diff)
			}
		})
	}
}

// TestClaims: a volume that joins a replication group, or leaves it, wakes who wants the PVCs of that group, and its
// own.
func TestClaims(t *testing.T) {
	volume := func(pvc, key string) corev1.PersistentVolume {
		pv := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{key: "rg-1"}}}
		if pvc != "" {
			pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: pvc}
		}
		return pv
	}
	const ours, other = defaultPrefix + groupLabel, "example.com" + groupLabel
	watch := New(cache{volumes: []corev1.PersistentVolume{volume("data", ours), volume("log", other), volume("", ours), volume("app", "app")}}, nil).Watches()[1]
	for name, tc := range map[string]struct {
		pv     corev1.PersistentVolume
		claims []string
		groups []string
	}{
		"in a group":     {volume("data", ours), []string{"data", "log"}, []string{"rg-1"}},
		"another prefix": {volume("log", other), []string{"data", "log"}, []string{"rg-1"}},
		"unused":         {volume("", ours), []string{"data", "log"}, []string{"rg-1"}},
		"has left":       {volume("app", ours), []string{"app", "data", "log"}, []string{"rg-1"}},
		"in none":        {volume("app", "app"), nil, nil},
	} {
		var claims []string
		for _, c := range watch.Claims(t.Context(), &tc.pv) {
			claims = append(claims, c.Name)
		}
		slices.Sort(claims)
		if diff := cmp.Diff(tc.claims, slices.Compact(claims)); diff != "" {
			t.Errorf("%s: claims (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(tc.groups, watch.Indexes[groupIndex](&tc.pv)); diff != "" {
			t.Errorf("%s: groups (-want +got):\n%s", name, diff)
		}
	}
}

// TestRehearsal: each driver is refused with its own reason; only that of PowerFlex has a way of Dell's.
func TestRehearsal(t *testing.T) {
	r := Profile().Rehearsal
	for driver, want := range map[string]struct{ why, instead string }{
		"csi-powerstore.dellemc.com": {"the driver of PowerStore has no action that shows the data of a copy: it does not offer CREATE_SNAPSHOT", ""},
		"csi-vxflexos.dellemc.com":   {"never removes the snapshots that it makes on this site, and none was ever tried on PowerFlex", "repctl snapshot: docs/rehearse.md shows how"},
		"csi-powermax.dellemc.com":   {"whether the driver csi-powermax.dellemc.com offers CREATE_SNAPSHOT", ""},
		"":                           {"whether the driver of the group offers CREATE_SNAPSHOT", ""},
	} {
		if why, instead := r.Refuses(driver), r.Instead(driver); !strings.Contains(why, want.why) || !strings.HasSuffix(instead, want.instead) || want.instead == "" && instead != "" {
			t.Errorf("%s: %s; %s", driver, why, instead)
		}
	}
}
