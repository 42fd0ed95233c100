// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

const (
	east, west = 0, 1
	// maxWrites is how many writes an application makes on one way.
	maxWrites = 1
)

var (
	sites = [2]recovery.SiteRef{{Name: "east", Cluster: "uid-east"}, {Name: "west", Cluster: "uid-west"}}
	// The clock stands still: what matters is what came after what. Before is the time of a
	// synchronisation of an earlier role, synced of one that came since the present role began, after of
	// one that came after a resync was asked for.
	now    = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	before = metav1.NewTime(now.Add(-time.Minute))
	synced = metav1.NewTime(now.Add(time.Second))
	after  = metav1.NewTime(now.Add(time.Minute))
)

// shown is what the daemon of a site says of its copy. It is as old as the daemon's last look.
type shown byte

const (
	showsPrimary shown = iota
	showsFollowing
	showsDemoted
	showsError
)

// world is everything that matters: the objects on both sites, what controllers and storage do
// behind them, the tools, and what an application wrote.
type world struct {
	traits backend.Traits
	kind   recovery.Kind
	read   *memory
	groups [2]*vgrv1.VolumeGroupReplication // never changed in place
	up     [2]bool
	link   bool

	volume
	// second is another volume of the group, where that has two that are replicated each on its own.
	second    volume
	perVolume bool

	// failedOver: a handover or a forced promotion is not reprotected yet, so nothing is replicated.
	// handed: the site has handed over, and holds nothing of its own.
	failedOver bool
	handed     [2]bool
	// replicas are what a workload has on each site, which uses the PVCs. Where quiesce is asked for,
	// it is the application on east; on west it can run as well.
	replicas [2]int32
	quiesce  bool
	// app: something uses the PVCs on east. It does not stop: what starts and stops again between
	// two looks cannot be noticed.
	app bool

	tools [2]tool
	// faults is how many things may still go wrong. edits is how often another tool, such as GitOps, may
	// still ask a site for primary.
	faults, edits int
	// anyRole: that tool may ask for any role.
	anyRole bool
	// bare: the objects are the backend's own, and no controller of ours is between them and the tools. In the groups here
	// the synchronisation is what the backend reports, whatever role it is of.
	bare bool
	// remakes is how often a group may still be deleted, with what the storage has left in place, and
	// made anew as an old file says: as primary on east, as secondary on west.
	remakes int
	// menu are requests that either tool may begin with, at any time.
	menu []recovery.Request
	// snapshots: the storage can take a snapshot of all volumes, and an update goes up to it. The handle
	// of a snapshot says what is in it.
	snapshots bool
	// cutOff is the site that a fault can cut off when no other fault can be; or -1 for all faults.
	cutOff int
	// late: a tool may see a site as it was, but never as it was before what it saw already.
	late bool
	// together: a second tool may begin while the first one runs, or sleeps.
	together bool
	// mayAbort and mayForce: after a crash an administrator may abort, or do an unplanned failover.
	mayAbort, mayForce bool
	// accepted: a user accepted two primaries, or a loss.
	accepted bool
}

// volume is what the storage has of a volume, or of a group of volumes that it replicates as one. Data is a set of
// writes, by bit.
type volume struct {
	primary [2]bool
	data    [2]uint8
	// last is the site that was demoted last. crossed: the peer has all of that demotion. split: the
	// copies went different ways.
	last           int
	crossed, split bool
	// demotion: the newest snapshot of the copy is a demotion, its own or one that it received. Such a
	// copy is promoted without force, whatever the peer is.
	demotion [2]bool
	// replicated: the site, as primary, has synchronised since it was promoted. reported is when the
	// backend says so, which takes a look of the peer's daemon; nil before the first.
	replicated [2]bool
	reported   [2]*metav1.Time
	shown      [2]shown
	// promoting: the backend is in the middle of it and does not look at the spec any more.
	promoting [2]bool
	acked     uint8
}

// other does something to the second volume.
func (w *world) other(do func(*world)) {
	n := *w
	n.volume, n.second, n.perVolume = w.second, w.volume, false
	do(&n)
	w.second = n.volume
}

// alone is the world as if its second volume were the only one.
func (w *world) alone() *world {
	n := *w
	n.volume, n.perVolume = w.second, false
	return &n
}

// volumes are all of the group.
func (w *world) volumes() []volume {
	if !w.perVolume {
		return []volume{w.volume}
	}
	return []volume{w.volume, w.second}
}

// tool is one process.
type tool struct {
	started, running bool
	request          recovery.Request
	op               recovery.Operation
	// pending is what was decided and not sent yet; stale when the object has changed meanwhile.
	pending *recovery.Write
	stale   bool
	end     string
	// look: the last decision needs to know what uses the PVCs.
	look bool
	// pictures are what it saw last of each site, where old pictures are explored.
	pictures [2]*vgrv1.VolumeGroupReplication
}

// memory has what was found out about objects, which never change: that would be most of the work otherwise.
type memory struct {
	journals map[*vgrv1.VolumeGroupReplication]journal
	// objects has one object for each content.
	objects map[string]*vgrv1.VolumeGroupReplication
	reports map[reporting]*vgrv1.VolumeGroupReplication
	// recalled are backends' own objects with what was remembered of their role.
	recalled map[*vgrv1.VolumeGroupReplication]*vgrv1.VolumeGroupReplication
	// ends are how runs end that begin in a truth.
	ends map[[sha256.Size]byte]ending
}

func newMemory() *memory {
	return &memory{
		journals: map[*vgrv1.VolumeGroupReplication]journal{}, objects: map[string]*vgrv1.VolumeGroupReplication{},
		reports: map[reporting]*vgrv1.VolumeGroupReplication{}, recalled: map[*vgrv1.VolumeGroupReplication]*vgrv1.VolumeGroupReplication{}, ends: map[[sha256.Size]byte]ending{},
	}
}

