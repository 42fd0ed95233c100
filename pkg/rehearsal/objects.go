// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// NamespaceOf is where a group is rehearsed unless the user names another namespace.
func NamespaceOf(group string) string {
	const suffix = "-rehearsal"
	name := strings.ReplaceAll(group, ".", "-")
	if most := validation.DNS1123LabelMaxLength - len(suffix); len(name) > most {
		name = strings.TrimRight(name[:most], "-")
	}
	return name + suffix
}

// Source is a volume of the group on the site.
type Source struct {
	PVC *corev1.PersistentVolumeClaim
	PV  *corev1.PersistentVolume
}

// handleUUID is the length of the image's number, which ends a handle of ceph-csi.
const handleUUID = 36

// VolumeOf returns where the copy of a volume is. Its error says why it cannot be rehearsed.
func VolumeOf(s Source) (Volume, error) {
	v := Volume{PVC: s.PVC.Name}
	csi := s.PV.Spec.CSI
	if csi == nil {
		return v, fmt.Errorf("PVC %s: PersistentVolume %s is not of a CSI driver", v.PVC, s.PV.Name)
	}
	attributes := csi.VolumeAttributes
	if attributes["encrypted"] == "true" {
		return v, fmt.Errorf("PVC %s is encrypted by the driver; whether its clones can be opened has not been tried", v.PVC)
	}
	v.Cluster, v.Pool, v.Image = attributes["clusterID"], attributes["pool"], attributes["imageName"]
	if v.Image == "" && len(csi.VolumeHandle) > handleUUID {
		prefix := attributes["volumeNamePrefix"]
		if prefix == "" {
			prefix = "csi-vol-"
		}
		v.Image = prefix + csi.VolumeHandle[len(csi.VolumeHandle)-handleUUID:]
	}
	if v.Cluster == "" || v.Pool == "" || v.Image == "" {
		return v, fmt.Errorf("PVC %s: PersistentVolume %s does not name the cluster, the pool and the image (attributes clusterID, pool, imageName)", v.PVC, s.PV.Name)
	}
	return v, nil
}

// SecretOf is the Secret by which the driver changes a volume; empty for none.
func SecretOf(pv *corev1.PersistentVolume) types.NamespacedName {
	if csi := pv.Spec.CSI; csi != nil && csi.ControllerExpandSecretRef != nil {
		return types.NamespacedName{Namespace: csi.ControllerExpandSecretRef.Namespace, Name: csi.ControllerExpandSecretRef.Name}
	}
	return types.NamespacedName{}
}

// NamespaceObject returns the namespace of a rehearsal. What its Pods may do is what the group's namespace lets them.
func (r *Record) NamespaceObject(group types.NamespacedName, like map[string]string) *corev1.Namespace {
	labels := Labels(group, r.ID)
	for key, value := range like {
		if strings.HasPrefix(key, "pod-security.kubernetes.io/") {
			labels[key] = value
		}
	}
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: r.Namespace, Labels: labels, Annotations: map[string]string{vgrv1.AnnotationRehearsalOf: group.String()}},
	}
}

// PolicyName is the name of the NetworkPolicy in the namespace.
const PolicyName = "no-network"

// Policy returns what keeps Pods there from the network: a copy of an application must not answer, or write to, what the
// real one talks to.
func (r *Record) Policy(group types.NamespacedName) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"namespace": r.Namespace, "name": PolicyName},
		"spec":     map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress", "Egress"}},
	}}
	u.SetLabels(Labels(group, r.ID))
	return u
}

