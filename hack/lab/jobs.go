// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
)

// rehearsals are the Jobs that are run: those of rehearsals. The label is the product's.
const rehearsals = "replication.unified.io/rehearsal"

const (
	driverNamespace = "rook-ceph"
	driverSecret    = "rook-csi-rbd-provisioner"
	driverConfigMap = "rook-ceph-csi-config"
)

// jobs runs the Jobs of rehearsals on one site with real Ceph. The lab has neither nodes nor a Job controller, so it makes
// the Pod too, and writes its state. Logs need a kubelet: what a container prints is in the termination message of its Pod.
type jobs struct {
	client  kubernetes.Interface
	cluster *ceph.Cluster
	dir     string

	running map[string]running
	all     sync.WaitGroup
}

type running struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// startJobs makes what Rook leaves for the driver, and runs Jobs until the site ends.
func (s *Site) startJobs(ctx context.Context, cluster *ceph.Cluster) error {
	client, err := kubernetes.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return err
	}
	key, err := cluster.DriverKey(ctx)
	if err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: driverSecret}, Data: map[string][]byte{"userID": []byte(ceph.DriverUser), "userKey": key}}
	if _, err := client.CoreV1().Secrets(driverNamespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return err
	}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: driverConfigMap}, Data: map[string]string{"csi-cluster-config-json": cluster.DriverConfig()}}
	if _, err := client.CoreV1().ConfigMaps(driverNamespace).Create(ctx, config, metav1.CreateOptions{}); err != nil {
		return err
	}
	j := &jobs{client: client, cluster: cluster, dir: filepath.Join(s.dir, "jobs"), running: map[string]running{}}
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { j.run(lasting) })
	before := s.background
	s.background = func() { cancel(); all.Wait(); before() }
	return nil
}

func (j *jobs) run(ctx context.Context) {
	const interval = 300 * time.Millisecond
	for ctx.Err() == nil {
		j.look(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
	j.all.Wait()
}

// look ends what is not wanted any more, and then begins what is new.
func (j *jobs) look(ctx context.Context) {
	list, err := j.client.BatchV1().Jobs("").List(ctx, metav1.ListOptions{LabelSelector: rehearsals})
	if err != nil {
		return
	}
	wanted := map[string]*batchv1.Job{}
	for i := range list.Items {
		if job := &list.Items[i]; job.DeletionTimestamp == nil {
			wanted[string(job.UID)] = job
		}
	}
	for uid, r := range j.running {
		if wanted[uid] == nil {
			r.cancel()
			<-r.ended
			delete(j.running, uid)
		}
	}
	for uid, job := range wanted {
		if _, begun := j.running[uid]; begun || len(job.Status.Conditions) > 0 {
			continue
		}
		serving, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		j.running[uid] = running{cancel, ended}
		j.all.Go(func() {
			defer close(ended)
			defer cancel()
			j.serve(serving, job)
		})
	}
}

// serve is what a Job controller and a kubelet do for one Job.
func (j *jobs) serve(ctx context.Context, job *batchv1.Job) {
	started := metav1.Now()
	controller := true
	labels := map[string]string{batchv1.JobNameLabel: job.Name}
	maps.Copy(labels, job.Spec.Template.Labels)
	pod, err := j.client.CoreV1().Pods(job.Namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: job.Name + "-0", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID, Controller: &controller, BlockOwnerDeletion: &controller}},
		},
		Spec: job.Spec.Template.Spec,
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // of before a restart of the lab
		pod, err = j.client.CoreV1().Pods(job.Namespace).Get(ctx, job.Name+"-0", metav1.GetOptions{})
	}
	if err != nil {
		return
	}
	container := pod.Spec.Containers[0]
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &started
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: container.Name, Image: container.Image, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}}}
	if updated, err := j.client.CoreV1().Pods(job.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err == nil {
		pod = updated
	}
	message, code := j.execute(ctx, pod)
	if ctx.Err() != nil {
		return
	}
	ended := metav1.Now()
	pod.Status.Phase = corev1.PodSucceeded
	if code != 0 {
		pod.Status.Phase = corev1.PodFailed
	}
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: int32(code), Message: message, StartedAt: started, FinishedAt: ended}} //nolint:gosec // an exit code
	_, _ = j.client.CoreV1().Pods(job.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	job.Status.StartTime = &started
	condition := func(t batchv1.JobConditionType) batchv1.JobCondition {
		return batchv1.JobCondition{Type: t, Status: corev1.ConditionTrue, LastTransitionTime: ended, LastProbeTime: ended}
	}
	if code == 0 {
		job.Status.Succeeded, job.Status.CompletionTime = 1, &ended
		job.Status.Conditions = []batchv1.JobCondition{condition(batchv1.JobSuccessCriteriaMet), condition(batchv1.JobComplete)}
	} else {
		job.Status.Failed = 1
		job.Status.Conditions = []batchv1.JobCondition{condition(batchv1.JobFailureTarget), condition(batchv1.JobFailed)}
		for i := range job.Status.Conditions {
			job.Status.Conditions[i].Reason, job.Status.Conditions[i].Message = "BackoffLimitExceeded", "Job has reached the specified backoff limit"
		}
	}
	if _, err := j.client.BatchV1().Jobs(job.Namespace).UpdateStatus(ctx, job, metav1.UpdateOptions{}); err != nil {
		fmt.Fprintf(os.Stderr, "lab: job %s/%s: %v\n", job.Namespace, job.Name, err)
	}
}

