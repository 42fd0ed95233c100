// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"net/http"
	"time"
)

// waitingKey is of the function in a request's context that is told when a request begins.
type waitingKey struct{}

// Waiting has begin called for each request, with the name of the site and how long it may take. The function that begin
// returns is called once the site has answered or has failed to.
func Waiting(ctx context.Context, begin func(site string, limit time.Duration) (end func())) context.Context {
	return context.WithValue(ctx, waitingKey{}, begin)
}

// Quietly undoes Waiting: where a screen shows what a site does, a line more would be in the middle of it.
func Quietly(ctx context.Context) context.Context {
	if ctx.Value(waitingKey{}) == nil {
		return ctx
	}
	return Waiting(ctx, func(string, time.Duration) func() { return func() {} })
}

// waits tells of requests.
type waits struct {
	next http.RoundTripper
	// at returns the site, which has its name late.
	at func() *Site
}

// RoundTrip implements http.RoundTripper.
func (w waits) RoundTrip(r *http.Request) (*http.Response, error) {
	if begin, ok := r.Context().Value(waitingKey{}).(func(string, time.Duration) func()); ok {
		s := w.at()
		defer begin(s.Name, s.Timeout())()
	}
	return w.next.RoundTrip(r)
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (w waits) WrappedRoundTripper() http.RoundTripper { return w.next }
