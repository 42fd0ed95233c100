// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// faultRequest breaks something or mends it.
type faultRequest struct {
	Fault  lab.Fault `json:"fault"`
	Broken bool      `json:"broken"`
}

// writeRequest writes to a volume as an application would.
type writeRequest struct {
	Site   string `json:"site"`
	Volume string `json:"volume"`
	Count  int64  `json:"count"`
}

// intervalRequest changes how often the daemons look.
type intervalRequest struct {
	Interval time.Duration `json:"interval"`
}

// Serve answers clients until the context ends or one of them asks for the end.
func Serve(ctx context.Context, d StateDir, l *lab.Lab) error {
	listener, err := d.listen(ctx)
	if err != nil {
		return err
	}
	stop := make(chan struct{}, 1)
	server := &http.Server{Handler: handler(l, stop), ReadHeaderTimeout: time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case <-ctx.Done():
	case <-stop:
	case err := <-failed:
		return err
	}
	// Long enough to answer the client that asked for the end.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(ending); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func handler(l *lab.Lab, stop chan<- struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { answer(w, l.Status(r.Context()), nil) })
	mux.HandleFunc("POST /faults", with(func(ctx context.Context, r faultRequest) error {
		if r.Broken {
			return l.Inject(ctx, r.Fault)
		}
		return l.Heal(ctx, r.Fault)
	}))
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, r *http.Request) { answer(w, nil, l.ClearFaults(r.Context())) })
	mux.HandleFunc("POST /writes", with(func(ctx context.Context, r writeRequest) error {
		site := l.Site(r.Site)
		if site == nil {
			return errors.New("no such site")
		}
		return site.Write(ctx, r.Volume, r.Count)
	}))
	mux.HandleFunc("POST /status-interval", with(func(_ context.Context, r intervalRequest) error { return l.Array.SetStatusInterval(r.Interval) }))
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil, nil)
		select {
		case stop <- struct{}{}:
		default: // another caller asked already
		}
	})
	return mux
}

// with decodes a request and answers with the outcome only.
func with[T any](do func(context.Context, T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request T
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			answer(w, nil, err)
			return
		}
		answer(w, nil, do(r.Context(), request))
	}
}

// reply is either a value or an error.
type reply struct {
	Error string          `json:"error,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

func answer(w http.ResponseWriter, value any, err error) {
	var r reply
	if err == nil && value != nil {
		r.Value, err = json.Marshal(value)
	}
	if err != nil {
		r.Error = err.Error()
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	_ = json.NewEncoder(w).Encode(r) // a client that has gone needs no answer
}
