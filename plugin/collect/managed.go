// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Managed asks a site for its groups with who set their fields, which every other list of groups leaves out, and with
// nothing else of them.
func Managed(ctx context.Context, s *site.Site, q Query) ([]metav1.PartialObjectMetadata, error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(vgrv1.GroupVersion.WithKind("VolumeGroupReplicationList"))
	opts := []client.ListOption{client.InNamespace(q.Namespace)}
	if q.Selector != nil {
		opts = append(opts, client.MatchingLabelsSelector{Selector: q.Selector})
	}
	if name := q.bare(); name != "" {
		opts = append(opts, client.MatchingFields{"metadata.name": name})
	}
	err = c.List(ctx, &list, opts...)
	return list.Items, err
}

// Writers asks the sites who wrote the journals that have not ended, or that cannot be read. What cannot be asked is left
// out: the groups themselves have been read.
func Writers(ctx context.Context, sites []*site.Site, q Query, inputs []overview.SiteInput) {
	var asked sync.WaitGroup
	for i, s := range sites {
		wanted := unfinished(inputs[i].Groups)
		if len(wanted) == 0 {
			continue
		}
		asked.Go(func() {
			groups, err := Managed(ctx, s, q)
			if err != nil {
				return
			}
			inputs[i].Writers = map[types.NamespacedName]recovery.Writer{}
			for j := range groups {
				if key := client.ObjectKeyFromObject(&groups[j]); wanted[key] {
					inputs[i].Writers[key] = recovery.WriterOf(&groups[j], string(site.FieldManager))
				}
			}
		})
	}
	asked.Wait()
}

// unfinished returns the groups with a journal that has not ended, or that cannot be read.
func unfinished(groups []vgrv1.VolumeGroupReplication) map[types.NamespacedName]bool {
	out := map[types.NamespacedName]bool{}
	for i := range groups {
		if op, err := recovery.Journal(&groups[i]); err != nil || op.InFlight() {
			out[client.ObjectKeyFromObject(&groups[i])] = true
		}
	}
	return out
}
