// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package punctual ends requests to an API server that is silent. Neither client-go nor the controller library
// bounds a request by itself, and a bound on a request as a whole would end watches.
package punctual

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Transport ends requests that nothing is answered to, not even that an answer begins.
type Transport struct {
	Next http.RoundTripper
	// Bound is how long the beginning of an answer may take.
	Bound time.Duration
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	// No timeout to client-go, which would try that ten times before it tells anybody.
	late := fmt.Errorf("no answer within %s", t.Bound)
	timer := time.AfterFunc(t.Bound, func() { cancel(late) })
	resp, err := t.Next.RoundTrip(r.WithContext(ctx))
	if !timer.Stop() { // its answer, if there is one, is cut off already
		if err == nil {
			resp.Body.Close()
		}
		return nil, cmp.Or(r.Context().Err(), late)
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &body{resp.Body, cancel}
	return resp, nil
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (t Transport) WrappedRoundTripper() http.RoundTripper { return t.Next }

// body is one whose request is over when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
