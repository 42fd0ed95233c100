// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
	"github.com/unified-replication/kubectl-vgr/hack/lab/proxy"
)

// chaosSettings are what make chaos sets: how long to continue, and the first seed, or the only one.
const (
	chaosTime = "CHAOS_TIME"
	chaosSeed = "CHAOS_SEED"
	// Legs of a seed are run one after the other on the same groups.
	legs = 3
)

// TestChaos moves groups of each backend while what they depend on breaks, at times and in ways that a seed draws.
// Then all is mended, and the operation resumed or aborted. Acknowledged writes are there, there were never two
// primaries that no command had accepted, each operation could be ended, and what was said was true.
func TestChaos(t *testing.T) {
	if os.Getenv(chaosTime) == "" {
		t.Skip("it runs for as long as it is given: make chaos")
	}
	limit, err := time.ParseDuration(os.Getenv(chaosTime))
	if err != nil || limit <= 0 || limit > time.Hour {
		t.Fatalf("%s is a duration of an hour at most, such as 10m, not %q", chaosTime, os.Getenv(chaosTime))
	}
	seed, only := uint64(time.Now().Unix()), false
	if text := os.Getenv(chaosSeed); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
		only = true
	}
	w := ownWorld(t) // API servers that start refuse for a moment what they will allow
	count := &tally{}
	for end := time.Now().Add(limit); time.Now().Before(end); seed++ {
		t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) { chaos(t, w, seed, count) })
		if only {
			break
		}
	}
	t.Log(count)
}

