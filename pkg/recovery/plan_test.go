// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// What uses PVCs, for tests.
var (
	db       = recovery.Workload{Kind: "statefulset", Name: "db", Replicas: 3, Claims: []string{"data"}}
	db0      = recovery.User{Kind: "pod", Name: "db-0", Claim: "data", Workload: "statefulset/db"}
	attached = recovery.User{Kind: "node", Name: "worker-1", Claim: "data", Attachment: "csi-0"}
	stopped  = []recovery.StoppedWorkload{
		{Cluster: sites[east].Cluster, Kind: "statefulset", Name: "db", Replicas: 3},
		{Cluster: sites[west].Cluster, Kind: "deployment", Name: "web", Replicas: 2},
	}
)

// TestPlans has the plan of every kind of operation with every kind of backend.
func TestPlans(t *testing.T) {
	demoted := []recovery.StepTimes{{ID: recovery.StepDemote, Asked: true}}
	ops := map[string]recovery.Operation{
		"planned, taken back before the demotion": {Kind: recovery.Planned, Aborting: true},
		"planned":                        {Kind: recovery.Planned},
		"planned, taken back":            {Kind: recovery.Planned, Aborting: true, Steps: demoted},
		"unplanned":                      {Kind: recovery.Unplanned},
		"failback":                       {Kind: recovery.Failback},
		"failback, something to discard": {Kind: recovery.Failback, Discard: true},
		"planned, quiesced":              {Kind: recovery.Planned, Quiesce: true, Start: true, Stopped: stopped[:1]},
		"planned, quiesced, taken back":  {Kind: recovery.Planned, Aborting: true, Steps: demoted, Quiesce: true, Start: true, Stopped: stopped[:1]},
		"planned, nothing to quiesce":    {Kind: recovery.Planned, Quiesce: true},
		"promotion":                      {Kind: recovery.Promote},
		"promotion, forced":              {Kind: recovery.Promote, Force: true},
		"demotion":                       {Kind: recovery.Demote},
		"demotion, forced":               {Kind: recovery.Demote, Force: true},
		"demotion, taken back":           {Kind: recovery.Demote, Aborting: true, Steps: demoted},
		"demotion of a spec":             {Kind: recovery.Demote, SpecOnly: true},
		"resync":                         {Kind: recovery.Resync, Discard: true},
		"unplanned, workloads are owed":  {Kind: recovery.Unplanned, Start: true, Stopped: stopped[:1]},
		"failback, quiesced":             {Kind: recovery.Failback, Discard: true, Quiesce: true, Start: true, Stopped: stopped},
	}
	var b strings.Builder
	for _, storage := range slices.Sorted(maps.Keys(storages)) {
		for _, name := range slices.Sorted(maps.Keys(ops)) {
			op := ops[name]
			op.From, op.To, op.Snapshot = sites[east], sites[west], storage == bySnapshot
			fmt.Fprintf(&b, "%s: %s\n", storage, name)
			for i, s := range recovery.Steps(op, storages[storage]) {
				fmt.Fprintf(&b, "  %d %-12s %-4s  %s\n%22suntil %s\n", i+1, s.ID, s.Site.Name, s.Does, "", s.Proof)
			}
		}
	}
	golden.Compare(t, "plans.golden", b.String())
}

// ceph is a healthy pair with east as primary, that a test may break.
func ceph(change func(p *recovery.Pair, a *[2]recovery.Environment)) (recovery.Pair, recovery.Facts) {
	w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
	w.app = false
	p := w.observe(true)
	p.Sites[east].Group.Annotations = map[string]string{vgrv1.AnnotationPeerClusterUID: "uid-west"}
	p.Sites[east].Group.Status.LastSyncTime, p.Sites[east].Group.Status.StateSince = &before, new(metav1.NewTime(now.Add(-3*time.Hour)))
	p.Sites[east].Group.Status.SyncTimeBefore = nil
	a := [2]recovery.Environment{{Controller: "v1"}, {Controller: "v1"}}
	change(&p, &a)
	return p, recovery.Facts{Pair: p, Backend: "ceph", Traits: w.traits, Schedule: 5 * time.Minute, Environments: a}
}

