// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
	"github.com/unified-replication/kubectl-vgr/hack/lab/proxy"
)

// FaultKind says what is broken.
type FaultKind string

// What can be broken.
const (
	// FaultCut: no client outside reaches the site's API; its own controllers do.
	FaultCut FaultKind = "cut"
	// FaultSlow: the site's API is far away.
	FaultSlow FaultKind = "slow"
	// FaultHTTP: requests to the site's API are answered with errors, or not at all.
	FaultHTTP FaultKind = "http"
	// FaultLink: the arrays do not reach each other.
	FaultLink FaultKind = "link"
	// FaultDaemon: the mirroring daemon of a site is down.
	FaultDaemon FaultKind = "daemon"
	// FaultRPC: calls to the driver fail, hang or take long.
	FaultRPC FaultKind = "rpc"
	// FaultAttach: a volume is in use on a node, so that it cannot be demoted.
	FaultAttach FaultKind = "attach"
	// FaultProcess: a process is stopped.
	FaultProcess FaultKind = "process"
)

// Fault is one thing that is broken, or shall be. Which fields count depends on the kind.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Site is empty for the link only.
	Site string `json:"site,omitempty"`
	// Mode is how a cut looks; Refuse when empty.
	Mode proxy.Mode    `json:"mode,omitempty"`
	RTT  time.Duration `json:"rtt,omitempty"`
	// Loss is the part of the packets that is lost, such as 0.01.
	Loss float64          `json:"loss,omitempty"`
	HTTP *httpfault.Fault `json:"http,omitempty"`
	RPC  *driver.Fault    `json:"rpc,omitempty"`
	// Volume is a handle or "namespace/claim".
	Volume string `json:"volume,omitempty"`
	// Process is the one that is stopped, or whose requests go wrong: the controller, or when empty
	// all clients outside.
	Process string `json:"process,omitempty"`
	// Crash kills the process instead of stopping it.
	Crash bool `json:"crash,omitempty"`
}

// String describes the fault in one line.
func (f Fault) String() string {
	switch f.Kind {
	case FaultCut:
		return fmt.Sprintf("site %s is cut off (%s)", f.Site, f.Mode)
	case FaultSlow:
		return fmt.Sprintf("site %s is %s away and loses %v%% of the packets", f.Site, f.RTT, 100*f.Loss)
	case FaultHTTP:
		return fmt.Sprintf("site %s: %s (%s)", f.Site, f.HTTP, cmp.Or(f.Process, "from outside"))
	case FaultLink:
		return "the mirroring link is down"
	case FaultDaemon:
		return fmt.Sprintf("the mirroring daemon of site %s is down", f.Site)
	case FaultRPC:
		return fmt.Sprintf("%s on site %s: %s", f.RPC.RPC, f.Site, describe(*f.RPC))
	case FaultAttach:
		return fmt.Sprintf("volume %s is attached on site %s", f.Volume, f.Site)
	case FaultProcess:
		return fmt.Sprintf("%s of site %s is stopped", f.Process, f.Site)
	default:
		return string(f.Kind)
	}
}

func describe(f driver.Fault) string {
	var parts []string
	if f.Latency > 0 {
		parts = append(parts, "takes "+f.Latency.String())
	}
	switch f.Code {
	case "":
	case driver.Hang:
		parts = append(parts, "hangs")
	default:
		parts = append(parts, "fails with "+f.Code)
	}
	if f.Times > 0 {
		parts = append(parts, fmt.Sprintf("%d more times", f.Times))
	}
	return strings.Join(parts, ", ")
}

// Inject breaks something.
func (l *Lab) Inject(ctx context.Context, f Fault) error { return l.set(ctx, f, true) }

// Heal mends what a fault of the same kind and place broke.
func (l *Lab) Heal(ctx context.Context, f Fault) error { return l.set(ctx, f, false) }

func (l *Lab) set(ctx context.Context, f Fault, broken bool) error {
	if f.Kind == FaultLink {
		if l.Real != nil {
			return fmt.Errorf("there is no link to break between real Ceph clusters: stop %s on a site", ceph.Mirrorer)
		}
		l.Array.SetLink(!broken)
		l.PowerStore.SetLink(!broken)
		l.ONTAP.SetLink(!broken)
		return nil
	}
	site := l.Site(f.Site)
	if site == nil {
		return fmt.Errorf("no site %q; there are %s and %s", f.Site, East, West)
	}
	return site.set(ctx, f, broken)
}

func (s *Site) set(ctx context.Context, f Fault, broken bool) error {
	switch f.Kind {
	case FaultCut:
		mode := proxy.Pass
		if broken {
			if mode = f.Mode; mode == "" {
				mode = proxy.Refuse
			}
		}
		return s.proxy.SetMode(ctx, mode)
	case FaultSlow:
		if !broken {
			f.RTT, f.Loss = 0, 0
		}
		s.proxy.SetRTT(f.RTT)
		return s.proxy.SetLoss(f.Loss)
	case FaultHTTP:
		return s.setHTTP(f, broken)
	case FaultDaemon:
		return s.volumes.SetDaemon(ctx, !broken)
	case FaultRPC:
		return s.setRPC(f.RPC, broken)
	case FaultAttach:
		handle, err := s.VolumeHandle(ctx, f.Volume)
		if err != nil {
			return err
		}
		return s.volumes.Attach(ctx, handle, broken)
	case FaultProcess:
		return s.setProcess(ctx, f, broken)
	default:
		return fmt.Errorf("no fault of kind %q", f.Kind)
	}
}

