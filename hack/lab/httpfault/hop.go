// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpfault stands between clients and an API server, and lets single requests go wrong. It
// ends their TLS with the server's own certificate, so that clients see no other server, and speaks
// to the server as the user that the client's certificate names.
package httpfault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/pki"
)

// Options describe a hop.
type Options struct {
	// Upstream is host and port of the API server.
	Upstream string
	// CA signed all certificates, Server is the API server's own.
	CA     []byte
	Server pki.Pair
	// Users are the certificates of those who may come through, by name. Who has none is turned away:
	// the hop gives no client rights that it does not have.
	Users map[string]pki.Pair
}

// Hop is a reverse proxy on a port of its own.
type Hop struct {
	address    string
	server     *http.Server
	transports []*http.Transport
	plan       plan
	wg         sync.WaitGroup
}

// Start listens on a free port.
func Start(ctx context.Context, o Options) (*Hop, error) {
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(o.CA)
	certificate, err := tls.X509KeyPair(o.Server.Cert, o.Server.Key)
	if err != nil {
		return nil, err
	}
	h := &Hop{}
	users := map[string]http.Handler{}
	for name, pair := range o.Users {
		client, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", name, err)
		}
		t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, Certificates: []tls.Certificate{client}}, ForceAttemptHTTP2: true}
		h.transports = append(h.transports, t)
		users[name] = forward(o.Upstream, t)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h.address = listener.Addr().String()
	h.server = &http.Server{
		Handler: h.handler(users), ErrorLog: silent(), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authorities},
	}
	h.wg.Go(func() { _ = h.server.ServeTLS(listener, "", "") }) // ends with Close
	return h, nil
}

// silent drops what clients that go away make a server say.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// Address returns host and port of the hop.
func (h *Hop) Address() string { return h.address }

// Set lets requests go wrong from now on, instead of what was set before.
func (h *Hop) Set(f Fault) error {
	if err := f.Validate(); err != nil {
		return err
	}
	h.plan.set(&f)
	return nil
}

// Clear lets all requests through.
func (h *Hop) Clear() { h.plan.set(nil) }

// Fault returns what was set; nil for nothing.
func (h *Hop) Fault() *Fault {
	h.plan.mu.Lock()
	defer h.plan.mu.Unlock()
	return h.plan.fault
}

// Hits counts the requests that went wrong since the fault was set.
func (h *Hop) Hits() int {
	h.plan.mu.Lock()
	defer h.plan.mu.Unlock()
	return h.plan.hits
}

// Close ends all connections.
func (h *Hop) Close() error {
	err := h.server.Close()
	for _, t := range h.transports {
		t.CloseIdleConnections()
	}
	h.wg.Wait()
	return err
}

// lateKey is where a request carries what shall happen to its answer.
type lateKey struct{}

func (h *Hop) handler(users map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := users[r.TLS.PeerCertificates[0].Subject.CommonName]
		if next == nil {
			http.Error(w, "no such user", http.StatusUnauthorized)
			return
		}
		m := h.plan.hit(r)
		switch {
		case m == nil:
		case m.late:
			r = r.WithContext(context.WithValue(r.Context(), lateKey{}, m))
		case m.code == 0:
			_, _ = io.Copy(io.Discard, r.Body) // else a client that goes is not noticed
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // a return would be an answer, and may overtake the end of the connection
		default:
			m.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// forward hands requests on as one user; what a watch tells goes through at once.
func forward(upstream string, transport http.RoundTripper) http.Handler {
	target := &url.URL{Scheme: "https", Host: upstream}
	return &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: silent(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(response *http.Response) error {
			r := response.Request
			m, late := r.Context().Value(lateKey{}).(*mishap)
			if !late {
				return nil
			}
			response.Body.Close()
			if m.code == 0 {
				<-r.Context().Done()
				return errors.New("the client has given up")
			}
			m.replace(response)
			return nil
		},
		// A server that is gone breaks the connection, as it does without a hop.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}