func isTo(g *vgrv1.VolumeGroupReplication, state vgrv1.ReplicationState, is vgrv1.State, ready metav1.Condition) {
	g.Spec.ReplicationState, g.Status.State = state, is
	ready.Type, ready.ObservedGeneration = vgrv1.ConditionReady, g.Generation
	meta.SetStatusCondition(&g.Status.Conditions, ready)
}

// conflict is what the Dell adapter says of a group of the array that another PVC was put into.
func conflict(g *vgrv1.VolumeGroupReplication) {
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{
		Type: vgrv1.ConditionReady, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonObjectConflict, ObservedGeneration: g.Generation,
		Message: "DellCSIReplicationGroup rg-1 has more volumes than the selector: shop/stranger; an action would move them too",
	})
}

var met = metav1.Condition{Status: metav1.ConditionTrue, Reason: "AsAsked", Message: "confirmed"}

// TestRefusals has the words of every refusal, and of every check that is not well.
func TestRefusals(t *testing.T) {
	planned := recovery.Request{Kind: recovery.Planned, To: sites[west], Holder: "me", By: "me", ID: "new"}
	with := func(change func(r *recovery.Request)) recovery.Request { r := planned; change(&r); return r }
	lost := func(p *recovery.Pair, _ *[2]recovery.Environment) {
		p.Sites[east] = recovery.Site{SiteRef: sites[east], UnreachableReason: "connection refused"}
	}
	unasked := func(p *recovery.Pair, _ *[2]recovery.Environment) {
		p.Sites[east] = recovery.Site{SiteRef: sites[east], NotAsked: true, UnreachableReason: "the login plugin has failed: session expired"}
	}
	well := func(*recovery.Pair, *[2]recovery.Environment) {}
	journal := func(p *recovery.Pair, op recovery.Operation) {
		op.ID, op.By, op.Holder, op.Revision = "old", "alice", "alice/1", 3
		if op.From.Name == "" {
			op.From, op.To = sites[east], sites[west]
		}
		for i := range p.Sites {
			if p.Sites[i].Journal = &op; p.Sites[i].Group != nil {
				g := p.Sites[i].Group.DeepCopy()
				if err := (recovery.Write{Operation: op}).Apply(g); err != nil {
					t.Fatal(err)
				}
				p.Sites[i].Read(g)
			}
		}
	}
	split := func(p *recovery.Pair, _ *[2]recovery.Environment) {
		isTo(p.Sites[west].Group, vgrv1.Primary, vgrv1.StatePrimary, met)
	}
	copyError := func(text string) func(*recovery.Pair, *[2]recovery.Environment) {
		return func(p *recovery.Pair, _ *[2]recovery.Environment) {
			meta.SetStatusCondition(&p.Sites[west].Group.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: state.ReasonError, Message: text})
		}
	}
	cases := map[string]struct {
		change  func(p *recovery.Pair, a *[2]recovery.Environment)
		request recovery.Request
	}{
		"all is well":           {well, planned},
		"the copy is split":     {copyError("image is in split-brain"), planned},
		"the copy has an error": {copyError("image is in error state"), planned},
		"no such site":          {well, with(func(r *recovery.Request) { r.To = recovery.SiteRef{Name: "north", Cluster: "uid-north"} })},
		"primary already":       {well, with(func(r *recovery.Request) { r.To = sites[east] })},
		"the source is lost":    {lost, planned},
		"the source refuses us": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east] = recovery.Site{SiteRef: sites[east], Alive: true, UnreachableReason: "forbidden"}
		}, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned; r.Accept.Unknown = true })},
		"the source was not asked":                  {unasked, planned},
		"unplanned, the source was not asked":       {unasked, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned; r.Accept.Unknown = true })},
		"unplanned, the source is said to be lost":  {unasked, with(func(r *recovery.Request) { r.Kind, r.SourceIsLost = recovery.Unplanned, true; r.Accept.Unknown = true })},
		"promoted by force, the peer was not asked": {unasked, with(func(r *recovery.Request) { r.Kind, r.Force = recovery.Promote, true })},
		"unplanned in flight, the source was not asked": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			unasked(p, a)
			p.Sites[west].Journal = &recovery.Operation{ID: "old", Kind: recovery.Unplanned, From: sites[east], To: sites[west], Revision: 3}
		}, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned; r.Accept.Unknown = true })},
		"unplanned, nothing accepted":    {lost, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned })},
		"unplanned, an age accepted":     {lost, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned; r.Accept.Age = time.Hour })},
		"unplanned, unknown accepted":    {lost, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned; r.Accept.Unknown = true })},
		"unplanned, the source answers":  {well, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned; r.Accept.Age = time.Hour })},
		"unplanned, too little accepted": {well, with(func(r *recovery.Request) { r.Kind = recovery.Unplanned; r.Accept.Age = time.Second })},
		"split":                          {split, planned},
		"failback, nothing named":        {split, with(func(r *recovery.Request) { r.Kind = recovery.Failback })},
		"failback, the wrong one named":  {split, with(func(r *recovery.Request) { r.Kind, r.Discard = recovery.Failback, "east" })},
		"failback":                       {split, with(func(r *recovery.Request) { r.Kind, r.Discard = recovery.Failback, "west" })},
		"not synchronised yet": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.LastSyncTime = nil
		}, with(func(r *recovery.Request) { r.Schedule = time.Hour })},
		"an older controller": {func(p *recovery.Pair, _ *[2]recovery.Environment) { p.Sites[east].Group.Status.StateSince = nil }, planned},
		"failback, discards the survivor": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			split(p, a)
			journal(p, recovery.Operation{Kind: recovery.Unplanned, From: sites[east], To: sites[west], Result: recovery.Done, Steps: []recovery.StepTimes{{ID: recovery.StepPromote, Asked: true}}})
		}, with(func(r *recovery.Request) { r.Kind, r.Discard = recovery.Failback, "east" })},
		"resync, discards the survivor": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			split(p, a)
			journal(p, recovery.Operation{Kind: recovery.Unplanned, From: sites[east], To: sites[west], Result: recovery.Done, Steps: []recovery.StepTimes{{ID: recovery.StepPromote, Asked: true}}})
		}, with(func(r *recovery.Request) { r.Kind = recovery.Resync })},
		"resync of the site that was given up": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			split(p, a)
			journal(p, recovery.Operation{Kind: recovery.Unplanned, From: sites[east], To: sites[west], Result: recovery.Done, Steps: []recovery.StepTimes{{ID: recovery.StepPromote, Asked: true}}})
		}, with(func(r *recovery.Request) { r.Kind, r.To = recovery.Resync, sites[east] })},
		"resync, both are primary and no journal": {split, with(func(r *recovery.Request) { r.Kind = recovery.Resync })},
		"resync under no primary": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
		}, with(func(r *recovery.Request) { r.Kind = recovery.Resync })},
		"promotion beside a primary":  {well, with(func(r *recovery.Request) { r.Kind = recovery.Promote })},
		"promotion, the peer is lost": {lost, with(func(r *recovery.Request) { r.Kind = recovery.Promote })},
		"promotion, forced":           {lost, with(func(r *recovery.Request) { r.Kind, r.Force = recovery.Promote, true })},
		"promotion, the demotion came too early": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
		}, with(func(r *recovery.Request) { r.Kind = recovery.Promote })},
		"promotion": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
			p.Sites[east].Group.Status.DemotedAfterSync = true
		}, with(func(r *recovery.Request) { r.Kind = recovery.Promote })},
		"demotion":                {well, with(func(r *recovery.Request) { r.Kind = recovery.Demote })},
		"demotion of a secondary": {well, with(func(r *recovery.Request) { r.Kind, r.To = recovery.Demote, sites[east] })},
		"demotion, the peer does not answer": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[west] = recovery.Site{SiteRef: sites[west], UnreachableReason: "no route"}
		}, with(func(r *recovery.Request) { r.Kind = recovery.Demote })},
		"another tool asks for primary": {func(p *recovery.Pair, _ *[2]recovery.Environment) { guarded(p.Sites[west].Group) }, planned},
		"demotion of what another tool asks for": {
			func(p *recovery.Pair, _ *[2]recovery.Environment) { guarded(p.Sites[west].Group) },
			with(func(r *recovery.Request) { r.Kind, r.To = recovery.Demote, sites[east] }),
		},
		"the target is lost after the demotion": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
			journal(p, recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{{ID: recovery.StepDemote, Asked: true}}, AutoResync: []string{"uid-west"}, Stopped: stopped[:1], Start: true})
			p.Sites[west] = recovery.Site{SiteRef: sites[west], UnreachableReason: "no route"}
		}, with(func(r *recovery.Request) { r.Kind, r.To, r.Accept.Unknown = recovery.Unplanned, sites[east], true })},
		"unplanned, a synchronisation to come": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.LastSyncTime = new(metav1.NewTime(now.Add(time.Hour)))
		}, with(func(r *recovery.Request) { r.Kind, r.Accept.Age = recovery.Unplanned, time.Second })},
		"failback after a long time": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			split(p, a)
			p.Sites[west].Group.Status.LastSyncTime = new(metav1.NewTime(now.Add(-3 * time.Hour)))
		}, with(func(r *recovery.Request) { r.Kind, r.Discard = recovery.Failback, "west" })},
		"unplanned, the target's controller waits for you": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			conflict(p.Sites[west].Group)
		}, with(func(r *recovery.Request) { r.Kind, r.Accept.Unknown = recovery.Unplanned, true })},
		"unplanned, the source's controller waits for you": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			conflict(p.Sites[east].Group)
		}, with(func(r *recovery.Request) { r.Kind, r.Accept.Unknown = recovery.Unplanned, true })},
		"nothing to abort": {well, with(func(r *recovery.Request) { r.Abort = true })},
		"abort after the promotion began": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			journal(p, recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{{ID: recovery.StepPromote, Asked: true}}})
		}, with(func(r *recovery.Request) { r.Abort = true })},
		"another operation in flight": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			journal(p, recovery.Operation{Kind: recovery.Planned, From: sites[west], To: sites[east]})
		}, planned},
		"an abort in flight": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			journal(p, recovery.Operation{Kind: recovery.Planned, Aborting: true})
		}, planned},
		"the same operation in flight": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			journal(p, recovery.Operation{Kind: recovery.Planned})
		}, planned},
		"a journal that cannot be read": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			g := p.Sites[east].Group.DeepCopy()
			g.Annotations[vgrv1.AnnotationOperation] = "{"
			p.Sites[east].Read(g)
		}, planned},
		"no group on the target":   {func(p *recovery.Pair, _ *[2]recovery.Environment) { p.Sites[west].Read(nil) }, planned},
		"no group on the source":   {func(p *recovery.Pair, _ *[2]recovery.Environment) { p.Sites[east].Read(nil) }, planned},
		"being deleted":            {func(p *recovery.Pair, _ *[2]recovery.Environment) { p.Sites[west].Group.DeletionTimestamp = &before }, planned},
		"the target is on its way": {func(p *recovery.Pair, _ *[2]recovery.Environment) { p.Sites[west].Group.Generation++ }, planned},
		"another cluster": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Annotations[vgrv1.AnnotationPeerClusterUID] = "uid-north"
		}, planned},
		"clusters not identified": {func(p *recovery.Pair, _ *[2]recovery.Environment) { p.Sites[east].Cluster = "" }, planned},
		"other members":           {func(p *recovery.Pair, _ *[2]recovery.Environment) { addMember(p.Sites[east].Group, "logs") }, planned},
		"other volumes": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[west].Group.Status.Volumes[0].VolumeHandle = "other"
		}, planned},
		"both secondary": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
		}, planned},
		"the link is down": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			meta.SetStatusCondition(&p.Sites[east].Group.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionReplicating, Status: metav1.ConditionFalse, Reason: "NotReplicating", Message: "not replicating: link down"})
		}, planned},
		"lagging": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.LastSyncTime = new(metav1.NewTime(now.Add(-time.Hour)))
		}, planned},
		"in use": {func(p *recovery.Pair, _ *[2]recovery.Environment) { p.Sites[east].Usage.Users = []recovery.User{db0} }, planned},
		"users not known": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Usage = &recovery.Usage{Unknown: "forbidden"}
		}, planned},
		"quiesced": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Usage = &recovery.Usage{Users: []recovery.User{db0, attached}, Workloads: []recovery.Workload{db}}
		}, with(func(r *recovery.Request) { r.Quiesce = true })},
		"quiesced, one remains": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Usage = &recovery.Usage{Users: []recovery.User{db0, {Kind: "pod", Name: "shell", Claim: "data"}}, Workloads: []recovery.Workload{db}}
		}, with(func(r *recovery.Request) { r.Quiesce = true })},
		"quiesced, attached and nobody knows": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Usage = &recovery.Usage{Users: []recovery.User{attached}}
		}, with(func(r *recovery.Request) { r.Quiesce = true })},
		"quiesced, managed by an operator": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			managed := db
			managed.Owner = "postgrescluster/db"
			p.Sites[east].Usage = &recovery.Usage{Users: []recovery.User{db0}, Workloads: []recovery.Workload{managed}}
		}, with(func(r *recovery.Request) { r.Quiesce = true })},
		"quiesced, not known": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Usage = &recovery.Usage{Unknown: "forbidden"}
		}, with(func(r *recovery.Request) { r.Quiesce = true })},
		"failback, in use where it is discarded": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			split(p, a)
			p.Sites[west].Usage = &recovery.Usage{Users: []recovery.User{db0}, Workloads: []recovery.Workload{db}}
		}, with(func(r *recovery.Request) { r.Kind, r.Discard = recovery.Failback, "west" })},
		"failback, quiesced where it is discarded": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			split(p, a)
			p.Sites[west].Usage = &recovery.Usage{Users: []recovery.User{db0}, Workloads: []recovery.Workload{db}}
		}, with(func(r *recovery.Request) { r.Kind, r.Discard, r.Quiesce = recovery.Failback, "west", true })},
		"a permission missing": {func(_ *recovery.Pair, a *[2]recovery.Environment) {
			a[west].Denied = []string{"patch volumegroupreplications"}
		}, planned},
		"volumes that may not follow": {func(_ *recovery.Pair, a *[2]recovery.Environment) {
			a[east].Unfollowed = []string{"patch tridentmirrorrelationships"}
		}, planned},
		"volumes that may not follow, unplanned": {func(_ *recovery.Pair, a *[2]recovery.Environment) {
			a[east].Unfollowed = []string{"patch tridentmirrorrelationships"}
		}, with(func(r *recovery.Request) { r.Kind, r.Accept.Unknown = recovery.Unplanned, true })},
		"no controller": {func(_ *recovery.Pair, a *[2]recovery.Environment) {
			a[west] = recovery.Environment{NoController: "not running"}
		}, planned},
		"nobody knows of a controller": {func(_ *recovery.Pair, a *[2]recovery.Environment) {
			a[west] = recovery.Environment{ControllerUnasked: "no answer within 10s"}
		}, planned},
		"different controllers": {func(_ *recovery.Pair, a *[2]recovery.Environment) { a[west].Controller = "v2" }, planned},
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		tc := cases[name]
		p, facts := ceph(tc.change)
		fmt.Fprintf(&b, "%s\n", name)
		op, stop := recovery.Begin(p, tc.request, facts.Traits)
		if stop != nil {
			fmt.Fprintf(&b, "  %s: %s\n", stop.Reason, stop.Message)
			if stop.Next != "" {
				fmt.Fprintf(&b, "    next: %s\n", stop.Next)
			}
			continue
		}
		fmt.Fprintf(&b, "  begins: %s, revision %d, accepted %q, discard %v, stops %v\n", op.String(), op.Revision, op.Accepted, op.Discard, op.Stopped)
		for _, c := range recovery.Checks(facts, op) {
			if c.Severity != recovery.CheckOK {
				fmt.Fprintf(&b, "  %s %s: %s\n    remedy: %s\n", c.Severity, c.ID, c.Evidence, c.Remedy)
			}
		}
	}
	golden.Compare(t, "refusals.golden", b.String())
}

