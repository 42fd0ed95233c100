// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// checkDeadline is how long a check may run that has no activeDeadlineSeconds of its own.
const checkDeadline int64 = 30 * 60

// ReadCheck reads the user's Job. Its error says what is wrong with the file.
func ReadCheck(text []byte, volumes []Volume) (*batchv1.Job, error) {
	var job batchv1.Job
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		return nil, fmt.Errorf("it is no Job: %w", err)
	}
	if job.Kind != "Job" || job.APIVersion != batchv1.SchemeGroupVersion.String() || job.Name == "" {
		return nil, errors.New("it is no Job of batch/v1 with a name")
	}
	mounts := 0
	for _, v := range job.Spec.Template.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		mounts++
		if !slices.ContainsFunc(volumes, func(x Volume) bool { return x.PVC == v.PersistentVolumeClaim.ClaimName }) {
			return nil, fmt.Errorf("it mounts the PVC %s, which the group does not have", v.PersistentVolumeClaim.ClaimName)
		}
	}
	if mounts == 0 {
		return nil, errors.New("it mounts no PVC of the group, and would check nothing")
	}
	return &job, nil
}

// CheckObject returns the user's Job as it runs in the rehearsal.
func (r *Record) CheckObject(group types.NamespacedName, job *batchv1.Job) *batchv1.Job {
	out := job.DeepCopy()
	out.Namespace, out.ResourceVersion, out.UID = r.Namespace, "", ""
	label := func(to *map[string]string) {
		if *to == nil {
			*to = map[string]string{}
		}
		maps.Copy(*to, Labels(group, r.ID))
	}
	label(&out.Labels)
	label(&out.Spec.Template.Labels)
	if out.Spec.ActiveDeadlineSeconds == nil {
		deadline := checkDeadline
		out.Spec.ActiveDeadlineSeconds = &deadline
	}
	for i := range out.Spec.Template.Spec.Containers {
		// Of a check that fails the end of the log is also in the status of its Pod, which needs no permission to read logs.
		if c := &out.Spec.Template.Spec.Containers[i]; c.TerminationMessagePolicy == "" {
			c.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
		}
	}
	return out
}