// one is the object that has the content of g.
func (m *memory) one(g *vgrv1.VolumeGroupReplication) *vgrv1.VolumeGroupReplication {
	content, err := json.Marshal(g)
	if err != nil {
		panic(err)
	}
	if old := m.objects[string(content)]; old != nil {
		return old
	}
	m.objects[string(content)] = g
	return g
}

// reporting is all that a controller's report of a group is made of.
type reporting struct {
	group                      *vgrv1.VolumeGroupReplication
	reported, second           *metav1.Time
	shown, secondShown         [2]shown
	data                       uint8
	primary, split             bool
	secondPrimary, secondSplit bool
	failedOver, handed, fresh  bool
}

// ending is how a run ends, or why it does not.
type ending struct{ end, stuck string }

type journal struct {
	op  *recovery.Operation
	key string
}

func (m *memory) of(g *vgrv1.VolumeGroupReplication) journal {
	j, ok := m.journals[g]
	if !ok {
		j.op, _ = recovery.Journal(g)
		j.key = groupKey(g)
		m.journals[g] = j
	}
	return j
}

func groupKey(g *vgrv1.VolumeGroupReplication) string {
	b := []byte(g.Spec.ReplicationState)
	st := &g.Status
	b = fmt.Append(b, *g.Spec.AutoResync, st.ObservedGeneration == g.Generation, inherits(g), st.ConfirmedGeneration == g.Generation, st.DemotedAfterSync)
	b = append(appendTime(appendTime(b, st.LastSyncTime), st.SyncTimeBefore), st.State...)
	for _, c := range g.Status.Conditions {
		b = append(append(append(b, c.Type...), c.Status...), c.Reason...)
		b = strconv.AppendBool(b, c.ObservedGeneration == g.Generation)
	}
	if g.Annotations[vgrv1.AnnotationRemembered] != "" {
		known := recalled(g).Status
		b = appendTime(fmt.Append(b, known.StateSince != nil, known.DemotedAfterSync), known.SyncTimeBefore)
	}
	b = append(append(b, g.Status.LastSyncRequest...), '/')
	b = fmt.Append(b, g.Status.LastSnapshotRequest, g.Status.Volumes[0].SnapshotHandle, g.Annotations[vgrv1.AnnotationSnapshotRequest], g.Annotations[vgrv1.AnnotationPeerSnapshots])
	return string(append(append(b, g.Annotations[vgrv1.AnnotationSyncRequest]...), fate(g)...))
}

// recalled is a backend's own object with what was remembered of its role.
func recalled(g *vgrv1.VolumeGroupReplication) *vgrv1.VolumeGroupReplication {
	out := g.DeepCopy()
	state.Unwatched{LastSync: g.Status.LastSyncTime}.Recall(out)
	return out
}

// bared is a world without a controller of ours.
func bared(w world) world {
	w.bare = true
	for i := range sites {
		g := w.groups[i].DeepCopy()
		st := &g.Status
		st.StateSince, st.SyncTimeBefore, st.LastRole, st.DemotedAfterSync, st.ConfirmedGeneration = nil, nil, "", false, 0
		w.change(i, g)
		w.report(i)
	}
	return w
}

func appendTime(b []byte, t *metav1.Time) []byte {
	if t == nil {
		return append(b, '-')
	}
	return strconv.AppendInt(b, t.Unix()-now.Unix(), 10)
}

func fate(g *vgrv1.VolumeGroupReplication) vgrv1.PeerState { return state.Peer(g) }

func newWorld(t backend.Traits, kind recovery.Kind, faults int) world {
	w := world{faults: faults, cutOff: -1, traits: t, kind: kind, read: newMemory(), up: [2]bool{true, true}, link: true, app: !t.PromoteFirst, accepted: kind == recovery.Unplanned}
	w.primary = [2]bool{east: true}
	if t.ConfirmsSync { // the group has just come from west: all that is shown and reported is from before
		w.last, w.crossed, w.demotion, w.shown = west, true, [2]bool{west: true}, [2]shown{showsDemoted, showsDemoted}
		w.reported = [2]*metav1.Time{east: &before}
	}
	for i, asked := range []vgrv1.ReplicationState{vgrv1.Primary, vgrv1.Secondary} {
		w.groups[i] = &vgrv1.VolumeGroupReplication{
			ObjectMeta: metav1.ObjectMeta{Namespace: "production", Name: "db", Generation: 1, UID: types.UID(sites[i].Name)},
			Spec:       vgrv1.VolumeGroupReplicationSpec{ReplicationState: asked, AutoResync: new(i == west)},
			Status: vgrv1.VolumeGroupReplicationStatus{
				PersistentVolumeClaimsRefList: []corev1.LocalObjectReference{{Name: "data"}},
				Volumes:                       []vgrv1.VolumeStatus{{Name: "data", VolumeHandle: "handle"}},
			},
		}
		w.report(i)
	}
	return w
}

// newSplitWorld is what an unplanned failover from east to west has left: both are primary, and
// each has a write that the other one has not.
func newSplitWorld(t backend.Traits) world {
	w := newWorld(t, recovery.Failback, 1)
	w.primary, w.split, w.app = [2]bool{true, true}, true, false
	w.data, w.acked = [2]uint8{1, 2}, 2 // the write of east is the one to discard
	w.shown, w.demotion = [2]shown{showsPrimary, showsPrimary}, [2]bool{}
	g := w.groups[west].DeepCopy()
	g.Spec.ReplicationState = vgrv1.Primary
	g.Annotations = map[string]string{vgrv1.AnnotationPeer: string(vgrv1.PeerLost) + "/x"}
	g.Generation++
	w.groups[west] = g
	w.failedOver = t.HandsOver
	w.report(east)
	w.report(west)
	return w
}

