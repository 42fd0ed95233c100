// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

const (
	// leaseDuration is how long a Lease protects an operation whose tool is gone.
	leaseDuration = 15 * time.Second
	renewEvery    = 5 * time.Second
)

// LeaseName returns the name of the Lease beside a group. It keeps two administrators from working on
// one group at the same time. That losing it does no harm is the journal's work.
func LeaseName(group string) string { return "vgr-" + group }

// lease is the job's hold on both sites.
type lease struct {
	// objects are the Leases as we wrote them; nil where the job holds none.
	objects [2]*coordinationv1.Lease
	renewed time.Time
	waits   [2]waiting
	// without are the sites whose namespace is being deleted, so that no Lease can be created there. An operation in
	// flight can be ended without: each write is bound to what was read.
	without [2]bool
}

// terminating reports whether nothing can be created because the namespace is being deleted.
func terminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// waiting is another tool's Lease as it was first seen, by our own clock.
type waiting struct {
	holder  string
	renewed time.Time
	since   time.Time
}

// held says that another tool holds the Lease, and renews it.
type held struct{ message string }

func (h *held) Error() string { return h.message }

// expiring says that another tool's Lease has not expired yet.
type expiring struct{ message string }

func (e *expiring) Error() string { return e.message }

// leased reports whether the job holds its Lease on every site that answers, and sees to it.
func (o *Operator) leased(ctx context.Context, j *Job, inputs []overview.SiteInput) bool {
	if j.lease == nil {
		j.lease = &lease{}
	}
	now := o.Clock.Now()
	var want []int
	for i, in := range inputs {
		if in.Answered && j.readOnly[i].why == "" && !j.lease.without[i] && in.Group(j.Namespace, j.Name) != nil && (j.lease.objects[i] == nil || now.Sub(j.lease.renewed) >= renewEvery) {
			want = append(want, i)
		}
	}
	if len(want) == 0 {
		return true
	}
	j.busy = true
	l := *j.lease
	go func() {
		r := reply{job: j}
		r.site, r.err = o.holdAll(ctx, j, &l, want)
		if r.err == nil {
			l.renewed = now
		}
		*j.lease = l // the job is busy: no other goroutine reads it
		o.replies <- r
	}()
	return false
}

// holdAll renews what is held, and takes what is not: one site after the other, in the same order
// for every tool, so that of two tools one gets both.
func (o *Operator) holdAll(ctx context.Context, j *Job, l *lease, want []int) (at int, err error) {
	slices.SortFunc(want, func(a, b int) int {
		return cmp.Or(cmp.Compare(o.Clusters[a], o.Clusters[b]), cmp.Compare(o.Sites[a].Name, o.Sites[b].Name))
	})
	errs := make([]error, 2)
	var renewing sync.WaitGroup
	for _, i := range want {
		if l.objects[i] != nil {
			renewing.Go(func() { errs[i] = o.hold(ctx, j, l, i) })
		}
	}
	renewing.Wait()
	for _, i := range want {
		if errs[i] == nil && l.objects[i] == nil {
			errs[i] = o.hold(ctx, j, l, i)
		}
		if errs[i] != nil {
			return i, errs[i]
		}
	}
	return 0, nil
}

// hold takes or renews the Lease on one site, by one request unless another tool has one there, or had.
func (o *Operator) hold(ctx context.Context, j *Job, l *lease, i int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	c, err := o.Sites[i].Client()
	if err != nil {
		return err
	}
	obj := l.objects[i]
	l.objects[i] = nil
	if obj == nil {
		obj = o.signed(j, &coordinationv1.Lease{}, o.Sites[i].Now())
		err = c.Create(ctx, obj, site.FieldManager)
	} else {
		obj = o.signed(j, obj.DeepCopy(), o.Sites[i].Now())
		err = c.Update(ctx, obj, site.FieldManager) // with the resourceVersion that was written last
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err) || terminating(err) {
		obj, err = o.takeOver(ctx, c, j, l, i)
	}
	if terminating(err) { // and there is none: no other tool can get one either
		l.without[i], obj, err = true, nil, nil
	}
	if err == nil {
		l.objects[i] = obj
	}
	return err
}

