// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// redacted stands for what was taken out.
const redacted = "«redacted»"

// sensitive is in the name of a field, a parameter or a variable whose value is a secret.
const sensitive = `(?:passw(?:or)?d|passphrase|secret|token|credential|(?:api|access|private|account|shared|storage|encrypt(?:ion)?|signing|master|license|user|admin)[-_]?key|key[-_]data|` +
	`authorization|cookie|webhook[-_]?ur[li]|connection[-_]?string|docker(?:cfg|configjson))`

// short are such names that are parts of too many others.
const short = `(?:auth|pwd|pass|pgpass|chap|sig)`

// pattern is compiled when it is needed: of all commands, one needs them.
type pattern func() *regexp.Regexp

func lazily(expression string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

var (
	sensitiveName = lazily(`(?i)` + sensitive + `|^` + short + `$`)
	// reference is the end of a name whose value only names a secret, which a diagnosis needs.
	reference = lazily(`(?i)(?:name|namespace|ref|kind|file|path)s?$`)

	// secrets are texts that are secrets wherever they stand.
	secrets = []pattern{
		lazily(`(?s)-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|CERTIFICATE)[A-Z0-9 ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\z)`),
		lazily(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`), // a JSON web token
		lazily(`\bAQ[A-Za-z0-9+/]{30,}={1,2}`),                           // a key of Ceph
		lazily(`\bLS0tLS1CRUdJ[A-Za-z0-9+/=\s]{20,}`),                    // PEM once more in base64
		lazily(`\b(?:gh[pousr]_|github_pat_|glpat-|npm_|dckr_pat_)[\w-]{15,}`),
		lazily(`\bxox[a-z]-[\w-]{8,}`),
		lazily(`\b(?:hv[sbr]\.[\w-]{8,}|s\.[A-Za-z0-9]{24}\b)`), // Vault
		lazily(`\b(?:AKIA|ASIA)[A-Z0-9]{12,}`),
		lazily(`\bAIza[\w-]{30,}`),
	}
	// The others end where the secret begins.
	userInfo = lazily(`://[^/\s:@"']+:`)
	bearer   = lazily(`(?i)\b(?:bearer|basic)\s+`)
	assigned = lazily(`(?i)([\w./-]*` + sensitive + `[\w./-]*)(?:\\?["']?\s*[:=]\s*|\s+(?:is|was)\s+)`)
	shortly  = lazily(`(?i)(?:^|[^\w-])(` + short + `)\\?["']?\s*[:=]\s*`)
	flagged  = lazily(`(?i)(--[\w-]*` + sensitive + `[\w-]*)\s+`)

	// These have the secret as their first group.
	within = []pattern{
		lazily(`(?i)[?&;](?:sig|signature|key|code|auth|x-amz-(?:signature|credential|security-token))=([^\s&"'\\;]+)`),
		lazily(`(?i)https://(?:hooks\.slack\.com/services|[\w.-]*webhook\.office\.com|discord(?:app)?\.com/api/webhooks)/([^\s"'\\]+)`),
		lazily(`://([^/\s:@"'\\]{16,})@`),                         // a token in the place of a user
		lazily(`(?m)^[^\s:]+:\d{2,5}:[^\s:]+:[^\s:]+:([^\s:]+)$`), // pgpass
	}
	// isSecret is a Secret that a text holds, and held its values.
	isSecret = lazily(`\\*["']?kind\\*["']?\s*:\s*\\*["']?Secret\b`)
	held     = lazily(`\\*["'](?:data|stringData)\\*["']\s*:\s*\{([^{}]+)\}`)
	heldYAML = lazily(`(?m)^[ \t]*(?:data|stringData):[ \t]*\n`)
	block    = lazily(`^[|>][-+0-9]*[ \t]*\n`)

	password    = lazily(`^([^/\s@"']+)@`)
	credentials = lazily(`^[A-Za-z0-9._~+/=-]{6,}`)
	opening     = lazily(`^\\*["']`)
	word        = lazily(`^[^\s"'\\,;}\]]+`)
)

// part is a part of a text.
type part struct{ from, to int }

// Text takes secrets out of a text: a message, a log, a value. It cannot know a secret that looks like any
// other word and that no name stands before. All is looked for in the text as it is: what one pattern took
// out could hide the name that stands before another secret.
func Text(text string) string {
	var found []part
	for _, secret := range secrets {
		for _, m := range secret().FindAllStringIndex(text, -1) {
			found = append(found, part{m[0], m[1]})
		}
	}
	for _, m := range userInfo().FindAllStringIndex(text, -1) {
		if end := password().FindStringSubmatchIndex(text[m[1]:]); end != nil {
			found = append(found, part{m[0] + len("://"), m[1] + end[3]})
		}
	}
	for _, m := range bearer().FindAllStringIndex(text, -1) {
		if end := credentials().FindStringIndex(text[m[1]:]); end != nil {
			found = append(found, part{m[1], m[1] + end[1]})
		}
	}
	for _, pattern := range within {
		for _, m := range pattern().FindAllStringSubmatchIndex(text, -1) {
			if text[m[2]:m[3]] != redacted {
				found = append(found, part{m[2], m[3]})
			}
		}
	}
	if isSecret().MatchString(text) {
		for _, m := range held().FindAllStringSubmatchIndex(text, -1) {
			found = append(found, part{m[2], m[3]})
		}
		for _, m := range heldYAML().FindAllStringIndex(text, -1) {
			found = append(found, indented(text, m[0], m[1]))
		}
	}
	for _, pattern := range []*regexp.Regexp{assigned(), shortly(), flagged()} {
		for _, m := range pattern.FindAllStringSubmatchIndex(text, -1) {
			if isFlag := pattern == flagged() && strings.HasPrefix(text[m[1]:], "-"); !isFlag && !reference().MatchString(text[m[2]:m[3]]) {
				if scalar := block().FindString(text[m[1]:]); scalar != "" {
					found = append(found, indented(text, m[2], m[1]+len(scalar)))
					continue
				}
				found = append(found, valueAt(text, m[1]))
			}
		}
	}
	return without(text, found)
}

// indented returns the lines from a place on that are further in than the line of a key.
func indented(text string, key, from int) part {
	deep := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	own := deep(text[strings.LastIndexByte(text[:key], '\n')+1:])
	to := from
	for line := range strings.Lines(text[from:]) {
		if strings.TrimSpace(line) != "" && deep(line) <= own {
			break
		}
		to += len(line)
	}
	begin := from + deep(text[from:to])
	return part{min(begin, to), max(min(begin, to), len(strings.TrimRight(text[:to], "\n")))}
}

// valueAt returns the word that begins somewhere in a text, or all that is between quotes. Quotes within the
// value have more backslashes than those around it.
func valueAt(text string, from int) part {
	open := opening().FindString(text[from:])
	if open == "" {
		return part{from, from + len(word().FindString(text[from:]))}
	}
	from += len(open)
	backslashes := 0
	for to := from; to < len(text); to++ {
		switch c := text[to]; {
		case c == '\n', c == open[len(open)-1] && backslashes < len(open):
			return part{from, to - backslashes}
		case c == '\\':
			backslashes++
		default:
			backslashes = 0
		}
	}
	return part{from, len(text)}
}

// without takes spans out of a text.
func without(text string, found []part) string {
	slices.SortFunc(found, func(a, b part) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	done := 0
	for _, s := range found {
		switch {
		case s.from == s.to || s.to <= done:
			continue
		case s.from >= done:
			b.WriteString(text[done:s.from] + redacted)
		}
		done = s.to
	}
	return b.String() + text[done:]
}

// secretName reports whether the value under a name is a secret.
func secretName(name string) bool {
	return sensitiveName().MatchString(name) && !reference().MatchString(name)
}

// Object takes secrets out of an object, in place, and what only repeats it.
func Object(object map[string]any) { fields(object) }

func fields(m map[string]any) {
	if name, ok := m["name"].(string); ok && secretName(name) {
		if _, ok := m["value"].(string); ok {
			m["value"] = redacted // a variable of a container
		}
	}
	for key, value := range m {
		switch {
		case m["kind"] == "Secret" && (key == "data" || key == "stringData"):
			m[key] = redacted
		case key == "managedFields":
			delete(m, key)
		case strings.HasSuffix(key, "last-applied-configuration"):
			m[key] = "«removed: the object once more»"
		case secretName(key):
			m[key] = hide(value)
		default:
			m[key] = clean(value)
		}
	}
}

// hide takes out a secret that is a text, or a list of them.
func hide(value any) any {
	switch v := value.(type) {
	case string:
		if v != "" {
			return redacted
		}
	case []any:
		for i := range v {
			v[i] = hide(v[i])
		}
	default:
		return clean(value)
	}
	return value
}

func clean(value any) any {
	switch v := value.(type) {
	case string:
		return Text(v)
	case map[string]any:
		fields(v)
	case []any:
		for i := range v {
			if _, isText := v[i].(string); isText && i > 0 && opensSecret(v[i-1]) {
				v[i] = redacted
				continue
			}
			v[i] = clean(v[i])
		}
	}
	return value
}

// opensSecret reports whether an argument is a flag whose value is the next argument, and a secret.
func opensSecret(argument any) bool {
	flag, ok := argument.(string)
	return ok && strings.HasPrefix(flag, "-") && !strings.ContainsAny(flag, "= ") && secretName(flag)
}
