// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

// Condition types. Completed, Degraded, Resyncing, Replicating and Validated have the meaning
// that kubernetes-csi-addons gives them and carry the time at which the backend said so.
const (
	// ConditionReady is True when the desired state is reached and the backend confirms it.
	// A secondary is ready once it is demoted; whether it is in sync is said by Degraded.
	ConditionReady = "Ready"
	// ConditionCompleted is True when the last promotion, demotion or resync has taken effect.
	ConditionCompleted = "Completed"
	// ConditionDegraded is True when the backend reports an error, or a secondary that is not
	// proven to be in sync. A healthy Ceph secondary stays Degraded while its peer is primary.
	ConditionDegraded = "Degraded"
	// ConditionResyncing is True while a secondary receives data it lacks.
	ConditionResyncing = "Resyncing"
	// ConditionReplicating reports whether a primary reaches its peer. It is absent on a secondary.
	ConditionReplicating = "Replicating"
	// ConditionValidated is False when the backend refused to enable replication. Backends
	// never take a False back after a later success.
	ConditionValidated = "Validated"
	// ConditionGroupConsistent is True when the backend gives one point in time for all volumes.
	ConditionGroupConsistent = "GroupConsistent"
	// ConditionDeletionHeld is True while a group that is being deleted is kept, and served as before, because an
	// operation on it is in flight. It is absent otherwise.
	ConditionDeletionHeld = "DeletionHeld"
)

// Reasons of ConditionReady.
const (
	// ReasonPromoted: the group is primary.
	ReasonPromoted = "Promoted"
	// ReasonDemoted: the group is secondary.
	ReasonDemoted = "Demoted"
	// ReasonResynced: the resync has ended and the group is in sync.
	ReasonResynced = "Resynced"
	// ReasonProgressing: the backend has been asked and has not answered yet.
	ReasonProgressing = "Progressing"
	// ReasonResyncing: a resync runs.
	ReasonResyncing = "Resyncing"
	// ReasonFailedToPromote: the backend could not promote; it keeps trying.
	ReasonFailedToPromote = "FailedToPromote"
	// ReasonFailedToDemote: the backend could not demote; it keeps trying.
	ReasonFailedToDemote = "FailedToDemote"
	// ReasonFailedToResync: the backend could not resync; it keeps trying. Right after a
	// demotion this is normal for up to 15 seconds.
	ReasonFailedToResync = "FailedToResync"
	// ReasonBackendError: the backend reports an error that is none of the above.
	ReasonBackendError = "BackendError"
	// ReasonBackendNotInstalled: the API of the backend is not served by this cluster.
	ReasonBackendNotInstalled = "BackendNotInstalled"
	// ReasonBackendUnknown: no backend serves the provisioner of the class.
	ReasonBackendUnknown = "BackendUnknown"
	// ReasonClassNotFound: the class does not exist.
	ReasonClassNotFound = "ClassNotFound"
	// ReasonInvalidParameters: a parameter of the class is unknown or cannot be honoured.
	ReasonInvalidParameters = "InvalidParameters"
	// ReasonInvalidSelector: the selector cannot be used.
	ReasonInvalidSelector = "InvalidSelector"
	// ReasonNoVolumes: the selector matches no PVC.
	ReasonNoVolumes = "NoVolumes"
	// ReasonTooManyVolumes: the selector matches more PVCs than the backend can group.
	ReasonTooManyVolumes = "TooManyVolumes"
	// ReasonVolumeNotFound: the PVC of a VolumeReplication does not exist.
	ReasonVolumeNotFound = "VolumeNotFound"
	// ReasonVolumeNotBound: a PVC is not bound to a volume.
	ReasonVolumeNotBound = "VolumeNotBound"
	// ReasonVolumeTerminating: a PVC is being deleted.
	ReasonVolumeTerminating = "VolumeTerminating"
	// ReasonForeignDriver: a PVC belongs to another CSI driver than the class.
	ReasonForeignDriver = "ForeignDriver"
	// ReasonVolumeConflict: a PVC is claimed by another group or replication as well.
	ReasonVolumeConflict = "VolumeConflict"
	// ReasonSourceInvalid: spec.source cannot be adopted.
	ReasonSourceInvalid = "SourceInvalid"
	// ReasonObjectConflict: a backend object of the name we need belongs to another owner.
	ReasonObjectConflict = "ObjectConflict"
	// ReasonPromotionNotConfirmed: the spec asks for primary, and nothing that was written with it confirms
	// that the peer has given up the role. The controller asks the backend for nothing.
	ReasonPromotionNotConfirmed = "PromotionNotConfirmed"
	// ReasonRoleChangedOutside: the backend had confirmed what the spec asks for, and plays another role since.
	// The controller changes nothing back where that would be a promotion or could not be undone.
	ReasonRoleChangedOutside = "RoleChangedOutside"
	// ReasonRoleDiffers: the backend has objects from before this object was created, and they are primary
	// while the spec asks for another role. The controller takes over what it finds and does not demote it. Likewise
	// where a demotion hands the role over to the peer, and kubectl vgr has not asked for it.
	ReasonRoleDiffers = "RoleDiffers"
	// ReasonGroupRefused: the driver does not replicate the volumes as one group. No upstream Ceph does.
	ReasonGroupRefused = "GroupRefused"
	// ReasonDeleting: the group is being removed from the backend.
	ReasonDeleting = "Deleting"
	// ReasonDeletionBlocked: the backend does not let the group go; the message says why.
	ReasonDeletionBlocked = "DeletionBlocked"
)

