// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
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

// TestLoss: what is lost comes late, and all of it, in order.
func TestLoss(t *testing.T) {
	p := start(t)
	if err := p.SetLoss(0.5); err != nil {
		t.Fatal(err)
	}
	c := dial(t, p)
	const lines = "one\ntwo\nthree\n"
	for _, line := range strings.SplitAfter(lines, "\n") {
		if _, err := io.WriteString(c, line); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, len(lines))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != lines {
		t.Errorf("%q came back, want %q: %v", got, lines, err)
	}
}

func TestTarget(t *testing.T) {
	p := start(t)
	open := dial(t, p)
	if err := ask(open); err != nil {
		t.Fatal(err)
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	p.SetTarget(dead.Addr().String())
	if err := ask(open); err == nil {
		t.Error("an open connection survived")
	}
	if c, err := net.Dial("tcp", p.Address()); err == nil { // else it was reset at once
		defer c.Close()
		if ask(c) == nil {
			t.Error("the old target still answers")
		}
	}
	p.SetTarget(echo(t))
	if err := ask(dial(t, p)); err != nil {
		t.Errorf("the new target: %v", err)
	}
}
