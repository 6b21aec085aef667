package seal

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
)

const secretPrefix = "AGE-SECRET-KEY-"

// ParseRecipients reads the public keys (age1…) to seal for.
func ParseRecipients(keys []string) ([]age.Recipient, error) {
	if len(keys) == 0 {
		return nil, errors.New("read recipients: there is none")
	}
	var recipients []age.Recipient
	for i, key := range keys {
		key = strings.TrimSpace(key)
		if strings.HasPrefix(strings.ToUpper(key), secretPrefix) {
			return nil, fmt.Errorf("read recipient %d: it is a secret key; put its public key (age1…) there", i+1)
		}
		parsed, err := age.ParseRecipients(strings.NewReader(key))
		if err != nil || len(parsed) != 1 {
			return nil, fmt.Errorf("read recipient %d, %q: it is not an age public key (age1…)", i+1, key)
		}
		recipients = append(recipients, parsed[0])
	}
	return recipients, nil
}

// ParseIdentities reads the secret keys that open what was sealed, in the form
// of an age key file: one a line, lines that begin with # ignored. Errors never
// show a key.
func ParseIdentities(text string) ([]age.Identity, error) {
	var identities []age.Identity
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parsed, err := age.ParseIdentities(strings.NewReader(line))
		if err != nil || len(parsed) != 1 {
			return nil, fmt.Errorf("read age key: line %d is not a secret key (%s1…)", number, secretPrefix)
		}
		identities = append(identities, parsed[0])
	}
	if len(identities) == 0 {
		return nil, fmt.Errorf("read age key: there is no line with a secret key (%s1…)", secretPrefix)
	}
	return identities, nil
}

// GenerateIdentity makes a new pair of keys.
func GenerateIdentity() (secret, recipient string, err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", fmt.Errorf("generate age key: %w", err)
	}
	return identity.String(), identity.Recipient().String(), nil
}

// RecipientOf returns the public key that belongs to a secret one, as
// GenerateIdentity made them.
func RecipientOf(secret string) (string, error) {
	identity, err := age.ParseX25519Identity(strings.TrimSpace(secret))
	if err != nil {
		return "", errors.New("read age key: it is not a secret key")
	}
	return identity.Recipient().String(), nil
}
