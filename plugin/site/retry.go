// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// pauses returns those before a question is asked again. They are short: a site that stays like that is to
// be told of, and not waited for.
func pauses() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
}

// retryTransport asks again what a server in trouble answers with an error that passes: a command asks dozens
// of questions, and one of them must not decide it. What changes something is sent once: whether it
// was done in spite of the error only a look can tell.
type retryTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p retryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(r)
	for _, pause := range pauses() {
		if err != nil || !question(r) || !passing(resp) {
			break
		}
		again, ok := repeat(r)
		if !ok || !wait(r.Context(), pause) {
			break
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // else the connection cannot be used again
		resp.Body.Close()
		resp, err = p.next.RoundTrip(again)
	}
	if err == nil && !question(r) && resp.StatusCode >= http.StatusInternalServerError {
		resp.Header.Del("Retry-After") // or client-go sends the change again, and tells of the second answer
	}
	if err == nil {
		noTimeLeft(r.Context(), resp)
	}
	return resp, err
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (p retryTransport) WrappedRoundTripper() http.RoundTripper { return p.next }

// question reports whether a request changes nothing.
func question(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews")
}

// passing is an error that may be gone in a moment. Those with a time to wait are left to client-go.
func passing(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return resp.Header.Get("Retry-After") == ""
	default:
		return false
	}
}

// repeat returns the request with its body from the beginning.
func repeat(r *http.Request) (*http.Request, bool) {
	again := r.Clone(r.Context())
	if r.Body == nil || r.Body == http.NoBody {
		return again, true
	}
	if r.GetBody == nil {
		return nil, false
	}
	body, err := r.GetBody()
	again.Body = body
	return again, err == nil
}

func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// noTimeLeft takes away how long the server wants us to wait when there is not that much time:
// client-go would wait all the same, and then know no more than that its time is up.
func noTimeLeft(ctx context.Context, resp *http.Response) {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		return
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= time.Duration(seconds)*time.Second {
		resp.Header.Del("Retry-After")
	}
}
