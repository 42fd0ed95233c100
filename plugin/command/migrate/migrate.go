// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package migrate has the command that takes over volumes that are replicated in another way, and gives them back.
package migrate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/pkg/migration"
	"github.com/unified-replication/kubectl-vgr/plugin/await"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// fromUnified is the value of --from for the old API; others are backends.
const fromUnified = "v1alpha1"

// migrating is what migrate was asked for.
type migrating struct {
	cli.Change
	from, selector, into, groupBy   string
	allNamespaces, apply, deleteOld bool
	stopped, rollback, gitops       bool
	timeout                         time.Duration
}

// NewMigrate makes the migrate command.
func NewMigrate(e *cli.Env) *cobra.Command {
	m := &migrating{}
	var sources []string
	for _, p := range e.Profiles {
		if p.Replications != nil {
			sources = append(sources, p.Name)
		}
	}
	cmd := &cobra.Command{
		Use: "migrate [NAME…]", Short: "Turn volumes that are replicated in another way into groups", ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Turn volumes that are replicated in another way into groups, on this site.

From ` + strings.Join(sources, " or ") + `, objects that you made by hand become one group (--into), or one group for each value of a label
(--group-by). The group adopts them unchanged: replication continues, and the storage receives no request. A
VolumeGroupReplication of csi-addons becomes a group of the same name, with its selector. Objects of another controller (Ramen,
Trident Protect, a storage vendor's) are refused.

From v1alpha1, each UnifiedVolumeReplication becomes a VolumeReplication, and those that share the label volumeGroup (or
--group-by) become one group. The old controller must not run: its finalizer would end the replication.

Without --apply the command prints the new objects and all obstacles. After a failure, run it again with --apply to
resume; --rollback undoes the migration. Run it on both sites, with the same names.`,
		Example: `  # Show the plan for the csi-addons VolumeReplications of a database
  kubectl vgr migrate --from csi-addons -l app=postgresql --into postgresql -n production --context east

  # Migrate them, on both sites
  kubectl vgr migrate --from csi-addons -l app=postgresql --into postgresql -n production --context east --peer-context west --apply
  kubectl vgr migrate --from csi-addons -l app=postgresql --into postgresql -n production --context west --peer-context east --apply

  # A VolumeGroupReplication that csi-addons has, on both sites
  kubectl vgr migrate --from csi-addons shop --into shop -n production --context east --peer-context west --apply
  kubectl vgr migrate --from csi-addons shop --into shop -n production --context west --peer-context east --apply

  # The objects of the old API
  kubectl vgr migrate --from v1alpha1 -A --context east`,
	}
	m.AddFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&m.from, "from", fromUnified, fromUnified+" or "+strings.Join(sources, " or "))
	flags.StringVarP(&m.selector, "selector", "l", "", "old objects with these labels")
	flags.BoolVarP(&m.allNamespaces, "all-namespaces", "A", false, "old objects of all namespaces")
	flags.StringVar(&m.into, "into", "", "name of the group to create from all objects")
	flags.StringVar(&m.groupBy, "group-by", "", "label of the old objects whose value becomes the group's name (default for "+fromUnified+": volumeGroup)")
	flags.BoolVar(&m.apply, "apply", false, "migrate; without it the command only prints the plan")
	flags.BoolVar(&m.deleteOld, "delete-old", false, "also delete the objects of the old API at the end; this cannot be undone")
	flags.BoolVar(&m.stopped, "old-controller-stopped", false, "confirm that the old controller does not run, if you may not list Deployments")
	flags.BoolVar(&m.gitops, "accept-gitops", false, "also take over objects that Argo CD, Flux or another tool applies from Git")
	flags.BoolVar(&m.rollback, "rollback", false, "undo the migration of these groups")
	flags.DurationVar(&m.timeout, "timeout", 5*time.Minute, "how long to wait")
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(append([]string{fromUnified}, sources...), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return m.run(cmd.Context(), e, args)
	}
	return cmd
}

func (m *migrating) run(ctx context.Context, e *cli.Env, args []string) error {
	mode, err := m.Mode()
	if err != nil {
		return err
	}
	if err := m.sensible(e, args); err != nil {
		return err
	}
	p, err := m.sites(ctx, e)
	if err != nil {
		return err
	}
	c, err := p.Here.Client()
	if err != nil {
		return err
	}
	if m.rollback {
		return m.giveBack(ctx, e, p, c, args, mode)
	}
	r := reader{site: p.Here, peer: p.Peer, client: c, profiles: e.Profiles}
	targets, hints, err := m.read(ctx, r, e.Sites.Namespace(), args)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		left, err := m.left(ctx, r, e.Sites.Namespace())
		if err != nil {
			return err
		}
		if left != "" {
			return clierror.Refused("leave it to the tool that made it; its replication stays", "there is nothing to migrate on %s: %s cannot be handed over", p.Here.Name, left)
		}
		return clierror.Refused("name others with --from, -n or -l", "there is nothing to migrate on %s", p.Here.Name)
	}
	if !m.apply {
		return m.print(e, p, targets, hints)
	}
	printHints(e, hints)
	return m.carryOut(ctx, e, p, r, targets, mode)
}

// sensible refuses flags that do not go together, before anything is asked.
func (m *migrating) sensible(e *cli.Env, args []string) error {
	profile, known := e.Profiles.Named(m.from)
	grouped := m.into != "" || m.groupBy != ""
	switch {
	case m.from != fromUnified && (!known || profile.Replications == nil):
		return clierror.New(clierror.CodeError, "kubectl vgr migrate --help names them", "--from: nothing can be migrated from %q", m.from)
	case m.rollback && (len(args) == 0 || grouped || m.apply || m.deleteOld || m.selector != "" || m.allNamespaces):
		return clierror.New(clierror.CodeError, "kubectl vgr migrate --rollback GROUP…", "--rollback takes the names of groups, and no other choice")
	case m.rollback:
		return nil
	case m.from != fromUnified && !grouped:
		return clierror.New(clierror.CodeError, "name the group with --into, or a label with --group-by", "no group is named for the volumes")
	case m.deleteOld && m.from != fromUnified:
		return clierror.New(clierror.CodeError, "leave it out", "--delete-old is for --from %s: the objects of a backend keep replicating", fromUnified)
	}
	if _, err := labels.Parse(m.selector); err != nil {
		return clierror.New(clierror.CodeError, "use KEY=VALUE[,KEY=VALUE…]", "malformed selector %q: %v", m.selector, err)
	}
	return m.chosen(args)
}

// chosen refuses two ways to say which objects, or into what.
func (m *migrating) chosen(args []string) error {
	switch {
	case m.into != "" && m.groupBy != "":
		return clierror.New(clierror.CodeError, "use one of them", "--into and --group-by cannot be used together")
	case m.into != "" && m.allNamespaces:
		return clierror.New(clierror.CodeError, "use --group-by", "--into and -A cannot be used together: a group is in one namespace")
	case m.into != "" && len(args) == 0 && m.selector == "":
		return clierror.New(clierror.CodeError, "name them, or use -l", "no objects are named for group %s", m.into)
	case len(args) > 0 && (m.selector != "" || m.allNamespaces):
		return clierror.New(clierror.CodeError, "use one of them", "names do not go together with -l or -A")
	default:
		return nil
	}
}

// sites returns this site and, if one is named, the peer that a group remembers.
func (m *migrating) sites(ctx context.Context, e *cli.Env) (cli.Pair, error) {
	if e.Sites.PeerName() != "" || e.Sites.PeerFile() != "" {
		return e.Pair(ctx)
	}
	here, err := e.Sites.Here()
	return cli.Pair{Here: here}, err
}

// print shows the new objects as YAML, and the report beside them.
func (m *migrating) print(e *cli.Env, p cli.Pair, targets []migration.Target, hints []string) error {
	for i := range targets {
		t := &targets[i]
		describeTarget(e, p, t)
		if len(t.Problems) > 0 {
			continue
		}
		class, replication := t.Objects()
		for _, obj := range []client.Object{class, replication} {
			if err := printYAML(e, obj); err != nil {
				return err
			}
		}
	}
	printHints(e, hints)
	if err := refuseProblems(targets); err != nil {
		return err
	}
	fmt.Fprintln(e.ErrOut, "nothing was changed; --apply does it")
	return nil
}

func printHints(e *cli.Env, hints []string) {
	for _, hint := range hints {
		fmt.Fprintf(e.ErrOut, "- %s\n", present.Clean(hint))
	}
}

// printYAML leaves out what only the API server fills in.
func printYAML(e *cli.Env, obj client.Object) error {
	text, err := present.ToYAML(obj)
	if err != nil {
		return err
	}
	var content map[string]any
	if err := yaml.Unmarshal(text, &content); err != nil {
		return err
	}
	delete(content, "status")
	if text, err = present.ToYAML(content); err != nil {
		return err
	}
	fmt.Fprintf(e.Data(), "---\n%s", text)
	return nil
}

// refuseProblems refuses all when one cannot be migrated: half of what was asked for is no answer.
func refuseProblems(targets []migration.Target) error {
	bad := 0
	for i := range targets {
		if len(targets[i].Problems) > 0 {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return clierror.Refused("fix the problems above, or name other groups", "%d of %d cannot be migrated; nothing was changed", bad, len(targets))
}

// describeTarget says what a target is made of and what will be done, step by step.
func describeTarget(e *cli.Env, p cli.Pair, t *migration.Target) {
	say := func(format string, args ...any) {
		fmt.Fprintln(e.ErrOut, present.Clean(fmt.Sprintf("  "+format, args...)))
	}
	fmt.Fprintf(e.ErrOut, "%s: %s -n %s, as %s, %s\n", present.Clean(p.Here.Name), present.Clean(t.Title()), present.Clean(t.Namespace), present.Clean(await.OrUnknown(string(t.State))), await.OrUnknown(t.Backend.Name))
	for _, v := range t.Volumes {
		say("from %s: PVC %s", v.From, v.PVC)
	}
	for _, n := range t.Notes {
		say("- %s", n)
	}
	for _, problem := range t.Problems {
		say("problem: %s", problem)
	}
	if len(t.Problems) > 0 {
		return
	}
	step := 0
	then := func(format string, args ...any) {
		step++
		say("%d. "+format, append([]any{step}, args...)...)
	}
	if !t.Single && t.Whole() == nil {
		then("label %d PVCs: %s=%s", len(t.Volumes), migration.LabelMember, t.Name)
	}
	then("create class %s, and %s", t.Class.Name, t.Title())
	for _, v := range t.Volumes {
		if single := v.Single(); single != "" && !t.Single {
			then("once the controller knows every volume: delete volumereplication/%s of kubectl vgr, and leave its replication", single)
		}
	}
	if t.HandsOver() {
		what := fmt.Sprintf("%d objects", len(t.Volumes))
		if len(t.Handed()) == 1 {
			what = t.Volumes[0].From
		}
		then("once the controller knows every volume: hand over %s, by labels only", what)
	}
	then("wait until the backend confirms %s", t.State)
}