// ReasonOperationInFlight is the reason of ConditionDeletionHeld.
const ReasonOperationInFlight = "OperationInFlight"

// ReasonLinkInSync is the reason of ConditionReplicating and ConditionDegraded when the array judges
// the link by itself, against its own schedule, and reports no time of a synchronisation.
const ReasonLinkInSync = "LinkInSync"

// ReasonLinkNotInSync is the reason of ConditionReplicating and ConditionDegraded when such an array says that the
// link does not replicate. It counts on a secondary too.
const ReasonLinkNotInSync = "LinkNotInSync"

// ReasonGroupError is the reason of ConditionDegraded when the backend's own group is in an error state and its link
// is not.
const ReasonGroupError = "GroupError"

// ReasonNotReported is the reason of ConditionReplicating and ConditionDegraded when the backend never
// says how replication goes. Then a last synchronisation is known on the copy at most, of an update that
// was asked for, and a lag is not.
const ReasonNotReported = "NotReported"

// ReasonStatusNotReported is the reason of ConditionReplicating when the driver reports when it synchronised last, and not
// whether it replicates, as ceph-csi 3.12 does. Then the age of that synchronisation is what tells.
const ReasonStatusNotReported = "StatusNotReported"

// Reasons of ConditionGroupConsistent.
const (
	// ReasonNativeGroup: the backend replicates the volumes as one group.
	ReasonNativeGroup = "NativeGroup"
	// ReasonSingleVolume: one volume is always consistent with itself.
	ReasonSingleVolume = "SingleVolume"
	// ReasonPerVolume: the volumes are replicated one by one.
	ReasonPerVolume = "PerVolume"
	// ReasonGroupSnapshots: the volumes are replicated one by one; a planned failover goes through a
	// snapshot of all of them.
	ReasonGroupSnapshots = "GroupSnapshots"
	// ReasonNotConfirmed: the backend has not confirmed the group yet.
	ReasonNotConfirmed = "NotConfirmed"
)