// chaos makes a group of each backend and runs the legs of a seed. One that fails ends the seed: what it left is not
// what the next one is about.
func chaos(t *testing.T, w *world, seed uint64, count *tally) {
	t.Helper()
	t.Logf("again: make chaos CHAOS_SEED=%d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))                            //nolint:gosec // a schedule that can be repeated
	class := []string{gold, gold, single, single, ceph}[draw.IntN(5)] // the last one takes minutes for each move
	groups := []*subject{cephSubject(t, w, class), dellSubject(t, w), tridentSubject(t, w)}
	t.Cleanup(func() {
		for _, g := range groups {
			g.release()
		}
	})
	for n := range legs {
		l := drawLeg(draw)
		switch what := draw.IntN(3); {
		case n == 0 && what == 0:
			l.verb, l.rival, l.deletes = "create", "", nil
		case n == legs-1 && what != 0:
			l.verb, l.deletes = "unplanned", nil // what is given up may be deleted: that is another story
		}
		t.Logf("leg %d: %s", n, l)
		began := time.Now()
		c := &chaosRun{t: t, w: w, leg: l, groups: groups, count: count}
		c.run()
		t.Logf("leg %d: %s, after %s", n, strings.Join(c.ends, "; "), time.Since(began).Round(time.Second))
		if t.Failed() {
			return
		}
	}
}

// subject is a group of one backend, and what its storage knows of it.
type subject struct {
	*scene
	backend, name string
	class         string
	primary       string
	// write is an application writing on a site: how many writes were acknowledged.
	write   func(site string, n int64) int64
	written func(site string) int64
	// writable is what the storage says of both sites at one moment.
	writable func() map[string]bool
	// fences is false when a source stays writable until it follows.
	fences bool
	// unknown is true when the backend never says enough to call a group protected.
	unknown bool
	acked   atomic.Int64
}

func cephSubject(t *testing.T, w *world, class string) *subject {
	t.Helper()
	s := newSceneIn(t, w)
	claims := s.claims
	if class == ceph {
		claims = s.cephClaims
	}
	claims(lab.East, map[string]string{"app": "db"}, "data", "logs")
	s.done("create", "db", "-n", s.ns, "--class", class, "-l", "app=db", "--yes")
	s.synced(lab.East, "db")
	var handles []string
	for _, img := range s.images(lab.East) {
		handles = append(handles, img.Handle)
	}
	image := func(handle string) array.ImageState {
		img, _ := w.lab.Array.Image(handle)
		return img
	}
	g := &subject{scene: s, backend: "csi-addons " + class, name: "db", class: class, primary: lab.East, fences: true}
	g.write = func(site string, n int64) (acked int64) {
		for _, handle := range handles {
			if w.lab.Array.Write(array.Site(site), handle, n) == nil {
				acked += n
			}
		}
		return acked
	}
	g.written = func(site string) (n int64) {
		for _, handle := range handles {
			n += image(handle).Copies[array.Site(site)].Writes
		}
		return n
	}
	g.writable = func() map[string]bool {
		for _, handle := range handles {
			if img := image(handle); img.Copies[lab.East].Primary && img.Copies[lab.West].Primary {
				return map[string]bool{lab.East: true, lab.West: true}
			}
		}
		img := image(handles[0])
		return map[string]bool{lab.East: img.Copies[lab.East].Primary, lab.West: img.Copies[lab.West].Primary}
	}
	return g
}

func dellSubject(t *testing.T, w *world) *subject {
	t.Helper()
	d := newDellIn(newSceneIn(t, w))
	g := &subject{scene: d.scene, backend: "dell", name: "db", class: "dell", primary: lab.East, fences: true}
	g.write = func(site string, n int64) int64 {
		if !w.lab.PowerStore.Write(site, d.array(), n) {
			return 0
		}
		return 2 * n
	}
	g.written = func(site string) int64 { return w.lab.PowerStore.Written(site, d.array()) }
	is := func(site string) bool { return w.lab.PowerStore.Write(site, d.array(), 0) }
	g.writable = func() map[string]bool {
		east, west := is(lab.East), is(lab.West)
		return map[string]bool{lab.East: east && is(lab.East), lab.West: west} // both at one moment, if at all
	}
	return g
}

func tridentSubject(t *testing.T, w *world) *subject {
	t.Helper()
	n := newNetAppIn(newSceneIn(t, w), "netapp", nil)
	volumes := map[string][]string{}
	for _, site := range []string{lab.East, lab.West} {
		for _, claim := range []string{"data", "logs"} {
			volumes[site] = append(volumes[site], n.volume(site, claim))
		}
	}
	g := &subject{scene: n.scene, backend: "trident", name: "db", class: "netapp", primary: lab.East, unknown: true}
	g.write = func(site string, n int64) (acked int64) {
		for _, v := range volumes[site] {
			if w.lab.ONTAP.Write(v, n) {
				acked += n
			}
		}
		return acked
	}
	g.written = func(site string) (n int64) {
		for _, v := range volumes[site] {
			n += w.lab.ONTAP.Written(v)
		}
		return n
	}
	g.writable = func() map[string]bool {
		out := map[string]bool{}
		for site, vs := range volumes {
			out[site] = slices.ContainsFunc(vs, w.lab.ONTAP.Writable)
		}
		return out
	}
	return g
}

// release lets the group go, so that the controllers have no more of them from seed to seed.
func (g *subject) release() {
	for _, site := range []string{lab.East, lab.West} {
		err := g.sites[site].Delete(context.WithoutCancel(g.t.Context()), g.group(g.name, "", "", nil))
		if client.IgnoreNotFound(err) != nil {
			g.t.Error(err)
		}
	}
}

func (g *subject) other() string { return opposite(g.primary) }

func opposite(site string) string {
	if site == lab.East {
		return lab.West
	}
	return lab.East
}

// plugin runs a command for the group.
func (g *subject) plugin(verb string, args ...string) result {
	g.t.Helper()
	return g.vgr(slices.Concat([]string{verb, g.name, "-n", g.ns}, args)...)
}

// breakage is one thing that breaks, some time after the operation began.
type breakage struct {
	after, lasts time.Duration
	kind         string
	faults       []lab.Fault
	// act is what no fault of the lab does.
	act func(c *chaosRun)
}

func (b breakage) String() string {
	at := ""
	for _, f := range b.faults {
		at += " " + f.Site
	}
	return fmt.Sprintf("%s%s at %s for %s", b.kind, at, b.after, b.lasts)
}

// leg is what a seed draws for all groups.
type leg struct {
	verb      string
	breakages []breakage
	// abort is what is tried first after all was mended; else the operation is resumed.
	abort bool
	// rival is what a second administrator does; empty for none.
	rival string
	late  time.Duration
	// deletes are the sites on which another user deletes the groups while the operation is in flight.
	deletes []string
}

func (l leg) String() string {
	var all []string
	for _, b := range l.breakages {
		all = append(all, b.String())
	}
	text := l.verb + ": " + strings.Join(all, ", ")
	if l.rival != "" {
		text += fmt.Sprintf("; a second administrator: %s at %s", l.rival, l.late)
	}
	if len(l.deletes) > 0 {
		text += fmt.Sprintf("; deleted on %s at %s", strings.Join(l.deletes, " and "), l.late)
	}
	if l.abort {
		text += "; then abort"
	}
	return text
}

func drawLeg(draw *rand.Rand) leg {
	l := leg{verb: "planned", abort: draw.IntN(2) == 0}
	for range 1 + draw.IntN(3) {
		b := breakage{
			after: time.Duration(100+draw.IntN(8900)) * time.Millisecond, lasts: time.Duration(500+draw.IntN(7500)) * time.Millisecond,
		}
		drawBreakage(draw, &b)
		l.breakages = append(l.breakages, b)
	}
	l.late = time.Duration(draw.IntN(6000)) * time.Millisecond
	switch draw.IntN(6) {
	case 0, 1:
		l.rival = []string{"same", "opposite", "abort", "abort"}[draw.IntN(4)]
	case 2, 3:
		l.deletes = [][]string{{lab.East}, {lab.West}, {lab.East, lab.West}, {lab.West, lab.East}}[draw.IntN(4)]
	}
	return l
}

func drawBreakage(draw *rand.Rand, b *breakage) {
	sites := [][]string{{lab.East}, {lab.West}, {lab.East, lab.West}}[draw.IntN(3)]
	each := func(f lab.Fault) {
		for _, site := range sites {
			f.Site = site
			b.faults = append(b.faults, f)
		}
	}
	crash := func(process string) {
		b.kind = "kill " + process
		each(lab.Fault{Kind: lab.FaultProcess, Process: process, Crash: true})
	}
	code := []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout}[draw.IntN(4)]
	every, process := 1+draw.IntN(3), []string{"", lab.Controller}[draw.IntN(2)]
	what := draw.IntN(14)
	rpc := []string{"PromoteVolume", "DemoteVolume"}[draw.IntN(2)]
	switch what {
	case 0, 1:
		b.kind, b.act = "kill plugin", func(c *chaosRun) { c.killPlugins() }
	case 2:
		crash(lab.Controller)
	case 3:
		crash(lab.CSIAddons)
	case 4:
		crash(lab.APIServer)
	case 5:
		crash(lab.Etcd)
	case 6:
		crash([]string{lab.DellReplicator, lab.DellReplicationController}[draw.IntN(2)])
	case 7:
		b.kind = "cut"
		each(lab.Fault{Kind: lab.FaultCut, Mode: []proxy.Mode{proxy.Refuse, proxy.Blackhole}[draw.IntN(2)]})
	case 8:
		b.kind, b.faults = "link", []lab.Fault{{Kind: lab.FaultLink}}
	case 9, 10:
		b.kind = fmt.Sprintf("HTTP %d, 1 of %d, %s", code, every, or(process, "outside"))
		each(lab.Fault{Kind: lab.FaultHTTP, Process: process, HTTP: &httpfault.Fault{Codes: []int{code}, Every: every}})
	case 11:
		b.kind = fmt.Sprintf("no answer, 1 of %d, %s", every, or(process, "outside"))
		each(lab.Fault{Kind: lab.FaultHTTP, Process: process, HTTP: &httpfault.Fault{Every: every}})
	case 12:
		b.kind = fmt.Sprintf("answers of patches lost, 1 of %d, %s", every, or(process, "outside"))
		each(lab.Fault{Kind: lab.FaultHTTP, Process: process, HTTP: &httpfault.Fault{
			Codes: []int{http.StatusGatewayTimeout}, Method: http.MethodPatch, Late: true, Every: every,
		}})
	default:
		b.kind = rpc + " fails"
		each(lab.Fault{Kind: lab.FaultRPC, RPC: &driver.Fault{RPC: rpc, Code: "INTERNAL", Message: injected}})
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// tally counts what was done, over all seeds.
type tally struct {
	moves, resumed, aborted, created, unplanned, rivals, deleted, kills int
	breakages                                                           map[string]int
	codes                                                               map[int]int
}

func (c *tally) String() string {
	return fmt.Sprintf("%d operations: %d created anew, %d unplanned, %d beside a second administrator, %d deleted in flight, %d plugins killed; ended by: %d resumed, %d aborted; breakages %v; exit codes of the first run %v",
		c.moves, c.created, c.unplanned, c.rivals, c.deleted, c.kills, c.resumed, c.aborted, c.breakages, c.codes)
}

// chaosRun is one leg while it runs.
type chaosRun struct {
	t      *testing.T
	w      *world
	leg    leg
	groups []*subject
	count  *tally
	ends   []string

	mu      sync.Mutex
	running []*running
	// deleted are the groups that were deleted while their operation was in flight.
	deleted map[*subject]bool
}

// run breaks, mends, ends and checks.
func (c *chaosRun) run() {
	c.t.Helper()
	for _, g := range c.groups {
		g.acked.Add(g.write(g.primary, 5))
	}
	unplanned := c.leg.verb == "unplanned"
	if c.leg.verb == "create" {
		c.forget()
	}
	lost := ""
	if unplanned {
		lost = c.groups[0].primary
		// Which site is lost is the same for all, so the others come there first.
		for _, g := range c.groups {
			if g.primary != lost {
				if r := g.plugin("failover", "--to", lost, "--yes"); r.code != 0 {
					c.t.Fatalf("%s: exit code %d\n%s", g.backend, r.code, r.errOut)
				}
				g.primary = lost
			}
		}
		mend := c.groups[0].isolate(lost)
		defer mend()
	}
	stop := c.applications(unplanned)
	results := c.broken(lost)
	c.mended(lost)
	stop()
	for i, g := range c.groups {
		c.count.add(c.leg, results[i].code)
		switch c.leg.verb {
		case "unplanned":
			c.takeOver(g, results[i])
		case "create":
			c.within(g, "create", g.creation()...)
			c.ends = append(c.ends, fmt.Sprintf("%s: created, primary %s", g.backend, g.primary))
		default:
			c.finish(g)
			c.createAgain(g)
		}
		if c.t.Failed() {
			return
		}
	}
	if unplanned {
		c.w.mend(c.t, lost)
		for _, g := range c.groups {
			c.failback(g)
		}
	}
	for _, g := range c.groups {
		c.check(g)
	}
}

// mend undoes isolate.
func (w *world) mend(t *testing.T, site string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if err := errors.Join(w.lab.Heal(ctx, lab.Fault{Kind: lab.FaultLink}), w.lab.Site(site).Reconnect(ctx)); err != nil {
		t.Fatal(err)
	}
}

func (c *tally) add(l leg, code int) {
	if c.breakages == nil {
		c.breakages, c.codes = map[string]int{}, map[int]int{}
	}
	c.moves++
	c.codes[code]++
	switch l.verb {
	case "unplanned":
		c.unplanned++
	case "create":
		c.created++
	}
	if l.rival != "" {
		c.rivals++
	}
	for _, b := range l.breakages {
		kind, _, _ := strings.Cut(b.kind, ",")
		c.breakages[kind]++
	}
}

// applications write where the storage lets them, and look for two primaries, until the returned function is called.
// Where the storage does not fence, the application has stopped: that is what a planned failover waits for.
func (c *chaosRun) applications(accepted bool) (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var all sync.WaitGroup
	if !accepted {
		for _, g := range c.groups {
			if !g.fences {
				continue
			}
			all.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					if w := g.writable(); w[lab.East] && w[lab.West] {
						c.t.Errorf("%s: both sites are primary", g.backend)
						return
					}
					if n%10 == 0 {
						g.acked.Add(g.write(lab.East, 1) + g.write(lab.West, 1))
					}
					pause(ctx, settle/100)
				}
			})
		}
	}
	return func() {
		cancel()
		all.Wait()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// inFlight returns the group as a site has it once an operation is in flight there that matches; nil when none was seen.
func (c *chaosRun) inFlight(g *subject, site string, matches func(recovery.Operation) bool) *vgrv1.VolumeGroupReplication {
	ctx := c.t.Context()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); pause(ctx, settle/50) {
		var obj vgrv1.VolumeGroupReplication
		if g.sites[site].Get(ctx, client.ObjectKey{Namespace: g.ns, Name: g.name}, &obj) != nil {
			continue // the site is broken
		}
		if op, err := recovery.Journal(&obj); err == nil && op.InFlight() && matches(*op) {
			return &obj
		}
	}
	return nil
}

