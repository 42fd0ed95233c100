// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package operate carries operations out. It observes both sites, lets pkg/recovery decide, sends
// the writes and waits for what comes back, for many groups at once. It decides nothing itself.
package operate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/consumers"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

const (
	// again is the shortest pause after a request that failed; the longest is twice that, by chance, so that retries
	// do not keep step with whatever fails them.
	retryAfter = time.Second
	// writeTimeout bounds writes that were begun, whatever --request-timeout says; an interruption does not cut them
	// short. It and renewEvery are together no more than a Lease lasts.
	writeTimeout = site.RequestTimeout
)

// Job is one group's operation.
type Job struct {
	Namespace, Name string
	// Object names the backend's own object as kubectl get -o name does; empty for a group of ours.
	Object    string
	Operation recovery.Operation
	Traits    backend.Traits
	// Usual is how long steps took in earlier operations on the group.
	Usual map[recovery.StepID]time.Duration

	lease *lease
	// readOnly are the sites that take no changes.
	readOnly [2]readOnly
	// wrote is true once a write of the job was accepted, or may have been.
	wrote bool
	// busy is true while a request of the job is under way.
	busy  bool
	pause time.Time
	last  recovery.Decision
	// seen is what the last decision was made from, if it was to wait.
	seen string
	// usage is what uses the PVCs, read for the next decision; nil when it was not asked for.
	usage *[2]*recovery.Usage
	ended bool
	err   error
	// left is how an interruption left the group; empty without one.
	left string
	// outage is when the application could write last, by the clock of this process; zero while it can. tookTooLong is why the
	// operation was aborted for it.
	outage      time.Time
	tookTooLong string
}

// Began reports whether the operation is written to the group.
func (j *Job) Began() bool { return j.wrote || len(j.Operation.Steps) > 0 }

// Left says how an interruption, or the end of the time, left the group; empty when neither came.
func (j *Job) Left() string { return j.left }

// Err returns how the job ended; nil when the operation did what it was begun for.
func (j *Job) Err() error { return j.err }

// Progress is told what happens to a job; calls do not overlap.
type Progress func(j *Job, d recovery.Decision)

// Operator carries out operations between two sites.
type Operator struct {
	Sites    [2]*site.Site
	Clusters [2]string
	Clock    clock.WithTicker
	// Holder names this process in Leases and journals.
	Holder string
	// Concurrency is how many groups are worked on at a time.
	Concurrency int
	// MaxOutage is how long an outage may last before the operation is aborted; 0 for any time.
	MaxOutage time.Duration
	Progress  Progress
	// Clocks are those that the operations were begun by.
	Clocks *Clocks
	// Native also has groups that are not of kubectl vgr read; nil for none.
	Native *collect.Native

	follower *collect.Follower
	replies  chan reply
	looks    looks
}

// reply is what became of a request.
type reply struct {
	job  *Job
	site int
	g    *vgrv1.VolumeGroupReplication
	err  error
	// wrote is true when a change was accepted, or may have been.
	wrote bool
	// stale is true when the object had changed, and was not read again.
	stale bool
}

// ErrTimeout is the cause of a context whose time is up.
var ErrTimeout = errors.New("the time is up")

