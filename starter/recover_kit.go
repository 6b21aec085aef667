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
	Service  string   `yaml:"service"`
	Services []string `yaml:"services"` // in its place, of a kit for several
	kitPlace `yaml:",inline"`
	Copies   []kitPlace `yaml:"copies"`
	Key      kitLines   `yaml:"key"`     // the secret age keys
	Trusted  kitLines   `yaml:"trusted"` // the public keys of signatures
}

// kitPlace is where sets are.
type kitPlace struct {
	Destination string `yaml:"destination"`
	Endpoint    string `yaml:"endpoint"`
	Region      string `yaml:"region"`
	PathStyle   bool   `yaml:"pathStyle"`
	AccessKey   string `yaml:"accessKey"` // a reference, as in the config
	SecretKey   string `yaml:"secretKey"` // a reference
}

func (p *kitPlace) spec() recovery.DestinationSpec {
	return recovery.DestinationSpec{
		Name: p.Destination, URL: p.Destination, Endpoint: p.Endpoint, Region: p.Region, PathStyle: p.PathStyle,
		AccessKey: p.AccessKey, SecretKey: p.SecretKey,
	}
}

// kitLines is one text, or a list of them: then one a line.
type kitLines string

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *kitLines) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = kitLines(n.Value)
		return nil
	}
	var list []string
	if err := n.Decode(&list); err != nil {
		return err
	}
	*l = kitLines(strings.Join(list, "\n"))
	return nil
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
		{f.trusted, (*string)(&k.Trusted)},
	} {
		if o.given != "" {
			*o.into = o.given
		}
	}
	if f.endpoint != "" || f.pathStyle {
		k.PathStyle = true
	}
	if f.bucket != "" {
		k.Copies = nil // that one is meant
	}
	if f.keyFile == "" {
		return nil
	}
	text, err := config.RevealHere("file:" + f.keyFile)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	k.Key = kitLines(text.Reveal())
	return nil
}

// opened is a kit that was found good.
type opened struct {
	identities []age.Identity
	trusted    []recovery.PublicKey
	places     []recovery.DestinationSpec // the preferred one first; named by their URLs
}

// badLine is the error of a line of the kit that cannot be used.
func badLine(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf("read recovery kit: "+format, args...), hint: hint}
}

// chooseService says which service is meant, if the kit is for one alone or the
// command names it.
func (k *kit) chooseService() error {
	if k.Service == "" && len(k.Services) == 1 {
		k.Service = k.Services[0]
	}
	switch {
	case k.Service == "" && len(k.Services) > 1:
		return badLine("name one: starter recover "+k.Services[0], "it is for several services: %s", strings.Join(k.Services, ", "))
	case strings.TrimSpace(k.Service) == "":
		return badLine("name it: starter recover SERVICE", "the line %q is missing", "service:")
	}
	if err := recovery.CheckName("service", k.Service); err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	return nil
}

// open checks the kit, and names what is missing or mistyped.
func (k *kit) open() (*opened, error) {
	for _, needed := range []struct{ name, value, flag string }{
		{"destination", k.Destination, "give --bucket"},
		{"key", string(k.Key), "give --key-file"},
		{"trusted", string(k.Trusted), "give --trusted"},
	} {
		if strings.TrimSpace(needed.value) == "" {
			return nil, badLine(needed.flag, "the line %q is missing", needed.name+":")
		}
	}
	o := &opened{places: []recovery.DestinationSpec{k.spec()}}
	for i := range k.Copies {
		o.places = append(o.places, k.Copies[i].spec())
	}
	const compare = "compare it with the printed page, character by character"
	var err error
	if o.identities, err = seal.ParseIdentities(string(k.Key)); err != nil {
		return nil, badLine(compare, "the line \"key:\" holds no secret age key")
	}
	for text := range strings.FieldsSeq(string(k.Trusted)) {
		key, err := recovery.ParsePublicKey(text)
		if err != nil {
			return nil, badLine(compare, "the line \"trusted:\" holds no public signing key")
		}
		o.trusted = append(o.trusted, key)
	}
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
