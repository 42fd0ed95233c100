// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/proxy"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func ask(c net.Conn) error {
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return err
	}
	_, err := bufio.NewReader(c).ReadString('\n')
	return err
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func start(t *testing.T) *proxy.Proxy {
	p, err := proxy.Start(t.Context(), "127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func set(t *testing.T, p *proxy.Proxy, mode proxy.Mode) {
	if err := p.SetMode(t.Context(), mode); err != nil {
		t.Fatal(err)
	}
}

func TestRefuse(t *testing.T) {
	p := start(t)
	open := dial(t, p)
	if err := ask(open); err != nil {
		t.Fatal(err)
	}
	set(t, p, proxy.Refuse)
	if err := ask(open); err == nil {
		t.Error("an open connection survived")
	}
	if _, err := net.Dial("tcp", p.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting: %v, want it refused", err)
	}
	set(t, p, proxy.Pass)
	if err := ask(dial(t, p)); err != nil {
		t.Errorf("after healing: %v", err)
	}
}

func TestBlackhole(t *testing.T) {
	p := start(t)
	open := dial(t, p)
	if err := ask(open); err != nil {
		t.Fatal(err)
	}
	set(t, p, proxy.Blackhole)
	for name, c := range map[string]net.Conn{"open": open, "new": dial(t, p)} {
		if err := c.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := ask(c); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s connection: %v, want silence", name, err)
		}
	}
	set(t, p, proxy.Pass)
	if err := ask(dial(t, p)); err != nil {
		t.Errorf("after healing: %v", err)
	}
}

func TestRTT(t *testing.T) {
	p := start(t)
	c := dial(t, p)
	const rtt = 50 * time.Millisecond
	p.SetRTT(rtt)
	began := time.Now()
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < rtt {
		t.Errorf("an answer after %s, want at least %s", took, rtt)
	}
}
