// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"strings"
	"unicode/utf8"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// longName is the length in characters from which the heading of a site's column is shortened.
const longName = 20

// SiteHeads are the names of the sites as headings of columns. Long contexts, such as those that OpenShift, EKS and GKE
// give, are cut down to the part by which they differ. Two sites never have the same heading.
func SiteHeads(sites []overview.Site) []string {
	full := make([]string, len(sites))
	long := false
	for i, s := range sites {
		full[i] = Clean(s.Name)
		long = long || utf8.RuneCountInString(full[i]) > longName
	}
	if !long || len(full) != 2 {
		return full
	}
	a, b := differ(full[0], full[1])
	if a == b || a == "" || b == "" {
		return full
	}
	return []string{a, b}
}

// differ returns the parts of two contexts that tell them apart best: of the parts between separators that differ, the
// longest, and a number only if there is nothing else. It is usually that of the cluster, while a namespace or user may differ too.
func differ(a, b string) (partOfA, partOfB string) {
	as, bs := parts(a), parts(b)
	if len(as) != len(bs) {
		return "", ""
	}
	best := -1
	for i := range as {
		worth := min(len(as[i]), len(bs[i]))
		if number(as[i]) {
			worth = 0
		}
		if as[i] != bs[i] && worth > best {
			best, partOfA, partOfB = worth, as[i], bs[i]
		}
	}
	if max(utf8.RuneCountInString(partOfA), utf8.RuneCountInString(partOfB)) <= longName {
		return partOfA, partOfB
	}
	return within(partOfA, partOfB)
}

// parts are what separators divide in the names that tools give to contexts.
func parts(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("/:@_.", r) })
}

func number(part string) bool { return strings.Trim(part, "0123456789") == "" }

// within leaves out the words that both parts begin and end with, but for one word before the difference.
func within(a, b string) (wordsOfA, wordsOfB string) {
	as, bs := strings.Split(a, "-"), strings.Split(b, "-")
	for len(as) > 1 && len(bs) > 1 && as[len(as)-1] == bs[len(bs)-1] {
		as, bs = as[:len(as)-1], bs[:len(bs)-1]
	}
	same := 0
	for same < min(len(as), len(bs))-1 && as[same] == bs[same] {
		same++
	}
	from := max(0, same-1)
	return strings.Join(as[from:], "-"), strings.Join(bs[from:], "-")
}
