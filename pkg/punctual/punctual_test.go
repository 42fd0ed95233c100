// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package punctual_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
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

// TestTransport: only the beginning of an answer is bounded, and a silence is no timeout that client-go
// would try again.
func TestTransport(t *testing.T) {
	bound := 50 * time.Millisecond
	ask := func(ctx context.Context, p punctual.Transport, answered func(*http.Response)) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://host/api", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.RoundTrip(r)
		if err != nil {
			return err
		}
		answered(resp)
		return resp.Body.Close()
	}
	nothing := func(*http.Response) { t.Error("silence was an answer") }
	var timeout interface{ Timeout() bool }
	if err := ask(t.Context(), punctual.Transport{Next: silence{}, Bound: bound}, nothing); err == nil || err.Error() != "no answer within 50ms" || errors.As(err, &timeout) {
		t.Errorf("%T %v", err, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := ask(stopped, punctual.Transport{Next: silence{}, Bound: time.Hour}, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	read := make(chan error)
	err := ask(t.Context(), punctual.Transport{Next: holding{}, Bound: bound}, func(resp *http.Response) {
		go func() {
			_, err := resp.Body.Read(make([]byte, 1))
			read <- err
		}()
		select { // much longer than the bound
		case err := <-read:
			t.Errorf("a watch was ended: %v", err)
		case <-time.After(4 * bound):
		}
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-read; err == nil {
		t.Error("the end of a watch is no error")
	}
}
