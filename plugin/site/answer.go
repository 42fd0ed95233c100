// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// MaxAnswer bounds an answer that is held in memory, as it is after decompression. A page of the largest groups has
// less; a server that has lost its mind has no end.
const MaxAnswer = 128 << 20

// answers says what is no answer of an API server.
type answers struct {
	next http.RoundTripper
	// proxy is that of a request; nil without one.
	proxy func(*http.Request) (*url.URL, error)
}

// RoundTrip implements http.RoundTripper.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	passed(r.Context())
	resp, err := a.next.RoundTrip(r)
	if err != nil {
		return nil, a.byProxy(r, err)
	}
	if err := foreign(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if watch, _ := strconv.ParseBool(r.URL.Query().Get("watch")); !watch {
		resp.Body = &limited{ReadCloser: resp.Body, left: MaxAnswer}
	}
	return resp, nil
}

// foreign returns why an answer is not of an API server, where that can be told: it redirects to another host, is a web
// page, or refuses in another way than API servers do. What a gateway refuses says nothing of the site behind it, not even that it is alive.
func foreign(resp *http.Response) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch to, err := resp.Location(); {
	case resp.StatusCode/100 == 3 && err == nil && to.Hostname() != resp.Request.URL.Hostname():
		return notAsked("the answer is a redirect to %s: a login page or a proxy is in between", to.Hostname())
	case kind == "text/html":
		return notAsked("a web page answers (HTTP %d), and no API server: a proxy or a login page is in between", resp.StatusCode)
	case resp.StatusCode < http.StatusBadRequest:
		return nil
	}
	const most = 64 << 10
	start, err := io.ReadAll(io.LimitReader(resp.Body, most))
	resp.Body = readCloser{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	if err == nil && strange(resp.StatusCode, kind, start) {
		return notAsked("the answer is HTTP %d, and not of an API server: a gateway or a proxy is in between: %s", resp.StatusCode,
			cmp.Or(shortened(string(start)), http.StatusText(resp.StatusCode)))
	}
	return nil
}

// strange reports whether an error has not the form of an API server's: those are a Status, but for paths that are not
// served, and for some of a server in trouble. It is pure.
func strange(code int, kind string, body []byte) bool {
	var status struct{ Kind string }
	switch {
	case strings.HasSuffix(kind, "json"):
		return json.Unmarshal(body, &status) == nil && status.Kind != "Status"
	case kind != "" && kind != "text/plain":
		return false
	case code == http.StatusNotFound:
		return strings.TrimSpace(string(body)) != "404 page not found"
	default:
		return code == http.StatusForbidden
	}
}

// readCloser reads what was read of a body already, and the rest.
type readCloser struct {
	io.Reader
	io.Closer
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (a answers) WrappedRoundTripper() http.RoundTripper { return a.next }

// byProxy names the proxy in an error that is the proxy's: what it says of a site is no proof.
func (a answers) byProxy(r *http.Request, err error) error {
	proxy, lookupErr := a.proxy(r)
	if lookupErr != nil || proxy == nil || r.Context().Err() != nil {
		return err
	}
	var op *net.OpError
	var network net.Error
	theirs := errors.As(err, &op) && (op.Op == "proxyconnect" || strings.HasPrefix(op.Op, "socks"))
	silent := errors.As(err, &network) && network.Timeout() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF)
	if theirs || op == nil && !silent {
		return notAsked("by way of the proxy %s: %v", proxy.Host, err)
	}
	return err
}

// limited ends with an error where io.LimitedReader ends as if there were no more.
type limited struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, notAsked("its answer is larger than %d MiB", MaxAnswer>>20)
	}
	return n, err
}