// execute runs the Pod's first container, with its volumes below /tmp.
func (j *jobs) execute(ctx context.Context, pod *corev1.Pod) (message string, code int) {
	const mostMessage = 4096
	dir := filepath.Join(j.dir, string(pod.UID), "tmp")
	defer os.RemoveAll(filepath.Dir(dir))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err.Error(), 128
	}
	container := pod.Spec.Containers[0]
	if err := j.mount(ctx, pod, &container, dir); err != nil {
		return "the lab cannot mount: " + err.Error(), 128
	}
	var env []string
	for _, e := range container.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	out, code, err := j.cluster.Run(ctx, ceph.Job{Dir: dir, Command: append(append([]string{}, container.Command...), container.Args...), Env: env})
	if err != nil {
		return err.Error(), 128
	}
	if text, err := os.ReadFile(filepath.Join(dir, strings.TrimPrefix(container.TerminationMessagePath, "/tmp/"))); err == nil && len(text) > 0 {
		return string(text[:min(len(text), mostMessage)]), code
	}
	out = bytes.ToValidUTF8(out, []byte("?"))
	return string(out[max(0, len(out)-mostMessage/2):]), code
}

// mount makes files of ConfigMaps and Secrets, and of PVCs a file each that holds the image.
func (j *jobs) mount(ctx context.Context, pod *corev1.Pod, container *corev1.Container, dir string) error {
	place := map[string]string{}
	for _, m := range container.VolumeMounts {
		place[m.Name] = m.MountPath
	}
	for _, d := range container.VolumeDevices {
		place[d.Name] = d.DevicePath
	}
	for _, v := range pod.Spec.Volumes {
		path, ok := strings.CutPrefix(place[v.Name], "/tmp/")
		if !ok {
			continue
		}
		path = filepath.Join(dir, path)
		var err error
		switch {
		case v.Secret != nil:
			var secret *corev1.Secret
			if secret, err = j.client.CoreV1().Secrets(pod.Namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{}); err == nil {
				err = files(path, secret.Data)
			}
		case v.ConfigMap != nil:
			var config *corev1.ConfigMap
			if config, err = j.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{}); err == nil {
				data := map[string][]byte{}
				for _, item := range v.ConfigMap.Items {
					data[item.Path] = []byte(config.Data[item.Key])
				}
				err = files(path, data)
			}
		case v.PersistentVolumeClaim != nil:
			err = j.image(ctx, pod.Namespace, v.PersistentVolumeClaim.ClaimName, path)
		}
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
	}
	return nil
}

func (j *jobs) image(ctx context.Context, namespace, claim, path string) error {
	pvc, err := j.client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, claim, metav1.GetOptions{})
	if err != nil {
		return err
	}
	pv, err := j.client.CoreV1().PersistentVolumes().Get(ctx, pvc.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if pv.Spec.CSI == nil || pv.Spec.CSI.VolumeAttributes["staticVolume"] != "true" || pv.Spec.CSI.VolumeAttributes["pool"] != ceph.Pool {
		data, _ := json.Marshal(pv.Spec.CSI)
		return fmt.Errorf("it is no static volume of the lab: %s", data)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return j.cluster.Export(ctx, pv.Spec.CSI.VolumeHandle, path)
}

func files(dir string, data map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range data {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