// Reasons returns all reasons above. A backend's own words may stand beside them.
func Reasons() []string {
	return []string{
		ReasonPromoted, ReasonDemoted, ReasonResynced, ReasonProgressing, ReasonResyncing,
		ReasonFailedToPromote, ReasonFailedToDemote, ReasonFailedToResync, ReasonBackendError,
		ReasonBackendNotInstalled, ReasonBackendUnknown, ReasonClassNotFound, ReasonInvalidParameters, ReasonInvalidSelector,
		ReasonNoVolumes, ReasonTooManyVolumes, ReasonVolumeNotFound, ReasonVolumeNotBound, ReasonVolumeTerminating,
		ReasonForeignDriver, ReasonVolumeConflict, ReasonSourceInvalid, ReasonObjectConflict,
		ReasonPromotionNotConfirmed, ReasonRoleChangedOutside, ReasonRoleDiffers, ReasonGroupRefused, ReasonDeleting, ReasonDeletionBlocked, ReasonOperationInFlight,
		ReasonLinkInSync, ReasonLinkNotInSync, ReasonGroupError, ReasonNotReported, ReasonStatusNotReported,
		ReasonNativeGroup, ReasonSingleVolume, ReasonPerVolume, ReasonGroupSnapshots, ReasonNotConfirmed,
	}
}

// Finalizer keeps a VolumeGroupReplication or VolumeReplication until its backend objects are gone.
const Finalizer = "replication.unified.io/backend-cleanup"

// Labels and annotations.
const (
	// LabelManagedBy marks what the controller or the plugin created.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedByController is the value of LabelManagedBy for objects of the controller.
	ManagedByController = "vgr-controller"
	// ManagedByPlugin is the value of LabelManagedBy for objects that the plugin prepared on a peer.
	ManagedByPlugin = "kubectl-vgr"
	// LabelGroup names the VolumeGroupReplication that a backend object serves. Ownership is
	// said by labels, not by owner references: the garbage collector must never end a
	// replication on its own.
	LabelGroup = "replication.unified.io/group"
	// LabelVolumeReplication names the VolumeReplication that a backend object serves.
	LabelVolumeReplication = "replication.unified.io/volume-replication"
	// LabelClass names the class that a backend's class was derived from, shortened to fit.
	LabelClass = "replication.unified.io/class"
	// LabelVersion on the controller's Lease is the version of the controller that leads.
	LabelVersion = "replication.unified.io/version"
	// AnnotationPeerClusterUID is the UID of the peer cluster's kube-system namespace, and the name
	// that AnnotationClusterName gives it.
	AnnotationPeerClusterUID = "replication.unified.io/peer-cluster-uid"
	// AnnotationClusterName on the namespace kube-system tells two clusters apart that have the same UID of it, because
	// one was restored from a backup of the other. The cluster is then known as the UID, a slash, and this name.
	AnnotationClusterName = "replication.unified.io/cluster-name"
	// AnnotationPeerContext is the name the peer's kubeconfig context had when it was prepared: a hint only.
	AnnotationPeerContext = "replication.unified.io/peer-context"
	// AnnotationSiteNames offers names for the two clusters to those who use the group: a JSON object of names by the identity
	// of the cluster. A user's own names come before them.
	AnnotationSiteNames = "replication.unified.io/site-names"
	// AnnotationDeletionPolicy on a group says what its deletion does to the backend's
	// replication: DeletionPolicyDelete, or DeletionPolicyRetain, which is the default
	// because ending the replication of a primary can delete the peer's copy of the data.
	AnnotationDeletionPolicy = "replication.unified.io/deletion-policy"
	// AnnotationOperation is the journal of the group's last failover or failback, as JSON.
	AnnotationOperation = "replication.unified.io/operation"
	// AnnotationHistory are the journals before that, newest first, as JSON.
	AnnotationHistory = "replication.unified.io/history"
	// AnnotationRemembered is what is known of the role of a backend's own object that no controller of kubectl vgr
	// watches, as JSON. The plugin writes it together with the journal.
	AnnotationRemembered = "replication.unified.io/remembered"
	// AnnotationWave is a number: of several groups that are moved at once, those with a lower one go
	// first. The default is 0.
	AnnotationWave = "replication.unified.io/wave"
	// AnnotationSyncRequest asks a backend that updates its copy on demand to do so now. Every
	// new value is one request.
	AnnotationSyncRequest = "replication.unified.io/sync-request"
	// AnnotationSnapshotRequest asks a primary whose volumes are replicated one by one for a snapshot of
	// all of them at one moment. Every new value is one request.
	AnnotationSnapshotRequest = "replication.unified.io/snapshot-request"
	// AnnotationPeerSnapshots are the peer's snapshots of one moment by the names of the PVCs, as a JSON
	// object. An update transfers up to them, and a promotion goes back to them. The plugin removes it
	// with the next change of roles; if you set it by hand, remove it by hand too.
	AnnotationPeerSnapshots = "replication.unified.io/peer-snapshots"
	// AnnotationPeer has the state of the peer's copy that the tool saw which requested the present state: a
	// PeerState, a slash, and what makes the request unique. Only the plugin sees both sites.
	AnnotationPeer = "replication.unified.io/peer"
	// AnnotationBoundTo names the write that the annotations peer, peer-handles and peer-snapshots came with: the
	// UID of the object, a slash, and the generation that the write made. For any other object or generation
	// they count for nothing.
	AnnotationBoundTo = "replication.unified.io/bound-to"
	// AnnotationPromotion set to PromotionUnguarded has the controller obey every request for primary. Then
	// every tool that writes to the group must check that the peer is not primary.
	AnnotationPromotion = "replication.unified.io/promotion"
	// AnnotationCopyOf on a PersistentVolume marks a copy that was prepared for a peer: the UID of the cluster
	// that it was copied from.
	AnnotationCopyOf = "replication.unified.io/copy-of"
	// AnnotationPreparedFor on a backend object without a namespace says for which group it was prepared: its
	// namespace, a slash, and its name. No other group may adopt it.
	AnnotationPreparedFor = "replication.unified.io/prepared-for"
	// AnnotationRetry with a new value has a backend try again what it gave up.
	AnnotationRetry = "replication.unified.io/retry"
	// AnnotationPeerHandles are the replication handles of the peer's volumes by the names of the PVCs,
	// as a JSON object. Only the plugin sees both sites.
	AnnotationPeerHandles = "replication.unified.io/peer-handles"
	// LabelRehearsal on all that a rehearsal makes is its identifier.
	LabelRehearsal = "replication.unified.io/rehearsal"
	// AnnotationRehearsals are the rehearsals of the group on this site, newest first, as JSON.
	AnnotationRehearsals = "replication.unified.io/rehearsals"
	// AnnotationRehearsalUntil on its PersistentVolumes is when one that is kept expires.
	AnnotationRehearsalUntil = "replication.unified.io/rehearsal-until"
	// AnnotationRehearsalOf names the group that a namespace or volume of a rehearsal is for, and AnnotationRehearsalSecret the
	// Secret that removes the volume's image.
	AnnotationRehearsalOf     = "replication.unified.io/rehearsal-of"
	AnnotationRehearsalSecret = "replication.unified.io/rehearsal-secret" //nolint:gosec // the name of one
)