// newReturnedWorld is the same where east has come back and was asked to give way, which is not for it
// to do by itself.
func newReturnedWorld(t backend.Traits) world {
	w := newSplitWorld(t)
	g := w.groups[east].DeepCopy()
	g.Spec.ReplicationState = vgrv1.Secondary
	g.Annotations = map[string]string{vgrv1.AnnotationPeer: string(vgrv1.PeerLost) + "/x"}
	g.Generation++
	w.groups[east] = g
	w.report(east)
	return w
}

// request is what the user wants: to move the group to west, or back to where it was.
func (w *world) request(holder string) recovery.Request {
	r := recovery.Request{Kind: w.kind, To: sites[west], By: "admin", Holder: holder, ID: "op-" + holder}
	last, _ := recovery.Newest(w.observeAll())
	r.Quiesce, r.Start = w.quiesce, w.quiesce
	switch {
	case last != nil: // the same command as before
		r.Kind, r.To, r.Accept.Unknown, r.Force = last.Kind, last.To, last.Kind == recovery.Unplanned, last.Force
		if last.Discard {
			r.Discard = last.To.Name
		}
	case w.kind == recovery.Failback && w.split:
		r.To, r.Discard = sites[east], "east"
	case w.kind == recovery.Unplanned:
		r.Accept.Unknown = true
	}
	return r
}

// observeAll is what one would see who reaches both sites.
func (w *world) observeAll() recovery.Pair {
	n := *w
	n.up = [2]bool{true, true}
	return n.observe(true)
}

// observe is what a tool sees. What uses the PVCs is only read on demand.
func (w *world) observe(usage bool) recovery.Pair {
	p := recovery.Pair{Namespace: "production", Name: "db"}
	for i := range sites {
		p.Sites[i] = recovery.Site{SiteRef: sites[i], Now: now, Answered: w.up[i], Alive: w.up[i]}
		if w.up[i] {
			p.Sites[i].Group, p.Sites[i].Journal, p.Sites[i].Unwatched = w.picture(w.groups[i]), w.read.of(w.groups[i]).op, w.bare
		} else {
			p.Sites[i].UnreachableReason = "cut off"
		}
		if usage && w.up[i] {
			p.Sites[i].Usage = w.usage(i)
		}
	}
	return p
}

// picture is a group as a tool sees it.
func (w *world) picture(g *vgrv1.VolumeGroupReplication) *vgrv1.VolumeGroupReplication {
	if !w.bare {
		return g
	}
	out, ok := w.read.recalled[g]
	if !ok {
		out = recalled(g)
		w.read.recalled[g] = out
	}
	return out
}

func (w *world) usage(i int) *recovery.Usage {
	u := &recovery.Usage{}
	if w.quiesce {
		u.Workloads = []recovery.Workload{{Kind: "statefulset", Name: "app", Claims: []string{"data"}, Replicas: w.replicas[i], ResourceVersion: fmt.Sprint(w.replicas[i])}}
	}
	if i == east && w.app {
		u.Users = []recovery.User{{Kind: "pod", Name: "app", Claim: "data", Workload: "statefulset/app"}}
	}
	return u
}

// key tells worlds apart: objects, storage, tools. Of numbers that only grow it takes the order.
func (w *world) key(b []byte) []byte {
	b = w.truth(b)
	b = append(b, byte(w.faults), byte(w.edits), byte(w.remakes))
	for _, yes := range []bool{w.up[0], w.up[1], w.link} {
		b = strconv.AppendBool(b, yes)
	}
	for _, t := range w.tools {
		for _, yes := range []bool{t.started, t.running, t.stale, t.look, t.request.Abort} {
			b = strconv.AppendBool(b, yes)
		}
		if t.running {
			b = w.journalKey(b, &t.op)
		}
		if t.running && len(w.menu) > 0 {
			b = append(append(b, t.request.Kind...), t.request.To.Name...)
		}
		if t.pending != nil {
			b = append(b, t.pending.Site.Name+string(t.pending.State)...)
			for _, s := range t.pending.Scale {
				b = strconv.AppendInt(b, int64(s.Replicas), 10)
			}
			b = w.journalKey(b, &t.pending.Operation)
		}
		for i, g := range t.pictures {
			b = append(b, '/')
			if !w.late || g == nil || g == w.groups[i] {
				continue
			}
			j := w.read.of(g)
			b = w.journalKey(append(b, j.key...), j.op)
		}
	}
	return b
}

// truth is what is so, whatever a tool thinks of it.
func (w *world) truth(b []byte) []byte {
	for i, g := range w.groups {
		j := w.read.of(g)
		b = append(b, j.key...)
		b = w.journalKey(b, j.op)
		b = strconv.AppendBool(strconv.AppendBool(append(b, w.data[i]), w.primary[i]), w.promoting[i])
	}
	for _, yes := range []bool{w.crossed, w.split, w.app, w.accepted, w.failedOver, w.handed[east], w.handed[west], w.demotion[east], w.demotion[west], w.replicated[east], w.replicated[west]} {
		b = strconv.AppendBool(b, yes)
	}
	if w.perVolume {
		b = w.alone().truth(b)
	}
	b = appendTime(appendTime(b, w.reported[east]), w.reported[west])
	return append(b, w.acked, byte(w.last), byte(w.shown[east]), byte(w.shown[west]), byte(w.replicas[east]), byte(w.replicas[west]))
}

// journalKey is a journal without what only grows: of the revision, whether it is the newest.
func (w *world) journalKey(b []byte, op *recovery.Operation) []byte {
	if op == nil {
		return append(b, "-"...)
	}
	b = append(append(append(append(append(b, op.ID...), op.Holder...), op.Result...), op.Kind...), op.To.Name...)
	b = strconv.AppendBool(strconv.AppendBool(strconv.AppendBool(b, op.Aborting), op.SpecOnly), op.Force)
	for _, cluster := range op.AutoResync {
		b = append(b, cluster...)
	}
	for _, g := range w.groups {
		if other := w.read.of(g).op; other != nil {
			b = strconv.AppendInt(b, int64(cmp.Compare(op.Revision, other.Revision)), 10)
		}
	}
	b = append(b, byte('0'+len(op.Stopped)))
	for _, r := range op.Steps {
		b = append(b, r.ID...)
		b = strconv.AppendBool(strconv.AppendBool(append(b, byte('0'+r.Attempt)), r.Asked), r.Finished != nil)
	}
	return b
}

