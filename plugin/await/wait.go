// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package await waits for what the controllers report of a group, and tells the user what they say meanwhile.
package await

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
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Outcome is the state of a wait after one observation of the group.
type Outcome struct {
	Done bool
	// dead is why waiting longer is of no use.
	Dead string
	// says is what to show meanwhile.
	Says string
	// failing is true when the last word of the backend was a failure.
	Failing bool
}

// Waiter waits until a group on a site is as it should be, by a watch.
type Waiter struct {
	Site  *site.Site
	Key   client.ObjectKey
	Clock clock.WithTicker
	Out   io.Writer
	// Judge judges the group; nil when it does not exist.
	Judge func(g *vgrv1.VolumeGroupReplication) Outcome
	// ResumeCommand is the command that continues to wait.
	ResumeCommand string
}

// Run ends with nil, a timeout or interruption of the context, or a failure.
func (w Waiter) Run(ctx context.Context) error {
	started := w.Clock.Now()
	var last Outcome
	lost := ""
	for {
		o, err := w.follow(ctx, started, &last)
		switch {
		case o.Done:
			return nil
		case o.Dead != "":
			return clierror.New(clierror.CodeFailed, w.ResumeCommand, "group %s/%s on %s has failed: %s", w.Key.Namespace, w.Key.Name, w.Site.Name, present.Clean(o.Dead))
		case ctx.Err() != nil:
			return w.ended(ctx, last)
		case err != nil && err.Error() != lost: // once, and not each second
			w.say(started, "lost the watch: "+err.Error())
			lost = err.Error()
		}
		select { // the watch ended or could not be had; a short pause, then again
		case <-ctx.Done():
			return w.ended(ctx, last)
		case <-w.Clock.After(time.Second):
		}
	}
}

func (w Waiter) follow(ctx context.Context, started time.Time, last *Outcome) (Outcome, error) {
	c, err := w.Site.WatchClient()
	if err != nil {
		return Outcome{}, err
	}
	var list vgrv1.VolumeGroupReplicationList
	watch, err := c.Watch(ctx, &list, client.InNamespace(w.Key.Namespace), client.MatchingFields{"metadata.name": w.Key.Name})
	if err != nil {
		return Outcome{}, err
	}
	defer watch.Stop()
	var current vgrv1.VolumeGroupReplication
	if err := c.Get(ctx, w.Key, &current); client.IgnoreNotFound(err) != nil {
		return Outcome{}, err
	} else if err != nil { // the watch tells only of what exists
		if o := w.Judge(nil); o.Done || o.Dead != "" {
			return o, nil
		}
	}
	for event := range watch.ResultChan() {
		g, ok := event.Object.(*vgrv1.VolumeGroupReplication)
		if !ok {
			return Outcome{}, nil
		}
		if event.Type == apiwatch.Deleted {
			g = nil
		}
		o := w.Judge(g)
		if !present.SameButNumbers(o.Says, last.Says) && o.Says != "" {
			w.say(started, o.Says)
		}
		*last = o
		if o.Done || o.Dead != "" {
			return o, nil
		}
	}
	return Outcome{}, nil
}

func (w Waiter) say(started time.Time, text string) {
	fmt.Fprintf(w.Out, "%5s  %s\n", w.Clock.Since(started).Round(time.Second), present.Clean(fmt.Sprintf("%s  %s  %s", w.Site.Name, w.Key, text)))
}

func (w Waiter) ended(ctx context.Context, last Outcome) error {
	if errors.Is(context.Cause(ctx), cli.ErrTimeout) {
		code := clierror.CodeTimeout
		if last.Failing {
			code = clierror.CodeFailed
		}
		return clierror.New(code, w.ResumeCommand, "wait for group %s/%s on %s: the time is up; last status: %s", w.Key.Namespace, w.Key.Name, w.Site.Name, present.Clean(last.Says))
	}
	return clierror.New(clierror.CodeInterrupted, w.ResumeCommand, "interrupted; the cluster keeps working on the request")
}

// Reaches judges whether a group has reached a state, as confirmed by the backend.
func Reaches(want vgrv1.ReplicationState) func(g *vgrv1.VolumeGroupReplication) Outcome {
	return func(g *vgrv1.VolumeGroupReplication) Outcome { return Reached(state.Of(g), want) }
}

// Reached judges whether a group or a single volume has reached a state, as confirmed by the backend.
func Reached(v state.View, want vgrv1.ReplicationState) Outcome {
	ready := v.Ready()
	switch {
	case !v.Exists():
		return Outcome{Dead: "the group was deleted"}
	case v.Deleting():
		return Outcome{Dead: v.Gone()}
	case ready == nil:
		return Outcome{Says: "waiting for the controller"}
	case v.Desired() != want:
		return Outcome{Dead: "another tool asked for " + string(v.Desired())}
	}
	says := fmt.Sprintf("%s, %s: %s", OrUnknown(string(v.State())), ready.Reason, ready.Message)
	switch {
	case v.Settled():
		return Outcome{Done: true, Says: says}
	case want == vgrv1.Resync && v.Current() && ready.Reason == vgrv1.ReasonResyncing:
		return Outcome{Done: true, Says: says} // all that a backend can say while its peer is primary
	case state.Terminal(ready.Reason):
		return Outcome{Dead: ready.Reason + ": " + ready.Message, Says: says, Failing: true}
	}
	return Outcome{Says: says, Failing: !state.Calm(ready.Reason)}
}

// OrUnknown returns the text, or "unknown" for an empty one.
func OrUnknown(s string) string {
	if s == "" {
		return string(vgrv1.StateUnknown)
	}
	return s
}
