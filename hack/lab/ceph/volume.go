// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

const (
	// creationKey is where ceph-csi notes when the image was made; a key that begins with .rbd is not mirrored.
	creationKey = ".rbd.image.creation_time"
	// attachedKey stands for what ceph-csi notes about the node that has the volume.
	attachedKey = ".rbd.csi.ceph.com/clientAddress"
	// forceTime is how long ceph-csi waits for a forced promotion, which may hang while the peer is away.
	forceTime = time.Minute
)

// What librbd's errors are as exit codes of rbd.
const (
	notFound = 2
	busy     = 16
	exists   = 17
	invalid  = 22
)

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

// imageOf is the image behind a handle, which ends in the image's number.
func imageOf(handle string) string {
	const length = 36
	if len(handle) < length {
		return "csi-vol-" + handle
	}
	return "csi-vol-" + handle[len(handle)-length:]
}

func spec(handle string) string { return Pool + "/" + imageOf(handle) }

// Enable switches mirroring on.
func (c *Cluster) Enable(ctx context.Context, t array.Target, p array.Parameters) error {
	img, err := c.image(ctx, t)
	if err != nil {
		return err
	}
	mode, do, err := mayEnable(img, p)
	if err != nil || !do {
		return err
	}
	return c.internal(ctx, "mirror", "image", "enable", spec(t.Volume), mode)
}

// Disable switches mirroring off; rbd-mirror then removes the copy.
func (c *Cluster) Disable(ctx context.Context, t array.Target) error {
	img, err := c.image(ctx, t)
	if err != nil {
		return err
	}
	if do, err := mayDisable(img); err != nil || !do {
		return err
	}
	return c.internal(ctx, "mirror", "image", "disable", spec(t.Volume))
}

// Promote makes the image primary, and sees to its schedule.
func (c *Cluster) Promote(ctx context.Context, t array.Target, force bool, p array.Parameters) error {
	img, err := c.image(ctx, t)
	if err != nil {
		return err
	}
	do, err := mayPromote(img)
	if err != nil {
		return err
	}
	if do {
		if err := c.promote(ctx, t.Volume, force); err != nil {
			return err
		}
	}
	interval := p["schedulingInterval"]
	if interval == "" || p["mirroringMode"] == "journal" {
		return nil
	}
	return c.internal(ctx, "mirror", "snapshot", "schedule", "add", "--pool", Pool, "--image", imageOf(t.Volume), interval)
}

func (c *Cluster) promote(ctx context.Context, handle string, force bool) error {
	args := []string{"mirror", "image", "promote", spec(handle)}
	if force {
		args = append(args, "--force")
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, forceTime)
		defer cancel()
	}
	err := c.run(ctx, "rbd", args...)
	switch {
	case err == nil:
		return nil
	case exitCode(err) == busy:
		return refuse(array.FailedPrecondition, "failed to promote image %q with error: Device or resource busy", spec(handle))
	default:
		return refuse(array.Internal, "failed to promote image %q with error: %v", spec(handle), err)
	}
}

// Demote makes the image secondary.
func (c *Cluster) Demote(ctx context.Context, t array.Target) error {
	img, err := c.image(ctx, t)
	if err != nil {
		return err
	}
	do, err := mayDemote(img)
	if err != nil || !do {
		return err
	}
	if img.creation == "" {
		if err := c.internal(ctx, "image-meta", "set", spec(t.Volume), creationKey, img.info.Created); err != nil {
			return err
		}
	}
	return c.internal(ctx, "mirror", "image", "demote", spec(t.Volume))
}

// Resync asks whether both sides are demoted, and with force has a copy that was primary fetched anew.
func (c *Cluster) Resync(ctx context.Context, t array.Target, force bool) (ready bool, err error) {
	img, err := c.image(ctx, t)
	if err != nil {
		return false, err
	}
	answer, err := mayResync(img, force)
	if err != nil || !answer.throwAway {
		return answer.ready, err
	}
	if err := c.internal(ctx, "mirror", "image", "resync", spec(t.Volume)); err != nil {
		return false, err
	}
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(time.Second): // as ceph-csi does
		}
		after, err := c.image(ctx, t)
		if array.CodeOf(err) == array.NotFound {
			continue
		}
		if err != nil {
			return false, err
		}
		if err := afterResync(after); err != nil {
			return false, err
		}
		return mayReportReady(img, answer)
	}
}

// mayReportReady ends a call that threw the copy away: what was seen before that decides.
func mayReportReady(before image, answer resyncAnswer) (bool, error) {
	if answer.ready {
		return true, nil
	}
	_, err := mayResync(before, false)
	return false, err
}

// Info is what the primary knows of its replication.
func (c *Cluster) Info(ctx context.Context, t array.Target) (array.Info, error) {
	img, err := c.image(ctx, t)
	if err != nil {
		return array.Info{}, err
	}
	return replicationInfo(img)
}

// image asks rbd all that the rules need.
func (c *Cluster) image(ctx context.Context, t array.Target) (image, error) {
	if t.Group != "" {
		return image{}, refuse(array.NotFound, "volume %s not found", t.Group)
	}
	if t.Volume == "" {
		return image{}, refuse(array.InvalidArgument, "empty volume ID in request")
	}
	img := image{handle: t.Volume}
	err := c.decode(ctx, &img.info, "rbd", "info", spec(t.Volume), "--format", "json")
	switch {
	case exitCode(err) == notFound:
		return image{}, refuse(array.NotFound, "image not found: %s", spec(t.Volume))
	case err != nil:
		return image{}, refuse(array.Internal, "%v", err)
	case img.info.Mirroring.State == "":
		return img, nil
	}
	err = c.decode(ctx, &img.status, "rbd", "mirror", "image", "status", spec(t.Volume), "--format", "json")
	switch code := exitCode(err); {
	case code == notFound:
		return image{}, refuse(array.NotFound, "image not found: %s", spec(t.Volume))
	case code == invalid && !img.info.enabled(): // it is being made
	case err != nil:
		return image{}, refuse(array.Internal, "failed to get image mirroring status %q: %v", spec(t.Volume), err)
	}
	keys := map[string]string{}
	if err := c.decode(ctx, &keys, "rbd", "image-meta", "list", spec(t.Volume), "--format", "json"); err != nil {
		return image{}, refuse(array.Internal, "%v", err)
	}
	img.creation, img.attached = keys[creationKey], keys[attachedKey] != ""
	return img, nil
}

// decode reads what a command prints; nothing is an empty answer.
func (c *Cluster) decode(ctx context.Context, into any, name string, args ...string) error {
	out, err := c.output(ctx, name, args...)
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

// internal runs an rbd command whose failure ceph-csi tells as it is.
func (c *Cluster) internal(ctx context.Context, args ...string) error {
	if err := c.run(ctx, "rbd", args...); err != nil {
		return refuse(array.Internal, "%v", err)
	}
	return nil
}
