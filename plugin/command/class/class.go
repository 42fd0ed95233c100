// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package class has the commands about classes.
package class

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// NewClass makes the class command with its subcommands.
func NewClass(e *cli.Env) *cobra.Command {
	cmd := &cobra.Command{Use: "class", Short: "List, create and describe classes: how groups are replicated"}
	cmd.AddCommand(newClassList(e), newClassCreate(e), newClassDescribe(e))
	return cmd
}

func newClassList(e *cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "Show the classes of both sites",
		Example: "  kubectl vgr class list", Args: cobra.NoArgs,
	}
	out := cli.NewOutput(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		ctx := cmd.Context()
		p, err := e.Pair(ctx)
		if err != nil {
			return err
		}
		found := make([][]vgrv1.VolumeGroupReplicationClass, len(p.All()))
		errs := make([]error, len(p.All()))
		var asked sync.WaitGroup
		for i, s := range p.All() {
			asked.Go(func() { found[i], errs[i] = collect.Classes(ctx, s) })
		}
		asked.Wait()
		if errs[0] != nil {
			return cli.SiteError(ctx, p.Here, "list the classes", errs[0])
		}
		if !out.Human() {
			list := &vgrv1.VolumeGroupReplicationClassList{TypeMeta: metav1.TypeMeta{APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplicationClassList"}, Items: found[0]}
			return out.Print(e, list)
		}
		return classTable(ctx, e, p, found, errs)
	}
	return cmd
}

func classTable(ctx context.Context, e *cli.Env, p cli.Pair, found [][]vgrv1.VolumeGroupReplicationClass, errs []error) error {
	style, err := e.Style()
	if err != nil {
		return err
	}
	byName := map[string]vgrv1.VolumeGroupReplicationClass{}
	on := map[string][]string{}
	for i, s := range p.All() {
		if errs[i] != nil {
			fmt.Fprintln(e.ErrOut, present.Clean(cli.SiteError(ctx, s, "list the classes", errs[i]).Error()))
		}
		for _, c := range found[i] {
			byName[c.Name] = c
			on[c.Name] = append(on[c.Name], s.Name)
		}
	}
	if len(byName) == 0 {
		fmt.Fprintln(e.ErrOut, "No classes.\nNext: kubectl vgr class create NAME --provisioner DRIVER creates one")
		return nil
	}
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		c := byName[name]
		backendName := "unknown"
		if profile, ok := e.Profiles.ForClass(backend.ClassOf(&c)); ok {
			backendName = profile.Name
		}
		interval := c.Spec.Parameters[vgrv1.ParameterSchedulingInterval]
		if interval == "" {
			interval = "-"
		}
		rows = append(rows, []string{name, c.Spec.Provisioner, backendName, interval, strings.Join(on[name], ","), duration.HumanDuration(e.Clock.Since(c.CreationTimestamp.Time))})
	}
	return present.Rows(e.Out, style, []string{"CLASS", "PROVISIONER", "BACKEND", "INTERVAL", "SITES", "AGE"}, rows)
}

