// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// NewUninstall makes the uninstall command.
func NewUninstall(e *cli.Env) *cobra.Command {
	var ch cli.Change
	var leave bool
	cmd := &cobra.Command{
		Use: "uninstall", Short: "Remove the controller, and the CRDs when no group is left", Args: cobra.NoArgs,
		Long: `Remove the controller from this site, and the CRDs with all classes when no group is left.

The command refuses while groups exist, because no controller would manage them. With --leave-groups it removes only the
controller: CRDs, the admission policy, classes and groups stay, and replication continues unchanged.`,
		Example: `  kubectl vgr uninstall --context east
  kubectl vgr uninstall --leave-groups --context east`,
	}
	ch.AddFlags(cmd)
	cmd.Flags().BoolVar(&leave, "leave-groups", false, "remove the controller only")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		return uninstall(cmd.Context(), e, ch, leave)
	}
	return cmd
}

func uninstall(ctx context.Context, e *cli.Env, ch cli.Change, leave bool) error {
	mode, err := ch.Mode()
	if err != nil {
		return err
	}
	here, err := e.Sites.Here()
	if err != nil {
		return err
	}
	c, err := here.Client()
	if err != nil {
		return err
	}
	left, leaves, err := groupsLeft(ctx, c)
	if err != nil {
		return cli.SiteError(ctx, here, "list the groups", err)
	}
	if len(leaves) > 0 { // without it they would stay half deleted, and their namespaces with them
		first := leaves[0]
		return clierror.Refused(fmt.Sprintf("kubectl vgr status %s -n %s names what the deletion waits for\nif no controller runs any more: kubectl patch %s %s -n %s --type=merge -p '{\"metadata\":{\"finalizers\":null}}'",
			first.Name, first.Namespace, first.resource, first.Name, first.Namespace),
			"the controller on %s has not finished the deletion of %s; nothing was changed", here.Name, named(leaves))
	}
	if left > 0 && !leave {
		return clierror.Refused("kubectl vgr delete removes groups; --leave-groups removes the controller only, and replication continues",
			"%d groups and single volumes are replicated on %s; nothing was changed", left, here.Name)
	}
	found, err := installedObjects(ctx, here, c, leave)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.ErrOut, "%s: uninstall kubectl vgr\n", present.Clean(here.Name))
	for _, u := range found {
		fmt.Fprintf(e.ErrOut, "  delete %s\n", cli.Title(u))
	}
	if leave {
		fmt.Fprintf(e.ErrOut, "  - CRDs, the admission policy, classes and %d groups stay; the storage keeps replicating without a controller\n", left)
	} else {
		fmt.Fprintln(e.ErrOut, "  - with the CRDs all classes go; what the storage has is not touched")
	}
	if mode == cli.DryRunClient {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	if len(found) == 0 {
		fmt.Fprintf(e.Out, "there is nothing to remove on %s\n", present.Clean(here.Name))
		return nil
	}
	if err := e.ConfirmContext(ch.Yes || mode == cli.DryRunServer, here.Name); err != nil {
		return err
	}
	return removeAll(ctx, e, here, c, found, mode)
}

func removeAll(ctx context.Context, e *cli.Env, s *site.Site, c client.Client, found []*unstructured.Unstructured, mode cli.DryRun) error {
	var opts []client.DeleteOption
	did := "deleted"
	if mode == cli.DryRunServer {
		opts, did = append(opts, client.DryRunAll), "deleted (server dry run)"
	}
	for _, u := range found {
		if err := c.Delete(ctx, u, opts...); client.IgnoreNotFound(err) != nil {
			return cli.WriteError(ctx, s, mode == cli.DryRunServer, "delete "+cli.Title(u), err)
		}
		fmt.Fprintf(e.Out, "%s %s\n", cli.Title(u), did)
	}
	return nil
}

// leaving is what is being deleted.
type leaving struct {
	client.ObjectKey
	resource string
}

// groupsLeft counts what the controller answers for, and names what is being deleted; a cluster without the CRDs has none.
func groupsLeft(ctx context.Context, c client.Client) (total int, leaves []leaving, err error) {
	for resource, list := range map[string]client.ObjectList{"volumegroupreplications": &vgrv1.VolumeGroupReplicationList{}, "volumereplications": &vgrv1.VolumeReplicationList{}} {
		if err := c.List(ctx, list); client.IgnoreNotFound(err) != nil {
			return 0, nil, err
		}
		total += meta.LenList(list)
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			if obj, ok := o.(client.Object); ok && obj.GetDeletionTimestamp() != nil {
				leaves = append(leaves, leaving{client.ObjectKeyFromObject(obj), resource + "." + vgrv1.GroupVersion.Group})
			}
			return nil
		})
	}
	return total, leaves, nil
}

// named are the first of many names.
func named(keys []leaving) string {
	const shown = 5
	var names []string
	for _, key := range keys[:min(len(keys), shown)] {
		names = append(names, key.String())
	}
	if more := len(keys) - shown; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// installedObjects returns those of an installation that are there, the controller first, so that nothing
// acts while the rest goes.
func installedObjects(ctx context.Context, s *site.Site, c client.Client, leave bool) ([]*unstructured.Unstructured, error) {
	all, err := manifests.Install(manifests.Options{})
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	var found []*unstructured.Unstructured
	for _, u := range all {
		if leave && (u.GetKind() == "CustomResourceDefinition" || u.GroupVersionKind().Group == manifests.AdmissionGroup) {
			continue
		}
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(u.GroupVersionKind())
		err := c.Get(ctx, client.ObjectKeyFromObject(u), there)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, cli.SiteError(ctx, s, "read "+cli.Title(u), err)
		}
		found = append(found, there)
	}
	return found, nil
}