// PeerState is what is known of the other copy. Backends that change both sites at once act on it.
type PeerState string

// Fates of a peer; empty when nothing is known.
const (
	// PeerDemoted: the peer was seen to have given up its role, so all that it wrote is here.
	PeerDemoted PeerState = "demoted"
	// PeerQuiesced: the peer is primary still, nothing uses its volumes, and all that was written there is
	// here. It is for backends that cannot demote.
	PeerQuiesced PeerState = "quiesced"
	// PeerDiscarded: the user accepted that the writes that only the peer has are discarded.
	PeerDiscarded PeerState = "discarded"
	// PeerPrimary: the peer was seen to be primary and is to be followed; what this copy alone has may
	// be discarded.
	PeerPrimary PeerState = "primary"
	// PeerLost: the peer has no say; the loss of the writes that only it has was accepted.
	PeerLost PeerState = "lost"
)

// PromotionUnguarded is the value of AnnotationPromotion that switches the guard off.
const PromotionUnguarded = "unguarded"

// Values of AnnotationDeletionPolicy.
const (
	// DeletionPolicyDelete ends the replication on the array; the volumes themselves stay.
	DeletionPolicyDelete = "delete"
	// DeletionPolicyRetain leaves the backend objects in place and replication running. A
	// group of the same name that is created later takes them over again.
	DeletionPolicyRetain = "retain"
)
