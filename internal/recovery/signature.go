package recovery

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Manifests, proofs, decisions and tombstones are signed JSON files:
//
//	{"<kind>": {…}, "signature": {"key": "<public key>", "value": "<base64>"}}
//
// The signature is Ed25519 over "lifeboat/<kind>/1\n" and the compact JSON of the
// document, so that no kind can pass for another.
const (
	documentManifest  = "set"
	documentProof     = "proof"
	documentDecision  = "decision"
	documentTombstone = "tombstone"
)

// The text forms of keys, as they stand in files and in the config.
const (
	signingKeyPrefix = "lifeboat-signing-key-"
	publicKeyPrefix  = "lifeboat-public-key-"
)

// SigningKey signs manifests and proofs. It does not print itself.
type SigningKey struct{ key ed25519.PrivateKey }

// PublicKey checks signatures.
type PublicKey struct{ key ed25519.PublicKey }

// NewSigningKey makes a key from 32 random bytes.
func NewSigningKey(seed []byte) (SigningKey, error) {
	if len(seed) != ed25519.SeedSize {
		return SigningKey{}, fmt.Errorf("make signing key: want %d random bytes, got %d", ed25519.SeedSize, len(seed))
	}
	return SigningKey{ed25519.NewKeyFromSeed(seed)}, nil
}

// ParseSigningKey reads the text that Reveal writes.
func ParseSigningKey(text string) (SigningKey, error) {
	raw, ok := strings.CutPrefix(strings.TrimSpace(text), signingKeyPrefix)
	if !ok {
		return SigningKey{}, fmt.Errorf("read signing key: it must begin with %s", signingKeyPrefix)
	}
	seed, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil {
		return SigningKey{}, errors.New("read signing key: it is damaged")
	}
	return NewSigningKey(seed)
}

// Reveal returns the secret text form.
func (k SigningKey) Reveal() string {
	return signingKeyPrefix + base64.RawURLEncoding.EncodeToString(k.key.Seed())
}

// String keeps the key out of logs and errors.
func (k SigningKey) String() string { return signingKeyPrefix + "(hidden)" }

// GoString hides the key from %#v too.
func (k SigningKey) GoString() string { return k.String() }

// Public returns the key that checks what k signs.
func (k SigningKey) Public() PublicKey {
	public, _ := k.key.Public().(ed25519.PublicKey)
	return PublicKey{public}
}

// ParsePublicKey reads the text that String writes.
func ParsePublicKey(text string) (PublicKey, error) {
	raw, ok := strings.CutPrefix(strings.TrimSpace(text), publicKeyPrefix)
	if !ok {
		return PublicKey{}, fmt.Errorf("read public key %q: it must begin with %s", text, publicKeyPrefix)
	}
	key, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return PublicKey{}, fmt.Errorf("read public key %q: it is damaged", text)
	}
	return PublicKey{key}, nil
}

func (k PublicKey) String() string {
	return publicKeyPrefix + base64.RawURLEncoding.EncodeToString(k.key)
}

type signature struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func sign(kind string, document any, key SigningKey) ([]byte, error) {
	if key.key == nil {
		return nil, errors.New("sign: there is no signing key")
	}
	compact, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	value := base64.StdEncoding.EncodeToString(ed25519.Sign(key.key, signedBytes(kind, compact)))
	file, err := json.MarshalIndent(map[string]any{
		kind:        json.RawMessage(compact),
		"signature": signature{Key: key.Public().String(), Value: value},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	return append(file, '\n'), nil
}

// EncodeDecision writes the signed file of a settled request: whatever the
// approval package keeps of it.
func EncodeDecision(book any, key SigningKey) ([]byte, error) {
	return sign(documentDecision, book, key)
}

// SignDocument writes the signed file of a document of another domain package. kind
// is its name in the file; none may have two meanings.
func SignDocument(kind string, document any, key SigningKey) ([]byte, error) {
	return sign(kind, document, key)
}

// VerifyDocument returns the compact JSON of a document that somebody trusted has
// signed.
func VerifyDocument(kind string, data []byte, trusted []PublicKey) (json.RawMessage, error) {
	return verify(kind, data, trusted)
}

func verify(kind string, data []byte, trusted []PublicKey) (json.RawMessage, error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	var sig signature
	if raw, ok := file["signature"]; !ok {
		return nil, errors.New("it is not signed")
	} else if err := json.Unmarshal(raw, &sig); err != nil {
		return nil, fmt.Errorf("parse signature: %w", err)
	}
	value, err := base64.StdEncoding.DecodeString(sig.Value)
	if err != nil {
		return nil, errors.New("its signature is damaged")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, file[kind]); err != nil {
		return nil, fmt.Errorf("parse %s: %w", kind, err)
	}
	for _, key := range trusted {
		if key.String() == sig.Key && ed25519.Verify(key.key, signedBytes(kind, compact.Bytes()), value) {
			return compact.Bytes(), nil
		}
	}
	for _, key := range trusted {
		if key.String() == sig.Key {
			return nil, errors.New("its signature does not fit its text")
		}
	}
	return nil, fmt.Errorf("it is signed by a key that is not trusted here (%q)", sig.Key)
}

func signedBytes(kind string, compact []byte) []byte {
	return append([]byte("lifeboat/"+kind+"/1\n"), compact...)
}
