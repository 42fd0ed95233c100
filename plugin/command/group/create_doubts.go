// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// doubt notes what the selector matches by mistake, or will miss later. None of it is a reason to refuse the group.
func (s *seen) doubt(ctx context.Context, at *site.Site, cl client.Client, group *vgrv1.VolumeGroupReplication) error {
	selector, err := metav1.LabelSelectorAsSelector(group.Spec.Selector)
	if err != nil {
		return clierror.New(clierror.CodeError, "", "selector: %v", err)
	}
	for _, v := range s.volumes {
		if by := momentary(&v.PVC); by != "" {
			s.doubts = append(s.doubts, fmt.Sprintf("PVC %s %s: its copy would outlive it; take the labels off it, or create the group afterwards", v.PVC.Name, by))
		}
	}
	var sets appsv1.StatefulSetList
	if err := cl.List(ctx, &sets, client.InNamespace(group.Namespace)); err != nil {
		if ctx.Err() != nil {
			return cli.SiteError(ctx, at, "list the StatefulSets", err)
		}
		_, cause := collect.Explain(at, err)
		s.doubts = append(s.doubts, fmt.Sprintf("the StatefulSets on %s cannot be listed, so it is not known whether PVCs of new replicas would be in the group: %s", at.Name, cause))
		return nil
	}
	var pvcs corev1.PersistentVolumeClaimList
	if err := cl.List(ctx, &pvcs, client.InNamespace(group.Namespace)); err != nil {
		return cli.SiteError(ctx, at, "list the PVCs", err)
	}
	members := map[string]map[string]string{}
	for _, v := range s.volumes {
		members[v.PVC.Name] = v.PVC.Labels
	}
	var others []string
	for _, pvc := range pvcs.Items {
		if _, member := members[pvc.Name]; !member && pvc.DeletionTimestamp.IsZero() {
			others = append(others, pvc.Name)
		}
	}
	kubectl := fmt.Sprintf("kubectl --context %s -n %s", at.Kubectl(), recovery.ShellQuote(group.Namespace))
	for i := range sets.Items {
		s.doubts = append(s.doubts, outgrows(&sets.Items[i], selector, members, others, kubectl)...)
	}
	return nil
}

// momentary says by its marks that a claim exists only until a tool has done its work; empty for others. It is pure.
func momentary(pvc *corev1.PersistentVolumeClaim) string {
	const cdiPhase = "cdi.kubevirt.io/storage.pod.phase"
	for _, owner := range pvc.OwnerReferences {
		switch owner.Kind {
		case "Pod":
			return "belongs to pod " + owner.Name + " and is deleted with it"
		case "PersistentVolumeClaim":
			return "was made by a populator to fill PVC " + owner.Name + ", and is deleted after that"
		case "DataUpload", "DataDownload", "Backup", "Restore":
			return "was made by Velero for " + owner.Kind + " " + owner.Name + ", and is deleted after that"
		}
	}
	if pvc.Labels["volsync.backube/cleanup"] != "" {
		return "was made by VolSync for one transfer, and is deleted after that"
	}
	if phase, told := pvc.Annotations[cdiPhase]; told && phase != string(corev1.PodSucceeded) {
		return "is still being filled by CDI (" + cdiPhase + ": " + phase + ")"
	}
	return ""
}

// outgrows says which PVCs of a StatefulSet that has members of the group are not in it, and whether those of new replicas
// will be. The PVCs of new replicas have the labels of the template. It is pure.
func outgrows(set *appsv1.StatefulSet, selector labels.Selector, members map[string]map[string]string, others []string, kubectl string) []string {
	var out []string
	for _, t := range set.Spec.VolumeClaimTemplates {
		var inside map[string]string
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if replicaOf(name, t.Name, set.Name) {
				inside = members[name]
			}
		}
		if inside == nil {
			continue
		}
		give := asLabels(selector, inside)
		for _, name := range slices.Sorted(slices.Values(others)) {
			if replicaOf(name, t.Name, set.Name) {
				out = append(out, fmt.Sprintf("PVC %s of StatefulSet %s is not in the group: it is not protected; %s label pvc %s%s", name, set.Name, kubectl, name, give))
			}
		}
		if !selector.Matches(labels.Set(t.Labels)) {
			out = append(out, fmt.Sprintf("PVCs that StatefulSet %s makes for new replicas will not be in the group: its volumeClaimTemplate %s has no labels %s; after scaling up: %s label pvc %s-%s-ORDINAL%s",
				set.Name, t.Name, selector, kubectl, t.Name, set.Name, give))
		}
	}
	return out
}

// replicaOf reports whether a claim has the name that a StatefulSet gives one of its replicas': TEMPLATE-SET-ORDINAL.
func replicaOf(claim, template, set string) bool {
	ordinal, ok := strings.CutPrefix(claim, template+"-"+set+"-")
	if !ok {
		return false
	}
	_, err := strconv.ParseUint(ordinal, 10, 32)
	return err == nil
}
