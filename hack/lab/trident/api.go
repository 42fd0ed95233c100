// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"context"
	"embed"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// CRDs are those that an installation of Trident makes, as far as replication needs them.
//
//go:embed crds
var CRDs embed.FS

// finalizer keeps Trident's objects until it has released what they stand for.
const finalizer = "trident.netapp.io"

func resource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "trident.netapp.io", Version: "v1", Resource: plural}
}

func relationships() schema.GroupVersionResource { return resource("tridentmirrorrelationships") }
func updates() schema.GroupVersionResource       { return resource("tridentactionmirrorupdates") }

// States of a relationship.
const (
	promoted       = "promoted"
	promoting      = "promoting"
	established    = "established"
	establishing   = "establishing"
	reestablished  = "reestablished"
	reestablishing = "reestablishing"
	released       = "released"
	failed         = "failed"
	invalid        = "invalid"
)

func transitioning(state string) bool {
	return state == promoting || state == establishing || state == reestablishing
}

// relationship is a TridentMirrorRelationship. The types here are apart from those of the program
// under test, so that both sides do not misspell a field alike. Like Trident's own they write empty
// strings.
type relationship struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              relationshipSpec   `json:"spec"`
	Status            relationshipStatus `json:"status"`
}

type relationshipSpec struct {
	State               string    `json:"state"`
	ReplicationPolicy   string    `json:"replicationPolicy"`
	ReplicationSchedule string    `json:"replicationSchedule"`
	VolumeMappings      []mapping `json:"volumeMappings"`
}

type mapping struct {
	PromotedSnapshotHandle string `json:"promotedSnapshotHandle"`
	LocalPVCName           string `json:"localPVCName"`
	RemoteVolumeHandle     string `json:"remoteVolumeHandle"`
}

type relationshipStatus struct {
	Conditions []condition `json:"conditions,omitempty"`
}

type condition struct {
	State               string `json:"state"`
	Message             string `json:"message"`
	ObservedGeneration  int64  `json:"observedGeneration"`
	LastTransitionTime  string `json:"lastTransitionTime"`
	LocalPVCName        string `json:"localPVCName"`
	LocalVolumeHandle   string `json:"localVolumeHandle"`
	RemoteVolumeHandle  string `json:"remoteVolumeHandle"`
	ReplicationPolicy   string `json:"replicationPolicy"`
	ReplicationSchedule string `json:"replicationSchedule"`
}

// said returns what the status says; the zero value before it says anything.
func (r *relationship) said() condition {
	if len(r.Status.Conditions) == 0 {
		return condition{}
	}
	return r.Status.Conditions[0]
}

// action is a TridentActionMirrorUpdate.
type action struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              actionSpec   `json:"spec"`
	Status            actionStatus `json:"status"`
}

type actionSpec struct {
	Relationship   string `json:"tridentMirrorRelationshipName"`
	SnapshotHandle string `json:"snapshotHandle"`
}

type actionStatus struct {
	LocalVolumeHandle    string       `json:"localVolumeHandle"`
	RemoteVolumeHandle   string       `json:"remoteVolumeHandle"`
	SnapshotHandle       string       `json:"snapshotHandle"`
	State                string       `json:"state"`
	Message              string       `json:"message"`
	CompletionTime       *metav1.Time `json:"completionTime,omitempty"`
	PreviousTransferTime *metav1.Time `json:"previousTransferTime,omitempty"`
}

// States of an action.
const (
	inProgress   = "In progress"
	succeeded    = "Succeeded"
	failedAction = "Failed"
)

// read decodes an object.
func read[T any](u *unstructured.Unstructured) (*T, error) {
	out := new(T)
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out)
}

// write updates an object, or its status.
func write(ctx context.Context, c dynamic.ResourceInterface, obj any, subresources ...string) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: content}
	if len(subresources) > 0 {
		_, err = c.UpdateStatus(ctx, u, metav1.UpdateOptions{})
	} else {
		_, err = c.Update(ctx, u, metav1.UpdateOptions{})
	}
	return err
}
