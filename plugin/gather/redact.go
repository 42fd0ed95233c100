// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather

import (
	"regexp"
	"strings"
)

// redacted stands for what was taken out.
const redacted = "«redacted»"

// sensitive is in the name of a field, a parameter or a variable whose value is a secret.
const sensitive = `(?:passw(?:or)?d|passphrase|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|key[-_]data|authorization|cookie)`

var (
	sensitiveName = regexp.MustCompile(`(?i)` + sensitive)
	// reference is the end of a name whose value only names a secret, which a diagnosis needs.
	reference = regexp.MustCompile(`(?i)(?:name|namespace|ref|kind|file|path)$`)

	// secrets are texts that are secrets wherever they stand.
	secrets = []*regexp.Regexp{
		regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|CERTIFICATE)[A-Z0-9 ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\z)`),
		regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`), // a JSON web token
		regexp.MustCompile(`\bAQ[A-Za-z0-9+/]{30,}={1,2}`),                           // a key of Ceph
		regexp.MustCompile(`\bLS0tLS1CRUdJ[A-Za-z0-9+/=\s]{20,}`),                    // PEM once more in base64
	}
	// bearer and the two after it keep what is before the secret.
	bearer   = regexp.MustCompile(`(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{6,}`)
	userInfo = regexp.MustCompile(`(://)[^/\s:@"']+:[^/\s@"']+(@)`)
	assigned = regexp.MustCompile(`(?i)([\w./-]*` + sensitive + `[\w./-]*)(\\?["']?\s*[:=]\s*\\?["']?|\s+(?:is|was)\s+)([^\s"'\\,;}\]]+)`)
	flagged  = regexp.MustCompile(`(?i)(--[\w-]*` + sensitive + `[\w-]*)(\s+)([^\s"'-][^\s"']*)`)
)

// Text takes secrets out of a text: a message, a log, a value. It cannot know a secret that looks like any
// other word and that no name stands before.
func Text(text string) string {
	for _, pattern := range secrets {
		text = pattern.ReplaceAllLiteralString(text, redacted)
	}
	text = bearer.ReplaceAllString(text, "${1}${2}"+redacted)
	text = userInfo.ReplaceAllString(text, "${1}"+redacted+"${2}")
	for _, pattern := range []*regexp.Regexp{assigned, flagged} {
		text = pattern.ReplaceAllStringFunc(text, func(found string) string {
			part := pattern.FindStringSubmatch(found)
			if reference.MatchString(part[1]) || part[3] == redacted {
				return found
			}
			return part[1] + part[2] + redacted
		})
	}
	return text
}

// secretName says whether the value under a name is a secret.
func secretName(name string) bool {
	return sensitiveName.MatchString(name) && !reference.MatchString(name)
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
		text, isText := value.(string)
		switch {
		case key == "managedFields":
			delete(m, key)
		case strings.HasSuffix(key, "last-applied-configuration"):
			m[key] = "«removed: the object once more»"
		case isText && text != "" && secretName(key):
			m[key] = redacted
		default:
			m[key] = clean(value)
		}
	}
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

// opensSecret says whether an argument is a flag whose value is the next argument, and a secret.
func opensSecret(argument any) bool {
	flag, ok := argument.(string)
	return ok && strings.HasPrefix(flag, "-") && !strings.ContainsAny(flag, "= ") && secretName(flag)
}
