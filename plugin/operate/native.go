// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/native"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// nativeOf returns the backend's own object of a job's group; nil for a group of ours.
func nativeOf(in overview.SiteInput, j *Job) *overview.Native {
	n, is := in.Native[types.NamespacedName{Namespace: j.Namespace, Name: j.Name}]
	if !is {
		return nil
	}
	return &n
}

// asking reports whether a site has not said anything yet.
func asking(inputs []overview.SiteInput) bool {
	return slices.ContainsFunc(inputs, func(in overview.SiteInput) bool { return in.Problem == overview.SiteAsking })
}

// writeNative sends a write to a backend's own object, bound to the version that was seen.
func (o *Operator) writeNative(ctx context.Context, c client.Client, r reply, seen *vgrv1.VolumeGroupReplication, n overview.Native, w recovery.Write) reply {
	after, err := o.patchNative(ctx, c, r.site, seen, n, w)
	switch {
	case err == nil:
		r.g, r.wrote = after, true
	case apierrors.IsConflict(err):
		r.stale = true
	default:
		r.err, r.wrote = err, !Refused(err)
	}
	return r
}

func (o *Operator) dryRunNative(ctx context.Context, at int, seen *vgrv1.VolumeGroupReplication, n overview.Native, w recovery.Write) error {
	c, err := o.Sites[at].Client()
	if err != nil {
		return err
	}
	seen = seen.DeepCopy()
	seen.ResourceVersion = "" // a status written since is no reason to refuse
	_, err = o.patchNative(ctx, c, at, seen, n, w, client.DryRunAll)
	return err
}

// patchNative changes a backend's own object, and returns the group as it is then: with a status that is as old as before.
func (o *Operator) patchNative(ctx context.Context, c client.Client, at int, seen *vgrv1.VolumeGroupReplication, n overview.Native, w recovery.Write, opts ...client.PatchOption) (*vgrv1.VolumeGroupReplication, error) {
	wanted := seen.DeepCopy()
	if err := w.Apply(wanted); err != nil {
		return nil, err
	}
	after, patch, err := native.Change(seen, wanted, n.Unwatched, metav1.NewTime(o.Sites[at].Now()))
	if err != nil {
		return nil, err
	}
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(n.APIVersion)
	obj.SetKind(n.Kind)
	obj.SetNamespace(n.Namespace)
	obj.SetName(n.Name)
	if err := c.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch), append(opts, site.FieldManager)...); err != nil {
		return nil, err
	}
	after.ResourceVersion, after.Generation = obj.GetResourceVersion(), obj.GetGeneration()
	return after, nil
}