func newClassCreate(e *cli.Env) *cobra.Command {
	var ch cli.Change
	var provisioner string
	var params map[string]string
	cmd := &cobra.Command{
		Use: "create NAME --provisioner DRIVER", Short: "Create a class on this site; \"kubectl vgr create\" creates it on the peer",
		Example: `  kubectl vgr class create gold --provisioner rbd.csi.ceph.com --parameter schedulingInterval=5m`,
		Args:    cli.ExactlyOne("NAME"), ValidArgsFunction: cobra.NoFileCompletions,
	}
	ch.AddFlags(cmd)
	cmd.Flags().StringVar(&provisioner, "provisioner", "", "CSI driver of the volumes (required)")
	cmd.Flags().StringToStringVar(&params, "parameter", nil, "KEY=VALUE, may be repeated; \"kubectl vgr class describe\" explains the keys")
	_ = cmd.RegisterFlagCompletionFunc("provisioner", cobra.FixedCompletions(drivers(e.Profiles), cobra.ShellCompDirectiveNoFileComp))
	out := cli.NewOutput(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		mode, err := ch.Mode()
		if err != nil {
			return err
		}
		class := &vgrv1.VolumeGroupReplicationClass{
			TypeMeta:   metav1.TypeMeta{APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplicationClass"},
			ObjectMeta: metav1.ObjectMeta{Name: args[0]}, Spec: vgrv1.ClassSpec{Provisioner: provisioner, Parameters: params},
		}
		if err := checkClass(e, class); err != nil {
			return err
		}
		if mode == cli.DryRunNone || mode == cli.DryRunServer {
			if err := createClass(cmd.Context(), e, class, mode); err != nil {
				return err
			}
		}
		if !out.Human() {
			return out.Print(e, class)
		}
		suffix := map[cli.DryRun]string{cli.DryRunClient: " (dry run)", cli.DryRunServer: " (server dry run)"}[mode]
		fmt.Fprintf(e.Out, "volumegroupreplicationclass.replication.unified.io/%s created%s\n", class.Name, suffix)
		return nil
	}
	return cmd
}

// drivers returns those that have a whole name.
func drivers(all backend.Profiles) []string {
	return slices.DeleteFunc(all.Provisioners(), func(name string) bool { return strings.HasPrefix(name, backend.AnyNamespace) })
}

func checkClass(e *cli.Env, class *vgrv1.VolumeGroupReplicationClass) error {
	known := "known are " + strings.Join(e.Profiles.Provisioners(), ", ")
	if class.Spec.Provisioner == "" {
		return clierror.New(clierror.CodeError, known, "--provisioner is required")
	}
	profile, ok := e.Profiles.ForClass(backend.ClassOf(class))
	if !ok {
		return e.NoBackend(class)
	}
	problems := profile.CheckParameters(backend.ClassOf(class))
	if len(problems) == 0 {
		return nil
	}
	var names []string
	for _, p := range profile.Parameters {
		names = append(names, p.Name)
	}
	return clierror.Refused("parameters of "+profile.Name+" are "+strings.Join(names, ", "), "%s", backend.Messages(problems))
}

func createClass(ctx context.Context, e *cli.Env, class *vgrv1.VolumeGroupReplicationClass, mode cli.DryRun) error {
	here, err := e.Sites.Here()
	if err != nil {
		return err
	}
	cl, err := here.Client()
	if err != nil {
		return err
	}
	opts := []client.CreateOption{site.FieldManager}
	if mode == cli.DryRunServer {
		opts = append(opts, client.DryRunAll)
	}
	err = cl.Create(ctx, class, opts...)
	if apierrors.IsAlreadyExists(err) {
		return clierror.Refused("kubectl vgr class describe "+class.Name, "class %q on %s exists; classes cannot be changed", class.Name, here.Name)
	}
	if err != nil {
		return cli.WriteError(ctx, here, mode == cli.DryRunServer, "create class "+class.Name, err)
	}
	return nil
}

func newClassDescribe(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use: "describe NAME", Short: "Describe a class: its parameters, those that its backend takes, and the groups that use it",
		Example: "  kubectl vgr class describe gold", Args: cli.ExactlyOne("NAME"), ValidArgsFunction: cli.CompleteClasses(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SilenceUsage = true
			return describeClass(cmd.Context(), e, args[0])
		},
	}
}

func describeClass(ctx context.Context, e *cli.Env, name string) error {
	style, err := e.Style()
	if err != nil {
		return err
	}
	here, err := e.Sites.Here()
	if err != nil {
		return err
	}
	cl, err := here.Client()
	if err != nil {
		return err
	}
	var class vgrv1.VolumeGroupReplicationClass
	if err := cl.Get(ctx, client.ObjectKey{Name: name}, &class); apierrors.IsNotFound(err) && cli.NamedNotFound(err) {
		return clierror.New(clierror.CodeError, "kubectl vgr class list", "there is no class %q on %s", name, here.Name)
	} else if err != nil {
		return cli.SiteError(ctx, here, "read class "+name, err)
	}
	var groups vgrv1.VolumeGroupReplicationList
	if err := cl.List(ctx, &groups); err != nil {
		return cli.SiteError(ctx, here, "list the groups", err)
	}
	profile, known := e.Profiles.ForClass(backend.ClassOf(&class))
	fmt.Fprintf(e.Out, "Name:        %s\nProvisioner: %s\n", present.Clean(class.Name), present.Clean(class.Spec.Provisioner))
	if !known {
		fmt.Fprintln(e.Out, "Backend:     unknown: no backend serves this provisioner")
	} else {
		fmt.Fprintf(e.Out, "Backend:     %s\n", profile.Name)
		for _, p := range profile.CheckParameters(backend.ClassOf(&class)) {
			fmt.Fprintf(e.Out, "Problem:     %s\n", present.Clean(p.Message))
		}
	}
	var users []string
	for _, g := range groups.Items {
		if g.Spec.VolumeGroupReplicationClass == name {
			users = append(users, g.Namespace+"/"+g.Name)
		}
	}
	fmt.Fprintf(e.Out, "Used by:     %d groups %s\n\n", len(users), present.Clean(strings.Join(users[:min(len(users), 10)], ", ")))
	var rows [][]string
	for _, p := range profile.Parameters {
		value, set := class.Spec.Parameters[p.Name]
		if !set {
			value = "-"
		}
		rows = append(rows, []string{p.Name, value, p.Values, p.Description})
	}
	return present.Rows(e.Out, style, []string{"PARAMETER", "VALUE", "ALLOWED", "MEANING"}, rows)
}