// VolumeObjects returns the PersistentVolume and the PVC of the clone of volume i. They are static: the driver attaches and
// mounts them, and neither resizes nor deletes them.
func (r *Record) VolumeObjects(group types.NamespacedName, i int, s Source) (*corev1.PersistentVolume, *corev1.PersistentVolumeClaim) {
	v, csi, labels := r.Volumes[i], s.PV.Spec.CSI, Labels(group, r.ID)
	attributes := map[string]string{"clusterID": v.Cluster, "pool": v.Pool, "staticVolume": "true"}
	for _, key := range []string{"imageFeatures", "mounter", "mapOptions", "unmapOptions", "tryOtherMounters"} {
		if value := csi.VolumeAttributes[key]; value != "" {
			attributes[key] = value
		}
	}
	capacity := corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(v.Bytes, resource.BinarySI)}
	none, modes := "", []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	if mode := s.PV.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock && len(s.PV.Spec.AccessModes) > 0 {
		modes = s.PV.Spec.AccessModes
	}
	pv := &corev1.PersistentVolume{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"},
		ObjectMeta: metav1.ObjectMeta{
			Name: r.PV(i), Labels: maps.Clone(labels),
			Annotations: map[string]string{vgrv1.AnnotationRehearsalOf: group.String(), vgrv1.AnnotationRehearsalSecret: r.Secret},
		},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: capacity, AccessModes: modes, VolumeMode: s.PV.Spec.VolumeMode, MountOptions: s.PV.Spec.MountOptions,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			ClaimRef:                      &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: r.Namespace, Name: v.PVC},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: csi.Driver, VolumeHandle: r.Clone(i), FSType: csi.FSType, VolumeAttributes: attributes, NodeStageSecretRef: csi.NodeStageSecretRef.DeepCopy(),
			}},
		},
	}
	if r.KeptUntil != nil {
		pv.Annotations[vgrv1.AnnotationRehearsalUntil] = r.KeptUntil.UTC().Format(time.RFC3339)
	}
	pvc := &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: v.PVC, Labels: maps.Clone(labels)},
		Spec: corev1.PersistentVolumeClaimSpec{
			// Without a class nothing resizes or provisions.
			StorageClassName: &none, AccessModes: modes, VolumeMode: s.PV.Spec.VolumeMode, VolumeName: r.PV(i),
			Resources: corev1.VolumeResourceRequirements{Requests: capacity},
		},
	}
	return pv, pvc
}

// Recover makes a record of the PersistentVolumes of a rehearsal whose group, or whose record, is gone; nil without any.
func Recover(pvs []corev1.PersistentVolume) *Record {
	var r *Record
	for _, pv := range pvs {
		id, csi, claim := pv.Labels[vgrv1.LabelRehearsal], pv.Spec.CSI, pv.Spec.ClaimRef
		var i int
		if _, err := fmt.Sscanf(pv.Name, "vgr-rehearsal-"+id+"-%d", &i); err != nil || !isID(id) || csi == nil || claim == nil || i < 0 || i >= maxVolumes || r != nil && r.ID != id {
			continue
		}
		made := metav1.NewMicroTime(pv.CreationTimestamp.Time)
		if r == nil {
			r = &Record{
				ID: id, Started: made, Namespace: claim.Namespace, Driver: csi.Driver, Secret: pv.Annotations[vgrv1.AnnotationRehearsalSecret],
				KeptUntil: until(pv.Annotations[vgrv1.AnnotationRehearsalUntil]), Ending: true, Result: Abandoned, Steps: []Step{{ID: StepClone, Started: made}},
			}
		}
		for len(r.Volumes) <= i { // one that is missing is gone, or never was
			r.Volumes = append(r.Volumes, Volume{Cluster: csi.VolumeAttributes["clusterID"], Pool: csi.VolumeAttributes["pool"]})
		}
		r.Volumes[i] = Volume{PVC: claim.Name, Cluster: csi.VolumeAttributes["clusterID"], Pool: csi.VolumeAttributes["pool"]}
	}
	return r
}

// until reads when one expires; nil for what is no time.
func until(text string) *metav1.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil
	}
	return &metav1.Time{Time: t}
}

func unix(seconds int64) *metav1.Time {
	if seconds <= 0 {
		return nil
	}
	t := metav1.Unix(seconds, 0)
	return &t
}

// aged returns the record with how old the data of each volume was at a moment.
func (r *Record) aged(now time.Time) Record {
	next := *r
	next.Volumes = slices.Clone(r.Volumes)
	for i := range next.Volumes {
		if p := next.Volumes[i].Point; p != nil {
			age := int64(max(0, now.Sub(p.Time)).Seconds())
			next.Volumes[i].AgeSeconds = &age
		}
	}
	return next
}
