// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"

	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
	"github.com/unified-replication/kubectl-vgr/hack/lab/proxy"
)

// way is how clients get to a site's API: through a proxy that sees bytes only, and while requests are
// to go wrong through a hop that reads them.
type way struct {
	*proxy.Proxy
	hop *httpfault.Hop
	api string
}

func (c *controlPlane) openWay(ctx context.Context, port int) (*way, error) {
	w := &way{api: c.apiAddress()}
	var err error
	if w.hop, err = httpfault.Start(ctx, httpfault.Options{Upstream: w.api, CA: c.authority.Cert(), Server: c.server, Users: c.users}); err != nil {
		return nil, err
	}
	if w.Proxy, err = proxy.Start(ctx, local(port), w.api); err != nil {
		return nil, errors.Join(err, w.hop.Close())
	}
	return w, nil
}

// set lets requests go wrong, or none when there is no fault. Where clients come out changes with
// that, and ends their connections.
func (w *way) set(f *httpfault.Fault) error {
	if f == nil {
		w.SetTarget(w.api)
		w.hop.Clear()
		return nil
	}
	if err := w.hop.Set(*f); err != nil {
		return err
	}
	w.SetTarget(w.hop.Address())
	return nil
}

func (w *way) close() error {
	w.Close()
	return w.hop.Close()
}
