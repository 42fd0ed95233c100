// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package install has install and uninstall.
package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// pullPolicies returns those that Kubernetes knows.
func pullPolicies() []string { return []string{"Always", "IfNotPresent", "Never"} }

// installation is what install was asked for.
type installation struct {
	cli.Change
	image       string
	registry    string
	pullPolicy  string
	pullSecrets []string
	replicas    int64
	backends    []string
	export      bool
	wait        bool
	timeout     time.Duration
}

// NewInstall makes the install command.
func NewInstall(e *cli.Env) *cobra.Command {
	in := &installation{}
	cmd := &cobra.Command{
		Use: "install", Short: "Install or upgrade the CRDs and the controller on this site", Args: cobra.NoArgs,
		Long: `Install or upgrade the CRDs and the controller on this site.

Run it once for each site (--context). The command updates existing objects in place and deletes none. It leaves CRDs of
a newer version as they are, so that it can install an older controller again. It grants the controller permissions only
for the backends that you choose. From Kubernetes 1.30 on it also installs an admission policy, by which the API server
refuses writes that would make a second primary. With --export it contacts no cluster and prints the objects.

A released plugin installs the controller's image of the same release, by its digest. Where the cluster cannot reach the
public registry, copy that image to your own one and name it with --image-registry. A plugin that was built from source
has no image of its own: name one with --image.`,
		Example: `  kubectl vgr install --context east
  kubectl vgr install --context east --image-registry registry.example.com/mirror --image-pull-secret mirror
  kubectl vgr install --image registry.example.com/vgr-controller:v1 --backend trident --export`,
	}
	in.AddFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&in.image, "image", "", "image of the controller, in the same version as this plugin (default: the image of this plugin's release)")
	flags.StringVar(&in.registry, "image-registry", "", "registry, with a path if it needs one, that has a copy of the image of this plugin's release")
	flags.StringVar(&in.pullPolicy, "image-pull-policy", "", "when a node pulls the image: Always, IfNotPresent or Never (default: the cluster's)")
	flags.StringSliceVar(&in.pullSecrets, "image-pull-secret", nil, "name of a Secret in namespace "+manifests.Namespace+" that the nodes pull the image with")
	flags.Int64Var(&in.replicas, "replicas", 2, "number of controller Pods; one leads, the others stand by")
	flags.StringSliceVar(&in.backends, "backend", e.Profiles.Names(), "backends that the controller serves")
	flags.BoolVar(&in.export, "export", false, "print the objects as YAML and change nothing")
	flags.BoolVar(&in.wait, "wait", true, "wait until the controller is ready")
	flags.DurationVar(&in.timeout, "timeout", 5*time.Minute, "how long to wait")
	_ = cmd.RegisterFlagCompletionFunc("image-pull-policy", cobra.FixedCompletions(pullPolicies(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("backend", cobra.FixedCompletions(e.Profiles.Names(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		return in.run(cmd.Context(), e)
	}
	return cmd
}

func (in *installation) run(ctx context.Context, e *cli.Env) error {
	mode, err := in.Mode()
	if err != nil {
		return err
	}
	objects, err := in.objects(e)
	if err != nil {
		return err
	}
	if in.export {
		return export(e, objects)
	}
	here, err := e.Sites.Here()
	if err != nil {
		return err
	}
	c, err := here.Client()
	if err != nil {
		return err
	}
	plan, err := compare(ctx, here, c, objects)
	if err != nil {
		return err
	}
	plan.show(e, here)
	in.connections(ctx, e, c)
	switch {
	case mode != cli.DryRunNone:
		if mode == cli.DryRunServer {
			if err := plan.check(ctx, here, c); err != nil {
				return err
			}
		}
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	case !plan.empty():
		if err := e.ConfirmContext(in.Yes, here.Name); err != nil {
			return err
		}
		if err := plan.carryOut(ctx, e, here, c); err != nil {
			return err
		}
	}
	if !in.wait {
		return nil
	}
	return in.await(ctx, e, here, c)
}

// connections tells of backends that do not reach their drivers: the controller would wait for them without end.
func (in *installation) connections(ctx context.Context, e *cli.Env, c client.Client) {
	for _, p := range e.Profiles {
		if p.Unconnected == nil || !slices.Contains(in.backends, p.Name) {
			continue
		}
		trouble, err := p.Unconnected(ctx, c, "")
		if err != nil {
			trouble = "could not check whether it reaches its drivers: " + err.Error()
		}
		if trouble != "" {
			fmt.Fprintf(e.ErrOut, "  - %s: %s\n", p.Name, present.Clean(trouble))
		}
	}
}

// objects returns what is to be there.
func (in *installation) objects(e *cli.Env) ([]*unstructured.Unstructured, error) {
	image, err := in.imageOf(version.Get())
	if err != nil {
		return nil, err
	}
	if in.pullPolicy != "" && !slices.Contains(pullPolicies(), in.pullPolicy) {
		return nil, clierror.New(clierror.CodeError, "known are "+strings.Join(pullPolicies(), ", "), "--image-pull-policy: there is no policy %q", in.pullPolicy)
	}
	if in.replicas < 1 {
		return nil, clierror.New(clierror.CodeError, "", "--replicas must be 1 or more, not %d", in.replicas)
	}
	o := manifests.Options{Image: image, PullPolicy: in.pullPolicy, PullSecrets: in.pullSecrets, Replicas: in.replicas}
	for _, name := range in.backends {
		if _, ok := e.Profiles.Named(name); !ok {
			return nil, clierror.New(clierror.CodeError, "known are "+strings.Join(e.Profiles.Names(), ", "), "--backend: there is no backend %q", name)
		}
	}
	for _, p := range e.Profiles {
		if !slices.Contains(in.backends, p.Name) {
			o.Without = append(o.Without, p.APIGroups...)
		}
	}
	if len(o.Without) > 0 {
		o.Args = []string{"--backends=" + strings.Join(in.backends, ",")}
	}
	return manifests.Install(o)
}

// imageOf returns the image that is installed: the named one, or that of the plugin's own release, from a mirror if one is named.
func (in *installation) imageOf(v version.Info) (string, error) {
	switch {
	case in.image != "" && in.registry != "":
		return "", clierror.New(clierror.CodeError, "name the whole image with --image, or only the registry with --image-registry", "--image and --image-registry exclude each other")
	case in.image != "":
		return in.image, nil
	case v.Image == "":
		return "", clierror.New(clierror.CodeError, "build one with the version of this plugin ("+v.Version+") and name it with --image", "this build of the plugin belongs to no release and has no image: --image is required")
	case in.registry != "":
		return strings.TrimSuffix(in.registry, "/") + v.Image[strings.LastIndexByte(v.Image, '/'):], nil
	default:
		return v.Image, nil
	}
}

func export(e *cli.Env, objects []*unstructured.Unstructured) error {
	for _, u := range objects {
		text, err := yaml.Marshal(u.Object)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.Data(), "---\n%s", text)
	}
	return nil
}

// installPlan is what has to be written, in order, and what is so already.
type installPlan struct {
	create, change []*unstructured.Unstructured
	// keep are CRDs that stay as they are, because a newer version has written them.
	keep []kept
	same int
	all  []*unstructured.Unstructured
	// noPolicy is true when the API server serves no admission policies.
	noPolicy bool
}

// kept is a CRD with fields that this version does not know.
type kept struct {
	crd    *unstructured.Unstructured
	fields []string
}

func (p installPlan) empty() bool { return len(p.create)+len(p.change) == 0 }

// compare asks the API server what an application of each object would change.
func compare(ctx context.Context, s *site.Site, c client.Client, objects []*unstructured.Unstructured) (installPlan, error) {
	p := installPlan{all: objects}
	for _, want := range objects {
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(want.GroupVersionKind())
		err := c.Get(ctx, client.ObjectKeyFromObject(want), there)
		switch {
		case unserved(err) && want.GroupVersionKind().Group == manifests.AdmissionGroup:
			p.noPolicy = true
			continue
		case apierrors.IsNotFound(err):
			p.create = append(p.create, want)
			continue
		}
		if err != nil {
			return p, cli.SiteError(ctx, s, "read "+cli.Title(want), err)
		}
		if newer := newerFields(want, there); len(newer) > 0 {
			p.keep = append(p.keep, kept{want, newer})
			continue
		}
		after := want.DeepCopy()
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(after), site.FieldManager, client.ForceOwnership, client.DryRunAll); err != nil {
			return p, cli.SiteError(ctx, s, "check "+cli.Title(want), err)
		}
		there.SetManagedFields(nil) // who has written it before does not matter
		after.SetManagedFields(nil)
		if equality.Semantic.DeepEqual(there.Object, after.Object) {
			p.same++
		} else {
			p.change = append(p.change, want)
		}
	}
	return p, nil
}

// newerFields returns the fields of a CRD that is there and which this version does not know. To apply its own would take
// them off: what a newer controller has remembered in them would be lost.
func newerFields(want, there *unstructured.Unstructured) []string {
	if want.GetKind() != "CustomResourceDefinition" {
		return nil
	}
	return manifests.Lacks(want, there)
}

// unserved tells a resource that the API server does not know from an object that is not there.
func unserved(err error) bool {
	return apierrors.IsNotFound(err) && (!cli.NamedNotFound(err) || apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse))
}

func (p installPlan) show(e *cli.Env, s *site.Site) {
	fmt.Fprintf(e.ErrOut, "%s: install kubectl vgr %s\n", present.Clean(s.Name), version.Get().Version)
	for _, u := range p.create {
		fmt.Fprintf(e.ErrOut, "  create %s\n", cli.Title(u))
	}
	for _, u := range p.change {
		fmt.Fprintf(e.ErrOut, "  change %s\n", cli.Title(u))
	}
	for _, k := range p.keep {
		fmt.Fprintf(e.ErrOut, "  keep %s, which has fields of a newer version: %s\n", cli.Title(k.crd), present.Clean(strings.Join(k.fields, ", ")))
	}
	if p.same > 0 {
		fmt.Fprintf(e.ErrOut, "  %d objects unchanged\n", p.same)
	}
	if p.noPolicy {
		fmt.Fprintln(e.ErrOut, "  - this API server has no admission policies (Kubernetes 1.30 has): the controller refuses promotions that are not confirmed, and kubectl apply does not")
	}
}

// check sends what is to be created as a dry run, as far as its namespace is there.
func (p installPlan) check(ctx context.Context, s *site.Site, c client.Client) error {
	missing := slices.ContainsFunc(p.create, func(u *unstructured.Unstructured) bool { return u.GetKind() == "Namespace" })
	for _, u := range p.create {
		if missing && u.GetNamespace() != "" {
			continue
		}
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u.DeepCopy()), site.FieldManager, client.ForceOwnership, client.DryRunAll); err != nil {
			return cli.SiteError(ctx, s, "check "+cli.Title(u), err)
		}
	}
	return nil
}