// invariant says what must never be so.
func (w *world) invariant() string {
	if w.accepted || w.kind == recovery.Failback && w.split {
		return ""
	}
	if w.traits.Fences && w.active(east) && w.active(west) {
		return "both sites are primary"
	}
	if w.perVolume {
		if broken := w.alone().invariant(); broken != "" {
			return "the second volume: " + broken
		}
		for i, s := range sites {
			if !w.active(i) && !w.second.primary[i] && !w.second.promoting[i] {
				continue
			}
			for _, v := range w.volumes() {
				if v.data[i]&v.acked != v.acked {
					return fmt.Sprintf("a volume is primary on %s, which has not all that was acknowledged of each", s.Name)
				}
			}
		}
	}
	for i := range sites {
		moved := w.primary[i] && (w.traits.Fences || i == west || !w.primary[west])
		if moved && w.data[i]&w.acked != w.acked {
			return fmt.Sprintf("%s is writable and has not all that was acknowledged (%b of %b)", sites[i].Name, w.data[i], w.acked)
		}
	}
	return ""
}

// active reports whether a site is primary, or the backend is making it so.
func (w *world) active(i int) bool { return w.primary[i] || w.promoting[i] }

// events are all that can happen next: a name, and what it changes.
func (w *world) events(add func(name string, change func(*world))) {
	for i := range w.tools {
		w.toolEvents(i, add)
	}
	for i, s := range sites {
		if w.perVolume {
			w.secondEvents(i, add)
		}
		if w.up[i] {
			add("the controller of "+s.Name+" acts", func(n *world) { n.reconcile(i) })
			add("the controller of "+s.Name+" looks", func(n *world) { n.report(i) })
		}
		if w.traits.ConfirmsSync && w.shows(i) != w.shown[i] || w.unreported(i) {
			add("the daemon of "+s.Name+" looks", func(n *world) { n.look(i) })
		}
		for _, role := range w.asks(i) {
			if w.up[i] && w.groups[i].Spec.ReplicationState != role {
				add("another tool asks "+s.Name+" to be "+string(role), func(n *world) { n.edit(i, role); n.edits-- })
			}
		}
		if w.remakes > 0 && w.up[i] {
			add("the group on "+s.Name+" is deleted and made anew", func(n *world) { n.remake(i); n.remakes-- })
		}
		if w.mayWrite(i) {
			add("an application writes on "+s.Name, func(n *world) { n.appWrite(i) })
		}
		if w.faults > 0 && w.up[i] && (w.cutOff < 0 || w.cutOff == i) {
			add(s.Name+" is cut off", func(n *world) { n.up[i] = false; n.faults-- })
		}
		if !w.up[i] {
			add(s.Name+" returns", func(n *world) { n.up[i] = true })
		}
	}
	if w.link {
		add("the storage synchronises", func(n *world) { n.synchronise() })
		if w.faults > 0 && w.cutOff < 0 {
			add("the link goes down", func(n *world) { n.link = false; n.faults-- })
		}
	} else {
		add("the link comes up", func(n *world) { n.link = true })
	}
	if w.traits.PromoteFirst && !w.app && w.faults > 0 && !w.primary[west] && !w.decided(vgrv1.Primary) && w.kind == recovery.Planned {
		add("an application starts on east", func(n *world) { n.app = true; n.faults-- })
	}
	if w.traits.PromoteFirst && w.app && !w.quiesce && w.repeats() {
		add("the application stops", func(n *world) { n.app = false })
	}
}

// secondEvents are what can happen to the second volume on a site.
func (w *world) secondEvents(i int, add func(string, func(*world))) {
	alone := w.alone()
	if w.up[i] {
		add("csi-addons of "+sites[i].Name+" acts on the second volume", func(n *world) { n.other(func(o *world) { o.act(i) }) })
	}
	if alone.shows(i) != alone.shown[i] || alone.unreported(i) {
		add("the daemon of "+sites[i].Name+" looks at the second volume", func(n *world) { n.other(func(o *world) { o.look(i) }) })
	}
	if alone.mayWrite(i) {
		add("an application writes to the second volume on "+sites[i].Name, func(n *world) { n.other(func(o *world) { o.appWrite(i) }) })
	}
	if i == east && w.link {
		add("the storage synchronises the second volume", func(n *world) { n.other((*world).synchronise) })
	}
}

// repeats reports whether a tool has seen that something wrote after the last update.
func (w *world) repeats() bool {
	op := w.read.of(w.groups[west]).op
	return op != nil && slices.ContainsFunc(op.Steps, func(r recovery.StepTimes) bool {
		return (r.ID == recovery.StepUpdate || r.ID == recovery.StepSnapshot) && r.Attempt > 0
	})
}

// decided reports whether a tool is about to write, or the object asks for, a state on west. Between
// the last look and the write nothing protects a backend that does not fence.
func (w *world) decided(state vgrv1.ReplicationState) bool {
	for _, t := range w.tools {
		if t.pending != nil && t.pending.State == state {
			return true
		}
	}
	return w.groups[west].Spec.ReplicationState == state
}

