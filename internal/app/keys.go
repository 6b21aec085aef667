package app

import (
	"os"
	"slices"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
)

// The uses of keys.
const (
	KeySeals     = "seals sets"       // a recipient
	KeyOpens     = "opens older sets" // an identity that is no recipient's any more
	KeySigns     = "signs sets"
	KeyTrusted   = "is trusted" // its signatures are
	KeyApprovals = "vouches for decisions"
)

// Key is a key of an installation, as far as it can be seen from here. Nothing in it
// is secret.
type Key struct {
	Use    string    `json:"use"`
	Public string    `json:"public,omitempty"` // its public half; approval keys have none
	Secret string    `json:"secret,omitempty"` // reference to its secret half; empty: that is elsewhere
	Made   time.Time `json:"made,omitzero"`    // zero: not known
	// Before says that the key may be older than Made: that is when its file was written.
	Before bool   `json:"before,omitempty"`
	Error  string `json:"error,omitempty"` // why its secret half cannot be read here
}

// Old says whether the key is known to be older than [recovery.KeysWithin].
func (k Key) Old(now time.Time) bool {
	return !k.Made.IsZero() && now.Sub(k.Made) > recovery.KeysWithin.Std()
}

// Keys lists the keys that a config names: first those that seal, then the others.
func Keys(cfg *config.Config) []Key {
	keys := sealingKeys(cfg)
	signing := Key{Use: KeySigns, Secret: string(cfg.Signing.Key)}
	if signing.Secret != "" {
		signing.Made, signing.Before = written(cfg, signing.Secret)
		if key, err := signingKey(cfg); err != nil {
			signing.Error = err.Error()
		} else {
			signing.Public = key.Public().String()
		}
		keys = append(keys, signing)
	}
	for _, trusted := range cfg.Signing.Trusted {
		if trusted != signing.Public {
			keys = append(keys, Key{Use: KeyTrusted, Public: trusted})
		}
	}
	if ref := string(cfg.Approvals.Key); ref != "" {
		key := Key{Use: KeyApprovals, Secret: ref}
		key.Made, key.Before = written(cfg, ref)
		if _, err := cfg.ApprovalKey(); err != nil {
			key.Error = err.Error()
		}
		keys = append(keys, key)
	}
	return keys
}

// sealingKeys lists the recipients, and the identities that open what was sealed
// for earlier ones.
func sealingKeys(cfg *config.Config) []Key {
	ref := string(cfg.Encryption.Identities)
	identities, err := identitiesOf(cfg, ref)
	var keys []Key
	for _, recipient := range cfg.Encryption.Recipients {
		key := Key{Use: KeySeals, Public: recipient}
		if i := slices.IndexFunc(identities, func(k seal.SecretKey) bool { return k.Recipient == recipient }); i >= 0 {
			key.Secret, key.Made = ref, identities[i].Created
		}
		keys = append(keys, key)
	}
	for _, k := range identities {
		if !slices.Contains(cfg.Encryption.Recipients, k.Recipient) {
			keys = append(keys, Key{Use: KeyOpens, Public: k.Recipient, Secret: ref, Made: k.Created})
		}
	}
	if err != nil {
		keys = append(keys, Key{Use: KeyOpens, Secret: ref, Error: err.Error()})
	}
	return keys
}

func identitiesOf(cfg *config.Config, ref string) ([]seal.SecretKey, error) {
	if ref == "" {
		return nil, nil
	}
	text, err := cfg.Reveal(ref)
	if err != nil {
		return nil, err
	}
	keys, err := seal.ParseKeyFile(text.Reveal())
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, err, "put the text that age-keygen writes there")
	}
	return keys, nil
}

// written says when the file of a secret was written; the key in it may be older.
func written(cfg *config.Config, ref string) (at time.Time, before bool) {
	path, ok := cfg.SecretFile(ref)
	if !ok {
		return time.Time{}, false
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime().UTC().Truncate(time.Second), true
}
