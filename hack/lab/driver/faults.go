// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unified-replication/kubectl-vgr/hack/lab/driver/proto"
)

// Hang is a pseudo code: the call waits until the fault is cleared and is then carried out.
const Hang = "HANG"

// Fault is what happens to calls of one RPC.
type Fault struct {
	// RPC is the method's name, such as PromoteVolume.
	RPC string `json:"rpc"`
	// Code is a gRPC code by name, such as INTERNAL, or HANG, or empty for no error.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Latency passes before anything else.
	Latency time.Duration `json:"latency,omitempty"`
	// Times is how many calls are hit; 0 is all until cleared.
	Times int `json:"times,omitempty"`
}

// Faults holds at most one fault per RPC, and counts calls.
type Faults struct {
	mu    sync.Mutex
	rules map[string]*rule
	calls map[string]int
}

type rule struct {
	Fault
	left    int
	cleared chan struct{}
}

// NewFaults returns a set without faults.
func NewFaults() *Faults { return &Faults{rules: map[string]*rule{}, calls: map[string]int{}} }

// RPCs returns the names of the methods a fault can be about.
func RPCs() []string {
	var names []string
	for _, service := range []grpc.ServiceDesc{proto.Replication_ServiceDesc, proto.VolumeGroupController_ServiceDesc} {
		for _, method := range service.Methods {
			names = append(names, method.MethodName)
		}
	}
	return append(names, "GetCapabilities")
}

// Set makes calls fail from now on; a fault of the same RPC is replaced.
func (f *Faults) Set(fault Fault) error {
	if !slices.Contains(RPCs(), fault.RPC) {
		return fmt.Errorf("no RPC %q; there are %s", fault.RPC, strings.Join(RPCs(), ", "))
	}
	fault.Code = strings.ToUpper(fault.Code)
	if fault.Code != "" && fault.Code != Hang {
		if _, err := codeOf(fault.Code); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clear(fault.RPC)
	f.rules[fault.RPC] = &rule{Fault: fault, left: fault.Times, cleared: make(chan struct{})}
	return nil
}

// Clear removes the faults of the given RPCs, or all. Calls that hang continue.
func (f *Faults) Clear(rpcs ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(rpcs) == 0 {
		rpcs = slices.Collect(maps.Keys(f.rules))
	}
	for _, rpc := range rpcs {
		f.clear(rpc)
	}
}

func (f *Faults) clear(rpc string) {
	if r := f.rules[rpc]; r != nil {
		close(r.cleared)
		delete(f.rules, rpc)
	}
}

// List returns the faults in force, sorted by RPC. Times is what is left of them.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []Fault{}
	for _, r := range f.rules {
		fault := r.Fault
		fault.Times = r.left
		list = append(list, fault)
	}
	slices.SortFunc(list, func(a, b Fault) int { return cmp.Compare(a.RPC, b.RPC) })
	return list
}

// Calls counts the calls of each RPC so far, failed ones included.
func (f *Faults) Calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}

// hit counts the call and returns the fault it meets, if any.
func (f *Faults) hit(rpc string) *rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[rpc]++
	r := f.rules[rpc]
	if r == nil || r.Times == 0 {
		return r
	}
	r.left--
	if r.left == 0 && r.Code != Hang {
		f.clear(rpc)
	}
	if r.left < 0 {
		return nil // the calls that were to hang do so; later ones pass
	}
	return r
}

func (f *Faults) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	r := f.hit(path.Base(info.FullMethod))
	if r == nil {
		return handler(ctx, req)
	}
	if err := wait(ctx, r); err != nil {
		return nil, err
	}
	if r.Code == "" || r.Code == Hang {
		return handler(ctx, req)
	}
	code, err := codeOf(r.Code)
	if err != nil {
		return nil, err
	}
	return nil, status.Error(code, cmp.Or(r.Message, "injected by the lab"))
}

// wait spends the fault's latency, or all the time until it is cleared.
func wait(ctx context.Context, r *rule) error {
	var elapsed <-chan time.Time
	cleared := r.cleared
	switch {
	case r.Code == Hang:
	case r.Latency > 0:
		timer := time.NewTimer(r.Latency)
		defer timer.Stop()
		elapsed, cleared = timer.C, nil
	default:
		return nil
	}
	select {
	case <-elapsed:
		return nil
	case <-cleared:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func codeOf(name string) (codes.Code, error) {
	var code codes.Code
	if err := code.UnmarshalJSON(fmt.Appendf(nil, "%q", name)); err != nil || code == codes.OK {
		return 0, fmt.Errorf("no error code %q; use a gRPC code such as INTERNAL, FAILED_PRECONDITION or UNAVAILABLE, or %s", name, Hang)
	}
	return code, nil
}
