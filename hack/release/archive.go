// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// archive is one file of a release.
type archive struct {
	OS, Arch, Program string
	Name, URI, SHA256 string
	size              int
}

// file is what goes into an archive, under a name without directories.
type file struct {
	name, path string
	mode       fs.FileMode
}

// write makes the archive. It depends on the contents and the time only.
func (a *archive) write(path string, files []file, made time.Time) error {
	var b bytes.Buffer
	pack := tarball
	if strings.HasSuffix(path, ".zip") {
		pack = zipped
	}
	if err := pack(&b, files, made.UTC()); err != nil {
		return err
	}
	sum := sha256.Sum256(b.Bytes())
	a.SHA256, a.size = hex.EncodeToString(sum[:]), b.Len()
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func tarball(w io.Writer, files []file, made time.Time) error {
	gz, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := tar.NewWriter(gz)
	for _, f := range files {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		if err := out.WriteHeader(&tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(data)), ModTime: made, Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		if _, err := out.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), gz.Close())
}

func zipped(w io.Writer, files []file, made time.Time) error {
	out := zip.NewWriter(w)
	for _, f := range files {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: made}
		h.SetMode(f.mode)
		entry, err := out.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := entry.Write(data); err != nil {
			return err
		}
	}
	return out.Close()
}

// checksums writes the sums of all files of the release, as sha256sum --check reads them.
func (r *release) checksums() error {
	const name = "checksums.txt"
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries { // in the order of their names
		if e.IsDir() || e.Name() == name {
			continue
		}
		sum, err := sumOf(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		b.WriteString(sum + "  " + e.Name() + "\n")
	}
	return os.WriteFile(filepath.Join(r.out, name), []byte(b.String()), 0o644)
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// manifest fills krew's in.
func (r *release) manifest() error {
	t, err := template.New("vgr.yaml.tmpl").Option("missingkey=error").ParseFiles(filepath.Join(r.root, "krew-manifest", "vgr.yaml.tmpl"))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, r); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "vgr.yaml"), b.Bytes(), 0o644)
}
