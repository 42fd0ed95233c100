// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func groupSnapshots() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "groupsnapshot.storage.k8s.io", Version: "v1beta2", Resource: "volumegroupsnapshots"}
}

func groupSnapshotContents() schema.GroupVersionResource {
	return groupSnapshots().GroupVersion().WithResource("volumegroupsnapshotcontents")
}

// snapshot does what external-snapshotter and Trident do together for a VolumeGroupSnapshot, without
// the VolumeSnapshots of its parts: one snapshot of the same name on each volume, at one moment.
func (t *Trident) snapshot(ctx context.Context, namespace, name string) error {
	c := t.dynamic.Resource(groupSnapshots()).Namespace(namespace)
	u, err := c.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	if ready, _, _ := unstructured.NestedBool(u.Object, "status", "readyToUse"); ready {
		return nil
	}
	content := "groupsnapcontent-" + string(u.GetUID())
	status := map[string]any{"boundVolumeGroupSnapshotContentName": content, "readyToUse": true, "creationTime": time.Now().UTC().Format(time.RFC3339)}
	if err := t.capture(ctx, u, content); err != nil {
		status = map[string]any{"readyToUse": false, "error": map[string]any{"message": err.Error(), "time": time.Now().UTC().Format(time.RFC3339)}}
	}
	u.Object["status"] = status
	_, err = c.UpdateStatus(ctx, u, metav1.UpdateOptions{})
	return ignoreNotFound(err)
}

// capture takes the snapshots, and writes down which there are.
func (t *Trident) capture(ctx context.Context, u *unstructured.Unstructured, content string) error {
	var selector metav1.LabelSelector
	raw, _, _ := unstructured.NestedMap(u.Object, "spec", "source", "selector")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &selector); err != nil {
		return err
	}
	matching, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return err
	}
	pvcs, err := t.client.CoreV1().PersistentVolumeClaims(u.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: matching.String()})
	if err != nil {
		return err
	}
	name := "snapshot-" + string(u.GetUID())
	var handles []string
	var volumes, infos []any
	for _, pvc := range pvcs.Items {
		h, err := t.handleOf(ctx, u.GetNamespace(), pvc.Name)
		if err != nil {
			return fmt.Errorf("PVC %s has no volume", pvc.Name)
		}
		handles = append(handles, h)
		volumes = append(volumes, pvc.Spec.VolumeName)
		infos = append(infos, map[string]any{"volumeHandle": pvc.Spec.VolumeName, "snapshotHandle": pvc.Spec.VolumeName + "/" + name, "readyToUse": true})
	}
	if len(handles) == 0 {
		return errors.New("the selector matches no PVC")
	}
	if err := t.ONTAP.snapshot(name, handles...); err != nil {
		return err
	}
	c := t.dynamic.Resource(groupSnapshotContents())
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": groupSnapshots().GroupVersion().String(), "kind": "VolumeGroupSnapshotContent", "metadata": map[string]any{"name": content},
		"spec": map[string]any{
			"deletionPolicy": "Delete", "driver": Name, "source": map[string]any{"volumeHandles": volumes},
			"volumeGroupSnapshotRef": map[string]any{
				"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "namespace": u.GetNamespace(), "name": u.GetName(), "uid": string(u.GetUID()),
			},
		},
	}}
	created, err := c.Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		created, err = c.Get(ctx, content, metav1.GetOptions{})
	}
	if err != nil {
		return err
	}
	created.Object["status"] = map[string]any{"readyToUse": true, "volumeSnapshotInfoList": infos}
	_, err = c.UpdateStatus(ctx, created, metav1.UpdateOptions{})
	return err
}
