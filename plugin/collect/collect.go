// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package collect asks the sites for their groups. What goes wrong on a site is part of the
// answer, so that a dead site never hides the living one.
package collect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// pageSize bounds one answer of the API server.
const pageSize = 500

// Query says which groups are wanted.
type Query struct {
	// Namespace is empty for all.
	Namespace string
	// Names selects groups by name; empty for all.
	Names []string
	// Selector selects groups by label; nil for all.
	Selector labels.Selector
}

// Sites asks all sites at once.
func Sites(ctx context.Context, sites []*site.Site, q Query) []overview.SiteInput {
	out := make([]overview.SiteInput, len(sites))
	var asked sync.WaitGroup
	for i, s := range sites {
		asked.Go(func() { out[i], _ = one(ctx, s, q) })
	}
	asked.Wait()
	return out
}

// one asks one site; the version is where a watch can go on from.
func one(ctx context.Context, s *site.Site, q Query) (in overview.SiteInput, version string) {
	in = overview.SiteInput{Site: overview.Site{Name: s.Name}}
	ctx, cancel := context.WithTimeout(ctx, site.RequestTimeout)
	defer cancel()
	var both sync.WaitGroup
	var groupsErr error
	both.Go(func() { in.Groups, version, groupsErr = groups(ctx, s, q) })
	both.Go(func() { in.Classes, _ = Classes(ctx, s) }) // without classes only the schedule is unknown
	both.Wait()
	if t := s.Now(); !t.IsZero() {
		in.ServerTime = new(metav1.NewTime(t))
	}
	if groupsErr != nil {
		in.Groups = nil
		in.Problem, in.Message = Explain(groupsErr)
		return in, ""
	}
	in.Answered = true
	return in, version
}

func groups(ctx context.Context, s *site.Site, q Query) ([]vgrv1.VolumeGroupReplication, string, error) {
	c, err := s.Client()
	if err != nil {
		return nil, "", err
	}
	opts := []client.ListOption{client.InNamespace(q.Namespace), client.Limit(pageSize)}
	if q.Selector != nil {
		opts = append(opts, client.MatchingLabelsSelector{Selector: q.Selector})
	}
	if len(q.Names) == 1 {
		opts = append(opts, client.MatchingFields{"metadata.name": q.Names[0]})
	}
	wanted := map[string]bool{}
	for _, n := range q.Names {
		wanted[n] = true
	}
	var out []vgrv1.VolumeGroupReplication
	for next := ""; ; {
		var page vgrv1.VolumeGroupReplicationList
		if err := c.List(ctx, &page, append(opts, client.Continue(next))...); err != nil {
			return nil, "", err
		}
		for _, g := range page.Items {
			if len(wanted) == 0 || wanted[g.Name] {
				g.ManagedFields = nil
				out = append(out, g)
			}
		}
		if next = page.Continue; next == "" {
			return out, page.ResourceVersion, nil
		}
	}
}

// Classes lists the classes of a site.
func Classes(ctx context.Context, s *site.Site) ([]vgrv1.VolumeGroupReplicationClass, error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	var list vgrv1.VolumeGroupReplicationClassList
	err = c.List(ctx, &list)
	return list.Items, err
}

// Explain puts an error of a request into words.
func Explain(err error) (overview.SiteProblem, string) {
	var status apierrors.APIStatus
	var netErr net.Error
	var urlErr *url.Error
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err) && errors.As(err, &status) && (status.Status().Details == nil || status.Status().Details.Name == ""):
		return overview.SiteNotInstalled, "the CRDs of replication.unified.io are not installed"
	case apierrors.IsForbidden(err):
		return overview.SiteForbidden, err.Error()
	case apierrors.IsUnauthorized(err):
		return overview.SiteForbidden, "the credentials were not accepted"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return overview.SiteUnreachable, fmt.Sprintf("no answer within %s", site.RequestTimeout.Round(time.Second))
	case errors.As(err, &urlErr):
		return overview.SiteUnreachable, urlErr.Err.Error()
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsServiceUnavailable(err), apierrors.IsInternalError(err), apierrors.IsTooManyRequests(err):
		return overview.SiteUnreachable, err.Error()
	default:
		return overview.SiteError, err.Error()
	}
}
