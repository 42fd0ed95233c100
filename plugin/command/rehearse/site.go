// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// place is one group's rehearsal on a site.
type place struct {
	e     *cli.Env
	at    *site.Site
	c     client.Client
	key   types.NamespacedName
	check *batchv1.Job // the user's; nil without
	// recovered is true when the group does not have the record: then it is kept by this process alone.
	recovered bool
	record    rehearsal.Record
	// group is as it was read last, and source are its volumes where they are needed.
	group  *vgrv1.VolumeGroupReplication
	runner *rehearsal.Runner
	// lines keeps what several rehearsals say apart.
	lines *sync.Mutex
}

// read looks at all that belongs to the rehearsal.
func (p *place) read(ctx context.Context) (rehearsal.Seen, error) {
	s := rehearsal.Seen{CheckGiven: p.check != nil}
	if err := p.readRecord(ctx, &s); err != nil || s.Record == nil {
		return s, err
	}
	r := s.Record
	var errs [6]error
	var all sync.WaitGroup
	all.Go(func() { s.Clone, errs[0] = p.job(ctx, r.DriverNamespace, r.Job(rehearsal.StepClone), false) })
	all.Go(func() { s.Remove, errs[1] = p.job(ctx, r.DriverNamespace, r.Job(rehearsal.StepRemove), false) })
	all.Go(func() { s.Namespace, errs[2] = p.presence(ctx, &corev1.Namespace{}, "", r.Namespace) })
	all.Go(func() { s.Policy, errs[3] = p.presence(ctx, r.Policy(p.key), r.Namespace, rehearsal.PolicyName) })
	all.Go(func() { s.Volumes, errs[4] = p.volumes(ctx) })
	if r.CheckJob != "" && r.Result == "" {
		all.Go(func() { s.Check, errs[5] = p.job(ctx, r.Namespace, r.CheckJob, true) })
	}
	all.Wait()
	return s, cmp.Or(errs[:]...)
}

func (p *place) readRecord(ctx context.Context, s *rehearsal.Seen) error {
	if p.recovered {
		s.Record = &p.record
		return nil
	}
	var g vgrv1.VolumeGroupReplication
	switch err := p.c.Get(ctx, p.key, &g); {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	all, err := rehearsal.Records(&g)
	if err != nil {
		return err
	}
	p.group = &g
	if i := slices.IndexFunc(all, func(r rehearsal.Record) bool { return r.ID == p.record.ID }); i >= 0 {
		s.Record, p.record = &all[i], all[i]
	}
	return nil
}

// job reads a Job with the Pod that ended last.
func (p *place) job(ctx context.Context, namespace, name string, log bool) (rehearsal.Job, error) {
	var j batchv1.Job
	err := p.c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &j)
	if err != nil && !apierrors.IsNotFound(err) {
		return rehearsal.Job{}, err
	}
	out := rehearsal.Job{Exists: err == nil, Leaving: err == nil && !j.DeletionTimestamp.IsZero()}
	if out.Exists && j.Labels[vgrv1.LabelRehearsal] != p.record.ID {
		return out, fmt.Errorf("job %s in namespace %s is not of this rehearsal", name, namespace)
	}
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		out.Done = out.Done || c.Type == batchv1.JobComplete
		if c.Type == batchv1.JobFailed {
			out.Failed, out.Message = true, c.Message
		}
	}
	var pods corev1.PodList
	if err := p.c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{batchv1.JobNameLabel: name, vgrv1.LabelRehearsal: p.record.ID}); err != nil {
		return out, err
	}
	out.Leaving = out.Leaving || !out.Exists && len(pods.Items) > 0
	if len(pods.Items) == 0 {
		return out, nil
	}
	last := slices.MaxFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	p.ended(ctx, &out, &last, log)
	return out, nil
}

// ended takes over what a Pod left, or what keeps it from beginning.
func (p *place) ended(ctx context.Context, out *rehearsal.Job, pod *corev1.Pod, log bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Message != "" {
			out.Waiting = "Pod " + pod.Name + " has no node: " + c.Message
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			out.Waiting = fmt.Sprintf("Pod %s waits: %s: %s", pod.Name, w.Reason, w.Message)
		}
		if t := c.State.Terminated; t != nil && t.Message != "" {
			out.Message = t.Message
		}
	}
	if log && (out.Done || out.Failed) {
		// Who may not read logs has what the Pod left.
		text, err := p.at.Log(ctx, site.LogRequest{Namespace: pod.Namespace, Pod: pod.Name, Container: pod.Spec.Containers[0].Name, Lines: 50, Bytes: 4096})
		if err == nil {
			out.Log = string(text)
		}
	}
}