// guarded makes a secondary one whose spec asks for primary without a confirmation.
func guarded(g *vgrv1.VolumeGroupReplication) {
	isTo(g, vgrv1.Primary, vgrv1.StateSecondary, metav1.Condition{Status: metav1.ConditionFalse, Reason: vgrv1.ReasonPromotionNotConfirmed, Message: "not confirmed"})
}

func addMember(g *vgrv1.VolumeGroupReplication, name string) {
	g.Status.PersistentVolumeClaimsRefList = append(g.Status.PersistentVolumeClaimsRefList, corev1.LocalObjectReference{Name: name})
	g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{Name: name, VolumeHandle: name})
}

// TestStops: what changes behind the back of an operation stops it before the promotion.
func TestStops(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(w *world)
		want   string
		// early: before the last look. No write to one site can be bound to what the other one has.
		early bool
	}{
		"a PVC joins": {func(w *world) {
			g := w.groups[west].DeepCopy()
			addMember(g, "logs")
			w.change(west, g)
		}, "the members on west are not those of the start: then data, now data, logs; nothing was promoted", false},
		"the source is asked to be primary": {func(w *world) {
			g := w.groups[east].DeepCopy()
			g.Spec.ReplicationState = vgrv1.Primary
			w.change(east, g)
		}, "another tool asked for primary", true},
		"the group goes": {func(w *world) {
			g := w.groups[west].DeepCopy()
			g.DeletionTimestamp = &before
			w.change(west, g)
		}, "the group is being deleted on west", false},
		"another operation begins": {func(w *world) {
			g := w.groups[west].DeepCopy()
			op := recovery.Operation{ID: "other", Kind: recovery.Unplanned, From: sites[east], To: sites[west], Holder: "bob/1", Revision: 99}
			if err := (recovery.Write{Operation: op}).Apply(g); err != nil {
				t.Fatal(err)
			}
			w.change(west, g)
		}, "unplanned failover other from east to west was begun by bob/1 meanwhile", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
			w.begin(0, w.request("A"))
			for range 60 {
				if p := w.tools[0].pending; p != nil && p.State == vgrv1.Primary {
					break
				}
				if w.tools[0].pending != nil {
					w.send(0)
				}
				w.round()
				w.step(0)
			}
			tc.change(&w) // right before the write
			if tc.early {
				w.tools[0].pending = nil
				w.step(0)
			} else {
				w.send(0)
			}
			if w.groups[west].Spec.ReplicationState == vgrv1.Primary {
				t.Fatal("west was promoted")
			}
			if w.tools[0].running {
				w.step(0)
			}
			if !strings.Contains(w.tools[0].end, tc.want) {
				t.Errorf("it ended with %q, want %q", w.tools[0].end, tc.want)
			}
		})
	}
}

