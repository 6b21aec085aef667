package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"filippo.io/age"
	"go.yaml.in/yaml/v3"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
)

// kit is what the recovery kit says: all that is needed to open what a service has
// in a bucket, but for the bucket's own keys.
type kit struct {
	Service     string `yaml:"service"`
	Destination string `yaml:"destination"`
	Endpoint    string `yaml:"endpoint"`
	Region      string `yaml:"region"`
	PathStyle   bool   `yaml:"pathStyle"`
	AccessKey   string `yaml:"accessKey"` // a reference, as in the config
	SecretKey   string `yaml:"secretKey"` // a reference
	Key         string `yaml:"key"`       // the secret age key
	Trusted     string `yaml:"trusted"`   // the public key of signatures
}

// kitBlock is the part of the page that recover reads.
var kitBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// maxKit bounds the file, in bytes: far above a page.
const maxKit = 1 << 20

// readKit reads a recovery kit: the page that init makes, or the lines of its yaml
// block alone, as they are typed off the paper.
func readKit(path string) (*kit, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, badKit(path, errors.Unwrap(err), "name the kit with --kit, or give --bucket, --key-file and --trusted")
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxKit))
	if err != nil {
		return nil, badKit(path, err, "")
	}
	block := kitBlock.FindSubmatch(text)
	if block == nil {
		block = [][]byte{nil, text}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(block[1]))
	decoder.KnownFields(true)
	var k kit
	if err := decoder.Decode(&k); err != nil {
		// The decoder's text may quote what it read, which holds the secret key.
		return nil, badKit(path, errors.New("it is no recovery kit"), "it must hold the lines from \"service:\" to \"trusted:\" as the printed page has them")
	}
	return &k, nil
}

func badKit(path string, err error, hint string) error {
	return &exitError{code: exitUsage, err: fmt.Errorf("read recovery kit %s: %w", path, err), hint: hint}
}

// override puts in what flags say.
func (k *kit) override(f *recoverFlags) error {
	for _, o := range []struct {
		given string
		into  *string
	}{
		{f.service, &k.Service},
		{f.bucket, &k.Destination},
		{f.endpoint, &k.Endpoint},
		{f.region, &k.Region},
		{f.trusted, &k.Trusted},
	} {
		if o.given != "" {
			*o.into = o.given
		}
	}
	if f.endpoint != "" || f.pathStyle {
		k.PathStyle = true
	}
	if f.keyFile == "" {
		return nil
	}
	text, err := config.RevealHere("file:" + f.keyFile)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	k.Key = text.Reveal()
	return nil
}

// opened is a kit that was found good.
type opened struct {
	identities []age.Identity
	trusted    []recovery.PublicKey
	spec       recovery.DestinationSpec
}

// open checks the kit, and names what is missing or mistyped.
func (k *kit) open() (*opened, error) {
	usage := func(hint, format string, args ...any) error {
		return &exitError{code: exitUsage, err: fmt.Errorf("read recovery kit: "+format, args...), hint: hint}
	}
	for _, needed := range []struct{ name, value, flag string }{
		{"service", k.Service, "name it: starter recover SERVICE"},
		{"destination", k.Destination, "give --bucket"},
		{"key", k.Key, "give --key-file"},
		{"trusted", k.Trusted, "give --trusted"},
	} {
		if strings.TrimSpace(needed.value) == "" {
			return nil, usage(needed.flag, "the line %q is missing", needed.name+":")
		}
	}
	if err := recovery.CheckName("service", k.Service); err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	o := &opened{spec: recovery.DestinationSpec{
		Name: "of the kit", URL: k.Destination, Endpoint: k.Endpoint, Region: k.Region, PathStyle: k.PathStyle,
		AccessKey: k.AccessKey, SecretKey: k.SecretKey,
	}}
	var err error
	if o.identities, err = seal.ParseIdentities(k.Key); err != nil {
		return nil, usage("compare it with the printed page, character by character", "the line \"key:\" holds no secret age key")
	}
	key, err := recovery.ParsePublicKey(strings.TrimSpace(k.Trusted))
	if err != nil {
		return nil, usage("compare it with the printed page, character by character", "the line \"trusted:\" holds no public signing key")
	}
	o.trusted = []recovery.PublicKey{key}
	return o, nil
}

// kitPath is where the kit lies: what was named, else where init puts it, if it is
// there.
func kitPath(named string) string {
	const inFolder = "recovery-kit.md"
	if _, err := os.Stat(inFolder); named == "" && !errors.Is(err, fs.ErrNotExist) {
		return inFolder
	}
	return named
}