func (w *world) toolEvents(i int, add func(string, func(*world))) {
	t := w.tools[i]
	name := []string{"A", "B"}[i]
	for _, r := range w.menu {
		if r.Holder, r.ID, r.By = name, "op-"+name, "admin"; !t.started {
			add(fmt.Sprintf("%s begins: %s to %s", name, r.Kind, r.To.Name), func(n *world) { n.begin(i, r) })
		}
	}
	switch {
	case len(w.menu) > 0:
	case i == 0 && !t.started:
		add("A begins", func(n *world) { n.begin(0, n.request("A")) })
	case i == 1 && !t.started && w.tools[0].started && (w.together || !w.tools[0].running):
		// Not only after a crash: the Lease of a tool that sleeps expires, too.
		add("B begins the same", func(n *world) { n.begin(1, n.request("B")) })
		if w.mayAbort {
			add("B aborts", func(n *world) { r := n.request("B"); r.Abort = true; n.begin(1, r) })
		}
		if w.mayForce && !w.up[east] {
			add("B forces", func(n *world) {
				r := n.request("B")
				r.Kind, r.Accept.Unknown, n.accepted = recovery.Unplanned, true, true
				n.begin(1, r)
			})
		}
	}
	if !t.running {
		return
	}
	if t.pending == nil {
		add(name+" looks", func(n *world) { n.step(i) })
		for at, s := range sites {
			if w.late && w.up[at] && t.pictures[at] != w.groups[at] {
				add(name+" sees what "+s.Name+" is now", func(n *world) { n.tools[i].pictures[at] = n.groups[at] })
			}
		}
	} else {
		add(name+" writes to "+t.pending.Site.Name, func(n *world) { n.send(i) })
		if w.faults > 0 && w.cutOff < 0 {
			add(name+"'s write to "+t.pending.Site.Name+" fails", func(n *world) { n.tools[i].pending = nil; n.faults-- })
			add(name+" writes to "+t.pending.Site.Name+" and dies", func(n *world) { n.send(i); n.tools[i].die(); n.faults-- })
		}
	}
	if w.faults > 0 && w.cutOff < 0 {
		add(name+" dies", func(n *world) { n.tools[i].die(); n.faults-- })
	}
}

func (t *tool) die() { *t = tool{started: true, end: "died", request: t.request} }

func (w *world) begin(i int, r recovery.Request) {
	w.tools[i] = tool{started: true, request: r}
	op, stop := recovery.Begin(w.observe(true), r, w.traits)
	if stop != nil {
		w.tools[i].end = string(stop.Reason) + ": " + stop.Message
		return
	}
	w.tools[i].op, w.tools[i].running, w.tools[i].pictures = op, true, w.groups
}

func (w *world) step(i int) {
	t := &w.tools[i]
	p := w.observe(t.look)
	if w.late {
		for at := range sites {
			if w.up[at] {
				p.Sites[at].Group, p.Sites[at].Journal = w.picture(t.pictures[at]), w.read.of(t.pictures[at]).op
			}
		}
	}
	d := recovery.Next(p, t.op, w.traits)
	t.op, t.look = d.Operation, d.Look
	switch {
	case d.Write != nil:
		t.pending, t.stale = d.Write, false
	case d.Done:
		*t = tool{started: true, end: "done", request: t.request}
	case d.Stop != nil:
		*t = tool{started: true, end: string(d.Stop.Reason) + ": " + d.Stop.Message, request: t.request}
	}
}

func (w *world) send(i int) {
	t := &w.tools[i]
	write, stale := t.pending, t.stale
	t.pending = nil
	site := east
	if write.Site == sites[west] {
		site = west
	}
	if len(write.Scale) > 0 {
		w.scale(site, write.Scale[0])
		return
	}
	if stale || !w.up[site] || w.late && t.pictures[site] != w.groups[site] {
		t.pictures[site] = w.groups[site] // read again, if the site answers
		return
	}
	g := w.groups[site].DeepCopy()
	if err := write.Apply(g); err != nil {
		panic(err)
	}
	old := w.groups[site]
	if w.bare {
		if err := (state.Unwatched{LastSync: old.Status.LastSyncTime}).Remember(old, g, metav1.NewTime(now)); err != nil {
			panic(err)
		}
	}
	if g.Spec.ReplicationState != old.Spec.ReplicationState || *g.Spec.AutoResync != *old.Spec.AutoResync {
		g.Generation++
	}
	w.change(site, g)
	t.pictures[site] = w.groups[site]
}

func (w *world) scale(site int, s recovery.Scale) {
	if !w.up[site] || s.ResourceVersion != fmt.Sprint(w.replicas[site]) {
		return
	}
	w.replicas[site] = s.Replicas
	if site == east {
		w.app = s.Replicas > 0
	}
}

func (w *world) change(site int, g *vgrv1.VolumeGroupReplication) { w.store(site, w.read.one(g)) }

// store stores an object. Who decided on the old one fails with the write, also when only its
// version is another one.
func (w *world) store(site int, g *vgrv1.VolumeGroupReplication) {
	w.groups[site] = g
	for i := range w.tools {
		if p := w.tools[i].pending; p != nil && p.Site == sites[site] {
			w.tools[i].stale = true
		}
	}
}

func (w *world) mayWrite(i int) bool {
	if !w.primary[i] || w.acked >= 1<<maxWrites-1 || w.kind == recovery.Failback && w.split && i == east {
		return false
	}
	return i == west || w.app
}

func (w *world) appWrite(i int) {
	for bit := uint8(1); ; bit <<= 1 {
		if w.acked&bit == 0 {
			w.acked |= bit
			w.data[i] |= bit
			return
		}
	}
}

// synchronise brings the primary's data to the secondary; a demotion crosses as well.
func (w *world) synchronise() {
	if w.split || w.failedOver {
		return
	}
	for i := range sites {
		peer := 1 - i
		if w.primary[i] && !w.primary[peer] {
			w.data[peer], w.demotion[peer] = w.data[i], false
			w.replicated[i] = true
			return
		}
	}
	if !w.primary[east] && !w.primary[west] {
		peer := 1 - w.last
		w.data[peer], w.demotion[peer] = w.data[w.last], true
		w.crossed = true
	}
}

