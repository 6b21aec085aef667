package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"
	"go.yaml.in/yaml/v3"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Reference says where a secret is found: env:NAME is a variable of the
// environment, file:PATH a file, relative to the config file's folder; a newline
// at the file's end is no part of the secret.
type Reference string

// The second form leaves out what is a URL (file:///…) or holds a placeholder or a
// query (SQLite's file:{restored.notes}?mode=ro).
var referenceForm = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:(/?[^/{}?#\x00-\x1f][^{}?#\x00-\x1f]*))$`)

// IsReference says whether text is well formed as a reference to a secret.
func IsReference(text string) bool { return referenceForm.MatchString(text) }

// reference is one place of the file that refers to a secret.
type reference struct {
	path         string
	ref          string
	line, column int
}

func (d *decoder) reference(path string, n *yaml.Node) {
	switch {
	case n.Value == "":
		return
	case !IsReference(n.Value):
		d.problem(path, "is not a reference to a secret", "keep the secret in the environment or in a file, and write env:NAME or file:PATH here")
		return
	}
	d.references = append(d.references, reference{path: path, ref: n.Value, line: n.Line, column: n.Column})
}

// Reveal reads the secret that ref refers to; ref may be from a plan that was made
// when the file was another.
// The fault is Permanent and names the field and the reference, never what was
// read.
func (c *Config) Reveal(ref string) (Secret, error) {
	if !IsReference(ref) {
		return Secret{}, recovery.NewFault(recovery.Permanent, errors.New("read secret: what should refer to it is neither env:NAME nor file:PATH"), "mend it in "+c.file)
	}
	secret, message, mend := c.resolve(ref)
	if message != "" {
		of := ""
		if i := slices.IndexFunc(c.references, func(r reference) bool { return r.ref == ref }); i >= 0 {
			of = " for " + c.references[i].path
		}
		return Secret{}, recovery.NewFault(recovery.Permanent, fmt.Errorf("read secret%s: %q %s", of, ref, message), mend)
	}
	return secret, nil
}

// resolve reads a well-formed reference, or says why it cannot and what to do.
func (c *Config) resolve(ref string) (secret Secret, message, mend string) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		if value := os.Getenv(name); value != "" {
			return NewSecret(value), "", ""
		}
		return Secret{}, "is not set in the environment", "set " + name
	}
	data, err := os.ReadFile(c.secretFile(ref))
	var pathError *fs.PathError
	switch {
	case errors.As(err, &pathError):
		return Secret{}, "cannot be read: " + pathError.Err.Error(), "put the secret into " + c.secretFile(ref) + ", readable by the user that runs this"
	case err != nil:
		return Secret{}, "cannot be read: " + err.Error(), ""
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		return Secret{}, "is empty", "put the secret into " + c.secretFile(ref)
	}
	return NewSecret(value), "", ""
}

// SecretFile returns the path that a file: reference leads to; false for another one.
func (c *Config) SecretFile(ref string) (string, bool) {
	if !IsReference(ref) || !strings.HasPrefix(ref, "file:") {
		return "", false
	}
	return c.secretFile(ref), true
}

// secretFile returns the path of a file: reference.
func (c *Config) secretFile(ref string) string {
	return c.absolute(strings.TrimPrefix(ref, "file:"))
}

// absolute resolves a path that is relative to the config file's folder.
func (c *Config) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.dir, path)
}

// CheckSecrets reports the references that cannot be read here, and secrets that
// are not what their fields need. A machine that only makes sets, or only opens
// them, need not have all.
func (c *Config) CheckSecrets() []Problem {
	var found []Problem
	for _, r := range c.references {
		message, mend := c.checkSecret(r)
		if message != "" {
			found = append(found, Problem{Line: r.line, Column: r.column, Field: r.path, Value: r.ref, Message: message, Mend: mend})
		}
	}
	return found
}

