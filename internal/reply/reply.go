// Package reply reads what a service answers by HTTP, and says of the asking only
// what is no secret.
package reply

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// Member finds a value in a JSON answer by a dotted path, e.g. "items.0.id": a string, a
// json.Number, a bool, an object, a list, or nil if there is none. The error never
// quotes the answer: it is the service's.
func Member(body []byte, path string) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errors.New("want an answer in JSON")
	}
	for name := range strings.SplitSeq(path, ".") {
		value = member(value, name)
	}
	return value, nil
}

// member is a field of an object, or an element of a list; nil if there is none.
func member(value any, name string) any {
	switch container := value.(type) {
	case map[string]any:
		return container[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(container) {
			return container[i]
		}
	}
	return nil
}

// Cause takes the address out of an error of net/http: it may hold a secret.
func Cause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// Redact leaves of an address what is safe to print: no user, no query. What is no
// address is called by another name.
func Redact(address, other string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return other
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
