// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

// restarts measures a controller that starts over many groups that are all done. csi-addons would take hours to
// make them: it makes one, the others are copies of all that belongs to it.
func (b *bench) restarts(ctx context.Context) (results []result, err error) {
	l, sites, err := b.start(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	c := &controlled{bench: b, site: l.Site(lab.East), client: sites[0], groups: 1, apps: load.Applications{Namespace: "apps", Volumes: b.volumes}}
	if err := c.protected(ctx); err != nil {
		return nil, err
	}
	for _, name := range []string{lab.CSIAddons, lab.KCM, lab.Controller} {
		if err := c.site.StopProc(ctx, name); err != nil {
			return nil, err
		}
	}
	c.alone = true
	app, err := c.apps.Stored(ctx, c.client, c.site.Store())
	if err != nil {
		return nil, err
	}
	for _, n := range sizes(b.groups) {
		if err := app.Copy(ctx, c.groups, n); err != nil {
			return results, err
		}
		c.groups = n
		b.say("%d groups are in the store", n)
		if err := c.ready(ctx); err != nil { // the API server has seen them all
			return results, err
		}
		for _, step := range []func(context.Context) (result, error){c.restart, c.rest} {
			r, err := step(ctx)
			if err != nil {
				return results, err
			}
			r.Again = fmt.Sprintf("make bench ARGS='-only restart -groups %d'", n)
			results = append(results, r)
		}
		if err := c.site.StopProc(ctx, lab.Controller); err != nil {
			return results, err
		}
	}
	return results, nil
}
