// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver/proto"
)

// replicationService implements proto.Replication.
type replicationService struct {
	proto.UnimplementedReplicationServer
	storage Storage
}

func (s replicationService) EnableVolumeReplication(ctx context.Context, r *proto.EnableVolumeReplicationRequest) (*proto.EnableVolumeReplicationResponse, error) {
	err := s.storage.Enable(ctx, target(r.GetReplicationSource()), r.GetParameters())
	return &proto.EnableVolumeReplicationResponse{}, grpcError(err)
}

func (s replicationService) DisableVolumeReplication(ctx context.Context, r *proto.DisableVolumeReplicationRequest) (*proto.DisableVolumeReplicationResponse, error) {
	err := s.storage.Disable(ctx, target(r.GetReplicationSource()))
	return &proto.DisableVolumeReplicationResponse{}, grpcError(err)
}

func (s replicationService) PromoteVolume(ctx context.Context, r *proto.PromoteVolumeRequest) (*proto.PromoteVolumeResponse, error) {
	err := s.storage.Promote(ctx, target(r.GetReplicationSource()), r.GetForce(), r.GetParameters())
	return &proto.PromoteVolumeResponse{}, grpcError(err)
}

func (s replicationService) DemoteVolume(ctx context.Context, r *proto.DemoteVolumeRequest) (*proto.DemoteVolumeResponse, error) {
	err := s.storage.Demote(ctx, target(r.GetReplicationSource()))
	return &proto.DemoteVolumeResponse{}, grpcError(err)
}

func (s replicationService) ResyncVolume(ctx context.Context, r *proto.ResyncVolumeRequest) (*proto.ResyncVolumeResponse, error) {
	ready, err := s.storage.Resync(ctx, target(r.GetReplicationSource()), r.GetForce())
	return &proto.ResyncVolumeResponse{Ready: ready}, grpcError(err)
}

func (s replicationService) GetVolumeReplicationInfo(ctx context.Context, r *proto.GetVolumeReplicationInfoRequest) (*proto.GetVolumeReplicationInfoResponse, error) {
	info, err := s.storage.Info(ctx, target(r.GetReplicationSource()))
	if err != nil {
		return nil, grpcError(err)
	}
	return &proto.GetVolumeReplicationInfoResponse{
		LastSyncTime:     timestamppb.New(info.LastSync.Time),
		LastSyncDuration: durationpb.New(info.LastSync.Duration),
		LastSyncBytes:    info.LastSync.Bytes,
		Status:           proto.GetVolumeReplicationInfoResponse_Status(proto.GetVolumeReplicationInfoResponse_Status_value[string(info.Health)]),
		StatusMessage:    info.Message,
	}, nil
}

func target(source *proto.ReplicationSource) array.Target {
	return array.Target{Volume: source.GetVolume().GetVolumeId(), Group: source.GetVolumeGroup().GetVolumeGroupId()}
}

// grpcError gives an error of the storage its gRPC code.
func grpcError(err error) error {
	switch array.CodeOf(err) {
	case "":
		return nil
	case array.NotFound:
		return status.Error(codes.NotFound, err.Error())
	case array.InvalidArgument:
		return status.Error(codes.InvalidArgument, err.Error())
	case array.FailedPrecondition:
		return status.Error(codes.FailedPrecondition, err.Error())
	case array.Unavailable:
		return status.Error(codes.Unavailable, err.Error())
	case array.Aborted:
		return status.Error(codes.Aborted, err.Error())
	case array.Unknown:
		return status.Error(codes.Unknown, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
