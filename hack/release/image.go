// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// unprivileged is the user that the image runs as.
const unprivileged = "65532:65532"

// image builds the controller for Linux on each platform into one OCI archive, which needs no registry:
// "skopeo copy oci-archive:FILE docker://…" pushes it. It has the program and nothing else.
func (r *release) image(ctx context.Context, platforms []string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		goos, arch, _ := strings.Cut(platform, "/")
		if goos != "linux" {
			continue
		}
		program := filepath.Join(r.out, "build", goos+"-"+arch, "vgr-controller")
		env := append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "GOARM=6", "CGO_ENABLED=0")
		if err := r.command(ctx, env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", r.ldflags+" -buildid=", "-o", absolute(program), "./cmd/vgr-controller"); err != nil {
			return nil, err
		}
		if err := r.materials(ctx, fmt.Sprintf("vgr-controller_%s_%s_%s", r.Version, goos, arch), program); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(program)
		if err != nil {
			return nil, err
		}
		img, err := imageOf(data, goos, arch, r.made.UTC())
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: goos, Architecture: arch}}})
	}
	dir := filepath.Join(r.out, "build", "image")
	if _, err := layout.Write(dir, index); err != nil {
		return nil, err
	}
	file := fmt.Sprintf("vgr-controller_%s.oci.tar", r.Version)
	return index, tarDirectory(dir, filepath.Join(r.out, file), r.made.UTC())
}

// pushImage pushes the image to a registry, with the credentials that docker login has left.
func pushImage(ctx context.Context, index v1.ImageIndex, tag string) error {
	ref, err := name.NewTag(tag, name.StrictValidation)
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	return nil
}

// unpacked is a layer's tar, which is compressed on the way out.
type unpacked []byte

// DiffID implements partial.UncompressedLayer.
func (u unpacked) DiffID() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(u))
	return h, err
}

// Uncompressed implements partial.UncompressedLayer.
func (u unpacked) Uncompressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(u)), nil
}

// MediaType implements partial.UncompressedLayer.
func (u unpacked) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// imageOf returns an image with one program.
func imageOf(program []byte, goos, arch string, made time.Time) (v1.Image, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "vgr-controller", Mode: 0o755, Size: int64(len(program)), ModTime: made, Format: tar.FormatUSTAR}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := partial.UncompressedToLayer(unpacked(b.Bytes()))
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: made}, CreatedBy: "hack/release"}})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = goos, arch, v1.Time{Time: made}
	config.Config = v1.Config{User: unprivileged, Entrypoint: []string{"/vgr-controller"}}
	return mutate.ConfigFile(img, config)
}

// tarDirectory writes the files of a directory in the order of their names.
func tarDirectory(dir, path string, made time.Time) error {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(names)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(inside), Mode: 0o644, Size: int64(len(data)), ModTime: made, Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