// shows is what the daemon of a site would say of its copy if it looked now.
func (w *world) shows(i int) shown {
	peer := 1 - i
	switch {
	case w.primary[i]:
		return showsPrimary
	case w.split:
		return showsError
	case w.primary[peer], i != w.last && !w.crossed: // also while a demotion is on its way
		return showsFollowing
	default:
		return showsDemoted
	}
}

// look has the daemon of a site look at its copy. That a primary has synchronised is told by the daemon
// of its peer.
func (w *world) look(i int) {
	if w.unreported(i) {
		w.reported[1-i] = &synced
		if told := w.noted(1 - i); told != nil && !told.Before(&synced) {
			w.reported[1-i] = new(metav1.NewTime(told.Add(time.Second)))
		}
	}
	w.shown[i] = w.shows(i)
}

// unreported reports whether the daemon of a site would tell of a synchronisation that was not told yet.
func (w *world) unreported(i int) bool {
	told := w.reported[1-i]
	return w.traits.ConfirmsSync && w.replicated[1-i] && w.shows(i) == showsFollowing && (told == nil || !told.After(now) || w.noted(1-i) != nil && !w.noted(1-i).Before(told))
}

// noted is the synchronisation that a bare primary had reported when it was first seen as one; nil of others.
func (w *world) noted(i int) *metav1.Time {
	if !w.bare {
		return nil
	}
	return w.picture(w.groups[i]).Status.SyncTimeBefore
}

// remake deletes a group and makes it anew. The storage keeps what it has.
func (w *world) remake(i int) {
	old := w.groups[i]
	g := &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: old.Namespace, Name: old.Name, Generation: 1, UID: old.UID + "+"},
		Spec:       vgrv1.VolumeGroupReplicationSpec{ReplicationState: vgrv1.Secondary, AutoResync: new(i == west)},
		Status: vgrv1.VolumeGroupReplicationStatus{
			PersistentVolumeClaimsRefList: old.Status.PersistentVolumeClaimsRefList, Volumes: old.Status.Volumes,
		},
	}
	if i == east {
		g.Spec.ReplicationState = vgrv1.Primary
	}
	w.change(i, g)
	w.report(i)
}

// inherits reports whether a group was made over what an earlier one has left, and was never answered. Such
// a group demotes nothing.
func inherits(g *vgrv1.VolumeGroupReplication) bool {
	return g.Status.ObservedGeneration == 0 && strings.HasSuffix(string(g.UID), "+")
}

// asks are the roles that another tool may ask for.
func (w *world) asks(i int) []vgrv1.ReplicationState {
	switch {
	case w.edits == 0:
		return nil
	case w.bare && (i == west || w.decided(vgrv1.Primary) || w.primary[west] || w.promoting[west]): // nothing refuses a second primary
		return nil
	case w.bare:
		return []vgrv1.ReplicationState{vgrv1.Primary, vgrv1.Secondary}
	case w.anyRole:
		return []vgrv1.ReplicationState{vgrv1.Primary, vgrv1.Secondary, vgrv1.Resync}
	default:
		return []vgrv1.ReplicationState{vgrv1.Primary}
	}
}

// edit asks a site for a role, as kubectl patch or GitOps do.
func (w *world) edit(i int, role vgrv1.ReplicationState) {
	g := w.groups[i].DeepCopy()
	g.Spec.ReplicationState = role
	g.Generation++
	w.change(i, g)
}

// reconcile does what the spec asks for, as far as the storage allows.
func (w *world) reconcile(i int) {
	if w.act(i) {
		w.report(i)
	}
}

// act is what a backend does about one volume. It says nothing while it is in the middle of a promotion.
func (w *world) act(i int) (says bool) {
	g := w.groups[i]
	switch {
	case w.promoting[i]: // and does not look at the spec any more
		w.promoting[i] = false
		w.storagePromote(i)
	case w.traits.HandsOver && g.Spec.ReplicationState == vgrv1.Primary && w.primary[i]:
		w.reprotect(i)
	case w.traits.HandsOver && g.Spec.ReplicationState == vgrv1.Primary && fate(g) != vgrv1.PeerLost:
		// the peer has to hand over
	case g.Spec.ReplicationState == vgrv1.Primary && !w.primary[i]:
		if !w.bare && !state.MayPromote(g, &g.Status.ReplicationStatus) {
			break
		}
		w.promoting[i] = true
		return false
	case g.Spec.ReplicationState == vgrv1.Secondary && w.primary[i] && !inherits(g):
		w.storageDemote(i)
	case g.Spec.ReplicationState == vgrv1.Resync && w.link && !w.primary[i] && w.primary[1-i]:
		w.split = false
		w.data[i], w.demotion[i] = w.data[1-i], false
		w.replicated[1-i], w.reported[1-i], w.shown[i] = true, &after, showsFollowing // made anew, and observed
		w.report(1 - i)
	}
	return true
}

func (w *world) storagePromote(i int) {
	peer := 1 - i
	if w.traits.ConfirmsSync {
		w.split = w.split || w.primary[peer] || !w.demotion[i] || i != w.last && !w.crossed
		w.demotion[i], w.replicated[i] = false, false
		if w.reported[i] != nil {
			w.reported[i] = &before
		}
	}
	if w.traits.HandsOver {
		w.split = w.split || w.primary[peer]
		w.failedOver = true
	}
	if held, ok := told(w.groups[i]); ok {
		w.data[i] = held
	}
	w.primary[i], w.crossed = true, false
}

// told is what is in the snapshot that a site was told of.
func told(g *vgrv1.VolumeGroupReplication) (held uint8, ok bool) {
	var snapshots map[string]string
	if err := json.Unmarshal([]byte(g.Annotations[vgrv1.AnnotationPeerSnapshots]), &snapshots); err != nil {
		return 0, false
	}
	_, content, _ := strings.Cut(snapshots["data"], "=")
	n, err := strconv.ParseUint(content, 10, 8)
	return uint8(n), err == nil
}

