// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// announce leaves an Event about how a job began or ended on every site that answers. The journal
// is the record; an Event that cannot be written is no failure.
func (o *Operator) announce(ctx context.Context, jobs []*Job, inputs []overview.SiteInput) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, j := range jobs {
		if !j.wrote {
			continue
		}
		for i, in := range inputs {
			if g := in.Group(j.Namespace, j.Name); in.Answered && g != nil {
				all.Go(func() { o.event(ctx, j, i, about(nativeOf(in, j), g)) })
			}
		}
	}
	all.Wait()
}

// about names the object of a group: that of a backend, if it has one.
func about(n *overview.Native, g *vgrv1.VolumeGroupReplication) corev1.ObjectReference {
	ref := corev1.ObjectReference{
		APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplication", Namespace: g.Namespace, Name: g.Name, UID: g.UID, ResourceVersion: g.ResourceVersion,
	}
	if n != nil {
		ref.APIVersion, ref.Kind = n.APIVersion, n.Kind
	}
	return ref
}

func (o *Operator) event(ctx context.Context, j *Job, i int, object corev1.ObjectReference) {
	c, err := o.Sites[i].Client()
	if err != nil {
		return
	}
	kind, reason, message := corev1.EventTypeNormal, "OperationDone", fmt.Sprintf("%s: %s", j.Operation.String(), j.Operation.Result)
	if j.err != nil {
		kind, reason, message = corev1.EventTypeWarning, "OperationStopped", fmt.Sprintf("%s: %v", j.Operation.String(), j.err)
	}
	now := metav1.NewTime(o.Sites[i].Now())
	_ = c.Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: j.Namespace, Name: eventName(j, reason)},
		InvolvedObject: object,
		Type:           kind, Reason: reason, Message: message[:min(len(message), 1024)],
		Source: corev1.EventSource{Component: "kubectl-vgr"}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		ReportingController: "kubectl-vgr", ReportingInstance: o.Holder,
	}, site.FieldManager)
}

// eventName returns the same for all processes that saw an operation end, so that it is told once. Each process may tell
// once that it stopped.
func eventName(j *Job, reason string) string {
	what := reason + "/" + j.Operation.ID
	if j.err != nil {
		what += "/" + j.Operation.Holder
	}
	sum := sha256.Sum256([]byte(what))
	return strings.TrimRight(j.Name[:min(len(j.Name), 200)], "-.") + "." + hex.EncodeToString(sum[:8])
}