// carryOut writes everything in order; a second run resumes where the first one stopped.
func (p installPlan) carryOut(ctx context.Context, e *cli.Env, s *site.Site, c client.Client) error {
	for _, u := range p.all {
		did := "changed"
		switch {
		case slices.Contains(p.create, u):
			did = "created"
		case !slices.Contains(p.change, u):
			continue
		}
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u.DeepCopy()), site.FieldManager, client.ForceOwnership); err != nil {
			return cli.WriteError(ctx, s, false, "write "+cli.Title(u), err)
		}
		fmt.Fprintf(e.Out, "%s %s\n", cli.Title(u), did)
	}
	return nil
}

// await waits until every replica runs what was asked for.
func (in *installation) await(ctx context.Context, e *cli.Env, s *site.Site, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, in.timeout)
	defer cancel()
	ticks := e.Clock.NewTicker(time.Second)
	defer ticks.Stop()
	last := "its Deployment has not been read"
	for {
		waiting, err := missingReplicas(ctx, c)
		switch {
		case err != nil && ctx.Err() == nil:
			return cli.SiteError(ctx, s, "read the Deployment of the controller", err)
		case err == nil && waiting == "":
			fmt.Fprintf(e.Out, "the controller is ready on %s\n", present.Clean(s.Name))
			return nil
		case err == nil && waiting != last:
			last = waiting
			fmt.Fprintf(e.ErrOut, "  %s\n", present.Clean(waiting))
		}
		select {
		case <-ctx.Done():
			return clierror.New(clierror.CodeTimeout, fmt.Sprintf("kubectl --context %s -n %s describe pods; the same command resumes", s.Kubectl(), manifests.Namespace), "the controller is not ready on %s: %s", s.Name, last)
		case <-ticks.C():
		}
	}
}

