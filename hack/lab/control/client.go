// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// Client talks to a running lab. Its methods return ErrNotRunning when there is none.
type Client struct{ http *http.Client }

// NewClient does not connect yet.
func NewClient(d StateDir) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", d.socket())
	}
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks what there is.
func (c *Client) Status(ctx context.Context) (lab.Status, error) {
	var s lab.Status
	err := c.do(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Set breaks something, or mends it.
func (c *Client) Set(ctx context.Context, f lab.Fault, broken bool) error {
	return c.do(ctx, http.MethodPost, "/faults", faultRequest{Fault: f, Broken: broken}, nil)
}

// Clear mends everything.
func (c *Client) Clear(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/faults", nil, nil)
}

// Write writes n times to a volume, a handle or "namespace/claim", on a site.
func (c *Client) Write(ctx context.Context, site, volume string, n int64) error {
	return c.do(ctx, http.MethodPost, "/writes", writeRequest{Site: site, Volume: volume, Count: n}, nil)
}

// SetStatusInterval changes how often Ceph's mirroring daemons look.
func (c *Client) SetStatusInterval(ctx context.Context, d time.Duration) error {
	return c.do(ctx, http.MethodPost, "/status-interval", intervalRequest{Interval: d}, nil)
}

// Stop asks the lab to end; it ends after the answer.
func (c *Client) Stop(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/stop", nil, nil)
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://lab"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("ask the lab: %w", err)
	}
	defer response.Body.Close()
	var r reply
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return fmt.Errorf("the lab's answer to %s: %w", path, err)
	}
	if r.Error != "" {
		return errors.New(r.Error)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(r.Value, out)
}
