// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
)

// CRDs keeps the controller from working with CRDs of an older version: the API server would drop, without a word, the
// fields by which the controller remembers which group is a copy. It is a runnable of the manager, which watches them.
type CRDs struct {
	// Reader asks the API server: the cache keeps no schemas.
	Reader client.Reader
	Cache  cache.Cache
}

// errOlderCRDs is that of CRDs which lack fields.
type errOlderCRDs struct {
	crd   string
	lacks []string
}

func (e errOlderCRDs) Error() string {
	return fmt.Sprintf("the CRD %s of this cluster is of an older version: it has no %s, without which the controller cannot remember which group is a copy; "+
		"the controller does nothing, and replication continues unchanged; run kubectl vgr install, or apply the CRDs of this version", e.crd, strings.Join(e.lacks, ", "))
}

// Check returns when the API server's CRDs have all fields, or with an error when they lack some. CRDs that are not
// there are no error: the manager waits for them.
func (c CRDs) Check(ctx context.Context) error {
	own, err := manifests.CRDs()
	if err != nil {
		return err
	}
	const pause = 2 * time.Second
	return wait.PollUntilContextCancel(ctx, pause, true, func(ctx context.Context) (bool, error) {
		err := c.look(ctx, own)
		if _, older := errors.AsType[errOlderCRDs](err); older {
			return false, err
		}
		if err != nil {
			klog.ErrorS(err, "cannot read the CRDs, trying again")
		}
		return err == nil, nil
	})
}

func (c CRDs) look(ctx context.Context, own []*unstructured.Unstructured) error {
	for _, crd := range own {
		served := &unstructured.UnstructuredList{}
		served.SetAPIVersion(crd.GetAPIVersion())
		served.SetKind(crd.GetKind())
		// A list, since the controller may not get: it needs to watch them anyway.
		if err := c.Reader.List(ctx, served, client.MatchingFields{"metadata.name": crd.GetName()}); err != nil {
			return err
		}
		for i := range served.Items {
			if lacks := manifests.Lacks(&served.Items[i], crd); len(lacks) > 0 {
				return errOlderCRDs{crd.GetName(), lacks}
			}
		}
	}
	return nil
}

// Start ends with an error, and the controller with it, when older CRDs are applied while it runs.
func (c CRDs) Start(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	told := func(obj any) {
		if crd, ok := obj.(*apiextensionsv1.CustomResourceDefinition); ok && strings.HasSuffix(crd.Name, "."+vgrv1.GroupVersion.Group) {
			select {
			case changed <- struct{}{}:
			default: // it has been told already
			}
		}
	}
	informer, err := c.Cache.GetInformer(ctx, &apiextensionsv1.CustomResourceDefinition{})
	if err != nil {
		return err
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: told, UpdateFunc: func(_, obj any) { told(obj) }}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			if err := c.Check(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// NeedLeaderElection is false: each replica looks, so that none takes the lead that must not.
func (CRDs) NeedLeaderElection() bool { return false }
