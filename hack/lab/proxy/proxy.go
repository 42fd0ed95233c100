// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package proxy forwards TCP connections and breaks them on demand, so that a site can be far away
// or cut off for all clients outside while its own controllers keep working.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Mode is what the proxy does with connections.
type Mode string

const (
	// Pass forwards.
	Pass Mode = "pass"
	// Refuse closes what is open and lets no client connect: a host whose service is gone.
	Refuse Mode = "refuse"
	// Blackhole keeps connections open and swallows everything: a network that drops packets.
	Blackhole Mode = "blackhole"
)

// State is what a proxy does now.
type State struct {
	Mode Mode
	RTT  time.Duration
	Loss float64
}

// Proxy listens on one port of the loopback interface and forwards to another.
type Proxy struct {
	address string

	// up and down are the bytes forwarded so far, to the target and from it.
	up, down atomic.Int64

	mu       sync.Mutex
	target   string
	listener net.Listener
	state    State
	// draw decides what is lost: numbers from 0 up to 1.
	draw  func() float64
	conns map[*conn]struct{}
	// resumed is closed when a blackhole ends.
	resumed chan struct{}
	wg      sync.WaitGroup
}

// conn is one forwarded connection; upstream is nil while it is in a blackhole.
type conn struct{ client, upstream net.Conn }

// Start forwards an address to a target. With port 0 the address gets a free port; for a port that
// is to survive a Refuse, choose one that the kernel does not give to outgoing connections.
func Start(ctx context.Context, address, target string) (*Proxy, error) {
	p := &Proxy{
		address: address, target: target, state: State{Mode: Pass}, conns: map[*conn]struct{}{}, resumed: make(chan struct{}),
		draw: rand.New(rand.NewPCG(1, 2)).Float64, // the same in every run
	}
	close(p.resumed)
	if err := p.listen(ctx); err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", target, err)
	}
	p.address = p.listener.Addr().String()
	return p, nil
}

// Address returns host and port that clients connect to. It stays the same whatever happens.
func (p *Proxy) Address() string { return p.address }

// State returns what the proxy does now.
func (p *Proxy) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Bytes returns those forwarded so far, to the target and from it, as they are on the wire.
func (p *Proxy) Bytes() (up, down int64) { return p.up.Load(), p.down.Load() }

// SetRTT adds a round trip time to all connections, also those that are open.
func (p *Proxy) SetRTT(rtt time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.RTT = rtt
}

// SetLoss loses a fraction of the packets of all connections, which is seen as waiting for them to be
// sent again.
func (p *Proxy) SetLoss(fraction float64) error {
	if fraction < 0 || fraction >= 1 {
		return fmt.Errorf("a loss of %v: it must be at least 0 and less than 1", fraction)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Loss = fraction
	return nil
}

// SetTarget forwards to another address from now on. It ends the connections that are open.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if target != p.target {
		p.target = target
		p.closeConns()
	}
}

// SetMode changes what happens to connections. Refuse ends those that are open.
func (p *Proxy) SetMode(ctx context.Context, mode Mode) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mode == p.state.Mode {
		return nil
	}
	if p.state.Mode == Blackhole {
		close(p.resumed)
		// What was swallowed is missing from these streams: they cannot continue.
		p.closeConns()
	}
	switch mode {
	case Refuse:
		p.closeListener()
		p.closeConns()
	case Blackhole:
		p.resumed = make(chan struct{})
		fallthrough
	case Pass:
		if err := p.listen(ctx); err != nil {
			return fmt.Errorf("proxy to %s: %w", p.target, err)
		}
	default:
		return fmt.Errorf("no proxy mode %q", mode)
	}
	p.state.Mode = mode
	return nil
}

// Close ends all connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	if p.state.Mode == Blackhole {
		close(p.resumed)
	}
	p.state.Mode = Refuse
	p.closeListener()
	p.closeConns()
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) listen(ctx context.Context) error {
	if p.listener != nil {
		return nil
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", p.address)
	if err != nil {
		return err
	}
	p.listener = l
	p.wg.Go(func() { p.accept(l) })
	return nil
}

func (p *Proxy) closeListener() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

func (p *Proxy) closeConns() {
	for c := range p.conns {
		abort(c.client)
		if c.upstream != nil {
			abort(c.upstream)
		}
	}
}

// abort resets the connection instead of ending it in good order, as a dead host would.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // best effort
	}
	c.Close()
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		c := &conn{client: client}
		p.mu.Lock()
		refused := p.state.Mode == Refuse
		if !refused {
			p.conns[c] = struct{}{}
		}
		p.mu.Unlock()
		if refused {
			abort(client)
			continue
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(c *conn) {
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
		c.client.Close()
	}()
	if !p.waitUntilPassing() {
		return
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	upstream, err := net.Dial("tcp", target)
	if err != nil {
		abort(c.client)
		return
	}
	defer upstream.Close()
	p.mu.Lock()
	c.upstream = upstream
	refused := p.state.Mode == Refuse
	p.mu.Unlock()
	if refused {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.forward(upstream, c.client, &p.up) })
	both.Go(func() { p.forward(c.client, upstream, &p.down) })
	both.Wait()
}

// waitUntilPassing holds a connection that was opened into a blackhole. Such a connection never
// gets through: closing it is what ends the wait.
func (p *Proxy) waitUntilPassing() bool {
	p.mu.Lock()
	mode, resumed := p.state.Mode, p.resumed
	p.mu.Unlock()
	if mode == Blackhole {
		<-resumed
		return false
	}
	return true
}
