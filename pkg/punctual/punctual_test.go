// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package punctual_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/punctual"
)

// silence never answers.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// holding answers with a body that lasts as long as the request.
type holding struct{}

func (holding) RoundTrip(r *http.Request) (*http.Response, error) {
	body, end := io.Pipe()
	context.AfterFunc(r.Context(), func() { end.CloseWithError(context.Cause(r.Context())) })
	return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
}

// TestTransport: only the beginning of an answer is bounded, and a silence is no timeout that client-go would try
// again.
func TestTransport(t *testing.T) {
	const bound = 10 * time.Second
	ask := func(ctx context.Context, next http.RoundTripper) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://host/api", nil)
		if err != nil {
			t.Fatal(err)
		}
		return punctual.Transport{Next: next, Bound: bound}.RoundTrip(r)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		resp, err := ask(t.Context(), silence{})
		var timeout interface{ Timeout() bool }
		if resp != nil || err == nil || err.Error() != "no answer within 10s" || errors.As(err, &timeout) || time.Since(began) != bound {
			t.Errorf("silence: %v, %T %v after %s", resp, err, err, time.Since(began))
		}
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if resp, err := ask(stopped, silence{}); resp != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v, %v", resp, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		resp, err := ask(t.Context(), holding{})
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := resp.Body.Read(make([]byte, 1))
			read <- err
		}()
		time.Sleep(10 * bound)
		select {
		case err := <-read:
			t.Errorf("a watch was ended: %v", err)
		default:
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := <-read; err == nil {
			t.Error("the end of a watch is no error")
		}
	})
}
