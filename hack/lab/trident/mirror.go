// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errLater has an object reconciled again.
var errLater = errors.New("not yet")

// frozen returns the status of a relationship of which something was changed that may not be; ok when
// nothing was. What is frozen is what the status says.
func frozen(before, after *relationship) (c condition, ok bool) {
	c = after.said()
	if len(after.Status.Conditions) == 0 || len(after.Spec.VolumeMappings) == 0 {
		return c, true
	}
	c.State = failed
	m := after.Spec.VolumeMappings[0]
	switch {
	case c.LocalPVCName != "" && c.LocalPVCName != m.LocalPVCName:
		c.Message = "localPVCName may not be changed from " + c.LocalPVCName
	case c.RemoteVolumeHandle != "" && c.RemoteVolumeHandle != m.RemoteVolumeHandle:
		c.Message = "remoteVolumeHandle may not be changed from " + c.RemoteVolumeHandle
	case after.Spec.State == promoted:
		return c, true
	case changed(c.ReplicationPolicy, before.Spec.ReplicationPolicy, after.Spec.ReplicationPolicy):
		c.Message = "replication policy may not be changed from " + c.ReplicationPolicy
	case changed(c.ReplicationSchedule, before.Spec.ReplicationSchedule, after.Spec.ReplicationSchedule):
		c.Message = "replication schedule may not be changed from " + c.ReplicationSchedule
	default:
		return c, true
	}
	return c, false
}

func changed(inUse, before, after string) bool {
	return inUse != "" && after != inUse && after != before
}

// flaw returns what is wrong with a spec; empty when nothing is.
func flaw(s relationshipSpec) string {
	switch {
	case s.VolumeMappings == nil:
		return ".spec.volumeMappings must be set"
	case len(s.VolumeMappings) != 1:
		return ".spec.volumeMappings must contain exactly one element in the list"
	case s.VolumeMappings[0].LocalPVCName == "":
		return ".spec.volumeMappings must specify a localPVCName"
	case !slices.Contains([]string{established, reestablished, promoted}, s.State):
		return ".spec.state must be one of established, reestablished, promoted"
	case s.State != promoted && s.VolumeMappings[0].PromotedSnapshotHandle != "":
		return ".spec.state must be set to 'promoted' when providing a 'promotedSnapshotHandle'"
	case s.State != promoted && s.VolumeMappings[0].RemoteVolumeHandle == "":
		return "A remoteVolumeHandle must be provided if .spec.state is established or reestablished"
	default:
		return ""
	}
}

// reconcile takes a relationship one step further; errLater when there are more to come.
func (t *Trident) reconcile(ctx context.Context, namespace, name string) error {
	c := t.dynamic.Resource(relationships()).Namespace(namespace)
	u, err := c.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	r, err := read[relationship](u)
	if err != nil {
		return err
	}
	if !r.DeletionTimestamp.IsZero() {
		return t.end(ctx, r)
	}
	if !slices.Contains(r.Finalizers, finalizer) {
		r.Finalizers = append(r.Finalizers, finalizer)
		if err := write(ctx, c, r); err != nil {
			return err
		}
		return errLater
	}
	said := r.said()
	said.LocalPVCName = r.Spec.VolumeMappings[0].LocalPVCName
	if text := flaw(r.Spec); text != "" {
		said.State, said.Message = invalid, text
	} else if said, err = t.move(ctx, r, r.Spec.State, said); err != nil {
		return err
	}
	// Written when the state has changed, and only then.
	if was := r.said().State; was == "" || was != said.State {
		if err := t.publish(ctx, r, said); err != nil {
			return err
		}
	}
	if transitioning(said.State) {
		return errLater
	}
	return nil
}

func (t *Trident) publish(ctx context.Context, r *relationship, said condition) error {
	said.ObservedGeneration, said.LastTransitionTime = r.Generation, time.Now().UTC().Format(time.RFC3339)
	r.Status.Conditions = []condition{said}
	return write(ctx, t.dynamic.Resource(relationships()).Namespace(r.Namespace), r, "status")
}

