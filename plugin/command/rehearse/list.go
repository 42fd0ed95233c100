// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// listed is what rehearse list prints as JSON.
type listed struct {
	metav1.TypeMeta `json:",inline"`
	Rehearsals      []row `json:"rehearsals"`
}

type row struct {
	Group string `json:"group"`
	Site  string `json:"site"`
	State string `json:"state"`
	rehearsal.Record
}

// DeepCopyObject implements runtime.Object; printers only read.
func (l *listed) DeepCopyObject() runtime.Object { c := *l; return &c }

func newList(e *cli.Env) *cobra.Command {
	all, namespaces := false, false
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "Show the last rehearsal of each group", Args: cobra.NoArgs,
		Long: `Show the last rehearsal of each group on each site: what it found, how old the data was, and what is still there.

A rehearsal that is kept expires at a time, and then stays until you end it: "rehearse end --expired". Those whose group was
deleted meanwhile are listed too, where you may list PersistentVolumes.`,
		Example: "  kubectl vgr rehearse list -A",
	}
	cmd.Flags().BoolVarP(&namespaces, "all-namespaces", "A", false, "groups of all namespaces")
	cmd.Flags().BoolVar(&all, "all", false, "all rehearsals that the groups remember, not only the last")
	out := cli.NewOutput(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		ctx := cmd.Context()
		p, err := e.Pair(ctx)
		if err != nil {
			return err
		}
		q, err := e.Names(nil, namespaces)
		if err != nil {
			return err
		}
		inputs := collect.Sites(ctx, p.All(), q)
		if err := cli.Ended(ctx, "", "not all sites were waited for"); err != nil {
			return err
		}
		l, silent := rowsOf(ctx, e, p.All(), inputs, q.Namespace, all)
		if len(l.Rehearsals) == 0 && silent != nil {
			return silent
		}
		if !out.Human() {
			return out.Print(e, l)
		}
		return l.print(e)
	}
	return cmd
}

// rowsOf reads the rehearsals of all groups. A site that does not answer is said.
func rowsOf(ctx context.Context, e *cli.Env, sites []*site.Site, inputs []overview.SiteInput, namespace string, all bool) (*listed, error) {
	l := &listed{TypeMeta: metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: "Rehearsals"}, Rehearsals: []row{}}
	var silent error
	for at, in := range inputs {
		if !in.Answered {
			silent = cli.Silent(in)
			fmt.Fprintf(e.ErrOut, "%s: %s: %s; its rehearsals are missing\n", present.Clean(in.Name), in.Problem, present.Clean(in.Message))
			continue
		}
		left, err := leftOver(ctx, sites[at])
		if err != nil {
			fmt.Fprintln(e.ErrOut, present.Clean(fmt.Sprintf("%s: rehearsals whose group is gone are not shown: %v", in.Name, err)))
		}
		known := map[string]bool{}
		for i := range in.Groups {
			g := &in.Groups[i]
			records, err := rehearsal.Records(g)
			if err != nil {
				fmt.Fprintln(e.ErrOut, present.Clean(in.Name+": "+err.Error()))
				continue
			}
			for _, r := range records {
				known[r.ID] = true
			}
			if !all {
				records = records[:min(len(records), 1)]
			}
			for _, r := range records {
				l.Rehearsals = append(l.Rehearsals, row{g.Namespace + "/" + g.Name, in.Name, r.State(clockOf(in, e)), r})
			}
		}
		for _, key := range slices.SortedFunc(maps.Keys(left), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
			r := rehearsal.Recover(left[key])
			if r == nil || known[r.ID] || namespace != "" && namespace != key.Namespace {
				continue
			}
			state := "the group is gone"
			if in.Group(key.Namespace, key.Name) != nil {
				state = "the record is gone"
			}
			if r.Expired(clockOf(in, e)) {
				state += ", expired"
			}
			r.Result = "" // nothing tells it
			l.Rehearsals = append(l.Rehearsals, row{key.String(), in.Name, state, *r})
		}
	}
	return l, silent
}

func clockOf(in overview.SiteInput, e *cli.Env) time.Time {
	if in.ServerTime != nil {
		return in.ServerTime.Time
	}
	return e.Clock.Now()
}

func (l *listed) print(e *cli.Env) error {
	if len(l.Rehearsals) == 0 {
		fmt.Fprintln(e.ErrOut, "no group was rehearsed")
		return nil
	}
	style, err := e.Style()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range l.Rehearsals {
		age, until := "unknown", "-"
		if d, ok := r.Age(); ok {
			age = duration.HumanDuration(d)
		}
		if r.KeptUntil != nil && r.Ended == nil {
			until = r.KeptUntil.UTC().Format(time.RFC3339)
		}
		cells := []string{r.Group, r.Site, r.ID, cmp.Or(string(r.Result), "-"), r.State, r.Started.UTC().Format(time.RFC3339), age, until}
		for i := range cells {
			cells[i] = present.Clean(cells[i])
		}
		rows = append(rows, cells)
	}
	return present.Rows(e.Out, style, []string{"GROUP", "SITE", "ID", "RESULT", "STATE", "BEGUN", "DATA AGE", "KEPT UNTIL"}, rows)
}
