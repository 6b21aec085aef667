package config_test

import (
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// TestReplaceRecipients: only the recipients change, however they are written.
func TestReplaceRecipients(t *testing.T) {
	keys := map[string]string{}
	for _, name := range []string{"{old}", "{older}", "{other}", "{new}"} {
		identity, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		keys[name] = identity.Recipient().String()
	}
	var pairs []string
	for name, key := range keys {
		pairs = append(pairs, name, key)
	}
	fill := strings.NewReplacer(pairs...)
	const refused = "refused"
	for name, test := range map[string]struct{ before, after string }{
		"a list of lines":    {"\n    # whose keys these are: größer\n    - {other} # Sam's\n    - {old} # the safe's\n    # the end", "\n    # whose keys these are: größer\n    - {other} # Sam's\n    - {new} # the safe's\n    # the end"},
		"in brackets":        {"[{old}, {other}] # two", "[{new}, {other}] # two"},
		"in double quotes":   {"[{other},\n    \"{old}\", '{older}' ]", "[{other},\n    {new} ]"},
		"several lines":      {"\n    - {old}\n    # was {older}\n    - {older} # until 2024\n    - {other}", "\n    - {new}\n    # was {older}\n    - {other}"},
		"the last of all":    {"\n  - {old}\n  - {older}", "\n  - {new}"},
		"several, bracketed": {"[{other}, {old}, {older}]", "[{other}, {new}]"},
		"an escaped text":    {"[\"\\x61{old}\"]", refused},
		"a block of text":    {"\n    - >-\n      {old}", refused},
		"below the hyphen":   {"\n    - {other}\n    - {old}\n    -\n      {older}", refused},
		"not there":          {"[{other}]", refused},
		"there already":      {"[{new}, {other}]", "[{new}, {other}]"},
	} {
		t.Run(name, func(t *testing.T) {
			good, err := parseSmall(t)
			require.NoError(t, err)
			list := "[" + good.Encryption.Recipients[0] + "]"
			text := func(recipients string) string {
				return strings.Replace(smallText(t), list, fill.Replace(recipients), 1) + "# größer\n"
			}
			before := text(test.before)
			edited, err := config.ReplaceRecipients("lifeboat.yaml", []byte(before), []string{keys["{old}"], keys["{older}"]}, keys["{new}"])
			if test.after == refused {
				require.Error(t, err)
				require.Nil(t, edited)
				return
			}
			require.NoError(t, err)
			require.Equal(t, text(test.after), string(edited))
		})
	}
}

func TestReplaceRecipientsSaysWhatToDo(t *testing.T) {
	text := strings.Replace(smallText(t), "[age1", "[\"\\x61ge1", 1)
	text = strings.Replace(text, "78]", "78\"]", 1)
	cfg, err := config.Parse("lifeboat.yaml", []byte(text))
	require.NoError(t, err)
	_, err = config.ReplaceRecipients("lifeboat.yaml", []byte(text), cfg.Encryption.Recipients, "age1new")
	require.EqualError(t, err, "replace recipients in lifeboat.yaml: line 3 is written in a way that cannot be changed safely "+
		"(write each of encryption.recipients on a line of its own, as - age1…, and try again)")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))

	_, err = config.ReplaceRecipients("lifeboat.yaml", []byte(smallText(t)), cfg.Encryption.Recipients, "age1new")
	require.ErrorContains(t, err, `the file would not be good afterwards: lifeboat.yaml:3:16: encryption.recipients[0]: "age1new" is not a public age key`)

	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	two := strings.Replace(smallText(t), "78]", "78, "+other.Recipient().String()+"]", 1)
	_, err = config.ReplaceRecipients("lifeboat.yaml", []byte(two), cfg.Encryption.Recipients, hybrid.Recipient().String())
	require.ErrorContains(t, err, "cannot be used together")
}