// deleteInFlight deletes a group as soon as its operation is in its journal, late in the leg at the earliest.
func (c *chaosRun) deleteInFlight(g *subject, site string) {
	pause(c.t.Context(), c.leg.late)
	for range 20 {
		obj := c.inFlight(g, site, func(recovery.Operation) bool { return true })
		if obj == nil {
			return
		}
		// Bound to the version with the journal: one that has ended meanwhile is not what this is about.
		if g.sites[site].Delete(c.t.Context(), obj, client.Preconditions{UID: &obj.UID, ResourceVersion: &obj.ResourceVersion}) != nil {
			continue
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.deleted == nil {
			c.deleted = map[*subject]bool{}
		}
		c.deleted[g] = true
		c.count.deleted++
		return
	}
}

// killInFlight ends the plugin of a group as soon as its operation can be aborted, so that it can be.
func (c *chaosRun) killInFlight(g *subject, r *running) {
	site := []string{lab.East, lab.West}[c.leg.late.Milliseconds()%2]
	if c.inFlight(g, site, func(op recovery.Operation) bool { return len(op.Steps) > int(c.leg.late.Milliseconds()/2%3) }) == nil {
		return
	}
	if r.cmd.Process.Kill() == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.count.kills++
	}
}

// createAgain makes a group again that was deleted: its operation has ended, so the deletion is not held any more.
func (c *chaosRun) createAgain(g *subject) {
	c.t.Helper()
	if !c.deleted[g] {
		return
	}
	for _, site := range []string{lab.East, lab.West} {
		obj := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: g.ns, Name: g.name}}
		if err := g.sites[site].Delete(c.t.Context(), obj); client.IgnoreNotFound(err) != nil {
			c.t.Fatal(err)
		}
		g.gone(site, obj)
	}
	c.within(g, "create", g.creation()...)
	c.ends = append(c.ends, g.backend+": deleted, and created again")
}

