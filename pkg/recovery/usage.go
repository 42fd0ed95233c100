// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unified-replication/kubectl-vgr/pkg/gitops"
)

// Usage is what uses a group's PVCs on one site, and what could.
type Usage struct {
	Users     []User
	Workloads []Workload
	// Unknown is why it could not be found out; empty when it was.
	Unknown string
}

// User is a pod that uses a PVC, or a node that its volume is attached to.
type User struct {
	// Kind is "pod" or "node".
	Kind, Name string
	Claim      string
	// Attachment is the VolumeAttachment by which a node has the volume.
	Attachment string
	// Workload is what made the pod, such as "statefulset/db"; empty when that is no Deployment and
	// no StatefulSet, or not known.
	Workload string
}

// String implements fmt.Stringer.
func (u User) String() string {
	if u.Kind == "node" {
		return fmt.Sprintf("node/%s (%s is attached by volumeattachment/%s)", u.Name, u.Claim, u.Attachment)
	}
	return fmt.Sprintf("%s/%s (%s)", u.Kind, u.Name, u.Claim)
}

// Workload is a Deployment or StatefulSet whose pods use PVCs of the group. It may have none now.
type Workload struct {
	// Kind is "deployment" or "statefulset".
	Kind, Name string
	// Claims are the PVCs of the group that it uses.
	Claims []string
	// Replicas is what its spec asks for.
	Replicas int32
	// Owner manages it, and would undo what others change; empty without one.
	Owner string
	// GitOps is the tool that applies it.
	GitOps          gitops.Manager
	ResourceVersion string
}

// String implements fmt.Stringer.
func (w Workload) String() string { return w.Kind + "/" + w.Name }

