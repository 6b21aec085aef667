package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/seal"
)

// rotation is a new key in the place of an old one, before anything is written.
type rotation struct {
	Recipient  string   `json:"recipient"`
	Replaced   []string `json:"replaced"`
	Others     []string `json:"others"` // recipients that stay
	Config     string   `json:"config"`
	Identities string   `json:"identities"`
	Kit        string   `json:"kit"`

	config, identities, kit []byte
}

func (c *cli) rotateKeys() error {
	r, err := c.planRotation(config.Path(c.configFile))
	if err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return fmt.Errorf("write files: %w", err)
	}
	if c.json {
		return c.printJSON(r)
	}
	others := ""
	if len(r.Others) > 0 {
		others = fmt.Sprintf("\nsets are sealed for %s as well, as before", strings.Join(r.Others, ", "))
	}
	return c.printf(`made a new key: new sets are sealed for %s%s
changed %s: holds the new key and the old ones, which still open old sets
changed %s: names the new public key
made %s: print it, lock it away in the place of the old one, and delete it; it holds the secret keys

next:
  1. copy %s and %s to every host that has them: a worker reads both anew for each step
  2. back up each service, so that a set for the new key is there
  3. run 'starter keys drill --kit %s' before you delete that file
`, r.Recipient, others, r.Identities, r.Config, r.Kit, r.Config, r.Identities, r.Kit)
}

// planRotation makes the new key and the new content of all files.
func (c *cli) planRotation(path string) (*rotation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		_, err := c.load() // says it better
		return nil, err
	}
	cfg, err := config.Parse(path, text)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	r := &rotation{Config: path, Kit: nextKit(path, c.now()), Replaced: []string{}, Others: []string{}}
	held, before, err := r.heldKeys(cfg)
	if err != nil {
		return nil, err
	}
	for _, recipient := range cfg.Encryption.Recipients {
		if slices.ContainsFunc(held, func(k seal.SecretKey) bool { return k.Recipient == recipient }) {
			r.Replaced = append(r.Replaced, recipient)
		} else {
			r.Others = append(r.Others, recipient)
		}
	}
	if len(r.Replaced) == 0 {
		return nil, refusal("refer to the file that opens one of them, or add its public key to the recipients by hand",
			"%s opens none of encryption.recipients", r.Identities)
	}
	fresh, lines, err := seal.Successor(r.Replaced[0], c.now())
	if err != nil {
		return nil, err
	}
	r.Recipient = fresh.Recipient
	if len(before) > 0 && before[len(before)-1] != '\n' {
		before = append(before, '\n')
	}
	r.identities = append(before, lines...)
	if r.config, err = config.ReplaceRecipients(path, text, r.Replaced, fresh.Recipient); err != nil {
		return nil, &exitError{code: exitFailed, err: err}
	}
	return r, c.renderNewKit(r, append(held, fresh))
}

// refusal is the error that nothing was changed, and what to do.
func refusal(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf("nothing was changed: "+format, args...), hint: hint}
}

// heldKeys reads the file of secret keys.
func (r *rotation) heldKeys(cfg *config.Config) ([]seal.SecretKey, []byte, error) {
	ref := string(cfg.Encryption.Identities)
	path, ok := cfg.SecretFile(ref)
	switch {
	case ref == "":
		return nil, nil, refusal("run this where sets are opened, or write encryption.identities", "this config names no secret age keys")
	case !ok:
		return nil, nil, refusal("keep the keys in a file, and write encryption.identities: file:keys/age.key", "the secret age keys are not in a file (%s)", ref)
	}
	r.Identities = path
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, refusal("run this where the file is, as a user that may read it", "%s", err)
	}
	held, err := seal.ParseKeyFile(string(text))
	if err != nil {
		return nil, nil, refusal("put the text that age-keygen writes into "+path, "%s", err)
	}
	return held, text, nil
}

// renderNewKit writes the kit of the new config, with the newest key first.
func (c *cli) renderNewKit(r *rotation, keys []seal.SecretKey) error {
	cfg, err := config.Parse(r.Config, r.config)
	if err != nil {
		return err
	}
	var shown []pageKey
	for _, k := range slices.Backward(keys) {
		shown = append(shown, pageKey{Secret: k.Reveal(), Recipient: k.Recipient})
	}
	page, err := newPage(cfg, shown, c.now())
	if err != nil {
		return err
	}
	r.kit, err = page.render()
	return err
}

// write writes all files or, if that fails, none. The config comes last: only then is
// anything sealed for the new key, and by then the file that opens it is safe on disk.
func (r *rotation) write() (err error) {
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		for _, step := range slices.Backward(undo) {
			err = errors.Join(err, step())
		}
	}()
	identities, err := stage(r.Identities, r.identities, 0o600)
	if err != nil {
		return err
	}
	undo = append(undo, identities.discard)
	configFile, err := stage(r.Config, r.config, 0)
	if err != nil {
		return err
	}
	undo = append(undo, configFile.discard)
	ignore, err := newLayout(r.Config).appendIgnore()
	if err != nil {
		return err
	}
	undo = append(undo, ignore)
	if err := create(r.Kit, r.kit, 0o600); err != nil {
		return err
	}
	undo = append(undo, func() error { return os.Remove(r.Kit) })
	if err := identities.commit(); err != nil {
		return err
	}
	// Without the config, a key more is of no effect; it stays.
	return configFile.commit()
}

// staged is the new content of a file that is there, beside it.
type staged struct {
	path, temp string
}

// stage writes what a file is to hold into one beside it, of the same owner, and of
// the mode given; 0 for the same one.
func stage(path string, content []byte, mode fs.FileMode) (*staged, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode == 0 {
		mode = info.Mode().Perm()
	}
	s := &staged{path: path, temp: path + ".new"}
	switch err := create(s.temp, content, mode); {
	case errors.Is(err, fs.ErrExist):
		return nil, &exitError{code: exitFailed, err: err, hint: "another rotation is under way, or one was killed: then remove that file"}
	case err != nil:
		return nil, err
	}
	if err := sameOwner(s.temp, info); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	return s, nil
}

// commit puts the new content in the place of the old, for good.
func (s *staged) commit() error {
	if err := os.Rename(s.temp, s.path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// discard removes the new content, if it was not committed.
func (s *staged) discard() error {
	if err := os.Remove(s.temp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
