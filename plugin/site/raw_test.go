// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCut: only what is looked for goes, whatever strings say; what is no JSON does not become JSON.
func TestCut(t *testing.T) {
	for name, tc := range map[string]struct{ from, want string }{
		"none":              {`{"items":[{"a":1}]}`, `{"items":[{"a":1}]}`},
		"two":               {`[{"managedFields":[{"f":{"k:{\"t\":\"]\"}":{}}},[1]],"a":1},{"managedFields":[{}],"b":"]"}]`, `[{"managedFields":[],"a":1},{"managedFields":[],"b":"]"}]`},
		"empty":             {`{"managedFields":[],"a":[2]}`, `{"managedFields":[],"a":[2]}`},
		"in a string":       {`{"a":"\"managedFields\":[","b":[1]}`, `{"a":"\"managedFields\":[","b":[1]}`},
		"backslash at end":  {`{"managedFields":[{"a":"\\\\"}],"b":2}`, `{"managedFields":[],"b":2}`},
		"cut off":           {`{"managedFields":[{"a":1`, `{"managedFields":[`},
		"cut off in string": {`{"managedFields":["]`, `{"managedFields":[`},
	} {
		t.Run(name, func(t *testing.T) {
			got := string(cut([]byte(tc.from)))
			if got != tc.want || json.Valid([]byte(got)) != json.Valid([]byte(tc.from)) {
				t.Errorf("%s\nbecomes %s,\nnot     %s", tc.from, got, tc.want)
			}
		})
	}
}

// FuzzCut: JSON stays JSON, and says the same but for those lists.
func FuzzCut(f *testing.F) {
	for _, s := range []string{`{"metadata":{"managedFields":[{"a":"]\\\""}],"name":"x"}}`, `["managedFields", {"managedFields":[[[]]]}]`, `{"managedFields":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var before, after any
		if json.Unmarshal([]byte(text), &before) != nil {
			t.Skip()
		}
		if err := json.Unmarshal(cut([]byte(text)), &after); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(emptied(before), emptied(after)); d != "" {
			t.Error(d)
		}
	})
}

// emptied is a value whose lists of that name are empty.
func emptied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if _, list := value.([]any); list && key == "managedFields" {
				v[key] = nil
			} else {
				v[key] = emptied(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = emptied(v[i])
		}
	}
	return v
}