// TestDeletedInFlight: on a group whose controller keeps it for the operation, that operation is finished or aborted,
// and the storage is never left without a primary; another one does not begin once it has ended.
func TestDeletedInFlight(t *testing.T) {
	deleted := func(w *world, site int) {
		g := w.groups[site].DeepCopy()
		g.DeletionTimestamp, g.Finalizers = &before, []string{vgrv1.Finalizer}
		meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDeletionHeld, Status: metav1.ConditionTrue, Reason: vgrv1.ReasonOperationInFlight, Message: "held"})
		w.change(site, g)
	}
	for name, tc := range map[string]struct {
		abort   bool
		primary int
	}{"resumed": {false, west}, "aborted": {true, east}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
			w.app = false
			w.begin(0, w.request("A"))
			for range 60 {
				if p := w.tools[0].pending; p != nil && p.State == vgrv1.Primary {
					break
				}
				if w.tools[0].pending != nil {
					w.send(0)
				}
				w.round()
				w.step(0)
			}
			w.tools[0].die()
			deleted(&w, east)
			deleted(&w, west)
			r := w.request("B")
			r.Abort = tc.abort
			if end := w.run(r); end != "done" {
				t.Errorf("it ended with %q", end)
			}
			if !w.primary[tc.primary] || w.primary[1-tc.primary] {
				t.Errorf("primary: %v", w.primary)
			}
			for _, g := range w.groups {
				if op, err := recovery.Journal(g); err != nil || op.InFlight() {
					t.Errorf("%+v, %v: the deletion would be held for ever", op, err)
				}
			}
			r = w.request("C")
			r.To = sites[1-tc.primary]
			if _, stop := recovery.Begin(w.observeAll(), r, w.traits); stop == nil || !strings.Contains(stop.Message, "is being deleted on") {
				t.Errorf("another operation begins: %+v", stop)
			}
		})
	}
}

