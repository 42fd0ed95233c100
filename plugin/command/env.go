// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package command holds the commands of kubectl vgr, one file each. A command reads what it
// needs into an overview or a plan, shows it, and acts only on a plan that was confirmed.
package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Env is what every command gets from main.
type Env struct {
	// IOStreams let through only text, and the colours that are wanted.
	genericiooptions.IOStreams
	// Raw are the streams as they are, for screens that move the cursor and for formats that programs read.
	Raw      genericiooptions.IOStreams
	Sites    *site.Connector
	Profiles backend.Profiles
	Clock    clock.WithTicker
	Getenv   func(string) string
	// Color is the value of --color.
	Color string
	// Executable is the path of this program, for completion install.
	Executable func() (string, error)
	// Again runs another command of the plugin, which says all that it says to out, and returns its
	// exit code.
	Again func(ctx context.Context, args []string, out io.Writer) int

	progressing sync.Mutex
}

// Guard has all output pass present.Guard on its way to the raw streams.
func (e *Env) Guard() {
	e.IOStreams = genericiooptions.IOStreams{In: e.Raw.In, Out: present.Guard(e.Raw.Out, e.colours), ErrOut: present.Guard(e.Raw.ErrOut, func() bool { return e.errStyle().Color })}
}

func (e *Env) colours() bool {
	s, err := e.style()
	return err == nil && s.Color
}

// data is where formats for programs go: as they are, unless a person looks at them.
func (e *Env) data() io.Writer {
	if terminal, _ := e.outTerminal(); terminal {
		return present.Guard(e.Raw.Out, func() bool { return false })
	}
	return e.Raw.Out
}

// progress is where waits tell what they see, several at the same time, line by line.
func (e *Env) progress() io.Writer { return lineWriter{&e.progressing, e.ErrOut} }

type lineWriter struct {
	mu  *sync.Mutex
	out io.Writer
}

// Write implements io.Writer.
func (w lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

// outTerminal says whether standard output is a terminal, and how wide.
func (e *Env) outTerminal() (bool, int) {
	f, ok := e.Raw.Out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return true, 80
	}
	return true, width
}

func (e *Env) style() (present.Style, error) {
	terminal, width := e.outTerminal()
	s, err := present.StyleFor(e.Color, e.Getenv, terminal, width)
	if err != nil {
		return s, failure.New(failure.CodeError, "leave it out, or use --color=never", "%v", err)
	}
	return s, nil
}

// errStyle is how messages look: without colours unless standard error is a terminal too.
func (e *Env) errStyle() present.Style {
	s, err := e.style()
	f, ok := e.Raw.ErrOut.(*os.File)
	if err != nil || !ok || !term.IsTerminal(int(f.Fd())) {
		s.Color, s.Width = e.Color == "always", 0
		return s
	}
	s.Width, _, _ = term.GetSize(int(f.Fd())) // 0 is not limited
	return s
}

// pair is this site and, if one is known, its peer.
type pair struct {
	here *site.Site
	peer *site.Site
}

func (e *Env) pair(ctx context.Context) (pair, error) {
	here, err := e.Sites.Here()
	if err != nil {
		return pair{}, err
	}
	peer, err := e.Sites.Peer(ctx, here)
	return pair{here, peer}, err
}

func (p pair) all() []*site.Site {
	if p.peer == nil {
		return []*site.Site{p.here}
	}
	return []*site.Site{p.here, p.peer}
}

// login lets login plugins say and ask what they have to, before a screen is drawn.
func (p pair) login(ctx context.Context) {
	var asked sync.WaitGroup
	for _, s := range p.all() {
		asked.Go(func() { s.Login(ctx) })
	}
	asked.Wait()
}

// distinct identifies both clusters and refuses two contexts that are one. Without the permission
// to read kube-system it says so instead.
func (p pair) distinct(ctx context.Context) (hereUID, peerUID string, err error) {
	if hereUID, err = p.here.UID(ctx); err != nil {
		return "", "", siteError(ctx, p.here, "identify the cluster", err)
	}
	if p.peer == nil {
		return hereUID, "", nil
	}
	if peerUID, err = p.peer.UID(ctx); err != nil {
		return hereUID, "", siteError(ctx, p.peer, "identify the cluster", err)
	}
	if hereUID == peerUID {
		return "", "", failure.Refused("name the other site with --peer-context", "contexts %s and %s are the same cluster", p.here.Name, p.peer.Name)
	}
	return hereUID, peerUID, nil
}

// ended is why a command goes on no longer, when that is no trouble of a site: it was interrupted, or the time that it
// had is up.
func ended(ctx context.Context, next, format string, args ...any) error {
	code, why := failure.CodeInterrupted, "interrupted"
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(context.Cause(ctx), errTimeout):
		code, why = failure.CodeTimeout, "the time is up"
	}
	return failure.New(code, next, "%s: %s", why, fmt.Sprintf(format, args...))
}

// notAskedNext is what shows why a site could not be asked.
func notAskedNext(name string) string {
	return "kubectl --context " + recovery.Word(name) + " get --raw /version must work; log in first where that is needed"
}

