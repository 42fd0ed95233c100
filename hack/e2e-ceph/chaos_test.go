// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2eceph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
)

// chaosSettings are what make chaos-ceph sets: how long to continue, and the seed.
const (
	chaosTime = "CHAOS_TIME"
	chaosSeed = "CHAOS_SEED"
)

// TestChaos moves a group of real volumes that are written to while what it depends on breaks, at times and in ways that a
// seed draws. Then all is mended, and the operation resumed or aborted. What was acknowledged is there, rbd never has two
// primaries, the operation could be ended, and the tool says of the roles what rbd says.
func TestChaos(t *testing.T) {
	if os.Getenv(chaosTime) == "" {
		t.Skip("it runs for as long as it is given: make chaos-ceph")
	}
	limit, err := time.ParseDuration(os.Getenv(chaosTime))
	if err != nil || limit <= 0 || limit > time.Hour {
		t.Fatalf("%s is a duration of an hour at most, such as 10m, not %q", chaosTime, os.Getenv(chaosTime))
	}
	seed := uint64(time.Now().Unix())
	if text := os.Getenv(chaosSeed); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("again: make chaos-ceph CHAOS_SEED=%d", seed)
	draw := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a schedule that can be repeated
	s := newScene(t, start(t, often), map[string]string{"data": "256Mi", "logs": "96Mi"})
	c := &chaos{scene: s, primary: lab.East, counts: map[string]int{}}
	for end, n := time.Now().Add(limit), 0; time.Now().Before(end) && !t.Failed(); n++ {
		c.leg(draw, fmt.Sprintf("leg-%d", n))
	}
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		t.Logf("%s: %d", what, c.counts[what])
	}
}

// chaos is the group while it is moved.
type chaos struct {
	*scene
	primary string
	counts  map[string]int
	// ended is the operation of the leg before.
	ended string
}

// breakage is one thing that breaks some time after the operation began.
type breakage struct {
	after, lasts time.Duration
	kind         string
	// fault is nil where the plugin is killed.
	fault *lab.Fault
}

func (b breakage) String() string {
	if b.fault == nil {
		return fmt.Sprintf("%s at %s", b.kind, b.after)
	}
	return fmt.Sprintf("%s on %s at %s for %s", b.kind, b.fault.Site, b.after, b.lasts)
}

func drawBreakage(draw *rand.Rand) breakage {
	site := []string{lab.East, lab.West}[draw.IntN(2)]
	b := breakage{after: time.Duration(draw.IntN(20000)) * time.Millisecond, lasts: time.Duration(1000+draw.IntN(14000)) * time.Millisecond}
	processes := []string{lab.Controller, lab.CSIAddons, lab.APIServer, lab.Etcd}
	switch n := draw.IntN(9); n {
	case 0, 1:
		b.kind = "plugin killed"
	case 2, 3, 4, 5:
		b.kind = processes[n-2] + " killed"
		b.fault = &lab.Fault{Kind: lab.FaultProcess, Site: site, Process: processes[n-2], Crash: true}
	case 6:
		b.kind, b.fault = "rbd-mirror stopped", &lab.Fault{Kind: lab.FaultDaemon, Site: site}
	case 7:
		b.kind, b.fault = "cut off", &lab.Fault{Kind: lab.FaultCut, Site: site}
	default:
		b.kind, b.fault = "HTTP 503, each second", &lab.Fault{Kind: lab.FaultHTTP, Site: site, HTTP: &httpfault.Fault{Codes: []int{http.StatusServiceUnavailable}, Every: 2}}
	}
	return b
}

