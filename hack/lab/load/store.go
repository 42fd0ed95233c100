// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// A pattern is the first group, which the API server has stored itself.
const pattern = 0

// Fill makes the groups that Make would, thousands in a second: the first through the API servers, the others as
// copies of what those have stored, under other names. The stores are the addresses of each site's etcd.
func (l Groups) Fill(ctx context.Context, sites Sites, stores [2]string) error {
	first := l
	first.Groups = 1
	if err := first.Make(ctx, sites); err != nil {
		return err
	}
	for _, address := range stores {
		if err := l.copies(ctx, etcd(address)); err != nil {
			return err
		}
	}
	return nil
}

func (l Groups) copies(ctx context.Context, store etcd) error {
	key := func(n int) string {
		return "/registry/replication.unified.io/volumegroupreplications/" + l.Namespace + "/" + l.Name(n)
	}
	text, err := store.get(ctx, key(pattern))
	if err != nil {
		return err
	}
	var stored struct{ Metadata struct{ UID string } }
	if err := json.Unmarshal([]byte(text), &stored); err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for n := 1; n < l.Groups; n++ { // one by one: API servers count on objects having revisions of their own
		copied := strings.NewReplacer(l.Name(pattern), l.Name(n), stored.Metadata.UID, uuid.NewString()).Replace(text)
		work.Go(func() error { return store.put(ctx, key(n), copied) })
	}
	return work.Wait()
}

// etcd is the address of a store, spoken to in its JSON form: keys and values are in base64.
type etcd string

func (e etcd) get(ctx context.Context, key string) (string, error) {
	var found struct {
		KVs []struct{ Value []byte } `json:"kvs"`
	}
	if err := e.call(ctx, "/v3/kv/range", map[string]any{"key": []byte(key)}, &found); err != nil {
		return "", err
	}
	if len(found.KVs) != 1 {
		return "", fmt.Errorf("there is no %s in the store", key)
	}
	return string(found.KVs[0].Value), nil
}

func (e etcd) put(ctx context.Context, key, value string) error {
	return e.call(ctx, "/v3/kv/put", map[string]any{"key": []byte(key), "value": []byte(value)}, &struct{}{})
}

func (e etcd) call(ctx context.Context, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, string(e)+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", e, path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
