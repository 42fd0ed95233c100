// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"strings"
)

// ResumeCommand returns the command that continues the operation.
func (op *Operation) ResumeCommand(namespace, name string) string {
	verb, more, to := "failover", "", ShellQuote(op.To.Name)
	switch {
	case op.Aborting:
		more = " --abort"
	case op.Kind == Unplanned:
		more = fmt.Sprintf(" --to %s --unplanned --accept-data-loss %s", to, ShellQuote(op.Accepted))
	case op.Kind == Failback:
		verb, more = "failback", " --to "+to
		if op.Discard {
			more += " --discard-site " + to
		}
	case op.Kind == Promote && op.Force:
		verb, more = "promote", " --context "+op.To.flag()+" --accept-split-brain"
	case op.Kind == Promote:
		verb, more = "promote", " --context "+op.To.flag()
	case op.Kind == Resync:
		verb, more = "reprotect", " --discard-site "+to
	case op.Kind == Demote:
		verb, more = "demote", " --context "+op.From.flag()
		if op.Force {
			more += " --force"
		}
	default:
		more = " --to " + to
	}
	return fmt.Sprintf("kubectl vgr %s %s%s", verb, named(namespace, name), more)
}

// named returns how commands name a group; without a namespace the name says it.
func named(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return name + " -n " + namespace
}

// AbortCommand takes the operation back; empty when that is not possible any more.
func (op *Operation) AbortCommand(namespace, name string) string {
	if op.ID == "" || op.Kind == Unplanned || op.SpecOnly || op.asked(StepPromote) || op.handedOver() || op.Aborting {
		return ""
	}
	return fmt.Sprintf("kubectl vgr failover %s --abort", named(namespace, name))
}

// Ways returns the commands that end an operation in flight: the one that resumes it, and the one that takes it back where
// that is possible.
func (op *Operation) Ways(namespace, name string) []string {
	all := []string{op.ResumeCommand(namespace, name)}
	if abort := op.AbortCommand(namespace, name); abort != "" {
		all = append(all, abort)
	}
	return all
}

// authorCommand names the tool that has changed the spec of a site's group.
func (n *next) authorCommand(s *Site) string {
	return fmt.Sprintf("kubectl --context %s -n %s get volumegroupreplications.replication.unified.io %s -o yaml --show-managed-fields names the tool that did it: stop it",
		s.kubectl(), ShellQuote(n.namespace), ShellQuote(n.name))
}

// statusCommand shows the group.
func (p *Pair) statusCommand() string {
	return fmt.Sprintf("kubectl vgr status %s -n %s", p.Name, p.Namespace)
}

// demoteCommand has the spec of a site ask for secondary.
func (p *Pair) demoteCommand(s *Site) string {
	return fmt.Sprintf("kubectl vgr demote %s -n %s --context %s", p.Name, p.Namespace, s.flag())
}

// discardCommand returns the way out of a journal that nothing can be made of.
func discardCommand(p *Pair) string { return DiscardCommand(p.Namespace, p.Name) }

// DiscardCommand returns the same for a group.
func DiscardCommand(namespace, name string) string {
	return fmt.Sprintf("kubectl vgr failover %s -n %s --discard-journal shows the journal, and removes it", name, namespace)
}

// takeBackCommand has the site that was given up follow the one that took over; one command for each site where none was
// given up.
func (p *Pair) takeBackCommand(to, survived *Site) string {
	discard := func(s *Site) string {
		site := ShellQuote(s.Name)
		return fmt.Sprintf("kubectl vgr reprotect %s -n %s --discard-site %s discards the writes that only %s has, and has it follow", p.Name, p.Namespace, site, site)
	}
	const back = "; failback moves the role back as well"
	switch {
	case survived != nil:
		return discard(p.other(survived)) + back
	case to.broken() != "":
		return discard(to) + back
	default:
		return discard(&p.Sites[0]) + "; or " + discard(&p.Sites[1])
	}
}

// unplannedCommand has a site take over without the other one, accepting the loss to be expected.
func (p *Pair) unplannedCommand(from, to *Site) string {
	loss, _ := LossOf(from, to)
	return fmt.Sprintf("kubectl vgr failover %s -n %s --to %s --unplanned --accept-data-loss %s", p.Name, p.Namespace, ShellQuote(to.Name), accepts(loss))
}

// rescueCommand makes a site primary again that was demoted, when nothing else can be.
func rescueCommand(site *Site, namespace, name string) string {
	return fmt.Sprintf("kubectl vgr failover %s -n %s --to %s --unplanned --accept-data-loss unknown makes %s primary again", name, namespace, ShellQuote(site.Name), site.Name)
}

// ShellQuote returns a text as one word of a shell command: what a journal says is to be typed by an administrator.
func ShellQuote(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+="
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
