// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// outcome is what a look at a group says about a wait.
type outcome struct {
	done bool
	// dead is why waiting longer is of no use.
	dead string
	// says is what to show meanwhile.
	says string
	// failing is true when the last word of the backend was a failure.
	failing bool
}

// waiter waits until a group on a site is as it should be, by a watch.
type waiter struct {
	site  *site.Site
	key   client.ObjectKey
	clock clock.WithTicker
	out   io.Writer
	// judge looks at the group; nil when it does not exist.
	judge func(g *vgrv1.VolumeGroupReplication) outcome
	// again is the command that goes on waiting.
	again string
}

// run ends with nil, a timeout or interruption of the context, or a failure.
func (w waiter) run(ctx context.Context) error {
	started := w.clock.Now()
	var last outcome
	lost := ""
	for {
		o, err := w.follow(ctx, started, &last)
		switch {
		case o.done:
			return nil
		case o.dead != "":
			return failure.New(failure.CodeFailed, w.again, "%s: %s/%s: %s", w.site.Name, w.key.Namespace, w.key.Name, present.Clean(o.dead))
		case ctx.Err() != nil:
			return w.ended(ctx, last)
		case err != nil && err.Error() != lost: // once, and not each second
			w.say(started, "lost the watch: "+err.Error())
			lost = err.Error()
		}
		select { // the watch ended or could not be had; a short pause, then again
		case <-ctx.Done():
			return w.ended(ctx, last)
		case <-w.clock.After(time.Second):
		}
	}
}

func (w waiter) follow(ctx context.Context, started time.Time, last *outcome) (outcome, error) {
	c, err := w.site.WatchClient()
	if err != nil {
		return outcome{}, err
	}
	var list vgrv1.VolumeGroupReplicationList
	watch, err := c.Watch(ctx, &list, client.InNamespace(w.key.Namespace), client.MatchingFields{"metadata.name": w.key.Name})
	if err != nil {
		return outcome{}, err
	}
	defer watch.Stop()
	var current vgrv1.VolumeGroupReplication
	if err := c.Get(ctx, w.key, &current); client.IgnoreNotFound(err) != nil {
		return outcome{}, err
	} else if err != nil { // the watch tells only of what exists
		if o := w.judge(nil); o.done || o.dead != "" {
			return o, nil
		}
	}
	for event := range watch.ResultChan() {
		g, ok := event.Object.(*vgrv1.VolumeGroupReplication)
		if !ok {
			return outcome{}, nil
		}
		if event.Type == apiwatch.Deleted {
			g = nil
		}
		o := w.judge(g)
		if o.says != last.says && o.says != "" {
			w.say(started, o.says)
		}
		*last = o
		if o.done || o.dead != "" {
			return o, nil
		}
	}
	return outcome{}, nil
}

func (w waiter) say(started time.Time, text string) {
	fmt.Fprintf(w.out, "%5s  %s\n", w.clock.Since(started).Round(time.Second), present.Clean(fmt.Sprintf("%s  %s  %s", w.site.Name, w.key, text)))
}

func (w waiter) ended(ctx context.Context, last outcome) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		code := failure.CodeTimeout
		if last.failing {
			code = failure.CodeFailed
		}
		return failure.New(code, w.again, "%s: %s/%s: the time is up; last word: %s", w.site.Name, w.key.Namespace, w.key.Name, present.Clean(last.says))
	}
	return failure.New(failure.CodeInterrupted, w.again, "interrupted; what was asked for goes on in the cluster")
}

// errTimeout tells the end of --timeout from an interruption.
var errTimeout = failure.New(failure.CodeTimeout, "", "the time is up")

// reaches judges whether a group has reached a state, as confirmed by the backend.
func reaches(want vgrv1.ReplicationState) func(g *vgrv1.VolumeGroupReplication) outcome {
	return func(g *vgrv1.VolumeGroupReplication) outcome { return reached(state.Of(g), want) }
}

// reached judges whether a group or a single volume has reached a state, as confirmed by the backend.
func reached(v state.View, want vgrv1.ReplicationState) outcome {
	ready := v.Ready()
	switch {
	case !v.Exists():
		return outcome{dead: "the group was deleted"}
	case v.Deleting():
		return outcome{dead: v.Gone()}
	case ready == nil:
		return outcome{says: "waiting for the controller"}
	case v.Desired() != want:
		return outcome{dead: "another tool asked for " + string(v.Desired())}
	}
	says := fmt.Sprintf("%s, %s: %s", orUnknown(string(v.State())), ready.Reason, ready.Message)
	switch {
	case v.Settled():
		return outcome{done: true, says: says}
	case want == vgrv1.Resync && v.Current() && ready.Reason == vgrv1.ReasonResyncing:
		return outcome{done: true, says: says} // all that a backend can say while its peer is primary
	case state.Terminal(ready.Reason):
		return outcome{dead: ready.Reason + ": " + ready.Message, says: says, failing: true}
	}
	return outcome{says: says, failing: !state.Calm(ready.Reason)}
}

func orUnknown(s string) string {
	if s == "" {
		return string(vgrv1.StateUnknown)
	}
	return s
}