// snapshot takes one when that was asked for and not done yet.
func (w *world) snapshot(i int, g *vgrv1.VolumeGroupReplication) {
	meta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{Type: vgrv1.ConditionGroupConsistent, Status: metav1.ConditionFalse, Reason: vgrv1.ReasonGroupSnapshots, ObservedGeneration: g.Generation, LastTransitionTime: before})
	request := g.Annotations[vgrv1.AnnotationSnapshotRequest]
	if request == g.Status.LastSnapshotRequest || request != "" && !w.primary[i] {
		return
	}
	g.Status.LastSnapshotRequest, g.Status.Volumes[0].SnapshotHandle = request, ""
	if request != "" {
		g.Status.Volumes[0].SnapshotHandle = fmt.Sprintf("%s=%d", request, w.data[i])
	}
}

// reprotect has the source replicate to the other site, whatever that holds, if it was told to.
func (w *world) reprotect(i int) {
	may := fate(w.groups[i]) == vgrv1.PeerDemoted || fate(w.groups[i]) == vgrv1.PeerDiscarded
	if !w.failedOver || !w.link || !may {
		return
	}
	w.data[1-i], w.primary[1-i] = w.data[i], false
	w.failedOver, w.split, w.handed = false, false, [2]bool{}
}

func (w *world) storageDemote(i int) {
	switch {
	case w.traits.HandsOver:
		if w.link && !w.failedOver && !w.split && fate(w.groups[i]) != vgrv1.PeerLost && state.IsBound(w.groups[i]) {
			w.data[1-i] |= w.data[i]
			w.primary[i], w.primary[1-i] = false, true
			w.failedOver, w.handed[i] = true, true
		}
	case w.traits.ConfirmsSync:
		w.primary[i], w.crossed, w.last, w.demotion[i] = false, false, i, true
	case w.traits.PromoteFirst:
		if w.primary[1-i] && w.link && fate(w.groups[i]) == vgrv1.PeerPrimary { // follows the new source
			w.primary[i], w.data[i], w.split = false, w.data[1-i], false
		}
	}
}

// report writes the status as the backend is now.
func (w *world) report(i int) {
	if w.promoting[i] && (!w.perVolume || w.second.promoting[i]) {
		return // nothing is said meanwhile
	}
	k := reporting{
		second: w.second.reported[i], secondShown: w.second.shown, secondPrimary: w.second.primary[i], secondSplit: w.second.split,
		group: w.groups[i], reported: w.reported[i], shown: w.shown, primary: w.primary[i], split: w.split,
		failedOver: w.failedOver, handed: w.handed[i],
	}
	if w.snapshots {
		k.data = w.data[i]
	}
	request := w.groups[i].Annotations[vgrv1.AnnotationSyncRequest]
	if w.traits.PromoteFirst && request != w.groups[i].Status.LastSyncRequest && w.link && !w.primary[i] && w.groups[i].Spec.ReplicationState == vgrv1.Secondary {
		if k.fresh = true; !w.fetch(i) {
			w.synchronise()
		}
	}
	g, ok := w.read.reports[k]
	if !ok {
		g = w.read.one(w.said(i, k.fresh))
		w.read.reports[k] = g
	}
	w.store(i, g)
}

// fetch brings a site what is in the snapshot that it was told of, if it was.
func (w *world) fetch(i int) bool {
	held, ok := told(w.groups[i])
	if ok {
		w.data[i] |= held
	}
	return ok
}

// said is a group with the status that its controller would write. It is fresh when the update that was asked for has
// come through.
func (w *world) said(i int, fresh bool) *vgrv1.VolumeGroupReplication {
	g := w.groups[i].DeepCopy()
	s := &g.Status
	was := s.State
	held := !w.bare && g.Spec.ReplicationState == vgrv1.Primary && !w.primary[i] && !state.MayPromote(g, &s.ReplicationStatus)
	differs := g.Spec.ReplicationState == vgrv1.Secondary && w.primary[i] && inherits(g)
	if !held && !differs {
		s.ObservedGeneration = g.Generation
	}
	observed, reported := vgrv1.StateSecondary, (*metav1.Time)(nil)
	if w.primary[i] {
		observed, reported = vgrv1.StatePrimary, w.reported[i]
	}
	all := w.shown
	if w.perVolume {
		observed, reported = w.aggregate(i, observed, reported)
		if w.second.shown != w.shown {
			all = [2]shown{showsFollowing, showsFollowing} // the worst counts
		}
	}
	if w.bare {
		s.State, s.LastSyncTime = observed, reported
	} else {
		state.Remember(&s.ReplicationStatus, observed, reported, metav1.NewTime(now))
	}
	if observed == vgrv1.StateUnknown {
		state.RememberVolumes(&s.ReplicationStatus, []vgrv1.VolumeStatus{{State: vgrv1.StatePrimary}, {State: vgrv1.StateSecondary}})
	}
	want := map[vgrv1.ReplicationState]vgrv1.State{vgrv1.Primary: vgrv1.StatePrimary, vgrv1.Secondary: vgrv1.StateSecondary}[g.Spec.ReplicationState]
	set := func(kind string, status bool, reason string) {
		c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, ObservedGeneration: g.Generation, LastTransitionTime: before}
		if status {
			c.Status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&s.Conditions, c)
	}
	switch {
	case held:
		set(vgrv1.ConditionReady, false, vgrv1.ReasonPromotionNotConfirmed)
	case differs:
		set(vgrv1.ConditionReady, false, vgrv1.ReasonRoleDiffers)
	case g.Spec.ReplicationState == vgrv1.Resync:
		set(vgrv1.ConditionReady, false, vgrv1.ReasonResyncing)
	case want == s.State:
		set(vgrv1.ConditionReady, true, "AsAsked")
		s.ConfirmedGeneration = g.Generation
	default:
		set(vgrv1.ConditionReady, false, vgrv1.ReasonProgressing)
	}
	meta.RemoveStatusCondition(&s.Conditions, vgrv1.ConditionReplicating)
	if w.traits.HandsOver && w.primary[i] {
		set(vgrv1.ConditionReplicating, !w.failedOver, "Link")
	}
	switch {
	case observed == vgrv1.StateUnknown:
		set(vgrv1.ConditionDegraded, true, "VolumeDegraded")
	case w.primary[i]:
		set(vgrv1.ConditionDegraded, false, "Healthy")
	case w.traits.ConfirmsSync && (w.shown[i] == showsError || w.perVolume && w.second.shown[i] == showsError), w.traits.HandsOver && (w.split || w.failedOver && !w.handed[i]), w.traits.PromoteFirst && w.split:
		set(vgrv1.ConditionDegraded, true, "Error")
	case w.traits.HandsOver:
		set(vgrv1.ConditionDegraded, w.failedOver, "VolumeDegraded")
	case w.traits.ConfirmsSync && all == [2]shown{showsDemoted, showsDemoted}: // however old that is
		set(vgrv1.ConditionDegraded, false, "Healthy")
	case was != vgrv1.StateSecondary, !w.settled(i): // csi-addons never observes a settled secondary again
		set(vgrv1.ConditionDegraded, true, "VolumeDegraded")
	}
	if fresh {
		s.LastSyncRequest = g.Annotations[vgrv1.AnnotationSyncRequest]
	}
	if w.snapshots {
		w.snapshot(i, g)
	}
	return g
}

