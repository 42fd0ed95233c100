// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// script is what the Jobs run. It is Python because rbd's package depends on it, and because what rbd prints is JSON.
//
//go:embed clone.py
var script string

// Where ceph-csi finds its clusters, and where the Jobs find the same, their Secret, and leave what they say.
const (
	driverConfig = "/etc/ceph-csi-config"
	cephConfig   = "/etc/ceph"
	jobConfig    = "/tmp/vgr/config"
	jobSecret    = "/tmp/vgr/secret"
	jobResult    = "/tmp/vgr-result"
)

// Job limits. A clone takes seconds for each volume; what takes this long hangs.
const (
	jobDeadline int64 = 15 * 60
	jobKept     int32 = 24 * 60 * 60
)

// Runner is what a Job has from the driver: it runs where the driver's own program runs.
type Runner struct {
	Namespace string
	pod       corev1.PodSpec
	image     string
	pull      corev1.PullPolicy
	volumes   []corev1.Volume
	mounts    []corev1.VolumeMount
}

// RunnerOf takes over from a Pod of the driver what its program needs to reach the storage. It fails with what the Pod lacks.
func RunnerOf(pod *corev1.Pod) (Runner, error) {
	r := Runner{Namespace: pod.Namespace, pod: pod.Spec}
	for _, c := range pod.Spec.Containers {
		i := slices.IndexFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return strings.TrimSuffix(m.MountPath, "/") == driverConfig })
		if i < 0 {
			continue
		}
		r.image, r.pull = c.Image, c.ImagePullPolicy
		for _, m := range c.VolumeMounts {
			path := strings.TrimSuffix(m.MountPath, "/")
			if path != driverConfig && path != cephConfig {
				continue
			}
			v := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
			if v < 0 || !isConfig(&pod.Spec.Volumes[v]) {
				continue
			}
			mount := corev1.VolumeMount{Name: m.Name, MountPath: cephConfig, SubPath: m.SubPath, ReadOnly: true}
			if path == driverConfig {
				mount.MountPath = jobConfig
			}
			r.volumes, r.mounts = append(r.volumes, pod.Spec.Volumes[v]), append(r.mounts, mount)
		}
		break
	}
	if !slices.ContainsFunc(r.mounts, func(m corev1.VolumeMount) bool { return m.MountPath == jobConfig }) {
		return r, errors.New("no container of Pod " + pod.Namespace + "/" + pod.Name + " has the configuration of ceph-csi at " + driverConfig)
	}
	return r, nil
}

// isConfig reports whether a volume holds ConfigMaps only: no token of a service account, no Secret, nothing of the node.
func isConfig(v *corev1.Volume) bool {
	if v.ConfigMap != nil {
		return true
	}
	return v.Projected != nil && !slices.ContainsFunc(v.Projected.Sources, func(p corev1.VolumeProjection) bool { return p.ConfigMap == nil })
}

// Labels are on all that a rehearsal makes.
func Labels(group types.NamespacedName, id string) map[string]string {
	labels := map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByPlugin, vgrv1.LabelRehearsal: id}
	if len(group.Name) <= 63 { // the longest value of a label
		labels[vgrv1.LabelGroup] = group.Name
	}
	return labels
}

// planned is a volume as the script reads it.
type planned struct {
	PVC     string `json:"pvc"`
	Cluster string `json:"cluster"`
	Pool    string `json:"pool"`
	Image   string `json:"image"`
	Clone   string `json:"clone"`
}

// StorageJob returns the Job of a step: it clones all volumes, or removes the clones.
func (r *Record) StorageJob(group types.NamespacedName, id StepID, run Runner) (*batchv1.Job, error) {
	var plan []planned
	for i, v := range r.Volumes {
		plan = append(plan, planned{v.PVC, v.Cluster, v.Pool, v.Image, r.Clone(i)})
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	labels, no, once, deadline, kept, mode := Labels(group, r.ID), false, int32(0), jobDeadline+r.PatienceSeconds, jobKept, int32(0o400)
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, Name: r.Job(id), Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit: &once, ActiveDeadlineSeconds: &deadline, TTLSecondsAfterFinished: &kept,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever, ServiceAccountName: run.pod.ServiceAccountName, AutomountServiceAccountToken: &no,
					HostNetwork: run.pod.HostNetwork, DNSPolicy: run.pod.DNSPolicy, ImagePullSecrets: run.pod.ImagePullSecrets,
					NodeSelector: run.pod.NodeSelector, Tolerations: run.pod.Tolerations,
					Volumes: append(slices.Clone(run.volumes), corev1.Volume{Name: "vgr-secret", VolumeSource: corev1.VolumeSource{
						Secret: &corev1.SecretVolumeSource{SecretName: r.Secret, DefaultMode: &mode},
					}}),
					Containers: []corev1.Container{{
						Name: "rbd", Image: run.image, ImagePullPolicy: run.pull, Command: []string{"python3", "-c", script, string(id)},
						Env:                    []corev1.EnvVar{{Name: "VGR_PLAN", Value: string(text)}, {Name: "VGR_PATIENCE", Value: strconv.FormatInt(r.PatienceSeconds, 10)}},
						VolumeMounts:           append(slices.Clone(run.mounts), corev1.VolumeMount{Name: "vgr-secret", MountPath: jobSecret, ReadOnly: true}),
						TerminationMessagePath: jobResult, TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
						SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
					}},
				},
			},
		},
	}, nil
}

// Said is what a Job of the storage tells.
type Said struct {
	// Volumes have the snapshot, when it was copied, when the primary took it (0 where it is not known), and the size.
	Volumes [][4]int64 `json:"volumes"`
	Refused string     `json:"refused"`
	Failed  string     `json:"failed"`
}

// Read reads what a Pod left when it ended. What is no answer of the script is an error with its text.
func Read(message string) (Said, error) {
	var s Said
	if err := json.Unmarshal([]byte(message), &s); err != nil {
		return s, fmt.Errorf("the Job says: %s", limited(strings.TrimSpace(message), maxText/2))
	}
	return s, nil
}

// cloned takes over what was cloned.
func (r *Record) cloned(message string) (Record, error) {
	next := *r
	next.Volumes = slices.Clone(r.Volumes)
	said, err := Read(message)
	if err != nil {
		return next, err
	}
	if len(said.Volumes) != len(next.Volumes) {
		return next, fmt.Errorf("the Job tells of %d clones of %d volumes", len(said.Volumes), len(next.Volumes))
	}
	for i, v := range said.Volumes {
		to := &next.Volumes[i]
		to.Snapshot, to.Bytes = v[0], v[3]
		to.Copied = unix(v[1])
		to.Point = unix(v[2])
	}
	return next, nil
}
