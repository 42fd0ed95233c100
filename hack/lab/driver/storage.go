// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// Storage is what the driver of one site drives. Its errors have the code that ceph-csi gives them: array.CodeOf.
type Storage interface {
	Roles
	Groups
	Info(ctx context.Context, t array.Target) (array.Info, error)
}

// Roles change what a volume or a group of volumes is.
type Roles interface {
	Enable(ctx context.Context, t array.Target, p array.Parameters) error
	Disable(ctx context.Context, t array.Target) error
	Promote(ctx context.Context, t array.Target, force bool, p array.Parameters) error
	Demote(ctx context.Context, t array.Target) error
	Resync(ctx context.Context, t array.Target, force bool) (ready bool, err error)
}

// Groups are made of volumes.
type Groups interface {
	CreateGroup(ctx context.Context, name string, members []string, p array.Parameters) (handle string, err error)
	ModifyGroup(ctx context.Context, handle string, members []string) error
	DeleteGroup(ctx context.Context, handle string) error
	GroupMembers(ctx context.Context, handle string) ([]string, error)
}

// Simulated is the simulated array as a site has it.
type Simulated struct {
	Array *array.Array
	Site  array.Site
	// Fast makes fast images.
	Fast bool
}

var _ Storage = Simulated{}

// Enable implements Storage.
func (s Simulated) Enable(_ context.Context, t array.Target, p array.Parameters) error {
	return s.Array.Enable(s.Site, t, p)
}

// Disable implements Storage.
func (s Simulated) Disable(_ context.Context, t array.Target) error {
	return s.Array.Disable(s.Site, t)
}

// Promote implements Storage.
func (s Simulated) Promote(_ context.Context, t array.Target, force bool, p array.Parameters) error {
	return s.Array.Promote(s.Site, t, force, p)
}

// Demote implements Storage.
func (s Simulated) Demote(_ context.Context, t array.Target) error { return s.Array.Demote(s.Site, t) }

// Resync implements Storage.
func (s Simulated) Resync(_ context.Context, t array.Target, force bool) (bool, error) {
	return s.Array.Resync(s.Site, t, force)
}

// Info implements Storage.
func (s Simulated) Info(_ context.Context, t array.Target) (array.Info, error) {
	return s.Array.Info(s.Site, t)
}

// CreateGroup implements Storage.
func (s Simulated) CreateGroup(_ context.Context, name string, members []string, p array.Parameters) (string, error) {
	return s.Array.CreateGroup(s.Site, name, members, p)
}

// ModifyGroup implements Storage.
func (s Simulated) ModifyGroup(_ context.Context, handle string, members []string) error {
	return s.Array.ModifyGroup(s.Site, handle, members)
}

// DeleteGroup implements Storage.
func (s Simulated) DeleteGroup(_ context.Context, handle string) error {
	return s.Array.DeleteGroup(s.Site, handle)
}

// GroupMembers implements Storage.
func (s Simulated) GroupMembers(_ context.Context, handle string) ([]string, error) {
	return s.Array.GroupMembers(s.Site, handle)
}

// CreateImage makes an image; asking again gives the same.
func (s Simulated) CreateImage(_ context.Context, name string, size int64) (string, error) {
	if s.Fast {
		return s.Array.CreateFastImage(s.Site, name, size), nil
	}
	return s.Array.CreateImage(s.Site, name, size), nil
}

// DeleteImage succeeds when the image is gone already.
func (s Simulated) DeleteImage(_ context.Context, handle string) error {
	if err := s.Array.DeleteImage(s.Site, handle); err != nil && array.CodeOf(err) != array.NotFound {
		return err
	}
	return nil
}

// Attach notes that a node has the volume, or has it no more.
func (s Simulated) Attach(_ context.Context, handle string, attached bool) error {
	return s.Array.Attach(s.Site, handle, attached)
}

// Write acknowledges n writes.
func (s Simulated) Write(_ context.Context, handle string, n int64) error {
	return s.Array.Write(s.Site, handle, n)
}

// SetDaemon starts or stops the mirroring daemon.
func (s Simulated) SetDaemon(_ context.Context, up bool) error {
	s.Array.SetDaemon(s.Site, up)
	return nil
}