// aggregate is what is said of two volumes: the role that both have, and the older synchronisation.
func (w *world) aggregate(i int, observed vgrv1.State, reported *metav1.Time) (vgrv1.State, *metav1.Time) {
	if w.second.primary[i] != w.primary[i] {
		return vgrv1.StateUnknown, nil
	}
	if second := w.second.reported[i]; reported != nil && (second == nil || second.Before(reported)) {
		reported = second
	}
	return observed, reported
}

// settled reports whether a secondary's last word was that it is in sync.
func (w *world) settled(i int) bool {
	return w.groups[i].Status.State == vgrv1.StateSecondary && meta.IsStatusConditionFalse(w.groups[i].Status.Conditions, vgrv1.ConditionDegraded)
}

// calm mends everything and runs the same command again, without faults, and then an abort if that
// did not do it. It returns how it ended, or why it did not.
func (w *world) calm() (end, stuck string) {
	n := *w
	n.up, n.link = [2]bool{true, true}, true
	n.tools[0].die()
	n.tools[1].die()
	for range 3 {
		n.round()
	}
	n.late = false
	truth := sha256.Sum256(n.truth(nil))
	e, ok := n.read.ends[truth]
	if !ok {
		e.end, e.stuck = n.again()
		n.read.ends[truth] = e
	}
	return e.end, e.stuck
}

// again runs the same command, and then an abort if that did not do it.
func (w *world) again() (end, stuck string) {
	n := *w
	end = n.run(n.request("C"))
	if end == "done" || strings.HasPrefix(end, string(recovery.Nothing)) {
		at := west
		if last, _ := recovery.Newest(n.observeAll()); last != nil && last.Result == recovery.Aborted {
			at = east
		}
		if n.anyRole { // a role that another tool asked for may be what there was to do
			return strings.SplitN(end, ":", 2)[0], n.invariant()
		}
		return strings.SplitN(end, ":", 2)[0], cmp.Or(n.invariant(), n.running(at), n.owes())
	}
	if n.anyRole { // it may stop, and name the other tool, but break nothing
		return "stopped", n.invariant()
	}
	r := n.request("D")
	r.Abort = true
	if last := n.run(r); last != "done" {
		return "", end + "; " + last
	}
	return "aborted", cmp.Or(n.invariant(), n.running(east), n.owes())
}

// owes says what an operation has changed and not given back, unless its journal says so.
func (w *world) owes() string {
	last, _ := recovery.Newest(w.observeAll())
	for i, g := range w.groups {
		held := last != nil && last.Kind == recovery.Demote && slices.Contains(last.AutoResync, sites[i].Cluster)
		if want := i == west; *g.Spec.AutoResync != want && !held {
			return fmt.Sprintf("autoResync is %v on %s in the end", *g.Spec.AutoResync, sites[i].Name)
		}
	}
	return ""
}

// running says what is wrong when the application was to be moved and does not run on a site alone.
func (w *world) running(at int) string {
	if w.quiesce && (w.replicas[at] != 1 || w.replicas[1-at] != 0) {
		return fmt.Sprintf("replicas %v in the end", w.replicas)
	}
	return ""
}

// settle has the primary synchronise and report that.
func (w *world) settle() {
	w.mirror()
	w.report(east)
	w.report(west)
}

// round lets every actor act once.
func (w *world) round() {
	for i := range sites {
		w.reconcile(i)
		if w.perVolume {
			w.other(func(o *world) { o.act(i) })
		}
		w.mirror()
		w.report(i)
	}
}

// mirror lets the storage synchronise, and tell.
func (w *world) mirror() {
	w.synchronise()
	w.look(east)
	w.look(west)
	if w.perVolume {
		w.other((*world).mirror)
	}
}

func (w *world) run(r recovery.Request) string {
	w.begin(0, r)
	for i := range 60 {
		if i == 20 { // long enough to be noticed
			w.app = w.app && w.traits.Fences
		}
		if !w.tools[0].running {
			return w.tools[0].end
		}
		if w.tools[0].pending != nil {
			w.send(0)
		}
		w.round()
		w.step(0)
	}
	return fmt.Sprintf("after 60 rounds at %+v", w.tools[0].op.Steps)
}