// siteError puts an error of a request into words and an exit code.
func siteError(ctx context.Context, s *site.Site, doing string, err error) error {
	if err := ended(ctx, "", "%s did not %s", s.Name, doing); err != nil {
		return err
	}
	problem, message := collect.Explain(s, err)
	switch problem {
	case overview.SiteNotAsked:
		return failure.New(failure.CodeUnreachable, notAskedNext(s.Name), "%s: cannot %s: it could not be asked: %s", s.Name, doing, message)
	case overview.SiteUnreachable:
		return failure.New(failure.CodeUnreachable, "check the network and kubectl --context "+s.Name+" cluster-info", "%s: cannot %s: %s", s.Name, doing, message)
	case overview.SiteForbidden:
		return failure.New(failure.CodeError, "ask for the permission, or use another context", "%s: cannot %s: %s", s.Name, doing, message)
	case overview.SiteNotInstalled:
		return failure.New(failure.CodeError, "install the CRDs and the controller of kubectl vgr in "+s.Name, "%s: cannot %s: %s", s.Name, doing, message)
	default:
		return failure.New(failure.CodeError, "", "%s: cannot %s: %s", s.Name, doing, message)
	}
}

// writeError is siteError for what changes something unless it is a dry run: without a refusal of the server it may
// have been done, and must not be called undone.
func writeError(ctx context.Context, s *site.Site, dry bool, doing string, err error) error {
	if dry || operate.Refused(err) {
		return siteError(ctx, s, doing, err)
	}
	const next = "run the same command again: it looks at what is there first"
	if err := ended(ctx, next, "%s: %s: it may have been done", s.Name, doing); err != nil {
		return err
	}
	code := failure.CodeError
	problem, message := collect.Explain(s, err)
	if problem == overview.SiteUnreachable || problem == overview.SiteNotAsked {
		code = failure.CodeUnreachable
	}
	return failure.New(code, next, "%s: %s: %s; it may have been done", s.Name, doing, message)
}

// answered turns a site that did not answer into an error.
func answered(ctx context.Context, in overview.SiteInput) error {
	if err := ended(ctx, "", "%s was not waited for", in.Name); err != nil {
		return err
	}
	return silent(in)
}

// silent is the error of a site that did not answer; nil when it did.
func silent(in overview.SiteInput) error {
	code, next := failure.CodeError, ""
	switch in.Problem {
	case "":
		return nil
	case overview.SiteNotAsked:
		code, next = failure.CodeUnreachable, notAskedNext(in.Name)
	case overview.SiteUnreachable:
		code, next = failure.CodeUnreachable, "check the network and kubectl --context "+in.Name+" cluster-info"
	case overview.SiteForbidden:
		next = "ask for get, list and watch on volumegroupreplications.replication.unified.io, or use another context"
	case overview.SiteNotInstalled:
		next = "install the CRDs and the controller of kubectl vgr in " + in.Name
	default:
	}
	return failure.New(code, next, "%s: %s: %s", in.Name, in.Problem, in.Message)
}

// dryRun is the value of --dry-run.
type dryRun string

const (
	dryRunNone   dryRun = "none"
	dryRunClient dryRun = "client"
	dryRunServer dryRun = "server"
)

// change are the flags of every command that changes something.
type change struct {
	yes    bool
	dryRun string
}

func (c *change) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&c.dryRun, "dry-run", "none", "none, client (stop after the plan) or server (send the writes as dry run)")
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{"none", "client", "server"}, cobra.ShellCompDirectiveNoFileComp))
}

func (c *change) mode() (dryRun, error) {
	switch m := dryRun(c.dryRun); m {
	case dryRunNone, dryRunClient, dryRunServer:
		return m, nil
	default:
		return "", failure.New(failure.CodeError, "use --dry-run=client to see the plan", "--dry-run must be none, client or server, not %q", c.dryRun)
	}
}

// confirm asks for the group's name, or for the number of several groups.
func (e *Env) confirm(yes bool, names []string) error {
	want, what := names[0], "the name of the group"
	if len(names) > 1 {
		want, what = strconv.Itoa(len(names)), "the number of groups"
	}
	return e.confirmWord(yes, want, what)
}

// confirmContext asks for the name of the site that is changed as a whole.
func (e *Env) confirmContext(yes bool, context string) error {
	return e.confirmWord(yes, context, "the name of the context")
}

func (e *Env) confirmWord(yes bool, want, what string) error {
	if yes {
		return nil
	}
	in, ok := e.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return failure.New(failure.CodeNotConfirmed, "add --yes", "not confirmed: standard input is not a terminal; nothing was changed")
	}
	fmt.Fprintf(e.ErrOut, "\nType %s (%s) to go on: ", what, present.Clean(want))
	line, err := bufio.NewReader(e.In).ReadString('\n')
	if err != nil && err != io.EOF || strings.TrimSpace(line) != want {
		return failure.New(failure.CodeNotConfirmed, "", "not confirmed; nothing was changed")
	}
	return nil
}
