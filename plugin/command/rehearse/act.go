// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// pause is between two looks while a rehearsal waits.
const pause = time.Second

// run takes the rehearsal to its end, step by step. Whatever stops it, the same command continues.
func (p *place) run(ctx context.Context, next string) error {
	begun, began, said := true, p.e.Clock.Now(), ""
	say := func(a rehearsal.Action) {
		if text := p.words(a); text != "" && text != said {
			said = text
			if p.lines != nil {
				p.lines.Lock()
				defer p.lines.Unlock()
			}
			fmt.Fprintf(p.e.ErrOut, "%4s  %s  %s  %s\n", p.e.Clock.Since(began).Round(time.Second), present.Clean(p.at.Name), present.Clean(p.key.String()), present.Clean(text))
		}
	}
	for {
		seen, err := p.read(ctx)
		var a rehearsal.Action
		if err == nil {
			seen.Begun, begun = begun, false
			if a = rehearsal.Next(seen, p.now()); a.Do == rehearsal.DoEnd {
				return nil
			}
			say(a)
			if a.Do == rehearsal.DoStop {
				return clierror.New(clierror.CodeFailed, cmp.Or(a.Next, next), "rehearse %s on %s: %s", p.key, p.at.Name, a.Text)
			}
			err = p.act(ctx, a)
		}
		if stop := p.stops(ctx, err, a, next); stop != nil {
			return stop
		}
		if err != nil && !passing(err) {
			_, why := collect.Explain(p.at, err)
			say(rehearsal.Action{Do: rehearsal.DoWait, Step: a.Step, Text: why})
		}
		if a.Do != rehearsal.DoWait && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-p.e.Clock.After(pause):
		}
		if err := cli.Ended(ctx, next, "%s: rehearsal %s is left as it is", p.key, p.record.ID); err != nil {
			return err
		}
	}
}

// stops returns the error that ends the command; nil where it is worth to look again.
func (p *place) stops(ctx context.Context, err error, a rehearsal.Action, next string) error {
	if err == nil || ctx.Err() != nil || passing(err) {
		return nil //nolint:nilerr // as said
	}
	if _, unread := errors.AsType[*noRunner](err); unread {
		return clierror.New(clierror.CodeFailed, next, "rehearse %s on %s: %v", p.key, p.at.Name, err)
	}
	if operate.Refused(err) && !apierrors.IsTooManyRequests(err) && errors.As(err, new(apierrors.APIStatus)) {
		return cli.SiteError(ctx, p.at, cmp.Or(doing(a.Do), "read what belongs to rehearsal "+p.record.ID), err)
	}
	return nil
}

// passing reports whether an error only says that another process was faster.
func passing(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

// doing says what an action does, for errors and progress; empty for what only reads.
func doing(d rehearsal.Do) string {
	switch d {
	case rehearsal.DoRecord:
		return "write the record of the rehearsal"
	case rehearsal.DoStorageJob:
		return "create a Job"
	case rehearsal.DoDeleteJob:
		return "delete a Job"
	case rehearsal.DoNamespace:
		return "create the namespace"
	case rehearsal.DoPolicy:
		return "create the NetworkPolicy"
	case rehearsal.DoVolumes:
		return "create the PersistentVolumes and PVCs"
	case rehearsal.DoCheck:
		return "create the check"
	case rehearsal.DoDeleteNamespace:
		return "delete the namespace"
	case rehearsal.DoDeleteVolumes:
		return "delete the PersistentVolumes"
	default:
		return ""
	}
}

// words says in a line what comes next.
func (p *place) words(a rehearsal.Action) string {
	switch a.Do {
	case rehearsal.DoWait:
		return string(a.Step) + ": " + a.Text
	case rehearsal.DoStorageJob:
		return fmt.Sprintf("%s: %s: %s/%s", a.Step, doing(a.Do), p.record.DriverNamespace, p.record.Job(a.Step))
	case rehearsal.DoDeleteJob:
		return fmt.Sprintf("%s: %s: %s/%s", rehearsal.StepRemove, doing(a.Do), p.record.DriverNamespace, p.record.Job(a.Step))
	case rehearsal.DoNamespace, rehearsal.DoDeleteNamespace:
		return fmt.Sprintf("%s: %s %s", a.Step, doing(a.Do), p.record.Namespace)
	case rehearsal.DoPolicy, rehearsal.DoVolumes, rehearsal.DoCheck, rehearsal.DoDeleteVolumes:
		return string(a.Step) + ": " + doing(a.Do)
	default:
		return ""
	}
}

// now is the clock of the site.
func (p *place) now() time.Time {
	if t := p.at.Now(); !t.IsZero() {
		return t
	}
	return p.e.Clock.Now()
}

func (p *place) act(ctx context.Context, a rehearsal.Action) error {
	r := &p.record
	switch a.Do {
	case rehearsal.DoRecord:
		return p.write(ctx, a.Record, false)
	case rehearsal.DoStorageJob:
		job, err := p.storageJob(ctx, a.Step)
		if err != nil {
			return err
		}
		return p.c.Create(ctx, job, site.FieldManager)
	case rehearsal.DoDeleteJob:
		return p.c.Delete(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: r.DriverNamespace, Name: r.Job(a.Step)}}, client.PropagationPolicy(metav1.DeletePropagationForeground))
	case rehearsal.DoNamespace:
		var like corev1.Namespace
		if err := p.c.Get(ctx, client.ObjectKey{Name: p.key.Namespace}, &like); err != nil {
			return err
		}
		return p.c.Create(ctx, r.NamespaceObject(p.key, like.Labels), site.FieldManager)
	case rehearsal.DoPolicy:
		return p.c.Create(ctx, r.Policy(p.key), site.FieldManager)
	case rehearsal.DoVolumes:
		return p.createVolumes(ctx)
	case rehearsal.DoCheck:
		return p.c.Create(ctx, r.CheckObject(p.key, p.check), site.FieldManager)
	case rehearsal.DoDeleteNamespace:
		return p.deleteNamespace(ctx)
	case rehearsal.DoDeleteVolumes:
		return p.deleteVolumes(ctx)
	default:
		return nil
	}
}