// leg moves the group once, or tries to.
func (c *chaos) leg(draw *rand.Rand, run string) {
	c.t.Helper()
	var breakages []breakage
	for range 1 + draw.IntN(2) {
		breakages = append(breakages, drawBreakage(draw))
	}
	used, abort := time.Duration(draw.IntN(15000))*time.Millisecond, draw.IntN(3) == 0
	c.t.Logf("%s from %s: %v; in use for %s; abort: %v", run, c.primary, breakages, used, abort)
	c.attach(c.primary, true)
	stop := c.write(c.primary, run)
	ctx, cancel := context.WithCancel(c.t.Context())
	var watching, breaking sync.WaitGroup
	watching.Go(func() { c.watch(ctx) })
	defer watching.Wait()
	defer cancel()
	cmd := exec.CommandContext(ctx, c.bin+"/kubectl-vgr", "failover", group, "-n", c.ns, "--to", other(c.primary), "--yes", "--timeout", "90s", "--request-timeout", "5s") //nolint:gosec // ours
	cmd.Env = c.env()
	c.must(cmd.Start())
	for _, b := range breakages {
		c.counts[b.kind]++
		breaking.Go(func() { c.breaks(b, cmd) })
	}
	time.Sleep(used)
	stop() // the storage refuses to demote until now
	c.attach(c.primary, false)
	_ = cmd.Wait()
	breaking.Wait()
	c.counts[fmt.Sprintf("the first run ended with %d", cmd.ProcessState.ExitCode())]++
	c.mended()
	c.finish(abort)
	if c.t.Failed() {
		return
	}
	c.whole(c.primary)
	c.eventually("the tool and rbd to agree on who is primary", func(context.Context) error { return c.roles() })
}

// watch fails the test when rbd shows two primaries.
func (c *chaos) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for _, img := range c.lab.Real.State(ctx).Images {
			if img.Copies[lab.East].Primary && img.Copies[lab.West].Primary {
				c.t.Errorf("both sites are primary: %+v", img)
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (c *chaos) breaks(b breakage, plugin *exec.Cmd) {
	time.Sleep(b.after)
	if b.fault == nil {
		_ = plugin.Process.Kill() // it may have ended
		return
	}
	ctx := c.t.Context()
	if err := c.lab.Inject(ctx, *b.fault); err != nil {
		c.t.Errorf("%s: %v", b, err)
	}
	time.Sleep(b.lasts)
	if err := c.lab.Heal(ctx, *b.fault); err != nil {
		c.t.Errorf("%s: %v", b, err)
	}
}

func (c *chaos) mended() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for _, site := range c.lab.Sites() {
		c.must(site.WaitReady(ctx))
	}
}

// newest is the operation of this leg; nil where none has begun.
func (c *chaos) newest() *recovery.Operation {
	c.t.Helper()
	var h struct {
		Operations []recovery.Operation `json:"operations"`
	}
	c.must(json.Unmarshal([]byte(c.done("history", group, "-n", c.ns, "-o", "json")), &h))
	if len(h.Operations) == 0 || h.Operations[0].ID == c.ended {
		return nil
	}
	return &h.Operations[0]
}

// finish aborts or resumes what is in flight, as a user does who runs the same command again.
func (c *chaos) finish(abort bool) {
	c.t.Helper()
	again := []string{"failover", group, "-n", c.ns, "--to", other(c.primary), "--yes", "--timeout", "2m"}
	back := []string{"failover", group, "-n", c.ns, "--abort", "--yes", "--timeout", "2m"}
	if abort && c.newest().InFlight() {
		c.vgr(back...) // it may come too late
	}
	for end := time.Now().Add(2 * patience); ; {
		op := c.newest()
		switch {
		case op != nil && !op.InFlight() && op.Result == recovery.Aborted && op.From.Name == c.primary:
			c.counts["aborted"]++
			c.ended = op.ID
			return
		case op != nil && !op.InFlight() && op.Result == recovery.Done && op.To.Name == other(c.primary):
			c.primary, c.ended = op.To.Name, op.ID
			c.counts["moved"]++
			return
		case time.Now().After(end):
			c.t.Fatalf("it cannot be ended: %+v", op)
		case op.InFlight() && op.Aborting:
			c.vgr(back...)
		default:
			c.vgr(again...)
		}
	}
}

// roles compares who is primary by the tool and by rbd.
func (c *chaos) roles() error {
	o := c.overview()
	primary, ok := o.Primary()
	if !ok || primary.Site != c.primary {
		return fmt.Errorf("the tool says %+v", o.Verdict)
	}
	for name, img := range c.images() {
		if !img.Copies[array.Site(c.primary)].Primary || img.Copies[array.Site(other(c.primary))].Primary {
			return fmt.Errorf("rbd shows %s as %+v", name, img)
		}
	}
	if strings.Contains(o.Verdict.Message, "split") {
		return fmt.Errorf("the tool says %+v", o.Verdict)
	}
	return nil
}
