// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command release builds what a release has: an archive of the plugin for each platform that krew
// knows, an image of the controller, their bills of materials, a Helm chart, the krew manifest, and the checksums of all of them.
// The same commit gives the same archives and the same image anywhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// imageVariable is what the linker sets in a plugin whose image is published.
const imageVariable = "github.com/unified-replication/kubectl-vgr/pkg/version.image"

// release is what is built, and from what.
type release struct {
	// Version begins with v, as krew wants it.
	Version  string
	Archives []archive
	// Image is the repository that the controller's image is published in; empty for a build that is not.
	Image string

	root, out, ldflags string
	// made is the time of the commit, which every file in an archive has.
	made time.Time
}

func run(ctx context.Context, args []string) error {
	r := release{}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&r.root, "root", ".", "directory of the project")
	flags.StringVar(&r.out, "out", "dist", "directory to write to")
	flags.StringVar(&r.Version, "version", "", "version, such as v1.2.3")
	flags.StringVar(&r.ldflags, "ldflags", "", "flags of the linker")
	made := flags.String("date", "", "time of the commit, in RFC 3339")
	flags.StringVar(&r.Image, "image", "", "repository of the controller's image, which the plugin then installs by its digest")
	push := flags.Bool("push", false, "push the controller's image to its repository, with the version as its tag")
	only := flags.String("platforms", strings.Join(platforms(), ","), "what to build")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if r.made, err = time.Parse(time.RFC3339, *made); err != nil {
		return fmt.Errorf("-date: %w", err)
	}
	if !strings.HasPrefix(r.Version, "v") {
		return fmt.Errorf("-version %q does not begin with v", r.Version)
	}
	if *push && r.Image == "" {
		return errors.New("-push needs -image")
	}
	built := strings.Split(*only, ",")
	index, err := r.image(ctx, built)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := os.WriteFile(filepath.Join(r.out, "image-digest.txt"), []byte(digest.String()+"\n"), 0o644); err != nil {
		return err
	}
	if r.Image != "" {
		r.ldflags += " -X " + imageVariable + "=" + r.Image + "@" + digest.String()
	}
	for _, p := range built {
		a, err := r.platform(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		r.Archives = append(r.Archives, a)
		fmt.Printf("%s  %s  %.1f MB\n", a.SHA256, a.Name, float64(a.size)/1e6)
	}
	if err := r.manifest(); err != nil {
		return err
	}
	if err := r.chart(digest.String()); err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	if err := r.checksums(); err != nil || !*push { // the sums of all files that are there
		return err
	}
	return pushImage(ctx, index, r.Image+":"+r.Version)
}

// platforms returns those that krew's validator takes.
func platforms() []string {
	return []string{
		"linux/amd64", "linux/arm64", "linux/arm", "linux/386", "linux/ppc64le",
		"darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64",
	}
}

// platform builds one archive and its bill of materials.
func (r *release) platform(ctx context.Context, platform string) (archive, error) {
	goos, arch, _ := strings.Cut(platform, "/")
	a := archive{OS: goos, Arch: arch, Program: "kubectl-vgr"}
	suffix := ".tar.gz"
	if goos == "windows" {
		a.Program, suffix = "kubectl-vgr.exe", ".zip"
	}
	base := fmt.Sprintf("kubectl-vgr_%s_%s_%s", r.Version, goos, arch)
	a.Name = base + suffix
	a.URI = fmt.Sprintf("https://github.com/unified-replication/kubectl-vgr/releases/download/%s/%s", r.Version, a.Name)
	dir := filepath.Join(r.out, "build", goos+"-"+arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return a, err
	}
	program := filepath.Join(dir, a.Program)
	env := append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "GOARM=6", "CGO_ENABLED=0")
	if err := r.command(ctx, env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", r.ldflags+" -buildid=", "-o", absolute(program), "./cmd/kubectl-vgr"); err != nil {
		return a, err
	}
	if err := r.materials(ctx, base, program); err != nil {
		return a, err
	}
	files := []file{{"LICENSE", filepath.Join(r.root, "LICENSE"), 0o644}, {a.Program, program, 0o755}}
	return a, a.write(filepath.Join(r.out, a.Name), files, r.made)
}

// materials writes the bill of materials of a program.
func (r *release) materials(ctx context.Context, base, program string) error {
	bom := absolute(filepath.Join(r.out, base+".cdx.json"))
	return r.command(ctx, os.Environ(), "go", "tool", "-modfile=hack/tools/release/go.mod", "cyclonedx-gomod", "bin", "-json", "-noserial", "-version", r.Version, "-output", bom, absolute(program))
}

func (r *release) command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stderr = r.root, env, os.Stderr
	return cmd.Run()
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path // there is no working directory; the command will say so
	}
	return abs
}
