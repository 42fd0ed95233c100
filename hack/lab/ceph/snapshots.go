// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"bytes"
	"context"
	"strconv"
)

// Snapshot makes the primary synchronise now.
func (c *Cluster) Snapshot(ctx context.Context, handle string) error {
	return c.run(ctx, "rbd", "mirror", "image", "snapshot", spec(handle))
}

// NewestSnapshot is the number of the primary's snapshot that the copy holds completely; zero when it has none.
func (c *Cluster) NewestSnapshot(ctx context.Context, handle string) (primary int64, err error) {
	var all []struct {
		Namespace struct {
			Complete bool  `json:"complete"`
			Primary  int64 `json:"primary_snap_id"`
		} `json:"namespace"`
	}
	if err := c.decode(ctx, &all, "rbd", "snap", "ls", "--all", spec(handle), "--format", "json"); err != nil {
		return 0, err
	}
	for _, s := range all {
		if s.Namespace.Complete {
			primary = max(primary, s.Namespace.Primary)
		}
	}
	return primary, nil
}

// Images are the names of all.
func (c *Cluster) Images(ctx context.Context) ([]string, error) {
	var names []string
	err := c.decode(ctx, &names, "rbd", "ls", Pool, "--format", "json")
	return names, err
}

// Schedules is what the cluster prints about when it takes mirror snapshots.
func (c *Cluster) Schedules(ctx context.Context) (string, error) {
	out, err := c.output(ctx, "rbd", "mirror", "snapshot", "schedule", "ls", "--pool", Pool, "--recursive")
	return string(out), err
}

// ChecksumAt is that of an image by its name, at a snapshot by its number, or now for zero.
func (c *Cluster) ChecksumAt(ctx context.Context, image string, snapshot int64) (string, error) {
	out, err := c.output(ctx, "python3", "-c", blocks, "sum", Pool, image, strconv.FormatInt(snapshot, 10))
	return string(bytes.TrimSpace(out)), err
}

// BlocksOfClone reads a clone of an image.
func (c *Cluster) BlocksOfClone(ctx context.Context, handle, clone string) (Blocks, error) {
	var b Blocks
	err := c.decode(ctx, &b, "python3", "-c", blocks, "read", Pool, imageOf(handle), clone)
	return b, err
}