// forget deletes the groups, whose replication stays, so that they can be made anew.
func (c *chaosRun) forget() {
	c.t.Helper()
	for _, g := range c.groups {
		for _, site := range []string{g.primary, g.other()} {
			if r := g.plugin("delete", "--yes", "--context", site, "--peer-context", opposite(site)); r.code != 0 {
				c.t.Fatalf("%s: delete on %s: exit code %d\n%s", g.backend, site, r.code, r.errOut)
			}
		}
	}
}

// creation are the flags that make the group.
func (g *subject) creation() []string {
	return []string{"--class", g.class, "-l", "app=db", "--yes", "--context", g.primary, "--peer-context", g.other()}
}

// moves are the arguments of what the leg is about.
func (c *chaosRun) moves(g *subject) []string {
	if c.leg.verb == "create" {
		return append([]string{"create", g.name, "-n", g.ns}, g.creation()...)
	}
	args := []string{"failover", g.name, "-n", g.ns, "--to", g.other(), "--yes"}
	if c.leg.verb == "unplanned" {
		args = append(args, "--unplanned", "--accept-data-loss", "unknown")
	}
	return args
}

// broken runs the operation of each group, and that of a second administrator, while things break.
func (c *chaosRun) broken(lost string) []result {
	c.t.Helper()
	var all sync.WaitGroup
	first := make([]*running, len(c.groups))
	for i, g := range c.groups {
		first[i] = c.begin(g, c.moves(g)...)
	}
	for _, b := range c.leg.breakages {
		all.Go(func() { c.breaks(b, lost) })
	}
	if c.leg.rival != "" {
		pause(c.t.Context(), c.leg.late)
		for _, g := range c.groups {
			args := c.moves(g)
			switch c.leg.rival {
			case "abort":
				args = []string{"failover", g.name, "-n", g.ns, "--abort", "--yes"}
			case "opposite":
				if lost == "" {
					args = []string{"failover", g.name, "-n", g.ns, "--to", g.primary, "--yes"}
				}
			}
			r := c.begin(g, args...)
			all.Go(func() { r.end() })
		}
	}
	for i, g := range c.groups {
		for _, site := range c.leg.deletes {
			all.Go(func() { c.deleteInFlight(g, site) })
		}
		if c.leg.abort && c.leg.verb == "planned" {
			all.Go(func() { c.killInFlight(g, first[i]) })
		}
	}
	results := make([]result, len(first))
	for i, r := range first {
		results[i] = r.end()
	}
	all.Wait()
	return results
}

