// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package controller reconciles VolumeGroupReplications and VolumeReplications of one cluster:
// it resolves a group's class and volumes, lets the backend's adapter apply them, and writes
// what the backend answers into the status. It knows no vendor's API and no other cluster.
package controller

// Everything the controller may do in a cluster; the shipped ClusterRole is generated from it. What is only read from the
// cache is listed and watched, and never asked for by its name; make rbac-by-use compares.
// +kubebuilder:rbac:groups=replication.unified.io,resources=volumegroupreplications;volumereplications,verbs=list;watch;patch
// +kubebuilder:rbac:groups=replication.unified.io,resources=volumegroupreplications/status;volumereplications/status,verbs=patch
// +kubebuilder:rbac:groups=replication.unified.io,resources=volumegroupreplications/finalizers;volumereplications/finalizers,verbs=update
// +kubebuilder:rbac:groups=replication.unified.io,resources=volumegroupreplicationclasses;volumereplicationclasses,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims;persistentvolumes,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",namespace=vgr-system,resources=events,verbs=create
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=list;watch
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=vgr-system,resources=leases,verbs=get;create;update
// +kubebuilder:rbac:groups=csiaddons.openshift.io,resources=csiaddonsnodes,verbs=list;watch
// +kubebuilder:rbac:groups=replication.storage.dell.com,resources=dellcsireplicationgroups,verbs=list;watch;patch
// +kubebuilder:rbac:groups=trident.netapp.io,resources=tridentmirrorrelationships,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=trident.netapp.io,resources=tridentactionmirrorupdates,verbs=list;watch;create;delete
// +kubebuilder:rbac:groups=groupsnapshot.storage.k8s.io,resources=volumegroupsnapshots,verbs=get;list;create;delete
// +kubebuilder:rbac:groups=groupsnapshot.storage.k8s.io,resources=volumegroupsnapshotcontents,verbs=get
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=list;watch
// +kubebuilder:rbac:groups=replication.storage.openshift.io,resources=volumegroupreplications;volumereplications,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=replication.storage.openshift.io,resources=volumegroupreplicationcontents,verbs=list;watch;patch
// +kubebuilder:rbac:groups=replication.storage.openshift.io,resources=volumegroupreplicationclasses,verbs=list;watch;create;delete
// +kubebuilder:rbac:groups=replication.storage.openshift.io,resources=volumereplicationclasses,verbs=get;list;watch;create;delete
