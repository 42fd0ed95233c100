// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Metrics tells Prometheus what the statuses say. It reads them when it is asked, and keeps nothing: what
// is not known has no series. Only the controller that leads answers, so that nothing is told twice.
type Metrics struct {
	list    func(client.ObjectList) error
	elected <-chan struct{}
	version string

	build, spec, state, condition, reason, volumes, lastSync, schedule, operation, rehearsal, passed, due, deletion, unguarded *prometheus.Desc
}

// NewMetrics makes the collector. What list returns is only read, so it may be a cache's own.
func NewMetrics(list func(client.ObjectList) error, elected <-chan struct{}, version string) *Metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("vgr_"+name, help, append([]string{"kind", "namespace", "name"}, labels...), nil)
	}
	return &Metrics{
		list: list, elected: elected, version: version,
		build:     prometheus.NewDesc("vgr_build_info", "The version of the controller that leads.", []string{"version"}, nil),
		spec:      desc("spec_state", "The state that is asked for, 1 for that one.", "state", "class", "backend"),
		state:     desc("status_state", "The state that the backend reports, 1 for that one.", "state"),
		condition: desc("status_condition", "The conditions, 1 for the status that each has.", "type", "status"),
		reason:    desc("status_condition_reason", "Why a condition is as it is, 1 for its reason; Other for one that only the backend knows.", "type", "reason"),
		volumes:   desc("status_volumes", "PVCs that the backend has confirmed to be replicated."),
		lastSync:  desc("status_last_sync_timestamp_seconds", "When the last synchronisation that is known of was; absent when none is."),
		schedule:  desc("schedule_seconds", "How often the class has the storage synchronise; absent when it does not say."),
		deletion:  desc("deletion_timestamp_seconds", "When the object was deleted that is still there; absent when it was not."),
		unguarded: desc("promotion_unguarded", "1 when every request for primary is obeyed, by the annotation promotion; else 0."),
		operation: desc("last_operation_timestamp_seconds", "When the last failover or failback began.", "operation", "result"),
		rehearsal: desc("last_rehearsal_timestamp_seconds", "When the last rehearsal on this site began.", "result"),
		passed:    desc("last_passed_rehearsal_timestamp_seconds", "When the last rehearsal on this site began that passed; absent when none did."),
		due:       desc("rehearsal_due_timestamp_seconds", "When the rehearsal should end of which something is left; absent when nothing is."),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.build, m.spec, m.state, m.condition, m.reason, m.volumes, m.lastSync, m.schedule, m.operation, m.rehearsal, m.passed, m.due, m.deletion, m.unguarded} {
		ch <- d
	}
}

// replicated is what groups and single volumes have in common here.
type replicated struct {
	obj     client.Object
	labels  [3]string
	class   string
	desired vgrv1.ReplicationState
	status  *vgrv1.ReplicationStatus
	volumes int
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	select {
	case <-m.elected:
	default:
		return
	}
	ch <- gauge(m.build, 1, m.version)
	var groups vgrv1.VolumeGroupReplicationList
	var singles vgrv1.VolumeReplicationList
	for _, list := range []client.ObjectList{&groups, &singles} {
		if err := m.list(list); err != nil {
			ch <- prometheus.NewInvalidMetric(m.state, err)
			return
		}
	}
	schedules := m.schedules()
	for i := range groups.Items {
		g := &groups.Items[i]
		r := replicated{
			obj: g, labels: [3]string{"VolumeGroupReplication", g.Namespace, g.Name}, class: g.Spec.VolumeGroupReplicationClass,
			desired: g.Spec.ReplicationState, status: &g.Status.ReplicationStatus, volumes: len(g.Status.PersistentVolumeClaimsRefList),
		}
		m.tell(ch, r, schedules)
		if op, err := recovery.Journal(g); err == nil && op != nil {
			kind, result := journalled(op)
			ch <- gauge(m.operation, float64(op.Started.Unix()), append(r.labels[:], kind, result)...)
		}
		m.rehearsals(ch, g, r.labels[:])
	}
	for i := range singles.Items {
		v := &singles.Items[i]
		confirmed := 0
		if v.Status.VolumeHandle != "" {
			confirmed = 1
		}
		m.tell(ch, replicated{
			obj: v, labels: [3]string{"VolumeReplication", v.Namespace, v.Name}, class: v.Spec.VolumeReplicationClass,
			desired: v.Spec.ReplicationState, status: &v.Status.ReplicationStatus, volumes: confirmed,
		}, schedules)
	}
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// tell sends the series of one object.
func (m *Metrics) tell(ch chan<- prometheus.Metric, r replicated, schedules map[string]int64) {
	send := func(d *prometheus.Desc, value float64, more ...string) {
		ch <- gauge(d, value, append(r.labels[:], more...)...)
	}
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	for _, s := range []vgrv1.ReplicationState{vgrv1.Primary, vgrv1.Secondary, vgrv1.Resync} {
		send(m.spec, is(r.desired == s), string(s), r.class, r.status.Backend)
	}
	for _, s := range []vgrv1.State{vgrv1.StatePrimary, vgrv1.StateSecondary, vgrv1.StateUnknown} {
		send(m.state, is(r.status.State == s), string(s))
	}
	for _, c := range r.status.Conditions {
		for _, s := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown} {
			send(m.condition, is(c.Status == s), c.Type, strings.ToLower(string(s)))
		}
		send(m.reason, 1, c.Type, bounded(c.Reason))
	}
	send(m.volumes, float64(r.volumes))
	send(m.unguarded, is(r.obj.GetAnnotations()[vgrv1.AnnotationPromotion] == vgrv1.PromotionUnguarded))
	if deleted := r.obj.GetDeletionTimestamp(); deleted != nil {
		send(m.deletion, float64(deleted.Unix()))
	}
	if r.status.LastSyncTime != nil {
		send(m.lastSync, float64(r.status.LastSyncTime.Unix()))
	}
	if seconds, ok := schedules[r.labels[0]+"/"+r.class]; ok {
		send(m.schedule, float64(seconds))
	}
}

