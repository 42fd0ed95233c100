// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package httpfault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault says which requests go wrong, and how.
type Fault struct {
	// Codes are the statuses that are answered, in turn, each one of Statuses; without one there is no
	// answer until the client gives up.
	Codes []int `json:"codes,omitempty"`
	// Every n-th of the requests that match is hit; each of them when 0. Counted and not drawn, so that
	// a test sees the same in every run. After five hits one request more passes: a client that repeats
	// n requests would else lose the same one for ever.
	Every int `json:"every,omitempty"`
	// Method and Path, a prefix, say which requests match; all of them when empty.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Late lets the request through: it is carried out, and only its answer is lost.
	Late bool `json:"late,omitempty"`
}

// answers are the errors that a server or something before it may answer with.
var answers = map[int]func() *apierrors.StatusError{
	http.StatusTooManyRequests:     func() *apierrors.StatusError { return apierrors.NewTooManyRequests(reason, 1) },
	http.StatusInternalServerError: func() *apierrors.StatusError { return apierrors.NewInternalError(errors.New(reason)) },
	http.StatusServiceUnavailable:  func() *apierrors.StatusError { return apierrors.NewServiceUnavailable(reason) },
	http.StatusGatewayTimeout:      func() *apierrors.StatusError { return apierrors.NewTimeoutError(reason, 0) },
}

const reason = "broken by the lab"

// Statuses returns those that can be answered.
func Statuses() []int {
	var codes []int
	for code := range answers {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// Validate says what is wrong with a fault.
func (f Fault) Validate() error {
	for _, code := range f.Codes {
		if answers[code] == nil {
			return fmt.Errorf("no answer %d; there are %v", code, Statuses())
		}
	}
	if f.Every < 0 {
		return fmt.Errorf("every %d requests: it must not be negative", f.Every)
	}
	if f.Path != "" && !strings.HasPrefix(f.Path, "/") {
		return fmt.Errorf("path %q does not begin with /", f.Path)
	}
	return nil
}

// String describes the fault, as what happens to requests.
func (f Fault) String() string {
	which := "each request"
	if f.Every > 1 {
		which = fmt.Sprintf("one of %d requests", f.Every)
	}
	if f.Method != "" {
		which += " " + f.Method
	}
	if f.Path != "" {
		which += " under " + f.Path
	}
	how := "is not answered"
	if len(f.Codes) > 0 {
		how = "is answered with " + strings.Trim(fmt.Sprint(f.Codes), "[]")
	}
	if f.Late {
		how = "is carried out and " + how
	}
	return which + " " + how
}

func (f Fault) matches(r *http.Request) bool {
	return (f.Method == "" || strings.EqualFold(f.Method, r.Method)) && strings.HasPrefix(r.URL.Path, f.Path)
}

// mishap is what happens to one request.
type mishap struct {
	// code is 0 for silence.
	code int
	late bool
}

// answer returns what is sent instead of the server's.
func (m mishap) answer() (http.Header, []byte) {
	status := answers[m.code]().Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	body, _ := json.Marshal(status) // has nothing that cannot be encoded
	header := http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(body))}}
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		header.Set("Retry-After", strconv.Itoa(int(d.RetryAfterSeconds)))
	}
	return header, body
}

// write answers a request.
func (m mishap) write(w http.ResponseWriter) {
	header, body := m.answer()
	maps.Copy(w.Header(), header)
	w.WriteHeader(m.code)
	_, _ = w.Write(body) // the client may have gone
}

// replace takes the place of the server's answer, whose body was closed.
func (m mishap) replace(response *http.Response) {
	header, body := m.answer()
	response.StatusCode, response.Status = m.code, fmt.Sprintf("%d %s", m.code, http.StatusText(m.code))
	response.Header, response.ContentLength, response.Body = header, int64(len(body)), io.NopCloser(bytes.NewReader(body))
}

// plan is the fault that is set, with its count.
type plan struct {
	mu    sync.Mutex
	fault *Fault
	seen  int
	hits  int
}

func (p *plan) set(f *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.seen, p.hits = f, 0, 0
}

// hit returns what shall happen to a request; nil for nothing.
func (p *plan) hit(r *http.Request) *mishap {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil || !p.fault.matches(r) {
		return nil
	}
	if p.seen++; (p.seen-p.hits/5)%max(p.fault.Every, 1) != 0 {
		return nil
	}
	m := &mishap{late: p.fault.Late}
	if n := len(p.fault.Codes); n > 0 {
		m.code = p.fault.Codes[p.hits%n]
	}
	p.hits++
	return m
}
