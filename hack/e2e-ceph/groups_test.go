// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2eceph_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver/proto"
)

// grouped is a group and one image.
type grouped struct {
	side
	group, image string
}

func (g *grouped) create(ctx context.Context, parameters map[string]string) (string, error) {
	r, err := g.groups.CreateVolumeGroup(ctx, &proto.CreateVolumeGroupRequest{Name: "set", SecretName: "lab", Parameters: parameters, VolumeIds: []string{g.image}})
	switch id := r.GetVolumeGroup().GetVolumeGroupId(); {
	case err != nil:
		return "", err
	case g.group != "" && g.group != id:
		return "another group", nil
	default:
		g.group = id
		return "OK", nil
	}
}

func (g *grouped) set(ctx context.Context, members ...string) (string, error) {
	_, err := g.groups.ModifyVolumeGroupMembership(ctx, &proto.ModifyVolumeGroupMembershipRequest{VolumeGroupId: g.group, SecretName: "lab", VolumeIds: members})
	return "OK", err
}

func (g *grouped) members(ctx context.Context) (string, error) {
	r, err := g.groups.ControllerGetVolumeGroup(ctx, &proto.ControllerGetVolumeGroupRequest{VolumeGroupId: g.group, SecretName: "lab"})
	return strings.Join(r.GetVolumeGroup().GetVolumeIds(), " "), err
}

func (g *grouped) remove(ctx context.Context) (string, error) {
	_, err := g.groups.DeleteVolumeGroup(ctx, &proto.DeleteVolumeGroupRequest{VolumeGroupId: g.group, SecretName: "lab"})
	return "OK", err
}

// all replicates the group, alone the image.
func (g *grouped) all(ctx context.Context, do call) (string, error) {
	return do(ctx, g.side, &proto.ReplicationSource{Type: &proto.ReplicationSource_VolumeGroup{VolumeGroup: &proto.ReplicationSource_VolumeGroupSource{VolumeGroupId: g.group}}}, g.group)
}

func (g *grouped) alone(ctx context.Context, do call) (string, error) {
	return do(ctx, g.side, &proto.ReplicationSource{Type: &proto.ReplicationSource_Volume{Volume: &proto.ReplicationSource_VolumeSource{VolumeId: g.image}}}, g.image)
}

// TestGroupsSameAnswers is TestSameAnswers of a group, which no upstream Ceph mirrors. A Ceph that does fails it first.
func TestGroupsSameAnswers(t *testing.T) {
	t.Parallel()
	w := start(t, time.Second)
	if can, err := w.cluster(lab.East).CanMirrorGroups(t.Context()); err != nil || can {
		t.Fatalf("rbd has commands for the mirroring of groups: %t, %v", can, err)
	}
	where := map[string]string{"clusterID": "rook-ceph", "pool": "replicated"}
	story := []struct {
		what string
		do   func(ctx context.Context, g *grouped) (string, error)
		want string
	}{
		{"create, nowhere", func(ctx context.Context, g *grouped) (string, error) { return g.create(ctx, nil) }, "InvalidArgument"},
		{"create", func(ctx context.Context, g *grouped) (string, error) { return g.create(ctx, where) }, "OK"},
		{"create again", func(ctx context.Context, g *grouped) (string, error) { return g.create(ctx, where) }, "OK"},
		{"members", func(ctx context.Context, g *grouped) (string, error) { return g.members(ctx) }, "IMAGE"},
		{"enable", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, enable("1m")) }, "NotFound"},
		{"promote", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, promote(false)) }, "NotFound"},
		{"promote by force", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, promote(true)) }, "NotFound"},
		{"demote", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, demote) }, "NotFound"},
		{"resync", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, resync(false)) }, "NotFound"},
		{"info", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, replication) }, "NotFound"},
		{"disable", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, disable) }, "NotFound"},
		{"the member is not mirrored", func(ctx context.Context, g *grouped) (string, error) { return g.alone(ctx, demote) }, "InvalidArgument"},
		{"enable the member", func(ctx context.Context, g *grouped) (string, error) { return g.alone(ctx, enable("1m")) }, "OK"},
		{"demote the member", func(ctx context.Context, g *grouped) (string, error) { return g.alone(ctx, demote) }, "OK"},
		{"promote the member by force", func(ctx context.Context, g *grouped) (string, error) { return g.alone(ctx, promote(true)) }, "OK"},
		{"disable the member", func(ctx context.Context, g *grouped) (string, error) { return g.alone(ctx, disable) }, "OK"},
		{"without members", func(ctx context.Context, g *grouped) (string, error) { return g.set(ctx) }, "OK"},
		{"no members", func(ctx context.Context, g *grouped) (string, error) { return g.members(ctx) }, ""},
		{"a member that does not exist", func(ctx context.Context, g *grouped) (string, error) { return g.set(ctx, g.image+"0") }, "NotFound"},
		{"a member again", func(ctx context.Context, g *grouped) (string, error) { return g.set(ctx, g.image) }, "OK"},
		{"delete", func(ctx context.Context, g *grouped) (string, error) { return g.remove(ctx) }, "OK"},
		{"delete again", func(ctx context.Context, g *grouped) (string, error) { return g.remove(ctx) }, "Internal"},
		{"members of none", func(ctx context.Context, g *grouped) (string, error) { return g.members(ctx) }, "NotFound"},
		{"enable none", func(ctx context.Context, g *grouped) (string, error) { return g.all(ctx, enable("1m")) }, "NotFound"},
	}
	for kind, sides := range bothArrays(t, w) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			image, err := sides[lab.East].storage.CreateImage(t.Context(), "grouped", 8<<20)
			if err != nil {
				t.Fatal(err)
			}
			g := &grouped{side: sides[lab.East], image: image}
			for _, step := range story {
				got, err := step.do(t.Context(), g)
				if err != nil {
					got = status.Code(err).String()
				}
				if want := strings.ReplaceAll(step.want, "IMAGE", g.image); got != want {
					t.Errorf("%s: %q (%v), want %q", step.what, got, err, want)
				}
			}
		})
	}
}
