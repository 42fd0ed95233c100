// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// Output is the -o flag.
type Output struct {
	flags  *genericclioptions.PrintFlags
	Format string
}

// NewOutput adds the -o flag; extra is a format of this command only, or empty.
func NewOutput(cmd *cobra.Command, extra string) *Output {
	o := &Output{flags: genericclioptions.NewPrintFlags("")}
	formats := []string{"json", "yaml", "name", "jsonpath=…", "jsonpath-file=…", "go-template=…", "go-template-file=…"}
	if extra != "" {
		formats = append(formats, extra, "custom-columns=…")
	}
	cmd.Flags().StringVarP(&o.Format, "output", "o", "", "one of: "+strings.Join(formats, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json", "yaml", "name", "wide", "jsonpath=", "go-template="}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	return o
}

// Human reports whether a table is wanted.
func (o *Output) Human() bool { return o.Format == "" || o.Format == "wide" }

// Print prints an object in the format that was asked for.
func (o *Output) Print(e *Env, obj runtime.Object) error {
	if o.Format == "yaml" {
		text, err := present.ToYAML(obj)
		if err != nil {
			return err
		}
		_, err = e.Data().Write(text)
		return err
	}
	o.flags.OutputFormat = &o.Format
	printer, err := o.flags.ToPrinter()
	if err != nil {
		return clierror.New(clierror.CodeError, "use -o json, yaml, name, wide, jsonpath=… or go-template=…", "%v", err)
	}
	return printer.PrintObj(obj, e.Data())
}
