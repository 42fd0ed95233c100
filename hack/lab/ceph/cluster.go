// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
)

// The daemons of a cluster.
const (
	Monitor  = "ceph-mon"
	Manager  = "ceph-mgr"
	OSD      = "ceph-osd"
	Mirrorer = "rbd-mirror"
)

// Daemons are their names in the order they are started.
func Daemons() []string { return []string{Monitor, Manager, OSD, Mirrorer} }

// Cluster is one Ceph cluster of one daemon of each kind. Its daemons run as long as the launcher lives.
type Cluster struct {
	// Site is the cluster's name in mirroring.
	Site string

	programs Programs
	dir      string
	port     int
	daemons  map[string]*process.Process
}

func newCluster(p Programs, l *process.Launcher, place Place) *Cluster {
	c := &Cluster{Site: place.Site, programs: p, dir: place.Dir, port: place.Port, daemons: map[string]*process.Process{}}
	for name, args := range map[string][]string{
		Monitor: {"-d", "--id", "a"}, Manager: {"-d", "--id", "x"}, OSD: {"-d", "--id", "0"}, Mirrorer: {"-d", "--id", "rbd-mirror"},
	} {
		path, all := p.command(c.dir, name, args...)
		c.daemons[name] = process.New(l, process.Spec{Name: name, Path: path, Args: all, Log: c.file(name + ".log")})
	}
	return c
}

// Daemon is one of the cluster's processes.
func (c *Cluster) Daemon(name string) *process.Process { return c.daemons[name] }

// start makes the cluster with its pool, all but the mirroring.
func (c *Cluster) start(ctx context.Context, status time.Duration) error {
	for _, name := range []string{"run", "mon", "mgr", "osd"} {
		if err := os.MkdirAll(c.file(name), 0o700); err != nil {
			return err
		}
	}
	fsid, disk := string(uuid.NewUUID()), string(uuid.NewUUID())
	if err := os.WriteFile(c.file("ceph.conf"), []byte(config(fsid, c.port, status)), 0o600); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return c.startMonitor(ctx, fsid) },
		c.startManager,
		func(ctx context.Context) error { return c.startOSD(ctx, disk) },
		c.makePool,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) startMonitor(ctx context.Context, fsid string) error {
	const keyring, monKeyring, monmap = configDir + "/keyring", configDir + "/mon.keyring", configDir + "/monmap"
	if err := c.all(ctx,
		[]string{"ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"},
		[]string{"ceph-authtool", "--create-keyring", monKeyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"},
		[]string{"ceph-authtool", monKeyring, "--import-keyring", keyring},
		[]string{"monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", fmt.Sprintf("v2:127.0.0.1:%d", c.port), "--set-min-mon-release", "squid", monmap},
		[]string{"ceph-mon", "--mkfs", "--id", "a", "--monmap", monmap, "--keyring", monKeyring},
	); err != nil {
		return err
	}
	if err := c.daemons[Monitor].Start(); err != nil {
		return err
	}
	return c.await(ctx, Monitor, "ceph", "--connect-timeout=2", "quorum_status")
}

func (c *Cluster) startManager(ctx context.Context) error {
	if err := c.run(ctx, "ceph", "auth", "get-or-create", "mgr.x", "mon", "allow profile mgr", "osd", "allow *", "mds", "allow *", "-o", configDir+"/mgr/keyring"); err != nil {
		return err
	}
	return c.daemons[Manager].Start()
}

func (c *Cluster) startOSD(ctx context.Context, disk string) error {
	if err := c.all(ctx,
		[]string{"ceph", "osd", "new", disk},
		[]string{"ceph", "auth", "get-or-create", "osd.0", "mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *", "-o", configDir + "/osd/keyring"},
		[]string{"ceph-osd", "--mkfs", "--id", "0", "--osd-uuid", disk},
	); err != nil {
		return err
	}
	return c.daemons[OSD].Start()
}

func (c *Cluster) makePool(ctx context.Context) error {
	return c.all(ctx,
		[]string{"ceph", "osd", "pool", "create", Pool, "8"},
		[]string{"rbd", "pool", "init", Pool}, // returns when the pool can be written
		[]string{"rbd", "mirror", "pool", "enable", "--site-name", c.Site, Pool, "image"},
		[]string{"ceph", "auth", "get-or-create", "client.rbd-mirror", "mon", "profile rbd-mirror", "osd", "profile rbd", "mgr", "profile rbd", "-o", configDir + "/rbd-mirror.keyring"},
	)
}

// mirror makes the peers known to each other in both directions and starts their mirroring daemons.
func mirror(ctx context.Context, from, to *Cluster) error {
	token, err := from.output(ctx, "rbd", "mirror", "pool", "peer", "bootstrap", "create", "--site-name", from.Site, Pool)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to.file("peer.token"), token, 0o600); err != nil {
		return err
	}
	if err := to.run(ctx, "rbd", "mirror", "pool", "peer", "bootstrap", "import", "--site-name", to.Site, "--direction", "rx-tx", Pool, configDir+"/peer.token"); err != nil {
		return err
	}
	return errors.Join(from.daemons[Mirrorer].Start(), to.daemons[Mirrorer].Start())
}

// Close ends all daemons, the last one first.
func (c *Cluster) Close() error {
	var errs []error
	daemons := Daemons()
	for i := range daemons {
		errs = append(errs, c.daemons[daemons[len(daemons)-1-i]].Kill(context.Background()))
	}
	return errors.Join(errs...)
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

// output runs a program as the cluster's administrator and returns what it prints.
func (c *Cluster) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	path, all := c.programs.command(c.dir, name, args...)
	cmd := exec.CommandContext(ctx, path, all...)
	out, err := output(cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

func (c *Cluster) run(ctx context.Context, name string, args ...string) error {
	_, err := c.output(ctx, name, args...)
	return err
}

func (c *Cluster) all(ctx context.Context, commands ...[]string) error {
	for _, command := range commands {
		if err := c.run(ctx, command[0], command[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// await repeats a command until it succeeds.
func (c *Cluster) await(ctx context.Context, daemon, name string, args ...string) error {
	const interval = 200 * time.Millisecond
	for {
		err := c.run(ctx, name, args...)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return c.daemons[daemon].Explain(err)
		case <-time.After(interval):
		}
	}
}
