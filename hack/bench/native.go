// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

// native measures lists of groups that csi-addons has and kubectl vgr does not, on clusters without anything of kubectl vgr.
func (b *bench) native(ctx context.Context) (results []result, err error) {
	l, err := lab.Start(ctx, lab.Options{Assets: &b.assets, Bare: true, Log: b.log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	sites, err := load.Connect([2]*rest.Config{l.Site(lab.East).DirectRESTConfig(), l.Site(lab.West).DirectRESTConfig()})
	if err != nil {
		return nil, err
	}
	for _, s := range l.Sites() {
		if err := s.StopProc(ctx, lab.CSIAddons); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if err := (load.Replications{Namespace: "many", Number: b.replications}).Make(ctx, sites); err != nil {
		return nil, err
	}
	b.say("%d VolumeReplications on each site after %s", b.replications, time.Since(began).Round(time.Second))
	again := fmt.Sprintf("make bench ARGS='-only native -replications %d -runs %d'", b.replications, b.runs)
	kubectl := func(args ...string) command {
		return command{path: b.kubectl(), args: append([]string{"--context", lab.East, "get", "volumereplications.replication.storage.openshift.io", "-A"}, args...)}
	}
	ours := func(args ...string) command {
		return command{path: b.plugin(), args: append([]string{"list", "-A", "--context", lab.East, "--peer-context", lab.West}, args...)}
	}
	const both = "ours shows both sites with their PVCs and volumes, kubectl the VolumeReplications of one"
	for _, c := range []comparison{
		{title: fmt.Sprintf("list -A, %d VolumeReplications", b.replications), again: again, ours: ours(), peer: kubectl(), notes: []string{both}},
		{title: fmt.Sprintf("list -A -o json, %d VolumeReplications", b.replications), again: again, ours: ours("-o", "json"), peer: kubectl("-o", "json"), notes: []string{both}},
	} {
		r, err := b.compare(ctx, l, c)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}
