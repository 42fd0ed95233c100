// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package failover

import (
	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
)

// role is promote, demote or resync: what one site is to be. Each is an operation of the planner.
type role struct {
	operation
	kind     recovery.Kind
	force    bool
	survivor bool
	// discard is the site that is to follow, where the command names it; else that is this site.
	discard string
	// peerIsLost is the user's word, where nothing shows it.
	peerIsLost bool
}

// sourceIsLost is the help of --source-is-lost.
const sourceIsLost = "you know that the other site is lost, although it could not be queried (login, certificate, proxy); if it is alive, both become primary"

// discardSurvivor is the help of --discard-survivor.
const discardSurvivor = "discard the site that took over in the last unplanned failover, with all that was written there since"

// NewPromote makes the promote command.
func NewPromote(e *cli.Env) *cobra.Command {
	r := &role{kind: recovery.Promote}
	cmd := r.command(e, "promote", "Make groups primary on this site", `  # East was demoted, or is down: promote west
  kubectl vgr promote postgresql -n production --context west`)
	cmd.Long = `Make groups primary on this site.

The other site must have given up the role, and the storage must have confirmed that the sites are in sync. If the other site is
primary, use "kubectl vgr failover", which moves the role and loses nothing. If the plugin cannot query the other site,
you must accept the risk with --accept-split-brain.`
	cmd.Flags().BoolVar(&r.force, "accept-split-brain", false, "promote even though the plugin cannot check whether the other site is primary")
	cmd.Flags().BoolVar(&r.peerIsLost, "source-is-lost", false, sourceIsLost)
	return cmd
}

// NewDemote makes the demote command.
func NewDemote(e *cli.Env) *cobra.Command {
	r := &role{kind: recovery.Demote}
	cmd := r.command(e, "demote", "Make groups secondary on this site", `  # Demote east; no site can write until west is promoted
  kubectl vgr demote postgresql -n production --context east`)
	cmd.Long = `Make groups secondary on this site. No site can write until one is promoted.

The command first waits until this site has synchronised since it became primary: without that, nothing can prove later that the other
site has all writes. It also puts back the spec of a secondary that another tool has asked to be primary.`
	cmd.Flags().BoolVar(&r.force, "force", false, "demote even if pods use the PVCs (the storage refuses while volumes are attached) or this site has not synchronised")
	return cmd
}

// NewResync makes the resync command.
func NewResync(e *cli.Env) *cobra.Command {
	r := &role{kind: recovery.Resync}
	cmd := r.command(e, "resync", "Discard this site's unreplicated writes and copy from the primary", `  # The old primary is back: make it a copy of the new primary
  kubectl vgr resync postgresql -n production --context east`)
	cmd.Long = `Discard this site's unreplicated writes and copy from the primary.

Use it after an unplanned failover, on the site that was given up: the command makes it a copy of the site that took over, and ends
when this site is a secondary again. "kubectl vgr reprotect" does the same for the site that you name, and "kubectl vgr failback" also
moves the role back.`
	cmd.Flags().BoolVar(&r.survivor, "discard-survivor", false, discardSurvivor)
	return cmd
}

// NewReprotect makes the reprotect command.
func NewReprotect(e *cli.Env) *cobra.Command {
	r := &role{kind: recovery.Resync}
	cmd := r.command(e, "reprotect", "Stay on the site that took over, and protect the groups again", `  # West is back after an unplanned failover to east: stay on east, discard the writes that only west has, copy from east
  kubectl vgr reprotect postgresql -n production --discard-site west`)
	cmd.Long = `Stay on the site that took over in an unplanned failover, and protect the groups again.

The old primary may hold writes that never reached the other site. The command discards them; you must confirm that with
--discard-site. Then the old primary becomes a copy of the site that took over, which stays primary. Groups whose copy follows already
stay as they are. "kubectl vgr failback" does the same and then moves the role back.`
	cmd.Flags().StringVar(&r.discard, "discard-site", "", "the site whose unreplicated writes are discarded, by its name or context")
	cmd.Flags().BoolVar(&r.survivor, "discard-survivor", false, discardSurvivor)
	_ = cmd.MarkFlagRequired("discard-site")
	_ = cmd.RegisterFlagCompletionFunc("discard-site", cli.CompleteSites(e))
	return cmd
}

func (r *role) command(e *cli.Env, use, short, example string) *cobra.Command {
	cmd := &cobra.Command{Use: use + " NAME…", Short: short, Example: example, ValidArgsFunction: cli.CompleteGroups(e)}
	r.addFlags(e, cmd, false)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return r.run(cmd.Context(), e, args, false, func(s *preflight.Observation) (requester, error) {
			if err := cli.OneOf(&r.discard, "--discard-site", s.Sites); err != nil {
				return nil, err
			}
			return func(overview.Group, recovery.Facts) recovery.Request {
				to := 0 // this site
				if r.kind == recovery.Demote || r.discard != "" && r.discard == s.Sites[1].Name {
					to = 1
				}
				return recovery.Request{
					Kind: r.kind, To: operate.Ref(s.Sites[to], s.Clusters[to]), Force: r.force, DiscardSurvivor: r.survivor, SourceIsLost: r.peerIsLost,
					UnlessFollows: r.discard != "",
				}
			}, nil
		})
	}
	return cmd
}
