package seal_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/seal"
)

func TestKeyFile(t *testing.T) {
	secret, public, err := seal.GenerateIdentity()
	require.NoError(t, err)
	made := time.Date(2026, 11, 22, 18, 0, 1, 500, time.FixedZone("", 3600))
	next, lines, err := seal.Successor(public, made)
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 22, 17, 0, 1, 0, time.UTC), next.Created)
	hybrid, more, err := seal.Successor("age1pq1whatever", made)
	require.NoError(t, err)
	require.Regexp(t, "^age1pq1", hybrid.Recipient)

	keys, err := seal.ParseKeyFile("# created: 2024-03-02T07:00:00+01:00\n# public key: " + public + "\n" + secret + "\n\n" + lines +
		"# created: long ago\n" + secret + "\n" + secret + "\n" + more)
	require.NoError(t, err)
	require.Len(t, keys, 5)
	require.Equal(t, public, keys[0].Recipient)
	require.Equal(t, secret, keys[0].Reveal())
	require.True(t, keys[0].Created.Equal(time.Date(2024, 3, 2, 6, 0, 0, 0, time.UTC)))
	require.Equal(t, next, keys[1])
	require.Zero(t, keys[2].Created, "what is no time")
	require.Zero(t, keys[3].Created, "a comment is about the next key alone")
	require.Equal(t, hybrid, keys[4])
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(format, keys[0]), "AGE-SECRET", format)
	}

	// What is sealed for a successor opens with it alone.
	recipients, err := seal.ParseRecipients([]string{next.Recipient})
	require.NoError(t, err)
	sealedBytes, _ := sealed(t, []byte("new"), recipients)
	identities, err := seal.ParseIdentities(lines)
	require.NoError(t, err)
	plain, _, err := opened(bytes.NewReader(sealedBytes), identities)
	require.NoError(t, err)
	require.Equal(t, "new", string(plain))

	_, err = seal.ParseKeyFile("# created: 2024-03-02T07:00:00Z\n")
	require.ErrorContains(t, err, "there is no line with a secret key")
	_, err = seal.ParseKeyFile(secret[:40])
	require.ErrorContains(t, err, "line 1 is not a secret key")
	require.NotContains(t, err.Error(), secret[20:40])
}
