// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// longName is the length in characters from which the name of a context is shortened, and which no display name of a
// pair exceeds if it can be helped: columns and sentences have that much room.
const longName = 20

// identity is what a site can be named by.
type identity struct {
	// context is its name in the kubeconfig file; file is empty for the kubeconfig of all commands.
	context, file string
	// server is the URL of the API server.
	server string
	// alias is the user's own name for the cluster, and offered the one that groups offer; both may be empty.
	alias, offered string
}

// displayNames returns what two sites are called on screens and by those who type: the user's alias, else an alias that
// groups offer, else the shortest part that tells them apart. It is the same whichever site comes first. The two names
// differ, and neither is the other site's context.
func displayNames(a, b identity) (nameOfA, nameOfB string) {
	shortA, shortB := shortNames(a, b)
	aliasA, aliasB := a.alias, b.alias
	if strings.EqualFold(aliasA, aliasB) {
		aliasA, aliasB = "", ""
	}
	if strings.EqualFold(aliasA, b.context) {
		aliasA = ""
	}
	if strings.EqualFold(aliasB, a.context) {
		aliasB = ""
	}
	offeredA, offeredB := trusted(a, b, shortB, aliasB), trusted(b, a, shortA, aliasA)
	if strings.EqualFold(offeredA, offeredB) {
		offeredA, offeredB = "", ""
	}
	nameOfA, nameOfB = first(aliasA, offeredA, shortA), first(aliasB, offeredB, shortB)
	if strings.EqualFold(nameOfA, nameOfB) { // a user's alias is what the other site would be called without one
		if aliasA != "" {
			return nameOfA, unlike(b, a)
		}
		return unlike(a, b), nameOfB
	}
	return nameOfA, nameOfB
}

// trusted returns the alias that groups offer for a site, unless it could be taken for the other site: each user who may write
// a group may offer one.
func trusted(of, other identity, shortOfOther, aliasOfOther string) string {
	offered := strings.ToLower(of.offered)
	if of.alias != "" || ValidAlias(of.offered) != nil {
		return ""
	}
	for _, theirs := range []string{other.context, other.server, other.file, other.alias, other.offered, shortOfOther, aliasOfOther} {
		theirs = strings.ToLower(theirs)
		if theirs != "" && (strings.Contains(theirs, offered) || strings.Contains(offered, theirs)) {
			return ""
		}
	}
	return of.offered
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// unlike returns the full name of a site, which the other one does not have.
func unlike(s, other identity) string {
	switch {
	case s.context != other.context:
		return s.context
	case s.file == "":
		return s.context + "@kubeconfig"
	default:
		return s.context + "@" + s.file
	}
}

// shortNames returns the shortest parts that tell two sites apart.
func shortNames(a, b identity) (shortA, shortB string) {
	if a.context != b.context && max(utf8.RuneCountInString(a.context), utf8.RuneCountInString(b.context)) <= longName {
		return a.context, b.context
	}
	hostA, portA := address(a.server)
	hostB, portB := address(b.server)
	for _, try := range []func() (string, string){
		func() (string, string) { return differ(cluster(a.context), cluster(b.context)) },
		func() (string, string) { return differ(a.context, b.context) },
		func() (string, string) { return window(a.context, b.context) },
		func() (string, string) { return differ(hostA, hostB) },
		func() (string, string) { return hostA, hostB },
		func() (string, string) { return net.JoinHostPort(hostA, portA), net.JoinHostPort(hostB, portB) },
		func() (string, string) { return base(a.file), base(b.file) },
	} {
		shortA, shortB = try()
		if good(shortA, b, shortB) && good(shortB, a, shortA) {
			return shortA, shortB
		}
	}
	return unlike(a, b), unlike(b, a)
}

// good reports whether a short name tells its site from the other one.
func good(name string, other identity, nameOfOther string) bool {
	return name != "" && utf8.RuneCountInString(name) <= longName && !strings.EqualFold(name, nameOfOther) && !strings.EqualFold(name, other.context)
}

func address(server string) (host, port string) {
	u, err := url.Parse(server)
	if err != nil {
		return "", ""
	}
	return u.Hostname(), u.Port()
}

func base(file string) string {
	if file == "" {
		return "kubeconfig"
	}
	return filepath.Base(file)
}

// forms are the names that tools give to contexts, with the part that names the cluster.
var forms = []*regexp.Regexp{
	regexp.MustCompile(`^arn:aws[^:]*:eks:[^:]*:[^:]*:cluster/(.+)$`),
	regexp.MustCompile(`^gke_[^_]+_[^_]+_(.+)$`),
	regexp.MustCompile(`^[^/]*/([^/:]+):[0-9]+/[^/]+$`), // OpenShift
	regexp.MustCompile(`^[^@/]+@([^@/]+)$`),             // kubeadm
}

// cluster returns the part of a context that names the cluster; empty when it has none of the known forms.
func cluster(context string) string {
	for _, form := range forms {
		if m := form.FindStringSubmatch(context); m != nil {
			return m[1]
		}
	}
	return ""
}

// differ returns the parts of two names that tell them apart best: of the parts between separators that differ, the
// longest, and a number only if there is nothing else. It is usually that of the cluster, while a namespace or user may differ too.
func differ(a, b string) (partOfA, partOfB string) {
	as, bs := parts(a), parts(b)
	if len(as) != len(bs) || net.ParseIP(a) != nil || net.ParseIP(b) != nil {
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

// window cuts two names to where they begin to differ.
func window(a, b string) (partOfA, partOfB string) {
	as, bs := []rune(a), []rune(b)
	same := 0
	for same < min(len(as), len(bs)) && as[same] == bs[same] {
		same++
	}
	cut := func(r []rune) string {
		from := min(max(0, same-longName/4), len(r))
		return strings.Trim(string(r[from:min(len(r), from+longName)]), "-/:@_. ")
	}
	return cut(as), cut(bs)
}
