// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	kjson "sigs.k8s.io/json"
)

// raw returns a client for what are no objects, or need not be found by their types.
func (s *Site) raw() (*rest.RESTClient, error) {
	over, err := s.transport()
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(s.config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(s.kinds.scheme).WithoutConversion()
	return rest.RESTClientForConfigAndClient(config, over)
}

// Serves reports whether the API server has a version of a group.
func (s *Site) Serves(ctx context.Context, version schema.GroupVersion) (bool, error) {
	c, err := s.raw()
	if err != nil {
		return false, err
	}
	path := []string{"/apis", version.Group, version.Version}
	if version.Group == "" {
		path = []string{"/api", version.Version}
	}
	err = c.Get().AbsPath(path...).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// managedFields are nearly half of what is stored of a group, and are not read here.
const managedFields = `"managedFields":[`

// cut takes those lists out of JSON, without reading it; an empty one stays. What they begin with has quotes, which no
// string in JSON has.
func cut(body []byte) []byte {
	kept := body[:0]
	for {
		at := bytes.Index(body, []byte(managedFields))
		if at < 0 {
			return append(kept, body...)
		}
		kept = append(kept, body[:at+len(managedFields)]...)
		body = body[at+len(managedFields):]
		end := endOfList(body)
		body = body[end:] // from the bracket that ends it
	}
}

// endOfList returns where the list ends that has begun before the text.
func endOfList(text []byte) int {
	depth, inString := 1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && inString:
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(text) // it is cut off, and the reader will say so
}

// Page reads one page of a list into a value of its type, in one pass: of a long list, finding out what it is
// a list of costs as much as reading it.
func (s *Site) Page(ctx context.Context, resource schema.GroupVersionResource, namespace string, o metav1.ListOptions, into runtime.Object) error {
	c, err := s.raw()
	if err != nil {
		return err
	}
	answer := c.Get().AbsPath("/apis", resource.Group, resource.Version).Namespace(namespace).Resource(resource.Resource).
		VersionedParams(&o, metav1.ParameterCodec).Do(ctx)
	if err := answer.Error(); err != nil { // in the server's words, which Raw does not read
		return err
	}
	body, err := answer.Raw()
	if err != nil {
		return err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(cut(body), into); err != nil {
		return notAsked("the answer is no list of %s: %v", resource.Resource, err)
	}
	if err := s.isA(into, "no list", resource.Resource); err != nil {
		return err
	}
	return itemsAre(s.kinds.scheme, into, resource.Resource)
}

// Items reads one page of a list of any kind, and gives its items on as they are. It returns where the next page begins.
func (s *Site) Items(ctx context.Context, resource schema.GroupVersionResource, namespace string, o metav1.ListOptions) (items []json.RawMessage, next string, err error) {
	c, err := s.raw()
	if err != nil {
		return nil, "", err
	}
	root := []string{"/apis", resource.Group, resource.Version}
	if resource.Group == "" {
		root = []string{"/api", resource.Version}
	}
	answer := c.Get().AbsPath(root...).Namespace(namespace).Resource(resource.Resource).VersionedParams(&o, metav1.ParameterCodec).Do(ctx)
	if err := answer.Error(); err != nil {
		return nil, "", err
	}
	body, err := answer.Raw()
	if err != nil {
		return nil, "", err
	}
	var list struct {
		metav1.TypeMeta
		metav1.ListMeta `json:"metadata"`
	}
	head, items, err := split(cut(body))
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(head, &list)
	}
	if err != nil {
		return nil, "", notAsked("the answer is no list of %s: %v", resource.Resource, err)
	}
	if list.APIVersion != resource.GroupVersion().String() || !strings.HasSuffix(list.Kind, "List") {
		return nil, "", notAsked("the answer is no list of %s, but of kind %q of %q", resource.Resource, list.Kind, list.APIVersion)
	}
	return items, list.Continue, nil
}

// itemsAre reports whether the items of a list are of its kind, where they name one: built-in types are listed without.
// What is another one's would be read as an object without a name, and the one that is wanted as missing.
func itemsAre(scheme *runtime.Scheme, list runtime.Object, what string) error {
	return meta.EachListItem(list, func(item runtime.Object) error {
		got := item.GetObjectKind().GroupVersionKind()
		if wanted, _, err := scheme.ObjectKinds(item); err != nil || got.Kind != "" && !slices.Contains(wanted, got) {
			return notAsked("a list of %s was answered with kind %q of %q in it", what, got.Kind, got.GroupVersion())
		}
		return nil
	})
}

// isA reports whether an answer is of the kind that was asked for: of another one, all that is wanted would be missing.
func (s *Site) isA(answer runtime.Object, no, what string) error {
	wanted, _, err := s.kinds.scheme.ObjectKinds(answer)
	if got := answer.GetObjectKind().GroupVersionKind(); err != nil || !slices.Contains(wanted, got) {
		return notAsked("the answer is %s of %s, but of kind %q of %q", no, what, got.Kind, got.GroupVersion())
	}
	return nil
}

// Read reads one object into a value of its type.
func (s *Site) Read(ctx context.Context, resource schema.GroupVersionResource, namespace, name string, into runtime.Object) error {
	c, err := s.raw()
	if err != nil {
		return err
	}
	answer := c.Get().AbsPath("/apis", resource.Group, resource.Version).Namespace(namespace).Resource(resource.Resource).Name(name).Do(ctx)
	if err := answer.Error(); err != nil {
		return err
	}
	body, err := answer.Raw()
	if err != nil {
		return err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, into); err != nil {
		return notAsked("the answer is not one of %s: %v", resource.Resource, err)
	}
	if err := s.isA(into, "not one", resource.Resource); err != nil {
		return err
	}
	if o, err := meta.Accessor(into); err == nil && (o.GetName() != name || o.GetNamespace() != namespace) {
		return notAsked("the request for %s %s was answered with %s/%s", resource.Resource, name, o.GetNamespace(), o.GetName())
	}
	return nil
}

// Version returns that of the API server.
func (s *Site) Version(ctx context.Context) (string, error) {
	c, err := s.raw()
	if err != nil {
		return "", err
	}
	data, err := c.Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return "", err
	}
	var said struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return "", err
	}
	return said.GitVersion, nil
}

// LogRequest says which log is wanted, and how much of its end.
type LogRequest struct {
	Namespace, Pod, Container string
	// Previous is the container's last run but one.
	Previous     bool
	Lines, Bytes int64
}

// Log returns the end of a container's log.
func (s *Site) Log(ctx context.Context, r LogRequest) ([]byte, error) {
	c, err := s.raw()
	if err != nil {
		return nil, err
	}
	return c.Get().Namespace(r.Namespace).Resource("pods").Name(r.Pod).SubResource("log").
		Param("container", r.Container).Param("previous", strconv.FormatBool(r.Previous)).Param("timestamps", "true").
		Param("tailLines", strconv.FormatInt(r.Lines, 10)).Param("limitBytes", strconv.FormatInt(r.Bytes, 10)).DoRaw(ctx)
}
