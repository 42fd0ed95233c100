// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Name is the CSI driver's.
const Name = "csi.trident.netapp.io"

// Trident is what runs on one site.
type Trident struct {
	Site  string
	ONTAP *Pair
	// Log gets what went wrong.
	Log io.Writer

	client  kubernetes.Interface
	dynamic dynamic.Interface
	queue   workqueue.TypedRateLimitingInterface[item]
	// retried are the actions that this run of Trident has begun.
	retried map[item]bool
}

// item is one object of a kind.
type item struct {
	of              schema.GroupVersionResource
	namespace, name string
}

// New makes a Trident that does not run yet.
func New(site string, ontap *Pair, config *rest.Config, log io.Writer) (*Trident, error) {
	quiet := rest.CopyConfig(config)
	quiet.WarningHandler = rest.NoWarnings{} // Trident's finalizer has no path
	client, err := kubernetes.NewForConfig(quiet)
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(quiet)
	if err != nil {
		return nil, err
	}
	return &Trident{Site: site, ONTAP: ontap, Log: log, client: client, dynamic: objects}, nil
}

// Start runs until stop is called, which waits for the end. It may be started again.
func (t *Trident) Start(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[item](50*time.Millisecond, time.Second))
	t.retried = map[item]bool{}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(t.dynamic, 0) // no resync: that is what makes a status stand
	for _, k := range []struct {
		of      schema.GroupVersionResource
		handler cache.ResourceEventHandlerFuncs
	}{
		{relationships(), cache.ResourceEventHandlerFuncs{
			AddFunc: func(obj any) { t.add(obj, relationships()) },
			UpdateFunc: func(before, after any) {
				if err := t.changed(ctx, before, after); err != nil {
					fmt.Fprintln(t.Log, err)
				}
			},
		}},
		{updates(), cache.ResourceEventHandlerFuncs{AddFunc: func(obj any) { t.add(obj, updates()) }}},
		{groupSnapshots(), cache.ResourceEventHandlerFuncs{AddFunc: func(obj any) { t.add(obj, groupSnapshots()) }}},
	} {
		if _, err := factory.ForResource(k.of).Informer().AddEventHandler(k.handler); err != nil {
			cancel()
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	var all sync.WaitGroup
	all.Go(func() {
		for t.next(ctx) {
		}
	})
	return func() {
		cancel()
		factory.Shutdown()
		t.queue.ShutDown()
		all.Wait()
	}, nil
}

func (t *Trident) add(obj any, of schema.GroupVersionResource) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		t.queue.Add(item{of, u.GetNamespace(), u.GetName()})
	}
}

// changed queues a relationship whose spec was changed, or that is on its way. What failed stays so
// until then. A change that is not allowed is answered at once.
func (t *Trident) changed(ctx context.Context, before, after any) error {
	was, err := readAny(before)
	if err != nil {
		return err
	}
	is, err := readAny(after)
	if err != nil {
		return err
	}
	if c, ok := frozen(was, is); !ok {
		if is.said().State == failed && is.said().Message == c.Message && is.said().ObservedGeneration == is.Generation {
			return nil
		}
		return t.publish(ctx, is, c)
	}
	if !is.DeletionTimestamp.IsZero() || len(is.Status.Conditions) == 0 || transitioning(is.said().State) || was.Generation != is.Generation {
		t.add(after, relationships())
	}
	return nil
}

func readAny(obj any) (*relationship, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%T is no object", obj)
	}
	return read[relationship](u)
}

func (t *Trident) next(ctx context.Context) bool {
	i, shutdown := t.queue.Get()
	if shutdown {
		return false
	}
	defer t.queue.Done(i)
	var err error
	switch i.of {
	case updates():
		err = t.update(ctx, i.namespace, i.name, t.retried[i])
		t.retried[i] = true
	case groupSnapshots():
		err = t.snapshot(ctx, i.namespace, i.name)
	default:
		err = t.reconcile(ctx, i.namespace, i.name)
	}
	if err == nil {
		t.queue.Forget(i)
		return true
	}
	if !errors.Is(err, errLater) && ctx.Err() == nil {
		fmt.Fprintf(t.Log, "%s/%s: %v\n", i.namespace, i.name, err)
	}
	t.queue.AddRateLimited(i)
	return true
}