func (c *chaosRun) begin(g *subject, args ...string) *running {
	c.t.Helper()
	r := g.begin(append(args, "--timeout", "40s", "--request-timeout", "5s")...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = append(c.running, r)
	return r
}

func (c *chaosRun) killPlugins() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.running {
		if r.cmd.Process.Kill() == nil {
			c.count.kills++
		}
	}
}

// breaks has one thing broken for a while. The site that is lost stays so.
func (c *chaosRun) breaks(b breakage, lost string) {
	ctx := c.t.Context()
	pause(ctx, b.after)
	if b.act != nil {
		b.act(c)
		return
	}
	for _, f := range b.faults {
		if lost != "" && (f.Kind == lab.FaultLink || f.Kind == lab.FaultCut && f.Site == lost) {
			continue
		}
		if err := c.w.lab.Inject(ctx, f); err != nil {
			c.t.Errorf("%s: %v", f, err)
		}
		defer func() {
			if err := c.w.lab.Heal(ctx, f); err != nil {
				c.t.Errorf("%s: %v", f, err)
			}
		}()
	}
	pause(ctx, b.lasts)
}

// mended has everything run again, but for the site that is lost.
func (c *chaosRun) mended(lost string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for _, f := range c.w.lab.Faults() {
		if lost != "" && (f.Kind == lab.FaultLink || f.Kind == lab.FaultCut && f.Site == lost) {
			continue
		}
		if err := c.w.lab.Heal(ctx, f); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, site := range c.w.lab.Sites() {
		if err := site.WaitReady(ctx); err != nil {
			c.t.Fatal(err)
		}
	}
}

// latest is the group's newest operation; nil when it has none, or was deleted on both sites.
func (g *subject) latest() *recovery.Operation {
	g.t.Helper()
	r := g.plugin("history", "-o", "json")
	if r.code != 0 && g.vanished() {
		return nil
	}
	var h struct {
		Operations []recovery.Operation `json:"operations"`
	}
	if err := json.Unmarshal([]byte(r.out), &h); err != nil || r.code != 0 {
		g.t.Fatalf("%s: history: exit code %d, %v\n%s", g.backend, r.code, err, r.errOut)
	}
	if len(h.Operations) > 0 {
		return &h.Operations[0]
	}
	return nil
}

// vanished reports whether no site has the group.
func (g *subject) vanished() bool {
	for _, site := range []string{lab.East, lab.West} {
		if err := g.sites[site].Get(g.t.Context(), client.ObjectKey{Namespace: g.ns, Name: g.name}, &vgrv1.VolumeGroupReplication{}); !apierrors.IsNotFound(err) {
			return false
		}
	}
	return true
}

// within runs a command until it succeeds, as a user does who is told to run it again.
func (c *chaosRun) within(g *subject, verb string, args ...string) {
	c.t.Helper()
	var last result
	for end := time.Now().Add(2 * patience); time.Now().Before(end); pause(c.t.Context(), settle) {
		last = g.plugin(verb, append(args, "--timeout", "40s")...)
		if last.code == 0 || verb != "create" && c.deleted[g] && g.vanished() {
			return
		}
		g.retry()
	}
	c.t.Fatalf("%s: %s %s cannot be ended: exit code %d\n%s%s", g.backend, verb, strings.Join(args, " "), last.code, last.out, last.errOut)
}

// retry does what a group asks for whose backend does not try again by itself.
func (g *subject) retry() {
	for _, site := range []string{lab.East, lab.West} {
		obj := &vgrv1.VolumeGroupReplication{}
		if g.sites[site].Get(g.t.Context(), client.ObjectKey{Namespace: g.ns, Name: g.name}, obj) != nil {
			continue // it was deleted
		}
		if ready := meta.FindStatusCondition(obj.Status.Conditions, vgrv1.ConditionReady); ready == nil || !strings.Contains(ready.Message, vgrv1.AnnotationRetry) {
			continue
		}
		g.change(site, g.name, func(obj *vgrv1.VolumeGroupReplication) {
			metav1.SetMetaDataAnnotation(&obj.ObjectMeta, vgrv1.AnnotationRetry, time.Now().Format(time.RFC3339Nano))
		})
	}
}

// finish resumes or takes back what was begun, whatever that is by now.
func (c *chaosRun) finish(g *subject) {
	c.t.Helper()
	before := g.latest()
	if c.leg.abort && before.InFlight() {
		r := g.plugin("failover", "--abort", "--yes", "--timeout", "3m")
		if after := g.latest(); r.code != 0 && !after.InFlight() {
			c.t.Fatalf("%s: the abort ended with %d, and nothing is in flight\n%s", g.backend, r.code, r.errOut)
		}
	}
	if op := g.latest(); op.InFlight() {
		to := op.To.Name
		if op.Aborting {
			c.within(g, "failover", "--abort", "--yes")
		} else {
			c.within(g, "failover", "--to", to, "--yes")
			c.count.resumed++
		}
	} else if (op == nil || before == nil) && !g.vanished() {
		c.within(g, "failover", "--to", g.other(), "--yes") // it was refused before anything began
	}
	op := g.latest()
	if op == nil {
		// Both were deleted, and the end of the operation let them go: nothing but the storage knows what that was.
		g.primary = c.leads(g)
		c.ends = append(c.ends, fmt.Sprintf("%s: ended and gone, primary %s", g.backend, g.primary))
		return
	}
	switch op.Result {
	case recovery.Done:
		g.primary = op.To.Name
	case recovery.Aborted:
		g.primary = op.From.Name
		c.count.aborted++
	default:
		c.t.Fatalf("%s: it has ended as %+v", g.backend, op)
	}
	c.ends = append(c.ends, fmt.Sprintf("%s: %s, primary %s", g.backend, op.Result, g.primary))
}

// leads is the one site on which a group that is gone can be written to.
func (c *chaosRun) leads(g *subject) string {
	c.t.Helper()
	w := g.writable()
	if w[lab.East] == w[lab.West] {
		c.t.Fatalf("%s: deleted on both sites, and writable are %v", g.backend, w)
	}
	if w[lab.East] {
		return lab.East
	}
	return lab.West
}

// takeOver sees the unplanned failover through while the other site is lost. What it has given up is known then.
func (c *chaosRun) takeOver(g *subject, first result) {
	c.t.Helper()
	to := g.other()
	if has := g.written(to); strings.Contains(first.out+first.errOut, "data loss: none") && has < g.acked.Load() {
		c.t.Errorf("%s: %d of %d acknowledged writes are there, and it is said that none is lost\n%s%s", g.backend, has, g.acked.Load(), first.out, first.errOut)
	}
	c.within(g, "failover", "--to", to, "--unplanned", "--accept-data-loss", "unknown", "--yes")
	g.acked.Store(g.written(to))
	g.acked.Add(g.write(to, 3))
	if !g.writable()[to] {
		c.t.Errorf("%s: %s is said to be primary, and is not writable", g.backend, to)
	}
}

// failback goes back to the site that was lost, without what it alone had.
func (c *chaosRun) failback(g *subject) {
	c.t.Helper()
	c.within(g, "failback", "--to", g.primary, "--discard-site", g.primary, "--yes")
	c.ends = append(c.ends, fmt.Sprintf("%s: back, primary %s", g.backend, g.primary))
}

// check compares what is said of a group with what its storage has.
func (c *chaosRun) check(g *subject) {
	c.t.Helper()
	g.eventually(g.backend+" to be shown as protected, with its primary on "+g.primary, func(context.Context) error {
		o := g.seen("status", g.name)
		if len(o.Groups) != 1 {
			return fmt.Errorf("%d groups", len(o.Groups))
		}
		primary, ok := o.Groups[0].Primary()
		v := o.Groups[0].Verdict
		fine := v.Phase == overview.Protected || g.unknown && v.Phase == overview.Unknown
		if !fine || !ok || primary.Site != g.primary {
			return fmt.Errorf("verdict %+v", v)
		}
		return nil
	})
	w := g.writable()
	if !w[g.primary] || w[g.other()] {
		c.t.Errorf("%s: %s is shown as primary, and writable are %v", g.backend, g.primary, w)
	}
	if has, want := g.written(g.primary), g.acked.Load(); has != want {
		c.t.Errorf("%s: %s has %d of %d acknowledged writes; operation %+v", g.backend, g.primary, has, want, g.latest())
	}
	for _, site := range []string{lab.East, lab.West} {
		want := vgrv1.Secondary
		if site == g.primary {
			want = vgrv1.Primary
		}
		if got := g.get(site, g.name).Spec.ReplicationState; got != want {
			c.t.Errorf("%s: %s is asked to be %s, with %s as primary", g.backend, site, got, g.primary)
		}
	}
}
