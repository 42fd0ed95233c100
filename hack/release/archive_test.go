// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestArchive: an archive depends on what is in it and on the time of the commit, and has plain files
// at its root only, which is what krew unpacks.
func TestArchive(t *testing.T) {
	dir := t.TempDir()
	made := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	var files []file
	for i, name := range []string{"LICENSE", "kubectl-vgr"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file{name, path, []os.FileMode{0o644, 0o755}[i]})
	}
	for name, list := range map[string]func([]byte) ([]entry, error){"a.tar.gz": inTarball, "a.zip": inZip} {
		var sums []string
		for _, age := range []time.Duration{time.Hour, 2 * time.Hour} { // when the files were made does not count
			for _, f := range files {
				if err := os.Chtimes(f.path, time.Time{}, made.Add(age)); err != nil {
					t.Fatal(err)
				}
			}
			var a archive
			if err := a.write(filepath.Join(dir, name), files, made); err != nil {
				t.Fatal(err)
			}
			sums = append(sums, a.SHA256)
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: two sums of the same files", name)
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := list(data)
		if want := []entry{{"LICENSE", 0o644, made}, {"kubectl-vgr", 0o755, made}}; err != nil || !slices.EqualFunc(got, want, entry.equal) {
			t.Errorf("%s has %v, %v; want %v", name, got, err, want)
		}
	}
}

type entry struct {
	name string
	mode os.FileMode
	made time.Time
}

func (e entry) equal(o entry) bool {
	return e.name == o.name && e.mode == o.mode && e.made.Equal(o.made)
}

func inTarball(data []byte) (out []entry, err error) {
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, entry{h.Name, h.FileInfo().Mode(), h.ModTime})
	}
}

func inZip(data []byte) (out []entry, err error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	for _, f := range r.File {
		out = append(out, entry{f.Name, f.Mode(), f.Modified})
	}
	return out, nil
}

// TestChecksums: everything that is released has its sum, the image and the bills of materials too.
func TestChecksums(t *testing.T) {
	r := release{out: t.TempDir(), Archives: []archive{{Name: "kubectl-vgr_v1_linux_amd64.tar.gz"}}}
	names := []string{"kubectl-vgr_v1_linux_amd64.cdx.json", "kubectl-vgr_v1_linux_amd64.tar.gz", "vgr-controller_v1.oci.tar", "vgr-controller_v1_linux_amd64.cdx.json", "vgr.yaml"}
	var want string
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(r.out, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(name)), name)
	}
	if err := os.Mkdir(filepath.Join(r.out, "build"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what it wrote before is not one of them
		if err := r.checksums(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(r.out, "checksums.txt"))
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// TestImage: an image has the program, runs it without privileges, and depends on it and on the commit's time only.
func TestImage(t *testing.T) {
	made := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	var sums []string
	for range 2 {
		img, err := imageOf([]byte("program"), "linux", "arm64", made)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if c := config.Config; c.User != unprivileged || !slices.Equal(c.Entrypoint, []string{"/vgr-controller"}) || config.Architecture != "arm64" || config.OS != "linux" {
			t.Errorf("config %+v", config)
		}
		if err := validate.Image(img); err != nil {
			t.Error(err)
		}
		sum, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum.String())
	}
	if sums[0] != sums[1] {
		t.Errorf("two digests of the same program: %q", sums)
	}
}

// TestPush: what a registry then has is the image whose digest the plugin installs.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	img, err := imageOf([]byte("program"), "linux", "amd64", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: img})
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "http://") + "/vgr-controller"
	for range 2 { // a second push finds all there
		if err := pushImage(t.Context(), index, repository+":v1"); err != nil {
			t.Fatal(err)
		}
	}
	ref, err := name.NewDigest(repository + "@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(pulled); err != nil {
		t.Error(err)
	}
	if err := pushImage(t.Context(), index, repository+":not a tag"); err == nil {
		t.Error("a tag that is none was pushed")
	}
}
