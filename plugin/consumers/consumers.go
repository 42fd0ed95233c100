// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package consumers finds out what uses the volumes of a group on a site: pods, nodes, and the
// Deployments, StatefulSets and VirtualMachines behind the pods. It is read when it is needed, not watched: a watch
// may show an older time than the decision is about.
package consumers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Kinds of workloads that can be stopped.
const (
	deployment  = "deployment"
	statefulSet = "statefulset"
)

// Snapshot is all that could use volumes in one namespace of one site.
type Snapshot struct {
	pods []corev1.Pod
	// nodes are those that hold a volume, by its PersistentVolume. One may be held after its pod is gone.
	nodes     map[string]attachment
	workloads []workload
	unknown   error
}

// attachment is the node that holds a volume, and the VolumeAttachment that says so.
type attachment struct{ node, name string }

// workload is what Deployments, StatefulSets and VirtualMachines have in common.
type workload struct {
	recovery.Workload
	volumes  []corev1.Volume
	selector labels.Selector
	// claims are the names of claim templates.
	claims []string
	// exact are the names of claims.
	exact []string
}

// atATime is how many namespaces of a site are read at a time.
const atATime = 10

// Read asks a site for everything in some namespaces at once. Without workloads it only asks for pods and nodes.
func Read(ctx context.Context, s *site.Site, namespaces []string, workloads bool) map[string]*Snapshot {
	namespaces = slices.Compact(slices.Sorted(slices.Values(namespaces)))
	found := make([]*Snapshot, len(namespaces))
	var held map[string]attachment
	var unknown error
	var all sync.WaitGroup
	all.Go(func() { held, unknown = nodes(ctx, s) })
	turns := make(chan struct{}, atATime)
	for i, namespace := range namespaces {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			found[i] = within(ctx, s, namespace, workloads)
		})
	}
	all.Wait()
	out := map[string]*Snapshot{}
	for i, namespace := range namespaces {
		found[i].nodes, found[i].unknown = held, errors.Join(found[i].unknown, unknown)
		out[namespace] = found[i]
	}
	return out
}

// within asks for everything in one namespace.
func within(ctx context.Context, s *site.Site, namespace string, workloads bool) *Snapshot {
	c, err := s.Client()
	if err != nil {
		return &Snapshot{} // as the question for the nodes says
	}
	out := &Snapshot{}
	var all sync.WaitGroup
	var errs [4]error
	all.Go(func() { out.pods, errs[0] = pods(ctx, c, namespace) })
	var stateful, deployed, virtual []workload
	if workloads {
		all.Go(func() { stateful, errs[1] = statefulSets(ctx, c, namespace) })
		all.Go(func() { deployed, errs[2] = deployments(ctx, c, namespace) })
		all.Go(func() { virtual, errs[3] = machines(ctx, s, c, namespace) })
	}
	all.Wait()
	out.workloads, out.unknown = slices.Concat(stateful, deployed, virtual), errors.Join(errs[:]...)
	return out
}

func pods(ctx context.Context, c client.Client, namespace string) ([]corev1.Pod, error) {
	var list corev1.PodList
	alive, err := fields.ParseSelector("status.phase!=Succeeded,status.phase!=Failed")
	if err != nil {
		return nil, err
	}
	err = c.List(ctx, &list, client.InNamespace(namespace), client.MatchingFieldsSelector{Selector: alive})
	return list.Items, err
}

func nodes(ctx context.Context, s *site.Site) (map[string]attachment, error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	var list storagev1.VolumeAttachmentList
	err = c.List(ctx, &list)
	out := map[string]attachment{}
	for _, a := range list.Items {
		if pv := a.Spec.Source.PersistentVolumeName; pv != nil && a.Status.Attached {
			out[*pv] = attachment{a.Spec.NodeName, a.Name}
		}
	}
	return out, err
}

func statefulSets(ctx context.Context, c client.Client, namespace string) ([]workload, error) {
	var list appsv1.StatefulSetList
	err := c.List(ctx, &list, client.InNamespace(namespace))
	out := make([]workload, 0, len(list.Items))
	for i := range list.Items {
		x := &list.Items[i]
		w := common(statefulSet, x, x.Spec.Replicas, x.Spec.Selector, x.Spec.Template)
		for _, t := range x.Spec.VolumeClaimTemplates {
			w.claims = append(w.claims, t.Name)
		}
		out = append(out, w)
	}
	return out, err
}

func deployments(ctx context.Context, c client.Client, namespace string) ([]workload, error) {
	var list appsv1.DeploymentList
	err := c.List(ctx, &list, client.InNamespace(namespace))
	out := make([]workload, 0, len(list.Items))
	for i := range list.Items {
		x := &list.Items[i]
		out = append(out, common(deployment, x, x.Spec.Replicas, x.Spec.Selector, x.Spec.Template))
	}
	return out, err
}

