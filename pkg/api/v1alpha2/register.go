// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of this package.
var GroupVersion = schema.GroupVersion{Group: "replication.unified.io", Version: "v1alpha2"}

// The resources of this package, so that no client has to discover them.
var (
	VolumeGroupReplications       = GroupVersion.WithResource("volumegroupreplications")
	VolumeGroupReplicationClasses = GroupVersion.WithResource("volumegroupreplicationclasses")
	VolumeReplications            = GroupVersion.WithResource("volumereplications")
	VolumeReplicationClasses      = GroupVersion.WithResource("volumereplicationclasses")
)

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&VolumeGroupReplication{}, &VolumeGroupReplicationList{},
		&VolumeGroupReplicationClass{}, &VolumeGroupReplicationClassList{},
		&VolumeReplication{}, &VolumeReplicationList{},
		&VolumeReplicationClass{}, &VolumeReplicationClassList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