// missingReplicas says what the controller's Deployment still lacks, with the first reason that its
// Pods give; empty when it lacks nothing.
func missingReplicas(ctx context.Context, c client.Client) (string, error) {
	var d appsv1.Deployment
	if err := c.Get(ctx, client.ObjectKey{Namespace: manifests.Namespace, Name: manifests.Controller}, &d); err != nil {
		return "", err
	}
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	st := d.Status
	if st.ObservedGeneration >= d.Generation && st.UpdatedReplicas == want && st.AvailableReplicas == want && st.Replicas == want {
		return "", nil
	}
	waiting := fmt.Sprintf("%d of %d controllers are ready", min(st.AvailableReplicas, st.UpdatedReplicas), want)
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(manifests.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
		return "", err
	}
	for _, pod := range pods.Items {
		if reason := stuck(&pod); reason != "" {
			return fmt.Sprintf("%s; %s: %s", waiting, pod.Name, reason), nil
		}
	}
	for _, cond := range d.Status.Conditions {
		if cond.Type == appsv1.DeploymentReplicaFailure && cond.Status == corev1.ConditionTrue {
			return waiting + "; " + cond.Message, nil
		}
	}
	return waiting, nil
}

// stuck returns why a Pod does not get on; empty when it does not say.
func stuck(pod *corev1.Pod) string {
	for _, s := range pod.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil && w.Reason != "ContainerCreating" {
			return w.Reason + ": " + w.Message
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason + ": " + c.Message
		}
	}
	return ""
}