// rehearsals sends what the group remembers of them on this site.
func (m *Metrics) rehearsals(ch chan<- prometheus.Metric, g *vgrv1.VolumeGroupReplication, labels []string) {
	all, err := rehearsal.Records(g)
	if err != nil || len(all) == 0 {
		return
	}
	last, result := all[0], other
	switch {
	case slices.Contains([]rehearsal.Result{rehearsal.Passed, rehearsal.Failed, rehearsal.Abandoned}, last.Result):
		result = string(last.Result)
	case last.Result == "":
		result = "in progress"
	}
	ch <- gauge(m.rehearsal, float64(last.Started.Unix()), append(slices.Clone(labels), result)...)
	if passed := rehearsal.LastPassed(all); passed != nil {
		ch <- gauge(m.passed, float64(passed.Unix()), labels...)
	}
	if last.Open() {
		ch <- gauge(m.due, float64(last.Due().Unix()), labels...)
	}
}

// schedules returns the intervals of the classes that have one; without the classes there is none.
func (m *Metrics) schedules() map[string]int64 {
	out := map[string]int64{}
	var groups vgrv1.VolumeGroupReplicationClassList
	var singles vgrv1.VolumeReplicationClassList
	if m.list(&groups) != nil || m.list(&singles) != nil {
		return out
	}
	add := func(kind, name string, parameters map[string]string) {
		if every, ok := state.Interval(parameters[vgrv1.ParameterSchedulingInterval]); ok {
			out[kind+"/"+name] = int64(every.Seconds())
		}
	}
	for _, c := range groups.Items {
		add("VolumeGroupReplication", c.Name, c.Spec.Parameters)
	}
	for _, c := range singles.Items {
		add("VolumeReplication", c.Name, c.Spec.Parameters)
	}
	return out
}

// journalled returns the kind and the result of an operation, or Other: a journal is an annotation, which others may write.
func journalled(op *recovery.Operation) (kind, result string) {
	kind, result = other, other
	if slices.Contains([]recovery.Kind{recovery.Planned, recovery.Unplanned, recovery.Failback, recovery.Promote, recovery.Demote, recovery.Resync}, op.Kind) {
		kind = string(op.Kind)
	}
	switch {
	case op.InFlight():
		result = "in flight"
	case slices.Contains([]recovery.Result{recovery.Done, recovery.Aborted, recovery.Superseded}, op.Result):
		result = string(op.Result)
	}
	return kind, result
}

// other stands for all that a label does not name.
const other = "Other"

// bounded returns a reason of the API, or Other: a backend's own words are without number.
func bounded(reason string) string {
	if slices.Contains(vgrv1.Reasons(), reason) {
		return reason
	}
	return other
}