// takeOver takes a Lease that was there before. Of one that another tool holds it first learns whether it is
// being renewed.
func (o *Operator) takeOver(ctx context.Context, c client.Client, j *Job, l *lease, i int) (*coordinationv1.Lease, error) {
	obj := &coordinationv1.Lease{}
	err := c.Get(ctx, client.ObjectKey{Namespace: j.Namespace, Name: LeaseName(j.Name)}, obj)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	now := o.Sites[i].Now()
	if apierrors.IsNotFound(err) {
		obj = o.signed(j, obj, now)
		return obj, c.Create(ctx, obj, site.FieldManager)
	}
	if holder := ptr.Deref(obj.Spec.HolderIdentity, ""); holder != "" && holder != o.Holder {
		if err := l.waits[i].look(o.Sites[i].Name, obj, now, o.Clock.Now()); err != nil {
			return nil, err
		}
	}
	obj = o.signed(j, obj, now)
	return obj, c.Update(ctx, obj, site.FieldManager) // with the resourceVersion that was read
}

// signed returns a Lease in our name.
func (o *Operator) signed(j *Job, obj *coordinationv1.Lease, now time.Time) *coordinationv1.Lease {
	obj.Namespace, obj.Name = j.Namespace, LeaseName(j.Name)
	obj.Labels = map[string]string{vgrv1.LabelManagedBy: vgrv1.ManagedByPlugin, vgrv1.LabelGroup: j.Name}
	if ptr.Deref(obj.Spec.HolderIdentity, "") != o.Holder {
		obj.Spec.AcquireTime = new(metav1.NewMicroTime(now))
		obj.Spec.LeaseTransitions = new(ptr.Deref(obj.Spec.LeaseTransitions, 0) + 1)
	}
	obj.Spec.HolderIdentity = new(o.Holder)
	obj.Spec.LeaseDurationSeconds = new(int32(leaseDuration.Seconds()))
	obj.Spec.RenewTime = new(metav1.NewMicroTime(now))
	return obj
}

// look returns nil when the Lease of another tool has expired. A user who may write Leases may write any
// time and any duration: ours is the longest that counts, and a Lease that is not renewed while we watch
// for that long has expired, whatever it says. There is the clock of the cluster, here our own.
func (w *waiting) look(site string, obj *coordinationv1.Lease, there, here time.Time) error {
	holder, renewed := ptr.Deref(obj.Spec.HolderIdentity, ""), time.Time{}
	if obj.Spec.RenewTime != nil {
		renewed = obj.Spec.RenewTime.Time
	}
	first := w.holder != holder
	if !first && !w.renewed.Equal(renewed) {
		return &held{fmt.Sprintf("%s is working on the group: it renews Lease %s on %s, last at %s", holder, obj.Name, site, renewed.UTC().Format(time.RFC3339))}
	}
	if first {
		w.holder, w.renewed, w.since = holder, renewed, here
	}
	lasts := min(time.Duration(ptr.Deref(obj.Spec.LeaseDurationSeconds, int32(leaseDuration.Seconds())))*time.Second, leaseDuration)
	left := w.since.Add(leaseDuration).Sub(here)
	if obj.Spec.RenewTime != nil {
		left = min(left, renewed.Add(lasts).Sub(there))
	}
	if left <= 0 {
		return nil
	}
	said := "which says nothing of when it was renewed"
	if obj.Spec.RenewTime != nil {
		said = "renewed at " + renewed.UTC().Format(time.RFC3339)
	}
	return &expiring{fmt.Sprintf("waits for Lease %s of %s, %s: it expires in %s unless it is renewed", obj.Name, holder, said, left.Round(time.Second))}
}

// release releases all Leases, so that the next command need not wait.
func (o *Operator) release(ctx context.Context, jobs []*Job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, j := range jobs {
		for i := range o.Sites {
			if j.lease == nil || j.lease.objects[i] == nil {
				continue
			}
			all.Go(func() { o.letGo(ctx, j, i) })
		}
	}
	all.Wait()
}

// letGo deletes a Lease if it is still as we wrote it. One that cannot be deleted expires.
func (o *Operator) letGo(ctx context.Context, j *Job, i int) {
	c, err := o.Sites[i].Client()
	if err != nil {
		return
	}
	obj := j.lease.objects[i]
	_ = c.Delete(ctx, obj, client.Preconditions{UID: &obj.UID, ResourceVersion: &obj.ResourceVersion})
}
