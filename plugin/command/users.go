// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// podUsers are the pods of a namespace by the PVC they use.
type podUsers struct {
	byPVC   map[string][]string
	unknown string
}

// clientSite is a site that can be asked.
type clientSite interface {
	Client() (client.WithWatch, error)
}

func podsUsing(ctx context.Context, s clientSite, namespace string) podUsers {
	c, err := s.Client()
	if err != nil {
		return podUsers{unknown: err.Error()}
	}
	u := podUsers{byPVC: map[string][]string{}}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return podUsers{unknown: err.Error()}
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		for _, v := range pod.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				u.byPVC[v.PersistentVolumeClaim.ClaimName] = append(u.byPVC[v.PersistentVolumeClaim.ClaimName], "pod/"+pod.Name)
			}
		}
	}
	return u
}

func (u podUsers) of(gs overview.GroupSite) []string {
	var out []string
	for _, v := range gs.Volumes {
		for _, pod := range u.byPVC[v.Name] {
			if use := pod + " (" + v.Name + ")"; !slices.Contains(out, use) {
				out = append(out, use)
			}
		}
	}
	return out
}

// attachedVolumes are the nodes that hold a volume, by its PersistentVolume: a node may hold one
// after its pod is gone.
func attachedVolumes(ctx context.Context, s clientSite) (nodes map[string]string, unknown string) {
	c, err := s.Client()
	if err != nil {
		return nil, err.Error()
	}
	var list storagev1.VolumeAttachmentList
	if err := c.List(ctx, &list); err != nil {
		return nil, err.Error()
	}
	nodes = map[string]string{}
	for _, a := range list.Items {
		if pv := a.Spec.Source.PersistentVolumeName; pv != nil && a.Status.Attached {
			nodes[*pv] = a.Spec.NodeName
		}
	}
	return nodes, ""
}