func (c *Config) checkSecret(r reference) (message, mend string) {
	secret, message, mend := c.resolve(r.ref)
	if message != "" {
		return message, mend
	}
	switch r.path {
	case "encryption.identities":
		message, mend = c.checkIdentities(secret)
	case "signing.key":
		message, mend = c.checkSigningKey(secret)
	case "approvals.key":
		message, mend = checkApprovalKey(secret)
	case "slack.botToken":
		message, mend = checkToken(secret, "xoxb-")
	case "slack.appToken":
		message, mend = checkToken(secret, "xapp-")
	default:
		if strings.Contains(r.path, ".env.") { // a variable may hold anything
			return "", ""
		}
		// References end in url or admin where they name a database.
		if strings.HasSuffix(r.path, ".url") || strings.HasSuffix(r.path, ".admin") {
			return checkDatabaseURL(secret)
		}
		if r.path == "worker.ping" || r.path == "digest.ping" || strings.Contains(r.path, ".pings.") {
			return checkPing(secret)
		}
		return "", ""
	}
	if message == "" && strings.HasPrefix(r.ref, "file:") {
		return c.checkMode(r.ref)
	}
	return message, mend
}

// checkMode refuses a key file that others can read.
func (c *Config) checkMode(ref string) (message, mend string) {
	info, err := os.Stat(c.secretFile(ref))
	if err != nil {
		return "cannot be read", "check its permissions"
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("can be used by others (mode %04o)", mode), "run chmod 600 " + c.secretFile(ref)
	}
	return "", ""
}

func (c *Config) checkIdentities(secret Secret) (message, mend string) {
	identities, err := age.ParseIdentities(strings.NewReader(secret.Reveal()))
	if err != nil {
		// The library's text may quote what it read.
		return "holds no age identity", "put the text that age-keygen writes there"
	}
	for _, identity := range identities {
		public, ok := identity.(interface{ Recipient() *age.X25519Recipient })
		if !ok || slices.Contains(c.Encryption.Recipients, public.Recipient().String()) {
			return "", ""
		}
	}
	return "opens none of encryption.recipients", "refer to the key that fits, or add its public key to the recipients"
}

func (c *Config) checkSigningKey(secret Secret) (message, mend string) {
	key, err := recovery.ParseSigningKey(secret.Reveal())
	if err != nil {
		return "holds no signing key", "put the text that 'starter init' writes there"
	}
	if public := key.Public().String(); !slices.Contains(c.Signing.Trusted, public) {
		return "is not trusted: its public key is " + public, "add that to signing.trusted"
	}
	return "", ""
}

// minApprovalKey is the least length of the approval key, in bytes.
const minApprovalKey = 32

const approvalKeyMend = "make one with 'umask 077; openssl rand -base64 32 > keys/approvals.key', and write file:keys/approvals.key"

func checkApprovalKey(secret Secret) (message, mend string) {
	if len(secret.Reveal()) < minApprovalKey {
		return fmt.Sprintf("holds fewer than %d bytes", minApprovalKey), approvalKeyMend
	}
	return "", ""
}

func checkToken(secret Secret, prefix string) (message, mend string) {
	if !strings.HasPrefix(secret.Reveal(), prefix) {
		return "holds no such token", "put the one there that begins with " + prefix
	}
	return "", ""
}

func checkDatabaseURL(secret Secret) (message, mend string) {
	u, err := url.Parse(secret.Reveal())
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "holds no PostgreSQL URL", "write it as postgres://user:password@host:5432/database"
	}
	return "", ""
}

func checkPing(secret Secret) (message, mend string) {
	u, err := url.Parse(secret.Reveal())
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "holds no address to ping", "write it as https://hc-ping.com/UUID"
	}
	return "", ""
}

// CommandEnvironment is what a command of a service inherits of this process's
// environment: where programs and the user's files are found, and no secret.
func CommandEnvironment() []string {
	var env []string
	for _, name := range []string{"HOME", "LANG", "PATH", "TZ", "USER"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
