// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// A pattern is the first group, which the API server has stored itself.
const pattern = 0

// Stores are the addresses of each site's etcd, which takes thousands of objects in a second.
type Stores [2]string

// Fill makes the groups that Make would: the first through the API servers, the others as copies of what those
// have stored, under other names.
func (l Groups) Fill(ctx context.Context, sites Sites, stores Stores) error {
	first := l
	first.Groups = 1
	if err := first.Make(ctx, sites); err != nil {
		return err
	}
	for _, address := range stores {
		c, err := l.copier(ctx, etcd(address))
		if err != nil {
			return err
		}
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(parallel)
		for n := 1; n < l.Groups; n++ { // one by one: API servers count on objects having revisions of their own
			work.Go(func() error { return c.put(ctx, n) })
		}
		if err := work.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// ChurnStores changes groups as Churn does, at rates that API servers cannot write at beside everything else on
// a small machine: what they see is that the last synchronisation is now.
func (l Groups) ChurnStores(ctx context.Context, stores Stores, perSecond int, duration time.Duration) (int, error) {
	var copiers [2]copier
	for i, address := range stores {
		var err error
		if copiers[i], err = l.copier(ctx, etcd(address)); err != nil {
			return 0, err
		}
	}
	return l.pace(ctx, perSecond, duration, func(ctx context.Context, site, n int) error { return copiers[site].put(ctx, n) })
}

// copier puts groups into a store that are like the first one.
type copier struct {
	groups    Groups
	store     etcd
	text, uid string
}

func (l Groups) copier(ctx context.Context, store etcd) (copier, error) {
	c := copier{groups: l, store: store}
	var err error
	if c.text, err = store.get(ctx, l.key(pattern)); err != nil {
		return c, err
	}
	var stored struct{ Metadata struct{ UID string } }
	err = json.Unmarshal([]byte(c.text), &stored)
	c.uid = stored.Metadata.UID
	return c, err
}

func (l Groups) key(n int) string {
	return "/registry/replication.unified.io/volumegroupreplications/" + l.Namespace + "/" + l.Name(n)
}

var lastSync = regexp.MustCompile(`"lastSyncTime":"[^"]*"`)

// put writes a group. Written again it is the same one, with the present time.
func (c copier) put(ctx context.Context, n int) error {
	uid := c.uid
	if n != pattern {
		uid = uuid.NewSHA1(uuid.MustParse(c.uid), []byte(c.groups.Name(n))).String()
	}
	text := strings.NewReplacer(c.groups.Name(pattern), c.groups.Name(n), c.uid, uid).Replace(c.text)
	text = lastSync.ReplaceAllLiteralString(text, `"lastSyncTime":"`+time.Now().UTC().Format(time.RFC3339)+`"`)
	return c.store.put(ctx, c.groups.key(n), text)
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
