// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errNoList = errors.New("it is cut off, or no JSON object")

// split takes the JSON of a list apart: what it says of itself as one object, and its items, which stay where they are in memory. A
// decoder would read the items twice more than what reads them then.
func split(body []byte) (head []byte, items []json.RawMessage, err error) {
	at := skipSpace(body, 0)
	if at >= len(body) || body[at] != '{' {
		return nil, nil, errNoList
	}
	head = append(head, '{')
	for at = skipSpace(body, at+1); at < len(body) && body[at] == '"'; {
		begin := at
		if at = skipValue(body, at); at < 0 {
			return nil, nil, errNoList
		}
		key := body[begin:at]
		if at = skipSpace(body, at); at >= len(body) || body[at] != ':' {
			return nil, nil, errNoList
		}
		at = skipSpace(body, at+1)
		value := at
		if string(key) == `"items"` && at < len(body) && body[at] == '[' {
			if items, at = elements(body, at); at < 0 {
				return nil, nil, errNoList
			}
		} else {
			if at = skipValue(body, at); at < 0 {
				return nil, nil, errNoList
			}
			if len(head) > 1 {
				head = append(head, ',')
			}
			head = append(append(append(head, key...), ':'), body[value:at]...)
		}
		if at = skipSpace(body, at); at < len(body) && body[at] == ',' {
			at = skipSpace(body, at+1)
		}
	}
	if at >= len(body) || body[at] != '}' || skipSpace(body, at+1) != len(body) {
		return nil, nil, errNoList
	}
	return append(head, '}'), items, nil
}

// elements returns those of the array that begins at a place, and where it ends; negative when it does not.
func elements(body []byte, at int) ([]json.RawMessage, int) {
	var out []json.RawMessage
	for at = skipSpace(body, at+1); at < len(body) && body[at] != ']'; {
		begin := at
		if at = skipValue(body, at); at < 0 || !json.Valid(body[begin:at]) {
			return nil, -1
		}
		out = append(out, body[begin:at:at])
		if at = skipSpace(body, at); at < len(body) && body[at] == ',' {
			at = skipSpace(body, at+1)
		}
	}
	if at >= len(body) {
		return nil, -1
	}
	return out, at + 1
}

// skipSpace returns where the next thing begins.
func skipSpace(body []byte, at int) int {
	for at < len(body) && (body[at] == ' ' || body[at] == '\n' || body[at] == '\r' || body[at] == '\t') {
		at++
	}
	return at
}

// skipValue returns where the value ends that begins at a place; negative when it does not end.
func skipValue(body []byte, at int) int {
	for depth := 0; at < len(body); {
		switch body[at] {
		case '"':
			if at = skipString(body, at); at < 0 {
				return -1
			}
		case '{', '[':
			depth++
			at++
			continue
		case '}', ']':
			depth--
			at++
		default:
			next := bytes.IndexAny(body[at+1:], `"{}[],: `+"\n\r\t")
			if next < 0 {
				return -1
			}
			at += 1 + next
		}
		if depth <= 0 {
			return at
		}
	}
	return -1
}

// skipString returns where the string ends that begins at a place; negative when it does not.
func skipString(body []byte, at int) int {
	for at++; ; at++ {
		next := bytes.IndexByte(body[at:], '"')
		if next < 0 {
			return -1
		}
		at += next
		escapes := 0
		for body[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
}
