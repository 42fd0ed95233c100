// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/httpfault"
	"github.com/unified-replication/kubectl-vgr/hack/lab/proxy"
)

func newFault(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Break parts of the lab, and mend them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newCut(s), newHeal(s), newSlow(s), newHTTP(s), newLink(s), newDaemon(s), newRPC(s),
		newAttach(s, "attach", "Mark a volume as in use on a site, so that it cannot be demoted there", true),
		newAttach(s, "detach", "Mark a volume as free", false),
		newProcess(s, "stop", "Stop a process; it stays down until it is started", lab.Fault{Kind: lab.FaultProcess}, true),
		newProcess(s, "kill", "Kill a process; it stays down until it is started", lab.Fault{Kind: lab.FaultProcess, Crash: true}, true),
		newProcess(s, "start", "Start a process again", lab.Fault{Kind: lab.FaultProcess}, false),
		newFaultList(s), newFaultClear(s),
	)
	return cmd
}

// set sends one fault to the lab.
func (s *session) set(cmd *cobra.Command, f lab.Fault, broken bool) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	return client.Set(cmd.Context(), f, broken)
}

func sites(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{lab.East, lab.West}, cobra.ShellCompDirectiveNoFileComp
}

func newCut(s *session) *cobra.Command {
	blackhole := false
	cmd := &cobra.Command{
		Use:   "cut SITE",
		Short: "Cut a site's API off for everybody outside; its own controllers go on",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: sites,
		RunE: func(cmd *cobra.Command, args []string) error {
			mode := proxy.Refuse
			if blackhole {
				mode = proxy.Blackhole
			}
			return s.set(cmd, lab.Fault{Kind: lab.FaultCut, Site: args[0], Mode: mode}, true)
		},
	}
	cmd.Flags().BoolVar(&blackhole, "blackhole", false, "swallow everything instead of refusing connections")
	return cmd
}

func newHeal(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "heal SITE",
		Short: "End a cut",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: sites,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.set(cmd, lab.Fault{Kind: lab.FaultCut, Site: args[0]}, false)
		},
	}
}

func newSlow(s *session) *cobra.Command {
	rtt, loss := 300*time.Millisecond, 0.0
	cmd := &cobra.Command{
		Use:   "slow SITE",
		Short: "Put a site's API far away, and lose packets; --rtt 0 brings it back",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: sites,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.set(cmd, lab.Fault{Kind: lab.FaultSlow, Site: args[0], RTT: rtt, Loss: loss}, rtt > 0 || loss > 0)
		},
	}
	cmd.Flags().DurationVar(&rtt, "rtt", rtt, "round trip time")
	cmd.Flags().Float64Var(&loss, "loss", loss, "part of the packets that is lost, such as 0.01")
	return cmd
}

func newHTTP(s *session) *cobra.Command {
	f, process := httpfault.Fault{}, ""
	var codes []string
	for _, code := range httpfault.Statuses() {
		codes = append(codes, strconv.Itoa(code))
	}
	cmd := &cobra.Command{
		Use:   "http SITE CODE[,CODE…]",
		Short: "Let requests to a site's API fail or hang",
		Long: `Let requests to a site's API fail or hang: those from outside, or with --process those of our
controller. CODE is one of ` + strings.Join(codes, ", ") + `; several are answered in turn. HANG is
no answer until the client gives up, OK clears it. It takes the place of what was set before.`,
		Example: `  lab fault http west 503 --every 3
  lab fault http east 500 --method PATCH --path /apis/replication.unified.io/ --late
  lab fault http east 429,500,503 --every 3 --process controller
  lab fault http west OK`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return append(codes, driver.Hang, "OK"), cobra.ShellCompDirectiveNoFileComp
			}
			return sites(cmd, args, prefix)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fault := f
			what := strings.ToUpper(args[1])
			if what != "OK" && what != driver.Hang {
				for word := range strings.SplitSeq(what, ",") {
					code, err := strconv.Atoi(word)
					if err != nil {
						return fmt.Errorf("%q is neither one of %s nor HANG nor OK", word, strings.Join(codes, ", "))
					}
					fault.Codes = append(fault.Codes, code)
				}
			}
			return s.set(cmd, lab.Fault{Kind: lab.FaultHTTP, Site: args[0], HTTP: &fault, Process: process}, what != "OK")
		},
	}
	cmd.Flags().IntVar(&f.Every, "every", 1, "hit one of so many requests")
	cmd.Flags().StringVar(&f.Method, "method", "", "only requests with this method")
	cmd.Flags().StringVar(&f.Path, "path", "", "only requests whose path begins like that")
	cmd.Flags().BoolVar(&f.Late, "late", false, "carry the request out, and lose only its answer")
	cmd.Flags().StringVar(&process, "process", "", "whose requests: controller, or everybody's outside when empty")
	return cmd
}

