// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package httpfault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	// Code is the status that is answered, one of Codes; 0 is no answer until the client gives up.
	Code int `json:"code,omitempty"`
	// Every n-th of the requests that match is hit; each of them when 0. Counted and not drawn, so that
	// a test sees the same in every run.
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

// Codes are the statuses that can be answered.
func Codes() []int {
	var codes []int
	for code := range answers {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// Validate says what is wrong with a fault.
func (f Fault) Validate() error {
	if f.Code != 0 && answers[f.Code] == nil {
		return fmt.Errorf("no answer %d; there are %v", f.Code, Codes())
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
	if f.Code != 0 {
		how = fmt.Sprintf("is answered with %d", f.Code)
	}
	if f.Late {
		how = "is carried out and " + how
	}
	return which + " " + how
}

func (f Fault) matches(r *http.Request) bool {
	return (f.Method == "" || strings.EqualFold(f.Method, r.Method)) && strings.HasPrefix(r.URL.Path, f.Path)
}

// answer is what is sent instead of the server's.
func (f Fault) answer(r *http.Request) *http.Response {
	status := answers[f.Code]().Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	body, _ := json.Marshal(status) // has nothing that cannot be encoded
	header := http.Header{"Content-Type": {"application/json"}}
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		header.Set("Retry-After", strconv.Itoa(int(d.RetryAfterSeconds)))
	}
	return &http.Response{
		StatusCode: f.Code, Status: fmt.Sprintf("%d %s", f.Code, http.StatusText(f.Code)), Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
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

// hit returns what shall go wrong with a request; nil for nothing.
func (p *plan) hit(r *http.Request) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil || !p.fault.matches(r) {
		return nil
	}
	if p.seen++; p.seen%max(p.fault.Every, 1) != 0 {
		return nil
	}
	p.hits++
	f := *p.fault
	return &f
}
