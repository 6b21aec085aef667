package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	var none mask
	require.Equal(t, "all of it", none.hide("all of it"))

	var m mask
	for _, secret := range []string{
		"abc", "", "hunter2", "hunter2-and-more", "postgres://app:p%40ss%2Fword@db/app", "-----BEGIN KEY-----\n  MIIEvQ==\nno\n-----END KEY-----", "a b&c/d", "redis://:pw@cache",
	} {
		m.add(secret)
	}
	for text, want := range map[string]string{
		"abc is too short to hide":              "abc is too short to hide",
		"token=hunter2-and-more":                "token=***",
		"hunter2hunter2":                        "******",
		"postgres://app:p%40ss%2Fword@db/app":   "***",
		"password p@ss/word was refused":        "password *** was refused",
		"host=db password=p%40ss%2Fword":        "host=db password=***",
		"the tail: MIIEvQ==\n-----END KEY-----": "the tail: ***\n***",
		"no key":                                "no key",
		"?q=a+b%26c%2Fd or a%20b&c%2Fd":         "?q=*** or ***",
		"redis says pw is wrong":                "redis says *** is wrong",
		"nothing to see: p, ss, word, hunter":   "nothing to see: p, ss, word, hunter",
	} {
		require.Equal(t, want, m.hide(text))
	}
}