// write puts the record on the group, bound to the version that was read, and nothing else: the role of a group is never
// a rehearsal's business.
func (p *place) write(ctx context.Context, r rehearsal.Record, dry bool) error {
	if p.recovered {
		p.record = r
		return nil
	}
	text, err := rehearsal.Put(p.group, r)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": p.group.UID, "resourceVersion": p.group.ResourceVersion, "annotations": map[string]string{vgrv1.AnnotationRehearsals: text},
	}})
	if err != nil {
		return err
	}
	opts := []client.PatchOption{site.FieldManager}
	if dry {
		opts = append(opts, client.DryRunAll)
	}
	g := p.group.DeepCopy()
	if err := p.c.Patch(ctx, g, client.RawPatch(types.MergePatchType, patch), opts...); err != nil || dry {
		return err
	}
	p.group, p.record = g, r
	return nil
}

func (p *place) rehearsals() (backend.Rehearsal, bool) {
	for _, profile := range p.e.Profiles {
		if of := profile.Rehearsal; of.Pods != nil && of.Refuses(p.record.Driver) == "" {
			return of, true
		}
	}
	return backend.Rehearsal{}, false
}

// noRunner is that no Job can be made; another look would not help.
type noRunner struct{ error }

func (p *place) storageJob(ctx context.Context, step rehearsal.StepID) (*batchv1.Job, error) {
	if p.runner == nil {
		of, ok := p.rehearsals()
		if !ok {
			return nil, &noRunner{fmt.Errorf("no backend of this version can rehearse volumes of the driver %q", p.record.Driver)}
		}
		runner, err := runnerOf(ctx, p.c, of, p.record.Driver)
		switch {
		case err != nil && errors.As(err, new(apierrors.APIStatus)):
			return nil, err
		case err != nil:
			return nil, &noRunner{err}
		}
		p.runner = &runner
	}
	if p.record.DriverNamespace == "" { // it was recovered
		p.record.DriverNamespace = p.runner.Namespace
	}
	if p.runner.Namespace != p.record.DriverNamespace {
		return nil, &noRunner{fmt.Errorf("the driver %s runs in namespace %s now, and the rehearsal began in %s", p.record.Driver, p.runner.Namespace, p.record.DriverNamespace)}
	}
	return p.record.StorageJob(p.key, step, *p.runner)
}

func (p *place) createVolumes(ctx context.Context) error {
	found, broken, err := sources(ctx, p.c, p.group)
	if err != nil {
		return err
	}
	for i, v := range p.record.Volumes {
		k := slices.IndexFunc(found, func(s rehearsal.Source) bool { return s.PVC.Name == v.PVC })
		if k < 0 {
			return &noRunner{fmt.Errorf("PVC %s has left the group since the rehearsal began: %s", v.PVC, strings.Join(broken, "; "))}
		}
		pv, pvc := p.record.VolumeObjects(p.key, i, found[k])
		for _, obj := range []client.Object{pv, pvc} {
			if err := p.c.Create(ctx, obj, site.FieldManager); err != nil && !apierrors.IsAlreadyExists(err) {
				return err
			}
		}
	}
	return nil
}

// deleteNamespace deletes the one that was seen, which is the rehearsal's.
func (p *place) deleteNamespace(ctx context.Context) error {
	var ns corev1.Namespace
	if err := p.c.Get(ctx, client.ObjectKey{Name: p.record.Namespace}, &ns); err != nil || p.whose(&ns) != rehearsal.Ours {
		return err
	}
	return p.c.Delete(ctx, &ns, client.Preconditions{UID: &ns.UID})
}

func (p *place) deleteVolumes(ctx context.Context) error {
	var pvs corev1.PersistentVolumeList
	if err := p.c.List(ctx, &pvs, client.MatchingLabels{vgrv1.LabelRehearsal: p.record.ID}); err != nil {
		return err
	}
	for i := range pvs.Items {
		pv := &pvs.Items[i]
		if p.whose(pv) != rehearsal.Ours {
			continue
		}
		if err := client.IgnoreNotFound(p.c.Delete(ctx, pv, client.Preconditions{UID: &pv.UID})); err != nil {
			return err
		}
	}
	return nil
}