func (s *Site) setHTTP(f Fault, broken bool) error {
	w := s.proxy
	if f.Process != "" {
		w = s.inside
	}
	switch {
	case f.Process != "" && (f.Process != Controller || w == nil):
		return fmt.Errorf("the requests of %q do not go through a proxy", f.Process)
	case !broken:
		return w.set(nil)
	case f.HTTP == nil:
		return errors.New("what shall happen to requests?")
	default:
		return w.set(f.HTTP)
	}
}

func (s *Site) setRPC(f *driver.Fault, broken bool) error {
	if f == nil {
		return errors.New("which RPC?")
	}
	if !broken {
		s.Driver.Faults.Clear(f.RPC)
		return nil
	}
	return s.Driver.Faults.Set(*f)
}

func (s *Site) setProcess(ctx context.Context, f Fault, broken bool) error {
	switch {
	case !broken:
		return s.StartProc(f.Process)
	case f.Crash:
		return s.Kill(ctx, f.Process)
	default:
		return s.StopProc(ctx, f.Process)
	}
}

// Faults lists what is broken now, as observed where it is broken.
func (l *Lab) Faults() []Fault {
	faults := []Fault{}
	state := l.Array.State()
	if !state.LinkUp {
		faults = append(faults, Fault{Kind: FaultLink})
	}
	for _, site := range l.sites {
		faults = append(faults, site.faults(state)...)
	}
	return faults
}

func (s *Site) faults(state array.State) []Fault {
	var faults []Fault
	way := s.proxy.State()
	if way.Mode != proxy.Pass {
		faults = append(faults, Fault{Kind: FaultCut, Site: s.Name, Mode: way.Mode})
	}
	if way.RTT > 0 || way.Loss > 0 {
		faults = append(faults, Fault{Kind: FaultSlow, Site: s.Name, RTT: way.RTT, Loss: way.Loss})
	}
	if f := s.proxy.hop.Fault(); f != nil {
		faults = append(faults, Fault{Kind: FaultHTTP, Site: s.Name, HTTP: f})
	}
	if s.inside != nil {
		if f := s.inside.hop.Fault(); f != nil {
			faults = append(faults, Fault{Kind: FaultHTTP, Site: s.Name, HTTP: f, Process: Controller})
		}
	}
	for _, site := range state.DaemonsDown {
		if string(site) == s.Name {
			faults = append(faults, Fault{Kind: FaultDaemon, Site: s.Name})
		}
	}
	for _, rule := range s.Driver.Faults.List() {
		faults = append(faults, Fault{Kind: FaultRPC, Site: s.Name, RPC: &rule})
	}
	for _, image := range state.Images {
		if image.Copies[array.Site(s.Name)].Attached {
			faults = append(faults, Fault{Kind: FaultAttach, Site: s.Name, Volume: image.Handle})
		}
	}
	for _, p := range s.Processes() {
		if p.Stopped {
			faults = append(faults, Fault{Kind: FaultProcess, Site: s.Name, Process: p.Name})
		}
	}
	return faults
}

// ClearFaults mends everything.
func (l *Lab) ClearFaults(ctx context.Context) error {
	var errs []error
	for _, f := range l.Faults() {
		errs = append(errs, l.Heal(ctx, f))
	}
	return errors.Join(errs...)
}

// Cut cuts the site off: connections through the proxy are refused, and open ones end.
func (s *Site) Cut(ctx context.Context) error { return s.proxy.SetMode(ctx, proxy.Refuse) }

// Blackhole cuts the site off in the way that only a timeout reveals.
func (s *Site) Blackhole(ctx context.Context) error { return s.proxy.SetMode(ctx, proxy.Blackhole) }

// Reconnect ends a cut.
func (s *Site) Reconnect(ctx context.Context) error { return s.proxy.SetMode(ctx, proxy.Pass) }

// SetRTT adds a round trip time to everything that goes through the proxy.
func (s *Site) SetRTT(rtt time.Duration) { s.proxy.SetRTT(rtt) }

// Bytes returns those that went through the proxy so far, to the site and from it.
func (s *Site) Bytes() (up, down int64) { return s.proxy.Bytes() }

// HTTPHits counts the requests that went wrong since the present FaultHTTP was set, of the same process as that.
func (s *Site) HTTPHits(process string) int {
	if process != "" {
		return s.inside.hop.Hits()
	}
	return s.proxy.hop.Hits()
}

// Attach marks a volume, a handle or "namespace/claim", as in use on the site, or as free again.
func (s *Site) Attach(ctx context.Context, volume string, attached bool) error {
	return s.set(ctx, Fault{Kind: FaultAttach, Volume: volume}, attached)
}

// Write acknowledges n writes to a volume, a handle or "namespace/claim", on the site.
func (s *Site) Write(ctx context.Context, volume string, n int64) error {
	handle, err := s.VolumeHandle(ctx, volume)
	if err != nil {
		return err
	}
	return s.volumes.Write(ctx, handle, n)
}