// Run works on all jobs until each has ended, or the context does. It begins with what is known. An
// end of the context lets writes that were begun finish, and begins no other.
func (o *Operator) Run(ctx context.Context, namespace string, jobs []*Job, known []overview.SiteInput) {
	var names []string
	for _, j := range jobs {
		name := j.Name
		if namespace == "" {
			name = j.Namespace + "/" + name
		}
		names = append(names, name)
	}
	ctx = site.Quietly(ctx)
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var done func()
	q := collect.Query{Namespace: namespace, Names: names}
	if o.Native != nil { // what is known has both mixed, so it is asked for again
		n := *o.Native
		n.Every = retryAfter
		q.Native, known = &n, nil
	}
	o.follower, done = collect.Follow(following, o.Sites[:], q, o.Clock, known)
	defer done()
	o.replies = make(chan reply, len(jobs))
	o.looks = looks{done: make(chan looked, 1)}
	defer func() {
		var last sync.WaitGroup
		last.Go(func() { o.release(ctx, jobs) })
		last.Go(func() { o.announce(ctx, jobs, o.follower.Inputs()) })
		last.Wait()
	}()
	tick := o.Clock.NewTicker(retryAfter)
	defer tick.Stop()
	for {
		o.advance(ctx, jobs)
		o.look(ctx, o.follower.Inputs())
		if !active(jobs) {
			return
		}
		interrupted := ctx.Done()
		if ctx.Err() != nil { // only replies to what was begun are waited for
			interrupted = nil
		}
		select {
		case r := <-o.replies:
			o.handleReply(r)
		case l := <-o.looks.done:
			o.looks.deliver(l, o.follower.Inputs())
		case <-o.follower.Changed():
		case <-tick.C():
		case <-interrupted:
		}
	}
}

// Inputs returns what the sites said last while Run followed them.
func (o *Operator) Inputs() []overview.SiteInput { return o.follower.Inputs() }

func active(jobs []*Job) bool {
	for _, j := range jobs {
		if !j.ended {
			return true
		}
	}
	return false
}

// advance lets every job that may do something do it.
func (o *Operator) advance(ctx context.Context, jobs []*Job) {
	inputs := o.follower.Inputs()
	working := 0
	for _, j := range jobs {
		if j.ended {
			continue
		}
		if working++; working > o.Concurrency {
			return
		}
		switch {
		case j.busy:
		case ctx.Err() != nil:
			j.cut(ctx, o.pair(inputs, j))
		case asking(inputs): // one that has not answered yet is not one that does not answer
		case o.Clock.Now().Before(j.pause):
		default:
			o.step(ctx, j, inputs)
		}
		if j.ended {
			working--
		}
	}
}

func (o *Operator) step(ctx context.Context, j *Job, inputs []overview.SiteInput) {
	if !o.leased(ctx, j, inputs) {
		return
	}
	seen := versions(inputs, j)
	if seen == j.seen && j.usage == nil && !o.overdue(j, inputs) { // of many groups, most have not changed
		return
	}
	j.seen = ""
	p := o.pair(inputs, j)
	if j.usage != nil {
		p.Sites[0].Usage, p.Sites[1].Usage, j.usage = j.usage[0], j.usage[1], nil
	}
	o.takeBack(j, p)
	d := recovery.Next(p, j.Operation, j.Traits)
	j.Operation, j.last = d.Operation, d
	j.time(p, o.Clock.Now())
	o.Progress(j, d)
	switch {
	case d.Look:
		j.busy = true
		o.looks.asked = append(o.looks.asked, j)
	case d.Wait != "":
		j.seen = seen
	case d.Done:
		j.done()
	case d.Stop != nil:
		j.end(stopped(d.Stop))
	case d.Write != nil:
		j.busy = true
		at, seen := target(&p, d.Write.Site)
		n := nativeOf(inputs[at], j)
		if n != nil && n.Keeper != "" {
			j.busy = false
			j.end(clierror.New(clierror.CodeFailed, n.Next, "%s/%s: nothing more is changed: %s decides over %s on %s now", j.Namespace, j.Name, n.Keeper, n, o.Sites[at].Name))
			return
		}
		if n != nil { // what is remembered of its role is put in anew with the write
			seen = inputs[at].Group(j.Namespace, j.Name)
		}
		go func() { o.replies <- o.write(ctx, j, at, seen.DeepCopy(), n, *d.Write) }()
	}
}

// pair returns what is known of a job's group.
func (o *Operator) pair(inputs []overview.SiteInput, j *Job) recovery.Pair {
	p := Pair(inputs, o.Sites, o.Clusters, o.Clocks, j.Namespace, j.Name)
	for i := range p.Sites {
		p.Sites[i].ReadOnly = j.readOnly[i].why
	}
	return p
}