// end breaks the relationship of an object that is being deleted, and lets it go.
func (t *Trident) end(ctx context.Context, r *relationship) error {
	if !slices.Contains(r.Finalizers, finalizer) {
		return nil
	}
	desired, said := promoted, r.said()
	if said.State == "" || said.State == promoted {
		desired = released
	}
	r.Spec.VolumeMappings[0].PromotedSnapshotHandle = ""
	now, err := t.move(ctx, r, desired, said)
	if err != nil && !errors.Is(err, errLater) { // without a volume there is nothing to break
		return err
	}
	if err == nil && now.State != promoted && now.State != "" {
		return errLater
	}
	r.Finalizers = slices.DeleteFunc(r.Finalizers, func(f string) bool { return f == finalizer })
	return ignoreNotFound(write(ctx, t.dynamic.Resource(relationships()).Namespace(r.Namespace), r))
}

// handleOf returns the volume of a PVC on the site's ONTAP; errLater as long as it is not bound.
func (t *Trident) handleOf(ctx context.Context, namespace, pvc string) (string, error) {
	claim, err := t.client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, pvc, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && claim.Spec.VolumeName == "" {
		return "", errLater
	}
	if err != nil {
		return "", err
	}
	pv, err := t.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil || pv.Spec.CSI == nil || pv.Spec.CSI.VolumeAttributes["internalName"] == "" {
		return "", errLater
	}
	return Handle(t.Site, pv.Spec.CSI.VolumeAttributes["internalName"]), nil
}

// move brings a volume nearer to the state that is desired, and says what it is in.
func (t *Trident) move(ctx context.Context, r *relationship, desired string, said condition) (condition, error) {
	m := r.Spec.VolumeMappings[0]
	local, err := t.handleOf(ctx, r.Namespace, m.LocalPVCName)
	if err != nil {
		return said, err
	}
	said.Message, said.LocalPVCName, said.RemoteVolumeHandle = "", m.LocalPVCName, m.RemoteVolumeHandle
	now := t.now(desired, local, m.RemoteVolumeHandle)
	if desired == released {
		said.Message = "Releasing snapmirror metadata"
		return said, nil
	}
	if now != desired {
		if transitioning(now) { // what has begun is finished first
			desired = strings.TrimSuffix(now, "ing") + "ed"
		}
		if now, err = t.step(r.Spec, desired, now, local); err != nil {
			now, said.Message = failed, map[string]string{
				established: "Could not establish mirror", reestablished: "Could not reestablish mirror", promoted: "Could not promote mirror",
			}[desired]
		}
	}
	said.State, said.LocalVolumeHandle = now, local
	said.ReplicationPolicy, said.ReplicationSchedule = t.ONTAP.details(local, m.RemoteVolumeHandle)
	return said, nil
}

// step asks ONTAP for the desired state, and says what it is in after that.
func (t *Trident) step(s relationshipSpec, desired, now, local string) (string, error) {
	m := s.VolumeMappings[0]
	var err error
	switch {
	case desired == promoted && now != promoted:
		_, snapshot, _ := strings.Cut(m.PromotedSnapshotHandle, "/")
		return now, t.ONTAP.promote(local, m.RemoteVolumeHandle, snapshot) // seen to be done the next time
	case desired == established && now != established:
		err = t.ONTAP.establish(local, m.RemoteVolumeHandle, s.ReplicationPolicy, s.ReplicationSchedule)
	case desired == reestablished && now != reestablished:
		err = t.ONTAP.resync(local, m.RemoteVolumeHandle, s.ReplicationPolicy, s.ReplicationSchedule)
	default:
		return now, nil
	}
	if err != nil {
		return failed, err
	}
	return t.now(desired, local, m.RemoteVolumeHandle), nil
}

// now returns the state that ONTAP reports, in the words of what is desired. Any error but "not found" is
// taken for promoted: that is how Trident can say so of a volume that no application can write to.
func (t *Trident) now(desired, local, remote string) string {
	state := ""
	if remote != "" {
		var err error
		if state, err = t.ONTAP.state(local, remote); err != nil {
			state = promoted
			if errors.Is(err, errNotFound) {
				state = ""
			}
		}
	}
	switch {
	case desired == reestablished && state == establishing:
		return reestablishing
	case desired == reestablished && state == established:
		return reestablished
	case desired == promoted && (state == "" || state == promoted):
		return promoted
	case desired == promoted:
		return promoting
	default:
		return state
	}
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
