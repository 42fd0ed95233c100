// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command reference writes docs/reference: every command from the command tree, and every field from the
// CustomResourceDefinitions, so that neither can say what the programs do not.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/plugin"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// run takes the directory of the CRDs and that of the pages.
func run(args []string) error {
	if len(args) != 2 {
		return errors.New("use: reference CRDS DIRECTORY")
	}
	root := plugin.NewRoot(plugin.Config{
		IOStreams: genericiooptions.NewTestIOStreamsDiscard(), Clock: clock.RealClock{}, Getenv: func(string) string { return "" },
		Profiles: drivers.Profiles(),
	})
	var commandPage, apiPage bytes.Buffer
	commands(&commandPage, root)
	if err := api(&apiPage, args[0]); err != nil {
		return err
	}
	for name, page := range map[string][]byte{"commands.md": commandPage.Bytes(), "api.md": apiPage.Bytes()} {
		if err := os.WriteFile(filepath.Join(args[1], name), page, 0o644); err != nil { //nolint:gosec // pages are for all users
			return err
		}
	}
	return nil
}