// target returns the site that a write is for, and the group there. Clusters are not always known: some users may not read
// what identifies them.
func target(p *recovery.Pair, ref recovery.SiteRef) (at int, seen *vgrv1.VolumeGroupReplication) {
	switch p.Site(ref) {
	case &p.Sites[0]:
		return 0, p.Sites[0].Group
	case &p.Sites[1]:
		return 1, p.Sites[1].Group
	default:
		return 0, nil
	}
}

// versions reports whether a decision would be made from something new.
func versions(inputs []overview.SiteInput, j *Job) string {
	var text []byte
	for _, in := range inputs {
		text = fmt.Append(text, in.Answered, " ")
		if g := in.Group(j.Namespace, j.Name); g != nil {
			text = append(text, g.ResourceVersion...)
		}
	}
	return string(text)
}

// write sends a write that is bound to what was seen, and reads the object again when it has
// changed meanwhile. The object is the backend's own n, unless that is nil.
func (o *Operator) write(ctx context.Context, j *Job, at int, g *vgrv1.VolumeGroupReplication, n *overview.Native, w recovery.Write) reply {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	r := reply{job: j, site: at}
	c, err := o.Sites[at].Client()
	if err != nil {
		r.err = err
		return r
	}
	if len(w.Scale) > 0 {
		r.wrote, r.err = scale(ctx, c, j.Namespace, w.Scale)
		return r
	}
	if n != nil {
		return o.writeNative(ctx, c, r, g, *n, w)
	}
	before := g.DeepCopy()
	if r.err = w.Apply(g); r.err != nil {
		return r
	}
	r.err = c.Patch(ctx, g, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), site.FieldManager)
	if apierrors.IsConflict(r.err) {
		r.err = c.Get(ctx, client.ObjectKeyFromObject(before), g)
	} else {
		r.wrote = !Refused(r.err)
	}
	if r.err == nil {
		r.g = g
	}
	return r
}

// Refused reports whether an error of a write means that it was not done: the server says so, or there was no
// connection. Of others, such as a lost answer, only what is observed next tells.
func Refused(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code >= 400 && status.Status().Code < 500
	}
	if notAsked, ok := errors.AsType[*site.NotAsked](err); ok {
		return notAsked.Unsent // a proxy or a web page that answers may have let the write through
	}
	var network *net.OpError
	return errors.As(err, &network) && (network.Op == "dial" || network.Op == "proxyconnect")
}

// scale scales workloads that are still those that were seen. The next look finds out about others.
func scale(ctx context.Context, c client.Client, namespace string, all []recovery.Scale) (wrote bool, err error) {
	for _, s := range all {
		switch err := consumers.Scale(ctx, c, namespace, s, false); {
		case err == nil:
			wrote = true
		case !apierrors.IsConflict(err) && !apierrors.IsNotFound(err):
			return wrote || !Refused(err), fmt.Errorf("%s: %w", s, err)
		}
	}
	return wrote, nil
}

// DryRun sends every site that answers what the operation will ask of it, to be checked and not
// carried out.
func (o *Operator) DryRun(ctx context.Context, jobs []*Job, inputs []overview.SiteInput) error {
	for _, j := range jobs {
		p := Pair(inputs, o.Sites, o.Clusters, o.Clocks, j.Namespace, j.Name)
		for i := range p.Sites {
			s := &p.Sites[i]
			if s.Group == nil {
				continue
			}
			w := recovery.Write{Site: s.SiteRef, State: j.Operation.Role(s.SiteRef), Operation: j.Operation}
			if w.State == vgrv1.Primary {
				w.Peer = vgrv1.PeerDemoted // as far as the API server is concerned
			}
			var err error
			if n := nativeOf(inputs[i], j); n != nil {
				err = o.dryRunNative(ctx, i, inputs[i].Group(j.Namespace, j.Name), *n, w)
			} else {
				err = o.dryRun(ctx, i, s.Group.DeepCopy(), w)
			}
			for _, x := range j.Operation.Stopped {
				if err == nil && stoppedAt(x, s.SiteRef) {
					err = o.dryRunScale(ctx, i, j.Namespace, x)
				}
			}
			if err != nil && !j.Operation.DoesWithout(&p, s) { // else the operation leaves the site out
				return clierror.New(clierror.CodeRefused, "", "cannot write group %s/%s on %s: %v", j.Namespace, j.Name, s.Name, err)
			}
		}
	}
	return nil
}

