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

	"k8s.io/utils/clock"

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
	wall := clock.RealClock{} // within a bubble, which has its own time
	ask := func(ctx context.Context, next http.RoundTripper) (io.ReadCloser, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://host/api", nil)
		if err != nil {
			return nil, err
		}
		resp, err := punctual.Transport{Next: next, Bound: bound}.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		return resp.Body, nil
	}
	synctest.Test(t, func(t *testing.T) {
		began := wall.Now()
		_, err := ask(t.Context(), silence{})
		var timeout interface{ Timeout() bool }
		if err == nil || err.Error() != "no answer within 10s" || errors.As(err, &timeout) || wall.Since(began) != bound {
			t.Errorf("silence: %T %v after %s", err, err, wall.Since(began))
		}
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if _, err := ask(stopped, silence{}); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		body, err := ask(t.Context(), holding{})
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := body.Read(make([]byte, 1))
			read <- err
		}()
		wall.Sleep(10 * bound)
		select {
		case err := <-read:
			t.Errorf("a watch was ended: %v", err)
		default:
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		if err := <-read; err == nil {
			t.Error("the end of a watch is no error")
		}
	})
}