// TestOldPicture: a site that is seen as it was before the last write is waited for. It is not taken
// for one that somebody has changed back.
func TestOldPicture(t *testing.T) {
	w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
	w.settle()
	w.begin(0, w.request("A"))
	var before *vgrv1.VolumeGroupReplication
	for range 60 {
		if w.tools[0].pending != nil {
			if w.tools[0].pending.State == vgrv1.Secondary {
				before = w.groups[east]
			}
			w.send(0)
		}
		w.step(0)
		if before != nil {
			break
		}
	}
	w.step(0) // sees its own write
	now := w.groups[east]
	w.groups[east] = before
	w.step(0)
	if t0 := w.tools[0]; !t0.running || t0.pending != nil {
		t.Errorf("an old picture ended with %q and %+v", t0.end, t0.pending)
	}
	w.groups[east] = now
	if end := w.tools[0].end; end != "" {
		t.Errorf("it ended with %q", end)
	}
}

// TestStarted: the time begins with the first write, not with the plan that somebody had to read.
func TestStarted(t *testing.T) {
	w := newWorld(backend.Traits{Fences: true, ConfirmsSync: true}, recovery.Planned, 0)
	w.settle()
	w.begin(0, w.request("A"))
	op := w.tools[0].op
	for range 3 {
		p := w.observe(true)
		for i := range p.Sites {
			p.Sites[i].Now = now.Add(time.Hour)
		}
		d := recovery.Next(p, op, w.traits)
		op = d.Operation
		w.tools[0].pending = d.Write
		w.send(0)
	}
	if got := w.read.of(w.groups[east]).op.Started.Time; !got.Equal(now.Add(time.Hour)) {
		t.Errorf("the journal says that it started at %s", got)
	}
}

