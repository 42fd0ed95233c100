// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/plugin/gather"
)

// planted is a secret that is in no seed.
const planted = "hunter2-x"

// FuzzText: a secret that a name stands before goes, whatever is around it.
func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "secretName:", "--token-file", "token:", "basic", "Bearer", "-----BEGIN PRIVATE KEY-----", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt",
		"https://admin:x@", "eyJhbGciOiJSUzI1NiJ9.", "AQBk3V5mAAAAABAAl0uZyQ4bN8rI5Zl0jYkP1qzF2b3cDQ==", "«redacted»", `\"`,
	} {
		f.Add(seed, "after")
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, planted) {
			return
		}
		for _, form := range []string{
			"password=%", "password: %", `{"password":"%"}`, `{"passphrase":"horse % battery"}`, `{\"apiKey\": \"%\"}`, "the token is %", "--client-secret %",
			"Authorization: Bearer %", "https://admin:%@array",
		} {
			text := before + " " + strings.ReplaceAll(form, "%", planted) + " " + after
			got := gather.Text(text)
			if strings.Contains(got, planted) {
				t.Errorf("%q became %q", text, got)
			}
			if again := gather.Text(got); strings.Contains(again, planted) {
				t.Errorf("%q became %q", got, again)
			}
		}
	})
}

// FuzzObject: a secret in a field, a variable or an argument goes, wherever in an object that is.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"x"},["--v=1"]],"name":"x","value":1,"managedFields":null,"token":{"x":1}}`))
	f.Add([]byte(`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":""}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o map[string]any
		if json.Unmarshal(data, &o) != nil || strings.Contains(string(data), "hunter2") {
			return
		}
		plant(o)
		gather.Object(o)
		if text := render(t, o); strings.Contains(text, planted) {
			t.Errorf("it still has:\n%s", text)
		}
	})
}

// plant puts the secret into every map and list.
func plant(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, x := range v {
			plant(x)
		}
		v["dbPassword"] = planted
		v["tokens"] = []any{planted}
		v["env"] = []any{map[string]any{"name": "DB_PASSWORD", "value": planted}}
		v["args"] = []any{"--password", planted, "--token=" + planted}
		v["message"] = "password: " + planted
	case []any:
		for i := range v {
			plant(v[i])
		}
	}
}
