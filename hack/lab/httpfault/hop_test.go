// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package httpfault_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
	"github.com/unified-replication/kubectl-vgr/hack/lab/pki"
)

// world is a server with a hop before it.
type world struct {
	t         *testing.T
	authority *pki.Authority
	hop       *httpfault.Hop
	server    *http.Server
	served    atomic.Int32
	// next lets the server's stream continue.
	next chan struct{}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	authority, err := pki.NewAuthority("test", time.Now())
	must(t, err)
	w := &world{t: t, authority: authority, next: make(chan struct{})}
	pair, err := authority.Server()
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	must(t, err)
	w.server = &http.Server{Handler: http.HandlerFunc(w.serve), TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: w.pool(),
	}}
	go func() { _ = w.server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { w.server.Close() })
	users := map[string]pki.Pair{}
	for _, name := range []string{"ann", "ben"} {
		users[name], err = authority.Client(name)
		must(t, err)
	}
	w.hop, err = httpfault.Start(t.Context(), httpfault.Options{Upstream: listener.Addr().String(), CA: authority.Cert(), Server: pair, Users: users})
	must(t, err)
	t.Cleanup(func() { w.hop.Close() })
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.authority.Cert())
	return pool
}

// serve says who asked for what; a stream continues when it is told to.
func (w *world) serve(out http.ResponseWriter, r *http.Request) {
	w.served.Add(1)
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(out, "%s %s %s %s\n", r.TLS.PeerCertificates[0].Subject.CommonName, r.Method, r.URL, body)
	if r.URL.Path != "/watch" {
		return
	}
	_ = http.NewResponseController(out).Flush()
	select {
	case <-w.next:
		fmt.Fprintln(out, "more")
	case <-r.Context().Done():
	}
}

// client is a user's, with a certificate of the authority.
func (w *world) client(user string, http2 bool) *http.Client {
	w.t.Helper()
	pair, err := w.authority.Client(user)
	must(w.t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	must(w.t, err)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: w.pool(), Certificates: []tls.Certificate{certificate}},
		ForceAttemptHTTP2: http2,
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// reply is an answer without its body, which was read.
type reply struct {
	status int
	proto  string
	header http.Header
}

func (w *world) do(c *http.Client, method, path, body string) (reply, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+w.hop.Address()+path, strings.NewReader(body))
	must(w.t, err)
	response, err := c.Do(r)
	must(w.t, err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	must(w.t, err)
	return reply{response.StatusCode, response.Proto, response.Header}, string(said)
}

// TestThrough: without a fault the server's answers come back, and it knows who asks.
func TestThrough(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/2.0": true, "HTTP/1.1": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, user := range []string{"ann", "ben"} {
				response, said := w.do(w.client(user, http2), http.MethodPost, "/api?limit=1", "hello")
				if want := user + " POST /api?limit=1 hello\n"; response.proto != name || said != want {
					t.Errorf("%s: %q, want %q", response.proto, said, want)
				}
			}
			if response, said := w.do(w.client("eve", http2), http.MethodGet, "/api", ""); response.status != http.StatusUnauthorized {
				t.Errorf("a stranger: %d %q", response.status, said)
			}
			nobody := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.pool()}, ForceAttemptHTTP2: http2}}
			if response, err := nobody.Get("https://" + w.hop.Address()); err == nil {
				response.Body.Close()
				t.Errorf("without a certificate: %s", response.Status)
			}
		})
	}
}

// TestWatch: what a watch tells comes before it ends.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	response, err := w.client("ann", true).Get("https://" + w.hop.Address() + "/watch")
	must(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for _, want := range []string{"ann GET /watch ", "more"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("%q, want %q: %v", lines.Text(), want, lines.Err())
		}
		if want != "more" {
			w.next <- struct{}{}
		}
	}
}