// stoppedAt reports whether a stopped workload is known to be of a site. Where the clusters cannot be identified it is of
// neither: a workload of that name may be on both.
func stoppedAt(w recovery.StoppedWorkload, at recovery.SiteRef) bool {
	return w.Cluster != "" && w.Cluster == at.Cluster
}

func (o *Operator) dryRun(ctx context.Context, at int, g *vgrv1.VolumeGroupReplication, w recovery.Write) error {
	c, err := o.Sites[at].Client()
	if err != nil {
		return err
	}
	before := g.DeepCopy()
	if err := w.Apply(g); err != nil {
		return err
	}
	// Not bound to the version that was seen: a status written since is no reason to refuse.
	return c.Patch(ctx, g, client.MergeFrom(before), site.FieldManager, client.DryRunAll)
}

func (o *Operator) dryRunScale(ctx context.Context, at int, namespace string, w recovery.StoppedWorkload) error {
	c, err := o.Sites[at].Client()
	if err != nil {
		return err
	}
	return consumers.Scale(ctx, c, namespace, recovery.Scale{Kind: w.Kind, Name: w.Name}, true)
}

// handleReply takes in what became of a request.
func (o *Operator) handleReply(r reply) {
	r.job.busy = false
	if r.g != nil {
		o.follower.Put(r.site, r.g)
	}
	r.job.wrote = r.job.wrote || r.wrote
	if r.wrote && r.g == nil {
		o.looks.next = time.Time{}
	}
	switch {
	case o.leaveOut(r):
		r.job.seen = ""
		d := r.job.last
		d.Write, d.Wait = nil, r.job.readOnly[r.site].why
		o.Progress(r.job, d)
	case r.stale: // the next look shows it
		r.job.pause = o.Clock.Now().Add(wait.Jitter(retryAfter, 1))
	case r.err == nil:
	case apierrors.IsForbidden(r.err), apierrors.IsInvalid(r.err), apierrors.IsUnauthorized(r.err):
		r.job.end(clierror.New(clierror.CodeFailed, "fix that; then "+r.job.Operation.ResumeCommand(r.job.Namespace, r.job.Name), "cannot write group %s/%s on %s: %v", r.job.Namespace, r.job.Name, o.Sites[r.site].Name, r.err))
	case errors.As(r.err, new(*held)) && r.job.wrote:
		r.job.end(clierror.New(clierror.CodeFailed, "", "%s/%s: %v", r.job.Namespace, r.job.Name, r.err))
	case errors.As(r.err, new(*held)):
		r.job.end(clierror.Refused("", "%s/%s: %v; nothing was changed", r.job.Namespace, r.job.Name, r.err))
	default: // the site may come back; the observation will tell
		r.job.pause = o.Clock.Now().Add(wait.Jitter(retryAfter, 1))
		d := r.job.last
		d.Write, d.Wait = nil, fmt.Sprintf("%s: %v", o.Sites[r.site].Name, r.err)
		o.Progress(r.job, d)
	}
}

func (j *Job) end(err error) { j.ended, j.err = true, err }

// stopped puts the planner's words into an exit code.
func stopped(s *recovery.Stop) error {
	code := map[recovery.Reason]int{
		recovery.Refused: clierror.CodeRefused, recovery.Failed: clierror.CodeFailed, recovery.Unreachable: clierror.CodeUnreachable,
		recovery.TakenOver: clierror.CodeFailed, recovery.Nothing: clierror.CodeOK,
	}[s.Reason]
	return clierror.New(code, s.Next, "%s", s.Message)
}

// Stopped puts a refusal of the planner into an error; nil when there is nothing to do.
func Stopped(s *recovery.Stop) error {
	if s.Reason == recovery.Nothing {
		return nil
	}
	return stopped(s)
}
