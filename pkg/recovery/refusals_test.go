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

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

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
		"all is well":            {well, planned},
		"the copy is split":      {copyError("image is in split-brain"), planned},
		"the copy tells nothing": {copyError("failed to get last sync info: no snapshot details: last sync time not found"), planned},
		"the copy has an error":  {copyError("image is in error state"), planned},
		"no such site":           {well, with(func(r *recovery.Request) { r.To = recovery.SiteRef{Name: "north", Cluster: "uid-north"} })},
		"primary already":        {well, with(func(r *recovery.Request) { r.To = sites[east] })},
		"the source is lost":     {lost, planned},
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
		"reprotect of the site that was given up": {func(p *recovery.Pair, a *[2]recovery.Environment) {
			journal(p, recovery.Operation{Kind: recovery.Unplanned, From: sites[west], To: sites[east], Result: recovery.Done, Steps: []recovery.StepTimes{{ID: recovery.StepPromote, Asked: true}}})
		}, with(func(r *recovery.Request) { r.Kind, r.UnlessFollows = recovery.Resync, true })},
		"reprotect, the copy has an error":        {copyError("image is in error state"), with(func(r *recovery.Request) { r.Kind, r.UnlessFollows = recovery.Resync, true })},
		"reprotect, the copy follows":             {well, with(func(r *recovery.Request) { r.Kind, r.UnlessFollows = recovery.Resync, true })},
		"reprotect of the only primary":           {well, with(func(r *recovery.Request) { r.Kind, r.To, r.UnlessFollows = recovery.Resync, sites[east], true })},
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
		"the target's group is deleted after the demotion": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			isTo(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateSecondary, met)
			journal(p, recovery.Operation{Kind: recovery.Planned, Steps: []recovery.StepTimes{{ID: recovery.StepDemote, Asked: true}}, AutoResync: []string{"uid-west"}})
			p.Sites[west].Read(nil)
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
		"a PVC of the target is being deleted": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			terminating(p.Sites[west].Group)
		}, planned},
		"a PVC of the source is being deleted": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			terminating(p.Sites[east].Group)
		}, planned},
		"unplanned, a PVC of the target is being deleted": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			terminating(p.Sites[west].Group)
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
		"volumes of which the storage tells the copies": {func(p *recovery.Pair, envs *[2]recovery.Environment) {
			p.Sites[west].Group.Status.Volumes[0].VolumeHandle = "other"
			envs[east].CopyHandles = map[string]string{"data": "other"}
		}, planned},
		"volumes of which the storage tells other copies": {func(p *recovery.Pair, envs *[2]recovery.Environment) {
			p.Sites[west].Group.Status.Volumes[0].VolumeHandle = "other"
			envs[east].CopyHandles = map[string]string{"data": "another"}
		}, planned},
		"moved in the storage, and nothing follows": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			changedOutside(p.Sites[east].Group, vgrv1.Primary, vgrv1.StateSecondary)
			meta.SetStatusCondition(&p.Sites[east].Group.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "Error", Message: "the link is failed over"})
			isTo(p.Sites[west].Group, vgrv1.Secondary, vgrv1.StatePrimary, metav1.Condition{Status: metav1.ConditionFalse, Reason: vgrv1.ReasonProgressing, Message: "cannot hand over"})
		}, with(func(r *recovery.Request) { r.Kind = recovery.Promote })},
		"a PVC without a volume": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[west].Group.Status.Volumes[0].VolumeHandle = ""
		}, planned},
		"a copy with another name": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			g := p.Sites[west].Group
			g.Status.Volumes[0].Name = "data-dr"
			g.Status.PersistentVolumeClaimsRefList[0].Name = "data-dr"
		}, planned},
		"a synchronisation to come": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.LastSyncTime = new(metav1.NewTime(now.Add(3 * time.Hour)))
		}, with(func(r *recovery.Request) { r.Kind, r.Accept = recovery.Unplanned, recovery.Loss{Age: time.Hour} })},
		"a synchronisation to come, planned": {func(p *recovery.Pair, _ *[2]recovery.Environment) {
			p.Sites[east].Group.Status.LastSyncTime = new(metav1.NewTime(now.Add(3 * time.Hour)))
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
		"the copy follows another volume": {func(p *recovery.Pair, _ *[2]recovery.Environment) { another(p) }, planned},
		"unplanned, the copy follows another volume": {
			func(p *recovery.Pair, _ *[2]recovery.Environment) { another(p) },
			with(func(r *recovery.Request) { r.Kind, r.Accept.Unknown = recovery.Unplanned, true }),
		},
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
		"a driver that is not reached": {func(_ *recovery.Pair, a *[2]recovery.Environment) {
			a[west].Unconnected = "no CSIAddonsNode for driver rbd.csi.ceph.com"
		}, planned},
		"a driver that is not reached, unplanned": {func(_ *recovery.Pair, a *[2]recovery.Environment) {
			a[west].Unconnected = "no CSIAddonsNode for driver rbd.csi.ceph.com"
		}, with(func(r *recovery.Request) { r.Kind, r.Accept.Unknown = recovery.Unplanned, true })},
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