// TestAnswers: each status comes with the body and the header that a client library reads.
func TestAnswers(t *testing.T) {
	want := map[int]metav1.StatusReason{
		429: metav1.StatusReasonTooManyRequests, 500: metav1.StatusReasonInternalError,
		503: metav1.StatusReasonServiceUnavailable, 504: metav1.StatusReasonTimeout,
	}
	if codes := httpfault.Statuses(); len(codes) != len(want) {
		t.Errorf("codes %v", codes)
	}
	for code, reason := range want {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(code, " late ", late), func(t *testing.T) {
				w := newWorld(t)
				must(t, w.hop.Set(httpfault.Fault{Codes: []int{code}, Late: late}))
				response, body := w.do(w.client("ann", true), http.MethodPost, "/api", "hello")
				var status metav1.Status
				must(t, json.Unmarshal([]byte(body), &status))
				if response.status != code || status.Code != int32(code) || status.Reason != reason || status.Kind != "Status" || status.Status != metav1.StatusFailure {
					t.Errorf("%d %+v", response.status, status)
				}
				if after := response.header.Get("Retry-After"); (after == "1") != (code == 429) {
					t.Errorf("Retry-After %q", after)
				}
				if served := w.served.Load(); (served == 1) != late {
					t.Errorf("the server has seen %d requests", served)
				}
				w.hop.Clear()
				if response, _ := w.do(w.client("ann", true), http.MethodGet, "/api", ""); response.status != http.StatusOK {
					t.Errorf("after the fault: %d", response.status)
				}
			})
		}
	}
}

// TestEvery: of the requests that match, each n-th is hit, with one status after the other.
func TestEvery(t *testing.T) {
	w := newWorld(t)
	must(t, w.hop.Set(httpfault.Fault{Codes: []int{503, 429}, Every: 3, Method: "get", Path: "/apis/"}))
	client := w.client("ann", true)
	var got []int
	for range 6 {
		for _, other := range []struct{ method, path string }{{http.MethodPut, "/apis/a"}, {http.MethodGet, "/api"}} {
			if response, _ := w.do(client, other.method, other.path, ""); response.status != http.StatusOK {
				t.Errorf("%s %s: %d", other.method, other.path, response.status)
			}
		}
		response, _ := w.do(client, http.MethodGet, "/apis/a", "")
		got = append(got, response.status)
	}
	if fmt.Sprint(got) != "[200 200 503 200 200 429]" || w.hop.Hits() != 2 {
		t.Errorf("%v with %d hits", got, w.hop.Hits())
	}
}

// TestRounds: a client that repeats as many requests as the fault counts gets each of them through in the end.
func TestRounds(t *testing.T) {
	w := newWorld(t)
	must(t, w.hop.Set(httpfault.Fault{Codes: []int{503}, Every: 3}))
	client := w.client("ann", true)
	through := map[string]bool{}
	for range 12 {
		for _, path := range []string{"/a", "/b", "/c"} {
			if response, _ := w.do(client, http.MethodGet, path, ""); response.status == http.StatusOK {
				through[path] = true
			}
		}
	}
	if len(through) != 3 {
		t.Errorf("only %v came through", through)
	}
}

// TestSilence: no answer, until the client gives up.
func TestSilence(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprint("late ", late, " http2 ", http2), func(t *testing.T) {
				w := newWorld(t)
				must(t, w.hop.Set(httpfault.Fault{Late: late}))
				ctx, giveUp := context.WithCancel(t.Context())
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+w.hop.Address(), strings.NewReader("hello"))
				must(t, err)
				answered := make(chan error)
				go func() {
					response, err := w.client("ann", http2).Do(r)
					if err == nil {
						response.Body.Close()
					}
					answered <- err
				}()
				for w.hop.Hits() == 0 || late && w.served.Load() == 0 {
					time.Sleep(time.Millisecond)
				}
				giveUp()
				if err := <-answered; err == nil {
					t.Error("there was an answer")
				}
				if served := w.served.Load(); (served == 1) != late {
					t.Errorf("the server has seen %d requests", served)
				}
			})
		}
	}
}

// TestServerGone: the hop makes up no answer.
func TestServerGone(t *testing.T) {
	w := newWorld(t)
	must(t, w.server.Close())
	response, err := w.client("ann", true).Get("https://" + w.hop.Address())
	if err == nil {
		response.Body.Close()
		t.Errorf("%s", response.Status)
	}
}

func TestInvalid(t *testing.T) {
	w := newWorld(t)
	for _, f := range []httpfault.Fault{{Codes: []int{200}}, {Codes: []int{500}, Every: -1}, {Codes: []int{500}, Path: "api"}} {
		if err := w.hop.Set(f); err == nil || w.hop.Fault() != nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}