func common(kind string, x client.Object, replicas *int32, sel *metav1.LabelSelector, t corev1.PodTemplateSpec) workload {
	w := workload{
		Workload: recovery.Workload{
			Kind: kind, Name: x.GetName(), Replicas: ptr.Deref(replicas, 1),
			ResourceVersion: x.GetResourceVersion(), GitOps: gitops.Of(x, gitops.Replicas),
		},
		volumes: t.Spec.Volumes, selector: labels.Nothing(),
	}
	if owner := metav1.GetControllerOfNoCopy(x); owner != nil {
		w.Owner = strings.ToLower(owner.Kind) + "/" + owner.Name
	}
	if parsed, err := metav1.LabelSelectorAsSelector(sel); err == nil {
		w.selector = parsed
	}
	return w
}

// uses reports whether pods of the workload use a claim.
func (w *workload) uses(claim string) bool {
	for _, v := range w.volumes {
		if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim {
			return true
		}
	}
	if slices.Contains(w.exact, claim) {
		return true
	}
	for _, template := range w.claims { // TEMPLATE-SET-ORDINAL
		if ordinal, ok := strings.CutPrefix(claim, template+"-"+w.Name+"-"); ok {
			if _, err := strconv.ParseUint(ordinal, 10, 32); err == nil {
				return true
			}
		}
	}
	return false
}

// made reports whether a pod is one of the workload's.
func (w *workload) made(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	switch {
	case owner == nil:
		return false
	case w.Kind == recovery.VirtualMachine: // its instance has its name
		return owner.Kind == "VirtualMachineInstance" && owner.Name == w.Name
	case w.Kind == statefulSet:
		return owner.Kind == "StatefulSet" && owner.Name == w.Name
	default: // through a ReplicaSet
		return owner.Kind == "ReplicaSet" && w.selector.Matches(labels.Set(pod.Labels))
	}
}

// Of returns what uses the PVCs of a group. A namespace that was not read, which only a server that answers with groups of
// other namespaces leads to, has a nil Snapshot: what uses the PVCs is unknown then.
func (s *Snapshot) Of(g *vgrv1.VolumeGroupReplication) *recovery.Usage {
	if s == nil {
		return &recovery.Usage{Unknown: "the API server answered with a group of namespace " + g.Namespace + ", which the command did not ask for"}
	}
	u := &recovery.Usage{}
	if s.unknown != nil {
		u.Unknown = s.unknown.Error()
	}
	for _, w := range s.workloads {
		x := w.Workload
		for _, v := range g.Status.Volumes {
			if w.uses(v.Name) {
				x.Claims = append(x.Claims, v.Name)
			}
		}
		if len(x.Claims) > 0 {
			u.Workloads = append(u.Workloads, x)
		}
	}
	for _, v := range g.Status.Volumes {
		for i := range s.pods {
			if mounts(&s.pods[i], v.Name) {
				u.Users = append(u.Users, recovery.User{Kind: "pod", Name: s.pods[i].Name, Claim: v.Name, Workload: s.maker(&s.pods[i])})
			}
		}
		if at := s.nodes[v.VolumeName]; v.VolumeName != "" && at.node != "" {
			u.Users = append(u.Users, recovery.User{Kind: "node", Name: at.node, Claim: v.Name, Attachment: at.name})
		}
	}
	return u
}

func (s *Snapshot) maker(pod *corev1.Pod) string {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil && owner.Kind == "Pod" { // holds a volume that a VirtualMachine got while it ran
		for i := range s.pods {
			if s.pods[i].Name == owner.Name && s.pods[i].UID == owner.UID && !isA(&s.pods[i], "Pod") {
				return s.maker(&s.pods[i])
			}
		}
	}
	for _, w := range s.workloads {
		if w.made(pod) {
			return w.String()
		}
	}
	return ""
}

// isA reports whether a pod belongs to an object of a kind.
func isA(pod *corev1.Pod, kind string) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == kind
}

func mounts(pod *corev1.Pod, claim string) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim ||
			v.Ephemeral != nil && pod.Name+"-"+v.Name == claim
	})
}

// Scale changes how many replicas a workload has, or whether a VirtualMachine runs, if it is still the one that was seen.
func Scale(ctx context.Context, c client.Client, namespace string, s recovery.Scale, dry bool) error {
	if s.Kind == recovery.VirtualMachine {
		var opts []client.PatchOption
		if dry {
			opts = append(opts, client.DryRunAll)
		}
		return run(ctx, c, namespace, s, opts...)
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: s.Name, ResourceVersion: s.ResourceVersion}
	var obj client.Object
	switch s.Kind {
	case deployment:
		obj = &appsv1.Deployment{ObjectMeta: meta}
	case statefulSet:
		obj = &appsv1.StatefulSet{ObjectMeta: meta}
	default:
		return fmt.Errorf("%s/%s cannot be scaled", s.Kind, s.Name)
	}
	body := &autoscalingv1.Scale{ObjectMeta: meta, Spec: autoscalingv1.ScaleSpec{Replicas: s.Replicas}}
	opts := []client.SubResourceUpdateOption{client.WithSubResourceBody(body), site.FieldManager}
	if dry {
		opts = append(opts, client.DryRunAll)
	}
	return c.SubResource("scale").Update(ctx, obj, opts...)
}
