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

// discardCommand returns the way out of a journal that nothing can be made of.
func discardCommand(p *Pair) string { return DiscardCommand(p.Namespace, p.Name) }

// DiscardCommand returns the same for a group.
func DiscardCommand(namespace, name string) string {
	return fmt.Sprintf("kubectl vgr failover %s -n %s --discard-journal shows the journal, and removes it", name, namespace)
}

// takeBackCommand has the site that was given up follow the one that took over.
func (p *Pair) takeBackCommand(to, survived *Site) string {
	site := "SITE"
	if survived != nil {
		site = ShellQuote(p.other(survived).Name)
	} else if to.broken() != "" {
		site = ShellQuote(to.Name)
	}
	return fmt.Sprintf("kubectl vgr reprotect %s -n %s --discard-site %s discards the writes that only %s has, and has it follow; failback moves the role back as well", p.Name, p.Namespace, site, site)
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