// presence reads whether an object is there, and whose it is.
func (p *place) presence(ctx context.Context, obj client.Object, namespace, name string) (rehearsal.Presence, error) {
	err := p.c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, obj)
	if err != nil {
		return rehearsal.Absent, client.IgnoreNotFound(err)
	}
	return p.whose(obj), nil
}

func (p *place) whose(obj client.Object) rehearsal.Presence {
	switch {
	case obj.GetLabels()[vgrv1.LabelRehearsal] != p.record.ID:
		return rehearsal.Foreign
	case !obj.GetDeletionTimestamp().IsZero():
		return rehearsal.Leaving
	default:
		return rehearsal.Ours
	}
}

// volumes reads the PersistentVolumes and PVCs of the clones.
func (p *place) volumes(ctx context.Context) ([]rehearsal.Bound, error) {
	r := &p.record
	ours := client.MatchingLabels{vgrv1.LabelRehearsal: r.ID}
	var pvs corev1.PersistentVolumeList
	if err := p.c.List(ctx, &pvs, ours); err != nil {
		return nil, err
	}
	var pvcs corev1.PersistentVolumeClaimList
	if err := p.c.List(ctx, &pvcs, client.InNamespace(r.Namespace)); err != nil {
		return nil, err
	}
	out := make([]rehearsal.Bound, len(r.Volumes))
	for i, v := range r.Volumes {
		for k := range pvs.Items {
			if pvs.Items[k].Name == r.PV(i) {
				out[i].PV = p.whose(&pvs.Items[k])
			}
		}
		for k := range pvcs.Items {
			pvc := &pvcs.Items[k]
			if pvc.Name != v.PVC {
				continue
			}
			out[i].PVC = p.whose(pvc)
			if out[i].PVC == rehearsal.Ours && pvc.Status.Phase != corev1.ClaimBound {
				out[i].PVC = rehearsal.NotReady
			}
		}
	}
	return out, nil
}

// sources reads the group's volumes. What is wrong with one is said of it, and is no error.
func sources(ctx context.Context, c client.Client, g *vgrv1.VolumeGroupReplication) (out []rehearsal.Source, broken []string, err error) {
	var pvcs corev1.PersistentVolumeClaimList
	if err := c.List(ctx, &pvcs, client.InNamespace(g.Namespace)); err != nil {
		return nil, nil, err
	}
	for _, ref := range g.Status.PersistentVolumeClaimsRefList {
		i := slices.IndexFunc(pvcs.Items, func(pvc corev1.PersistentVolumeClaim) bool { return pvc.Name == ref.Name })
		if i < 0 || pvcs.Items[i].Spec.VolumeName == "" {
			broken = append(broken, "PVC "+ref.Name+" is not bound")
			continue
		}
		pv := &corev1.PersistentVolume{}
		switch err := c.Get(ctx, client.ObjectKey{Name: pvcs.Items[i].Spec.VolumeName}, pv); {
		case apierrors.IsNotFound(err):
			broken = append(broken, "PVC "+ref.Name+": its PersistentVolume is gone")
		case err != nil:
			return nil, nil, err
		default:
			out = append(out, rehearsal.Source{PVC: &pvcs.Items[i], PV: pv})
		}
	}
	return out, broken, nil
}

// runnerOf finds a Pod of the driver. One of a DaemonSet, on each node, is the last choice: it is there for mounts.
func runnerOf(ctx context.Context, c client.Client, of backend.Rehearsal, driver string) (rehearsal.Runner, error) {
	names, err := of.Pods(ctx, c, driver)
	if err != nil {
		return rehearsal.Runner{}, err
	}
	var found, last *rehearsal.Runner
	err = fmt.Errorf("no CSIAddonsNode names a Pod of the driver %s", driver)
	for _, name := range names {
		var pod corev1.Pod
		switch readErr := c.Get(ctx, name, &pod); {
		case apierrors.IsNotFound(readErr):
			err = fmt.Errorf("the Pod %s, which a CSIAddonsNode names for the driver %s, is gone", name, driver)
			continue
		case readErr != nil:
			return rehearsal.Runner{}, readErr
		}
		r, lacks := rehearsal.RunnerOf(&pod)
		if lacks != nil {
			err = lacks
			continue
		}
		if slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "DaemonSet" }) {
			last = &r
		} else {
			found = &r
		}
	}
	if found = cmp.Or(found, last); found == nil {
		return rehearsal.Runner{}, err
	}
	return *found, nil
}