// StoppedWorkload is a workload that an operation stops, with the replicas that it had.
type StoppedWorkload struct {
	Cluster  string `json:"cluster"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Replicas int32  `json:"replicas"`
}

// String implements fmt.Stringer.
func (w StoppedWorkload) String() string {
	return fmt.Sprintf("%s/%s (%d)", w.Kind, w.Name, w.Replicas)
}

// Scale changes how many replicas a workload has.
type Scale struct {
	Kind, Name string
	Replicas   int32
	// ResourceVersion is what was observed; the write must fail when the workload has changed since.
	ResourceVersion string
}

// users returns those that are known.
func (s *Site) users() []User {
	if s.Usage == nil {
		return nil
	}
	return s.Usage.Users
}

// stopped finds a workload that the operation stops; the operation may be nil. A site whose cluster is not known is
// not one that a journal names.
func (op *Operation) stopped(cluster string, w Workload) *StoppedWorkload {
	if op == nil || cluster == "" {
		return nil
	}
	i := slices.IndexFunc(op.Stopped, func(x StoppedWorkload) bool {
		return x.Cluster == cluster && x.Kind == w.Kind && x.Name == w.Name
	})
	if i < 0 {
		return nil
	}
	return &op.Stopped[i]
}

// toStop takes the workloads that run on a site into the operation, with what they have now.
func (op *Operation) toStop(s *Site) {
	if s.Usage == nil || s.Cluster == "" {
		return
	}
	for _, w := range s.Usage.Workloads {
		if w.Replicas > 0 && op.stopped(s.Cluster, w) == nil {
			op.Stopped = append(op.Stopped, StoppedWorkload{Cluster: s.Cluster, Kind: w.Kind, Name: w.Name, Replicas: w.Replicas})
		}
	}
}

// confirmStopped keeps of the workloads that a journal says were stopped those that the journal on the other
// site names as well, with the smaller number of replicas: who may edit the group on one site must not scale
// anything on the other. A site that does not answer says nothing against it.
func (op *Operation) confirmStopped(p *Pair) {
	for i := range p.Sites {
		if p.Sites[i].Group == nil {
			continue
		}
		j := p.Sites[i].Journal
		op.Stopped = slices.DeleteFunc(op.Stopped, func(w StoppedWorkload) bool {
			return j == nil || j.stopped(w.Cluster, Workload{Kind: w.Kind, Name: w.Name}) == nil
		})
		for k := range op.Stopped {
			w := &op.Stopped[k]
			w.Replicas = min(w.Replicas, j.stopped(w.Cluster, Workload{Kind: w.Kind, Name: w.Name}).Replicas)
		}
	}
}

// stoppedOn returns the workloads that the operation stops on a site.
func (op *Operation) stoppedOn(cluster string) []StoppedWorkload {
	return slices.DeleteFunc(slices.Clone(op.Stopped), func(w StoppedWorkload) bool { return cluster == "" || w.Cluster != cluster })
}

// toStart returns the workloads to start on a site: what ran on the source, and what ran on the site
// itself before it was lost. A source that takes its role back gets what it had.
func (op *Operation) toStart() []StoppedWorkload {
	out := op.stoppedOn(op.From.Cluster)
	if op.Aborting {
		return out
	}
	for _, w := range op.stoppedOn(op.To.Cluster) {
		if !slices.ContainsFunc(out, func(x StoppedWorkload) bool { return x.Kind == w.Kind && x.Name == w.Name }) {
			out = append(out, w)
		}
	}
	return out
}

func join[T fmt.Stringer](all []T) string {
	var words []string
	for _, x := range all {
		words = append(words, x.String())
	}
	return list(words)
}

// look waits until the users of the PVCs are read again.
func (n *next) look(s Step, failing bool, format string, args ...any) *Decision {
	return &Decision{Operation: n.op, Step: s, Wait: fmt.Sprintf(format, args...), Failing: failing, Look: true}
}

// unknownUsage waits while it is not known what uses the PVCs on a site.
func (n *next) unknownUsage(s Step, site *Site) *Decision {
	switch {
	case site.Usage == nil:
		return n.look(s, false, "checks what uses the PVCs on %s", site.Name)
	case site.Usage.Unknown != "":
		return n.look(s, true, "it is not known what uses the PVCs on %s: %s", site.Name, site.Usage.Unknown)
	default:
		return nil
	}
}

// quiesce stops what the plan named, and waits until nothing uses the PVCs. How many replicas there
// were is in the journal before.
func (n *next) quiesce(s Step, site *Site) *Decision {
	n.op.start(s.ID, site.Cluster, false, site.Now)
	if d := n.unknownUsage(s, site); d != nil {
		return d
	}
	var stop []Scale
	for _, w := range site.Usage.Workloads {
		if w.Replicas == 0 {
			continue
		}
		planned, back := n.op.stopped(site.Cluster, w), n.op.AbortCommand(site.Group.Namespace, site.Group.Name)
		switch {
		case w.Owner != "":
			return n.fail(s, either("stop it there", back), "%s on %s is managed by %s, which would start it again", w, site.Name, w.Owner)
		case planned == nil:
			return n.fail(s, either("run the same command again with --quiesce, which names it", back), "%s uses the PVCs on %s, and the plan did not name it", w, site.Name)
		case planned.Replicas != w.Replicas:
			planned.Replicas = w.Replicas
		}
		stop = append(stop, Scale{Kind: w.Kind, Name: w.Name, Replicas: 0, ResourceVersion: w.ResourceVersion})
	}
	if len(stop) > 0 {
		if behind := n.behind(); behind != nil {
			return n.send(s, n.write(behind))
		}
		return n.scale(s, site, stop)
	}
	if users := site.Usage.Users; len(users) > 0 {
		return n.look(s, false, "waits until nothing uses the PVCs on %s: %s", site.Name, join(users))
	}
	n.op.finish(s.ID, site.Now)
	return nil
}

// either returns a step, and a command in its place where there is one.
func either(step, command string) string {
	if command == "" {
		return step
	}
	return step + "; or " + command
}

// behind returns a site whose journal does not say yet what will have been stopped; nil without one.
func (n *next) behind() *Site {
	for _, site := range n.reached() {
		for _, w := range n.op.Stopped {
			if x := site.Journal.stopped(w.Cluster, Workload{Kind: w.Kind, Name: w.Name}); x == nil || x.Replicas != w.Replicas {
				return site
			}
		}
	}
	return nil
}

// startWorkloads starts what was stopped, where it exists and does not run already. Whether its
// pods get well is not the operation's business: it ends.
func (n *next) startWorkloads(s Step, site *Site) *Decision {
	n.op.start(s.ID, site.Cluster, false, site.Now)
	if len(n.op.toStart()) > 0 {
		if d := n.unknownUsage(s, site); d != nil {
			return d
		}
	}
	var start []Scale
	for _, want := range n.op.toStart() {
		for _, w := range site.Usage.Workloads {
			if w.Kind == want.Kind && w.Name == want.Name && w.Replicas == 0 && want.Replicas > 0 {
				start = append(start, Scale{Kind: w.Kind, Name: w.Name, Replicas: want.Replicas, ResourceVersion: w.ResourceVersion})
			}
		}
	}
	if len(start) > 0 {
		return n.scale(s, site, start)
	}
	n.op.finish(s.ID, site.Now)
	return nil
}

func (n *next) scale(s Step, site *Site, all []Scale) *Decision {
	return &Decision{Operation: n.op, Step: s, Write: &Write{Site: site.SiteRef, Scale: all}}
}

// stops returns the words of a step that stops workloads.
func (op *Operation) stops(at SiteRef) string {
	all := op.stoppedOn(at.Cluster)
	if len(all) == 0 {
		return "nothing that could be stopped uses the PVCs; wait until nothing does"
	}
	return "scale to 0: " + join(all)
}

// starts returns the words of a step that starts workloads.
func (op *Operation) starts() string {
	all := op.toStart()
	if len(all) == 0 {
		return "nothing was stopped"
	}
	return "scale up where it exists: " + join(all)
}

// managed returns the workloads of a site that another controller would start again.
func (u *Usage) managed() []string {
	var out []string
	for _, w := range u.Workloads {
		if w.Owner != "" && w.Replicas > 0 {
			out = append(out, fmt.Sprintf("%s (by %s)", w, w.Owner))
		}
	}
	return out
}

// stoppable reports whether a user goes when the workloads are stopped. A node releases a volume
// when its pods are gone.
func (u *Usage) stoppable(x User) bool {
	return slices.ContainsFunc(u.Workloads, func(w Workload) bool {
		return w.String() == x.Workload || x.Kind == "node" && w.Replicas > 0 && slices.Contains(w.Claims, x.Claim)
	})
}

// unattended returns what helps when nodes hold volumes that no pod uses; empty when a pod does. A node that is gone
// detaches nothing, and Kubernetes waits for it.
func unattended(users []User) string {
	for _, u := range users {
		if u.Kind != "node" {
			return ""
		}
	}
	node := ShellQuote(users[0].Name)
	return fmt.Sprintf("no pod uses them: a node that runs detaches by itself; when kubectl get node %s says that it is NotReady or gone, make sure that the machine is off, "+
		"then kubectl taint node %s node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or delete the volumeattachment when the node is gone", node, node)
}

// usersOn checks what uses the PVCs on a site that is to give up its role.
func (c *checker) usersOn(s *Site) {
	if s.Group == nil {
		return
	}
	u := s.Usage
	if u == nil {
		u = &Usage{Unknown: "nothing was checked"}
	}
	remain, managed := u.Users, []string(nil)
	if c.op.Quiesce {
		remain, managed = slices.DeleteFunc(slices.Clone(u.Users), u.stoppable), u.managed()
	}
	switch {
	case len(managed) > 0:
		c.add("users", CheckProblem, "stop it there", "something else manages %s on %s and would start it again", strings.Join(managed, ", "), s.Name)
	case len(remain) > 0:
		remedy, nodesOnly := "stop them on "+s.Name+" first", unattended(remain)
		if nodesOnly != "" {
			remedy = nodesOnly
		}
		if c.op.Kind == Demote {
			remedy += "; --force leaves it to the storage to refuse"
		} else if nodesOnly == "" && !c.op.Quiesce && c.op.Kind != Unplanned {
			remedy += "; --quiesce does that for Deployments and StatefulSets"
		}
		severity := c.unlessLost(s)
		if c.op.Force {
			severity = CheckWarning
		}
		c.add("users", severity, remedy, "in use on %s by %s", s.Name, join(remain))
	case u.Unknown != "":
		severity := CheckWarning
		if c.op.Quiesce || c.facts.Traits.PromoteFirst {
			severity = c.unlessLost(s)
		}
		c.add("users", severity, "allow list on pods and volumeattachments, and with --quiesce on deployments and statefulsets", "what uses the PVCs on %s is not known: %s", s.Name, u.Unknown)
	case len(u.Users) > 0:
		c.ok("users", "what uses the PVCs on %s will be stopped: %s", s.Name, join(u.Users))
	default:
		c.ok("users", "nothing uses the PVCs on %s", s.Name)
	}
}
