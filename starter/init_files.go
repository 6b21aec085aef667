package main

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"filippo.io/age"
	"go.yaml.in/yaml/v3"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

//go:embed templates
var templates embed.FS

// keys are the two key pairs of an installation, and the key with which doors
// vouch for who decided.
type keys struct {
	made     time.Time
	age      *age.X25519Identity
	signing  recovery.SigningKey
	approval string
}

func newKeys(now time.Time) (*keys, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make age key: %w", err)
	}
	var seed, approval [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	if _, err := rand.Read(approval[:]); err != nil {
		return nil, fmt.Errorf("make approval key: %w", err)
	}
	signing, err := recovery.NewSigningKey(seed[:])
	if err != nil {
		return nil, err
	}
	return &keys{made: now, age: identity, signing: signing, approval: "lifeboat-approval-key-" + base64.RawURLEncoding.EncodeToString(approval[:])}, nil
}

func (k *keys) recipient() string { return k.age.Recipient().String() }
func (k *keys) public() string    { return k.signing.Public().String() }

// ageFile writes the secret key the way age-keygen does.
func (k *keys) ageFile() []byte {
	return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", k.made.UTC().Format(time.RFC3339), k.recipient(), k.age)
}

// render fills in a template.
func render(name string, data any) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"yaml": yamlText, "sh": shellWord, "upper": strings.ToUpper, "number": func(i int) int { return i + 1 },
	}).ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("fill in %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// yamlText writes a text as one line of YAML, in quotes where it needs them.
func yamlText(text string) (string, error) {
	node := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		node.Style = yaml.DoubleQuotedStyle
	}
	line, err := yaml.Marshal(&node)
	return strings.TrimSpace(string(line)), err
}

// shellWord writes a text as one word of a shell command.
func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func renderConfig(a *answers, k *keys) ([]byte, error) {
	who, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("find your user name: %w", err)
	}
	fields := map[string]any{
		"Service": a.service, "Owner": a.owner, "Postgres": a.postgres, "SQLite": a.sqlite,
		"Destinations":  a.places(),
		"StagingFolder": a.stagingFolder, "StagingPostgres": a.stagingPostgres,
		"Recipient": k.recipient(), "PublicKey": k.public(), "SchemaURL": config.SchemaURL,
		"Person": a.person, "User": who.Username,
	}
	// A service with two sources cannot be restored without commands that stop it.
	fields["Off"] = ""
	if a.postgres != "" && a.sqlite != "" {
		fields["Off"] = "# "
	}
	return render("lifeboat.yaml.tmpl", fields)
}

// layout says where the files of an installation stand.
type layout struct {
	config, ageKey, signingKey, approvalKey, kit, ignore string
}

func newLayout(path string) *layout {
	dir := filepath.Dir(path)
	return &layout{
		config:      path,
		ageKey:      filepath.Join(dir, "keys", "age.key"),
		signingKey:  filepath.Join(dir, "keys", "signing.key"),
		approvalKey: filepath.Join(dir, "keys", "approvals.key"),
		kit:         filepath.Join(dir, "recovery-kit.md"),
		ignore:      filepath.Join(dir, ".gitignore"),
	}
}

// files lists what is made; .gitignore may be there before.
func (l *layout) files() []string {
	return []string{l.ageKey, l.signingKey, l.approvalKey, l.kit, l.config}
}

// free fails if a file that would be made is there already.
func (l *layout) free() error {
	var taken []string
	for _, path := range l.files() {
		if _, err := os.Lstat(path); err == nil {
			taken = append(taken, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for %s: %w", path, err)
		}
	}
	if len(taken) > 0 {
		return &exitError{
			code: exitFailed,
			err:  fmt.Errorf("nothing was changed, for these files are there already: %s", strings.Join(taken, ", ")),
			hint: "init overwrites nothing; move it away, or use another folder",
		}
	}
	return nil
}

// write makes all files, or removes again what it made. The config comes last: it
// is there only if everything it refers to is.
func (l *layout) write(config, kit []byte, k *keys) (err error) {
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		for _, step := range slices.Backward(undo) {
			err = errors.Join(err, step())
		}
	}()
	folder := filepath.Dir(l.ageKey)
	switch err := os.Mkdir(folder, 0o700); {
	case err == nil:
		undo = append(undo, func() error { return os.Remove(folder) })
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	for _, file := range []struct {
		path    string
		content []byte
		mode    fs.FileMode
	}{
		{l.ageKey, k.ageFile(), 0o600},
		{l.signingKey, []byte(k.signing.Reveal() + "\n"), 0o600},
		{l.approvalKey, []byte(k.approval + "\n"), 0o600},
		{l.kit, kit, 0o600},
		{l.config, config, 0o644},
	} {
		if file.path == l.config {
			restore, err := l.appendIgnore()
			if err != nil {
				return err
			}
			undo = append(undo, restore)
		}
		if err := create(file.path, file.content, file.mode); err != nil {
			return err
		}
		undo = append(undo, func() error { return os.Remove(file.path) })
	}
	return nil
}

// create makes a file that is not there yet, or nothing.
func create(path string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// appendIgnore keeps the secrets out of Git and returns how to take that back.
func (l *layout) appendIgnore() (undo func() error, err error) {
	before, err := os.ReadFile(l.ignore)
	existed := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	undo = func() error {
		if existed {
			return os.Truncate(l.ignore, int64(len(before)))
		}
		return os.Remove(l.ignore)
	}
	addition := ""
	for _, line := range []string{"/keys/", "/.lifeboat/", kitIgnored} {
		if !slices.Contains(strings.Split(string(before), "\n"), line) {
			addition += line + "\n"
		}
	}
	if addition != "" && len(before) > 0 && !bytes.HasSuffix(before, []byte("\n")) {
		addition = "\n" + addition
	}
	f, err := os.OpenFile(l.ignore, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(addition)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}