func newLink(s *session) *cobra.Command {
	return &cobra.Command{
		Use:       "link down|up",
		Short:     "Break the mirroring link between the arrays, or mend it",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"down", "up"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.set(cmd, lab.Fault{Kind: lab.FaultLink}, args[0] == "down")
		},
	}
}

func newDaemon(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "daemon SITE down|up",
		Short: "Stop the mirroring daemon of a site, which then receives nothing, or start it",
		Args:  cobra.ExactArgs(2), ValidArgsFunction: sites,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] != "down" && args[1] != "up" {
				return fmt.Errorf("%q is neither down nor up", args[1])
			}
			return s.set(cmd, lab.Fault{Kind: lab.FaultDaemon, Site: args[0]}, args[1] == "down")
		},
	}
}

func newRPC(s *session) *cobra.Command {
	f := driver.Fault{}
	cmd := &cobra.Command{
		Use:   "rpc SITE RPC [CODE]",
		Short: "Let calls to a site's driver fail, hang or take long",
		Long: `Let calls to a site's driver fail, hang or take long. CODE is a gRPC code such as INTERNAL or
FAILED_PRECONDITION, or HANG until the fault is cleared, or OK to clear it. Without CODE the calls
succeed after --latency.

RPC is one of ` + strings.Join(driver.RPCs(), ", ") + ".",
		Example: `  lab fault rpc west PromoteVolume INTERNAL --times 3
  lab fault rpc east DemoteVolume --latency 5s
  lab fault rpc west PromoteVolume HANG
  lab fault rpc west PromoteVolume OK`,
		Args: cobra.RangeArgs(2, 3),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return driver.RPCs(), cobra.ShellCompDirectiveNoFileComp
			}
			return sites(cmd, args, prefix)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fault := f
			fault.RPC = args[1]
			if len(args) == 3 {
				fault.Code = strings.ToUpper(args[2])
			} else if fault.Latency == 0 {
				return fmt.Errorf("what shall happen to %s? Give a CODE or --latency", fault.RPC)
			}
			clearIt := fault.Code == "OK"
			return s.set(cmd, lab.Fault{Kind: lab.FaultRPC, Site: args[0], RPC: &fault}, !clearIt)
		},
	}
	cmd.Flags().StringVar(&f.Message, "message", "", "message of the error")
	cmd.Flags().IntVar(&f.Times, "times", 0, "how many calls are hit; 0 is all until cleared")
	cmd.Flags().DurationVar(&f.Latency, "latency", 0, "how long a call takes")
	return cmd
}

func newAttach(s *session, use, short string, attached bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " HANDLE|NAMESPACE/CLAIM SITE", Short: short,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.set(cmd, lab.Fault{Kind: lab.FaultAttach, Volume: args[0], Site: args[1]}, attached)
		},
	}
}

func newProcess(s *session, use, short string, f lab.Fault, broken bool) *cobra.Command {
	names := []string{lab.Etcd, lab.APIServer, lab.KCM, lab.CSIAddons, lab.Controller}
	return &cobra.Command{
		Use: use + " SITE PROCESS", Short: short,
		Long: short + ".\n\nPROCESS is one of " + strings.Join(names, ", ") + ".",
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return names, cobra.ShellCompDirectiveNoFileComp
			}
			return sites(cmd, args, prefix)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fault := f
			fault.Site, fault.Process = args[0], args[1]
			return s.set(cmd, fault, broken)
		},
	}
}

func newFaultList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show what is broken",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			status, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			printFaults(cmd.OutOrStdout(), status.Faults)
			return nil
		},
	}
}

func newFaultClear(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "clear",
		Short: "Mend everything",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			return client.Clear(cmd.Context())
		},
	}
}
