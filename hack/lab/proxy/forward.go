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
			_, rtt := p.State()
			chunks <- chunk{data: buffer[:n], due: time.Now().Add(rtt / 2)}
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

func (p *Proxy) swallows() bool {
	mode, _ := p.State()
	return mode == Blackhole
}
