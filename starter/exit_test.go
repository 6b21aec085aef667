package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

func TestErrors(t *testing.T) {
	fault := recovery.NewFault(recovery.Permanent, errors.New("open bucket: no right"), "give the key the right to list")
	for _, test := range []struct {
		name string
		err  error
		code int
		text string
	}{
		{name: "none", err: nil, code: 0},
		{name: "plain", err: errors.New("two\nlines"), code: 1, text: "starter: error: two\nstarter: error: lines\n"},
		{
			name: "fault inside others", err: fmt.Errorf("list sets: %w", &exitError{code: exitUnreachable, err: fault}), code: 5,
			text: "starter: error: list sets: open bucket: no right\nstarter: hint: give the key the right to list\n",
		},
		{
			name: "a hint of the command's own", err: &exitError{code: exitDetached, err: errors.New("detached"), hint: "look at it"}, code: 130,
			text: "starter: error: detached\nstarter: hint: look at it\n",
		},
		{
			name: "config", code: 2,
			err:  &exitError{code: exitUsage, err: &config.Problems{File: "a.yaml", List: []config.Problem{{Line: 1, Column: 2, Field: "version", Message: "is missing"}}}},
			text: "a.yaml:1:2: version: is missing\nstarter: error: 1 problem in a.yaml\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stderr bytes.Buffer
			(&cli{stderr: &stderr}).printError(test.err)
			require.Equal(t, test.text, stderr.String())
			require.Equal(t, test.code, codeOf(test.err))
		})
	}
}
