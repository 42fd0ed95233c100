// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"

	"github.com/unified-replication/kubectl-vgr/hack/lab/driver/proto"
)

// groupService implements proto.VolumeGroupController.
type groupService struct {
	proto.UnimplementedVolumeGroupControllerServer
	storage Storage
}

func (s groupService) CreateVolumeGroup(ctx context.Context, r *proto.CreateVolumeGroupRequest) (*proto.CreateVolumeGroupResponse, error) {
	handle, err := s.storage.CreateGroup(ctx, r.GetName(), r.GetVolumeIds(), r.GetParameters())
	if err != nil {
		return nil, grpcError(err)
	}
	return &proto.CreateVolumeGroupResponse{VolumeGroup: &proto.VolumeGroup{
		VolumeGroupId: handle, VolumeGroupContext: groupContext(r.GetParameters()), VolumeIds: r.GetVolumeIds(),
	}}, nil
}

func (s groupService) ModifyVolumeGroupMembership(ctx context.Context, r *proto.ModifyVolumeGroupMembershipRequest) (*proto.ModifyVolumeGroupMembershipResponse, error) {
	if err := s.storage.ModifyGroup(ctx, r.GetVolumeGroupId(), r.GetVolumeIds()); err != nil {
		return nil, grpcError(err)
	}
	return &proto.ModifyVolumeGroupMembershipResponse{VolumeGroup: &proto.VolumeGroup{
		VolumeGroupId: r.GetVolumeGroupId(), VolumeGroupContext: groupContext(r.GetParameters()), VolumeIds: r.GetVolumeIds(),
	}}, nil
}

func (s groupService) DeleteVolumeGroup(ctx context.Context, r *proto.DeleteVolumeGroupRequest) (*proto.DeleteVolumeGroupResponse, error) {
	err := s.storage.DeleteGroup(ctx, r.GetVolumeGroupId())
	return &proto.DeleteVolumeGroupResponse{}, grpcError(err)
}

func (s groupService) ControllerGetVolumeGroup(ctx context.Context, r *proto.ControllerGetVolumeGroupRequest) (*proto.ControllerGetVolumeGroupResponse, error) {
	members, err := s.storage.GroupMembers(ctx, r.GetVolumeGroupId())
	if err != nil {
		return nil, grpcError(err)
	}
	return &proto.ControllerGetVolumeGroupResponse{VolumeGroup: &proto.VolumeGroup{VolumeGroupId: r.GetVolumeGroupId(), VolumeIds: members}}, nil
}

// groupContext returns what ceph-csi tells of a group: where it is.
func groupContext(parameters map[string]string) map[string]string {
	out := map[string]string{}
	for _, key := range []string{"clusterID", "pool"} {
		if value := parameters[key]; value != "" {
			out[key] = value
		}
	}
	return out
}
