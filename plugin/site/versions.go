// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
)

// Versions are those of the API groups of a site, by the groups.
type Versions map[string][]string

// Versions asks the API server which versions of which groups it has.
func (s *Site) Versions(ctx context.Context) (Versions, error) {
	var list metav1.APIGroupList
	if err := s.discover(ctx, &list, "/apis"); err != nil {
		return nil, err
	}
	out := Versions{}
	for _, g := range list.Groups {
		for _, v := range g.Versions {
			out[g.Name] = append(out[g.Name], v.Version)
		}
	}
	return out, nil
}

// Others returns the versions in which a site has a resource, beside the one that is given.
func (s *Site) Others(ctx context.Context, of Versions, resource schema.GroupVersionResource) ([]string, error) {
	var out []string
	for _, version := range of[resource.Group] {
		if version == resource.Version {
			continue
		}
		var list metav1.APIResourceList
		err := s.discover(ctx, &list, "/apis", resource.Group, version)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource.Resource }) {
			out = append(out, version)
		}
	}
	return out, nil
}

func (s *Site) discover(ctx context.Context, into any, path ...string) error {
	c, err := s.raw()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	body, err := c.Get().AbsPath(path...).SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return err
	}
	return kjson.UnmarshalCaseSensitivePreserveInts(body, into)
}