// TestWord: a name from a journal cannot become a second command where somebody pastes it.
func TestWord(t *testing.T) {
	for text, want := range map[string]string{
		"west": "west", "arn:aws:eks:eu-1:1:cluster/west": "arn:aws:eks:eu-1:1:cluster/west", "": "''",
		"a; rm -rf ~": "'a; rm -rf ~'", "$(id)": "'$(id)'", "it's": `'it'\''s'`, "a b": "'a b'", "x;y": "'x;y'",
	} {
		if got := recovery.ShellQuote(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestTold: what an earlier write told of the peer does not count again with a later one.
func TestTold(t *testing.T) {
	g := newWorld(backend.Traits{PromoteFirst: true}, recovery.Planned, 0).groups[west].DeepCopy()
	g.Annotations = map[string]string{vgrv1.AnnotationPeer: "primary/old-1", vgrv1.AnnotationPeerHandles: `{"data":"old"}`, vgrv1.AnnotationBoundTo: "west/0"}
	w := recovery.Write{RequestSync: "op/0", PeerSnapshots: map[string]string{"data": "s"}, Operation: recovery.Operation{ID: "op"}}
	if err := w.Apply(g); err != nil {
		t.Fatal(err)
	}
	if !state.IsBound(g) || state.Peer(g) != "" || g.Annotations[vgrv1.AnnotationPeerHandles] != "" {
		t.Errorf("told: %v", g.Annotations)
	}
}

// TestDemotions: where a demotion hands the role over, or is none, it is refused with the command to use.
func TestDemotions(t *testing.T) {
	for name, traits := range storages {
		w := newWorld(traits, recovery.Planned, 0)
		_, stop := recovery.Begin(w.observe(true), recovery.Request{Kind: recovery.Demote, To: sites[west], ID: "1", Holder: "me"}, traits)
		switch {
		case traits.ConfirmsSync && stop != nil:
			t.Errorf("%s: %s", name, stop.Message)
		case !traits.ConfirmsSync && (stop == nil || stop.Next != "kubectl vgr failover db -n production --to west"):
			t.Errorf("%s: %+v", name, stop)
		}
	}
}
