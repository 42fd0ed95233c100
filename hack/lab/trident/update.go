// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// update carries an action out that was added. A retry continues what it has begun; one that was
// begun by a Trident that has died has failed.
func (t *Trident) update(ctx context.Context, namespace, name string, retry bool) error {
	c := t.dynamic.Resource(updates()).Namespace(namespace)
	u, err := c.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	a, err := read[action](u)
	if err != nil {
		return err
	}
	if a.Status.State != "" && a.Status.State != inProgress {
		return nil
	}
	outcome := t.carryOut(ctx, a, retry)
	if errors.Is(outcome, errLater) {
		return errLater
	}
	if u, err = c.Get(ctx, name, metav1.GetOptions{}); err != nil {
		return ignoreNotFound(err)
	}
	if a, err = read[action](u); err != nil {
		return err
	}
	a.Finalizers = slices.DeleteFunc(a.Finalizers, func(f string) bool { return f == finalizer })
	a.Status.State, a.Status.Message, a.Status.CompletionTime = succeeded, "", new(metav1.Now())
	if outcome != nil {
		a.Status.State, a.Status.Message = failedAction, outcome.Error()
	}
	return ignoreNotFound(write(ctx, c, a))
}

// carryOut begins the transfer, or looks how it goes; errLater as long as it runs.
func (t *Trident) carryOut(ctx context.Context, a *action, retry bool) error {
	if a.Status.State == inProgress && !retry {
		return fmt.Errorf("in-progress TAMU %s detected at startup, marking as Failed", a.Name)
	}
	u, err := t.dynamic.Resource(relationships()).Namespace(a.Namespace).Get(ctx, a.Spec.Relationship, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("TridentMirrorRelationship '%v' for TridentActionMirrorUpdate '%v' does not yet exist.", a.Spec.Relationship, a.Name) //nolint:staticcheck // Trident's words
	}
	if err != nil {
		return errLater
	}
	r, err := read[relationship](u)
	if err != nil {
		return err
	}
	said := r.said()
	if said.State != established && said.State != reestablished {
		return fmt.Errorf("mirror update failed: TAMU %s cannot be executed for TMR %s in %s state", a.Name, r.Name, said.State)
	}
	if said.ReplicationPolicy == syncPolicy {
		return fmt.Errorf("mirror update failed: TAMU %s cannot be executed for TMR %s is a synchronous relationship", a.Name, r.Name)
	}
	if a.Status.State == inProgress {
		return t.transferred(a, said.LocalVolumeHandle)
	}
	before, _, err := t.ONTAP.transferred(said.LocalVolumeHandle)
	if err != nil {
		return fmt.Errorf("could not get previous mirror transfer time; %w", err)
	}
	_, snapshot, named := strings.Cut(a.Spec.SnapshotHandle, "/")
	if a.Spec.SnapshotHandle != "" && !named {
		return fmt.Errorf("invalid snapshot handle %s", a.Spec.SnapshotHandle)
	}
	if !slices.Contains(a.Finalizers, finalizer) {
		a.Finalizers = append(a.Finalizers, finalizer)
	}
	a.Status = actionStatus{
		LocalVolumeHandle: said.LocalVolumeHandle, RemoteVolumeHandle: said.RemoteVolumeHandle, SnapshotHandle: a.Spec.SnapshotHandle,
		State: inProgress, PreviousTransferTime: new(metav1.NewTime(before)),
	}
	if err := write(ctx, t.dynamic.Resource(updates()).Namespace(a.Namespace), a); err != nil {
		return errLater
	}
	if err := t.ONTAP.update(said.LocalVolumeHandle, snapshot); err != nil {
		return err
	}
	return errLater
}

// transferred returns nil once a transfer has ended after the one before.
func (t *Trident) transferred(a *action, handle string) error {
	ended, running, err := t.ONTAP.transferred(handle)
	if err != nil {
		return err
	}
	previous := time.Time{}
	if a.Status.PreviousTransferTime != nil {
		previous = a.Status.PreviousTransferTime.Time
	}
	if running || !ended.After(previous) {
		return errLater
	}
	return nil
}
