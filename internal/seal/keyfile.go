package seal

import (
	"fmt"
	"strings"
	"time"

	"filippo.io/age"
)

// SecretKey is a key of an age key file. It does not print itself.
type SecretKey struct {
	secret    string
	Recipient string    // its public half
	Created   time.Time // zero if the file does not say it
}

// Reveal returns the secret text (AGE-SECRET-KEY-…).
func (k SecretKey) Reveal() string { return k.secret }

// String keeps the key out of logs and errors.
func (k SecretKey) String() string { return "secret key of " + k.Recipient }

// GoString hides the key from %#v too.
func (k SecretKey) GoString() string { return k.String() }

// createdPrefix begins the comment in which age-keygen says when a key was made
// (https://github.com/FiloSottile/age/blob/main/doc/age-keygen.1.ronn).
const createdPrefix = "# created:"

// ParseKeyFile reads the keys of an age key file, in order, and when they were made.
// Errors never show a key.
func ParseKeyFile(text string) ([]SecretKey, error) {
	identities, err := ParseIdentities(text)
	if err != nil {
		return nil, err
	}
	var keys []SecretKey
	var created time.Time
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		comment, isCreated := strings.CutPrefix(line, createdPrefix)
		switch {
		case isCreated:
			created, _ = time.Parse(time.RFC3339, strings.TrimSpace(comment)) // zero if it is no time
		case line != "" && !strings.HasPrefix(line, "#"):
			key := SecretKey{secret: line, Created: created}
			if key.Recipient, err = recipientOf(identities[len(keys)]); err != nil {
				return nil, err
			}
			keys, created = append(keys, key), time.Time{}
		}
	}
	return keys, nil
}

func recipientOf(identity age.Identity) (string, error) {
	switch i := identity.(type) {
	case *age.X25519Identity:
		return i.Recipient().String(), nil
	case *age.HybridIdentity:
		return i.Recipient().String(), nil
	}
	return "", fmt.Errorf("read age key: a key of the kind %T has no public half that is known", identity)
}

// Successor makes a new key of the kind of a recipient, created at now, and the lines
// of an age key file that hold it.
func Successor(recipient string, now time.Time) (key SecretKey, lines string, err error) {
	var identity interface {
		age.Identity
		fmt.Stringer
	}
	if strings.HasPrefix(recipient, "age1pq1") {
		identity, err = age.GenerateHybridIdentity()
	} else {
		identity, err = age.GenerateX25519Identity()
	}
	if err != nil {
		return SecretKey{}, "", fmt.Errorf("generate age key: %w", err)
	}
	key = SecretKey{secret: identity.String(), Created: now.UTC().Truncate(time.Second)}
	if key.Recipient, err = recipientOf(identity); err != nil {
		return SecretKey{}, "", err
	}
	return key, fmt.Sprintf("%s %s\n# public key: %s\n%s\n", createdPrefix, key.Created.Format(time.RFC3339), key.Recipient, key.secret), nil
}
