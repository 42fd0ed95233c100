// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net"
	"sync/atomic"
	"time"
)

// chunk is data on its way, with the time it may arrive.
type chunk struct {
	data []byte
	due  time.Time
}

// inFlight bounds the chunks on their way in one direction.
const inFlight = 1024

// forward copies one direction. Reading and writing are apart so that a delay adds to the time of
// each byte without limiting how many are under way.
func (p *Proxy) forward(to, from net.Conn, count *atomic.Int64) {
	chunks := make(chan chunk, inFlight)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for c := range chunks {
			// Both directions are delayed by half of the round trip.
			time.Sleep(time.Until(c.due))
			if p.swallows() {
				continue
			}
			if _, err := to.Write(c.data); err != nil {
				from.Close() // ends the reader
			}
		}
	}()
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			count.Add(int64(n))
			chunks <- chunk{data: buffer[:n], due: time.Now().Add(p.delay(n))}
		}
		if err != nil {
			break
		}
	}
	close(chunks)
	<-done
	if tcp, ok := to.(*net.TCPConn); ok && !p.swallows() {
		_ = tcp.CloseWrite() // the other direction may still be busy
	}
}

const (
	// segment is what a packet carries.
	segment = 1460
	// window bounds the packets of a chunk that can be lost: an initial congestion window.
	window = 10
	// minimumRTO is how long Linux waits at least before it sends a packet again.
	minimumRTO = 200 * time.Millisecond
)

// delay returns how long n bytes are on their way: half of the round trip, and when one of their packets
// is lost, until that has been missed and sent again. What comes after waits for it too, in order.
func (p *Proxy) delay(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	delay := p.state.RTT / 2
	if p.state.Loss == 0 {
		return delay
	}
	for range min((n+segment-1)/segment, window) {
		if p.draw() < p.state.Loss { // others that are lost with it are sent again with it
			return delay + p.state.RTT + minimumRTO
		}
	}
	return delay
}

func (p *Proxy) swallows() bool { return p.State().Mode == Blackhole }
