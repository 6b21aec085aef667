package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// ReplaceRecipients returns the text of the config file at path with a new recipient
// in the place of old ones. Comments, and all else, stay as they are. What comes out
// was checked; if it would not be good, the fault is Permanent and names the mend.
func ReplaceRecipients(path string, text []byte, old []string, fresh string) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("replace recipients in %s: %w", path, err),
			"write each of encryption.recipients on a line of its own, as - age1…, and try again")
	}
	cfg, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	var want []string
	for _, recipient := range cfg.Encryption.Recipients {
		if slices.Contains(old, recipient) {
			recipient = fresh
		}
		if recipient != fresh || !slices.Contains(want, fresh) {
			want = append(want, recipient)
		}
	}
	if !slices.Contains(want, fresh) {
		return fail(errors.New("none of the old ones is there"))
	}
	edited, err := editRecipients(text, old, fresh)
	if err != nil {
		return fail(err)
	}
	cfg, err = Parse(path, edited)
	switch {
	case err != nil:
		return fail(fmt.Errorf("the file would not be good afterwards: %w", err))
	case !slices.Equal(cfg.Encryption.Recipients, want):
		return fail(errors.New("they are written in a way that cannot be changed safely"))
	}
	return edited, nil
}

// editRecipients puts fresh in the place of the first of the old recipients, and
// removes the others.
func editRecipients(text []byte, old []string, fresh string) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	list := child(child(document.Content[0], "encryption"), "recipients")
	replaced := false
	type edit struct {
		from, to int
		by       string
	}
	var edits []edit
	for i, item := range list.Content {
		if !slices.Contains(old, item.Value) {
			continue
		}
		from, to, err := span(text, item)
		switch {
		case err != nil:
			return nil, err
		case !replaced:
			edits = append(edits, edit{from, to, fresh})
			replaced = true
		case list.Style&yaml.FlowStyle != 0: // together with the comma before it
			_, end, err := span(text, list.Content[i-1])
			if err != nil {
				return nil, err
			}
			edits = append(edits, edit{end, to, ""})
		default: // its whole line
			end := len(text)
			if newline := bytes.IndexByte(text[to:], '\n'); newline >= 0 {
				end = to + newline + 1
			}
			edits = append(edits, edit{bytes.LastIndexByte(text[:from], '\n') + 1, end, ""})
		}
	}
	for _, e := range slices.Backward(edits) {
		text = slices.Concat(text[:e.from], []byte(e.by), text[e.to:])
	}
	return text, nil
}

// child returns the value of a key of a mapping that was checked before.
func child(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return &yaml.Node{}
}

// span says from where to where in the text a plain or quoted scalar stands, with
// its quotes.
func span(text []byte, n *yaml.Node) (from, to int, err error) {
	for range n.Line - 1 {
		from += bytes.IndexByte(text[from:], '\n') + 1
	}
	for range n.Column - 1 { // counted in characters
		_, size := utf8.DecodeRune(text[from:])
		from += size
	}
	for _, quote := range []string{"", `"`, `'`} {
		if written := quote + n.Value + quote; strings.HasPrefix(string(text[from:]), written) {
			return from, from + len(written), nil
		}
	}
	return 0, 0, fmt.Errorf("line %d is written in a way that cannot be changed safely", n.Line)
}
