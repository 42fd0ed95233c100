// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// handlePrefix is where the volumes of Pool are, as ceph-csi writes it.
const handlePrefix = "0001-0009-" + clusterID + "-0000000000000002-"

// CreateImage makes an image and returns its handle, both named after a name that is its own. Asking again gives the
// same image.
func (c *Cluster) CreateImage(ctx context.Context, name string, size int64) (string, error) {
	sum := sha256.Sum256([]byte(c.Site + "/" + name))
	handle := handlePrefix + fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	if err := c.run(ctx, "rbd", "info", spec(handle)); err == nil {
		return handle, nil
	} else if exitCode(err) != notFound {
		return "", err
	}
	return handle, c.run(ctx, "rbd", "create", spec(handle), "--size", fmt.Sprintf("%dB", size), "--image-feature", "layering")
}

// DeleteImage removes an image that is not mirrored.
func (c *Cluster) DeleteImage(ctx context.Context, handle string) error {
	img, err := c.image(ctx, array.Target{Volume: handle})
	switch {
	case array.CodeOf(err) == array.NotFound:
		return nil
	case err != nil:
		return err
	case img.info.Mirroring.State != "":
		return refuse(array.FailedPrecondition, "image %s is still mirrored", spec(handle))
	}
	return c.run(ctx, "rbd", "--no-progress", "rm", spec(handle))
}

// Attach notes that a node has the volume, or has it no more.
func (c *Cluster) Attach(ctx context.Context, handle string, attached bool) error {
	if attached {
		return c.run(ctx, "rbd", "image-meta", "set", spec(handle), attachedKey, "lab")
	}
	return c.run(ctx, "rbd", "image-meta", "remove", spec(handle), attachedKey)
}

// ForcePromote promotes an image whatever its peer is, as an administrator of the storage would.
func (c *Cluster) ForcePromote(ctx context.Context, handle string) error {
	return c.promote(ctx, handle, true)
}

// Diverge has a copy go a way of its own and be a copy again, as an administrator of the storage could, or a fault of
// rbd-mirror: it says split-brain, and nothing but a resync mends it.
func (c *Cluster) Diverge(ctx context.Context, handle string) error {
	if err := c.ForcePromote(ctx, handle); err != nil {
		return err
	}
	return c.run(ctx, "rbd", "mirror", "image", "demote", spec(handle))
}

// History is what the cluster prints of an image's snapshots and its mirror, for a person who looks for a fault.
func (c *Cluster) History(ctx context.Context, handle string) string {
	snapshots, err := c.output(ctx, "rbd", "snap", "ls", "--all", spec(handle))
	status, statusErr := c.output(ctx, "rbd", "mirror", "image", "status", spec(handle))
	return fmt.Sprintf("%s%s%v %v", snapshots, status, err, statusErr)
}

// SetDaemon starts or stops rbd-mirror.
func (c *Cluster) SetDaemon(ctx context.Context, up bool) error {
	if up {
		return c.daemons[Mirrorer].Start()
	}
	return c.daemons[Mirrorer].Stop(ctx)
}
