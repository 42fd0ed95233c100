// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package stalltimeout ends requests to an API server that is silent. Neither client-go nor the controller library
// bounds a request by itself, and a bound on a request as a whole would end watches and long lists.
package stalltimeout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Late is the error of a request that was ended.
type Late struct {
	what  string
	bound time.Duration
}

// Error implements error.
func (l *Late) Error() string { return fmt.Sprintf("%s %s", l.what, l.bound) }

// Transport ends requests whose answer does not begin or does not continue. A watch may be silent for as long as it asked
// to last; a list that is streamed, as the caches of controllers ask for it, is one.
type Transport struct {
	Next http.RoundTripper
	// Bound is how long the beginning of an answer, and each next part of it, may take.
	Bound time.Duration
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	// No timeout to client-go, which would try that ten times before it returns.
	late := &Late{"no answer within", t.Bound}
	timer := time.AfterFunc(t.Bound, func() { cancel(late) })
	resp, err := t.Next.RoundTrip(r.WithContext(ctx))
	if !timer.Stop() { // its answer, if there is one, is cut off already
		if err == nil {
			resp.Body.Close()
		}
		return nil, cmp.Or(r.Context().Err(), error(late))
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = t.bounded(r, resp.Body, cancel, func() error { return context.Cause(ctx) })
	return resp, nil
}

// WrappedRoundTripper lets client-go reach the transport below, to cancel requests.
func (t Transport) WrappedRoundTripper() http.RoundTripper { return t.Next }

// body is one that halts only for so long, and whose request is over when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
	cause  func() error
	// halted is what reading ends with when the timer, if there is one, has run out.
	halted error
	timer  *time.Timer
	// each is how long a read may take; zero when the timer runs for all of them.
	each time.Duration
}

func (t Transport) bounded(r *http.Request, of io.ReadCloser, cancel context.CancelCauseFunc, cause func() error) *body {
	b := &body{ReadCloser: of, cancel: cancel, cause: cause}
	if lasts, watch := watchTime(r.URL.Query()); !watch {
		b.each, b.halted = t.Bound, &Late{"the answer has stalled for", t.Bound}
		b.timer = time.AfterFunc(b.each, b.end)
		b.timer.Stop()
	} else if lasts > 0 {
		b.halted = io.EOF // as a watch ends at its time: the client watches again from where it was
		b.timer = time.AfterFunc(lasts+t.Bound, b.end)
	}
	return b
}

// watchTime returns how long a watch asked to last; zero for one that did not say.
func watchTime(query url.Values) (lasts time.Duration, watch bool) {
	if watch, _ = strconv.ParseBool(query.Get("watch")); !watch {
		return 0, false
	}
	seconds, err := strconv.ParseInt(query.Get("timeoutSeconds"), 10, 32)
	if err != nil || seconds < 0 {
		return 0, true
	}
	return time.Duration(seconds) * time.Second, true
}

func (b *body) end() { b.cancel(b.halted) }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.each > 0 {
		b.timer.Reset(b.each)
		defer b.timer.Stop()
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && b.halted != nil && errors.Is(b.cause(), b.halted) {
		err = b.halted
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	if b.timer != nil {
		b.timer.Stop()
	}
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
