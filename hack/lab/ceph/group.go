// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"context"
	"slices"
	"strings"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// ceph-csi makes groups of volumes, for snapshots, and says so. It does not mirror them: every call about the
// replication of a group finds no such volume.

// CreateGroup makes an RBD group. Asking again for the same name gives the same group with the new members.
func (c *Cluster) CreateGroup(ctx context.Context, name string, members []string, p array.Parameters) (string, error) {
	for _, key := range []string{"clusterID", "pool"} {
		if p[key] == "" {
			return "", refuse(array.InvalidArgument, "%s must be set", key)
		}
	}
	handle := handlePrefix + name
	if err := c.run(ctx, "rbd", "group", "create", groupSpec(handle)); err != nil && exitCode(err) != exists {
		return "", refuse(array.Internal, "%v", err)
	}
	return handle, c.ModifyGroup(ctx, handle, members)
}

// ModifyGroup sets all of a group's members.
func (c *Cluster) ModifyGroup(ctx context.Context, handle string, members []string) error {
	before, err := c.GroupMembers(ctx, handle)
	if err != nil {
		return err
	}
	for _, m := range members {
		if slices.Contains(before, m) {
			continue
		}
		if _, err := c.image(ctx, array.Target{Volume: m}); err != nil {
			return err
		}
		if err := c.internal(ctx, "group", "image", "add", groupSpec(handle), spec(m)); err != nil {
			return err
		}
	}
	for _, m := range before {
		if slices.Contains(members, m) {
			continue
		}
		if err := c.internal(ctx, "group", "image", "rm", groupSpec(handle), spec(m)); err != nil {
			return err
		}
	}
	return nil
}

// DeleteGroup removes a group and leaves its images. ceph-csi fails on a group that it does not find.
func (c *Cluster) DeleteGroup(ctx context.Context, handle string) error {
	switch has, err := c.hasGroup(ctx, handle); {
	case err != nil:
		return err
	case !has:
		return refuse(array.Internal, "BUG: name is not set")
	}
	return c.internal(ctx, "group", "rm", groupSpec(handle))
}

// hasGroup asks by itself: rbd removes and lists a group that does not exist without an error.
func (c *Cluster) hasGroup(ctx context.Context, handle string) (bool, error) {
	switch err := c.run(ctx, "rbd", "group", "info", groupSpec(handle)); {
	case exitCode(err) == notFound:
		return false, nil
	case err != nil:
		return false, refuse(array.Internal, "%v", err)
	}
	return true, nil
}

// GroupMembers lists the handles of a group's images.
func (c *Cluster) GroupMembers(ctx context.Context, handle string) ([]string, error) {
	switch has, err := c.hasGroup(ctx, handle); {
	case err != nil:
		return nil, err
	case !has:
		return nil, refuse(array.NotFound, "volume group %s not found", handle)
	}
	var images []struct {
		Image string `json:"image"`
	}
	if err := c.decode(ctx, &images, "rbd", "group", "image", "list", groupSpec(handle), "--format", "json"); err != nil {
		return nil, refuse(array.Internal, "%v", err)
	}
	handles := make([]string, 0, len(images))
	for _, i := range images {
		handles = append(handles, handlePrefix+strings.TrimPrefix(i.Image, "csi-vol-"))
	}
	return handles, nil
}

// CanMirrorGroups reports whether this Ceph has commands for the mirroring of groups.
func (c *Cluster) CanMirrorGroups(ctx context.Context) (bool, error) {
	out, err := c.output(ctx, "rbd", "help")
	return strings.Contains(string(out), "mirror group"), err
}

// groupSpec is a group as rbd names it.
func groupSpec(handle string) string {
	return Pool + "/csi-vol-group-" + strings.TrimPrefix(handle, handlePrefix)
}
