package config

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// validator checks what types and tags cannot say: names, addresses, keys, and
// how the parts fit together. What is missing was reported by the decoder.
type validator struct {
	*decoder
	config   *Config
	reported map[string]bool // fields whose problem the decoder reported
}

const (
	nameMend    = "use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter or digit"
	addressMend = "write host:port, such as 127.0.0.1:7233"
)

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

func (v *validator) validate() {
	v.reported = map[string]bool{}
	for _, p := range v.problems.List {
		v.reported[p.Field] = true
	}
	c := v.config
	if v.given("version") && c.Version != 1 {
		v.problem("version", "is not a version that this program knows", "write 1")
	}
	v.address("temporal.address", c.Temporal.Address)
	if u, err := url.Parse(c.Temporal.UI); v.given("temporal.ui") && (err != nil || !isWeb(u)) {
		v.problem("temporal.ui", "is not the address of a page", "write it as http://127.0.0.1:8233")
	}
	v.address("worker.listen", c.Worker.Listen)
	v.timeZone("timeZone", c.TimeZone)
	if v.given("currency") && !currencyForm.MatchString(c.Currency) {
		v.problem("currency", "is not a currency", "write its three letters, such as USD or EUR")
	}
	v.recipients()
	for i, key := range c.Signing.Trusted {
		if _, err := recovery.ParsePublicKey(key); err != nil {
			v.problem(at("signing.trusted", i), "is not a public signing key", "write the text that begins with lifeboat-public-key-, as 'starter init' printed it")
		}
	}
	v.destinations()
	v.staging()
	for i, folder := range c.Tools.Postgres {
		if !filepath.IsAbs(folder) {
			v.problem(at("tools.postgres", i), "is not an absolute path", "begin it with /")
		}
	}
	v.people()
	v.approvals()
	v.slack()
	v.mail()
	v.digest()
	v.unique("services", len(c.Services), func(i int) string { return c.Services[i].Name })
	for i := range c.Services {
		v.service(at("services", i), &c.Services[i])
	}
}

// problem reports what is wrong with a field, unless it could not be read at all.
func (v *validator) problem(path, message, mend string) {
	if !v.reported[path] {
		v.decoder.problem(path, message, mend)
	}
}

// reportedBelow says whether a field inside of a group could not be read.
func (v *validator) reportedBelow(path string) bool {
	for field := range v.reported {
		if strings.HasPrefix(field, path+".") {
			return true
		}
	}
	return false
}

// given says whether a field is in the file and has something in it.
func (v *validator) given(path string) bool {
	f, ok := v.fields[path]
	return ok && !blank(f.node)
}

func (v *validator) name(path, name string) {
	if v.given(path) && !usableName(name) {
		v.problem(path, "is not a usable name", nameMend)
	}
}

func usableName(name string) bool { return recovery.CheckName("name", name) == nil }

// unique checks the names of a list: their form, and that none is there twice.
func (v *validator) unique(path string, n int, nameOf func(int) string) {
	lines := map[string]int{}
	for i := range n {
		field, name := at(path, i)+".name", nameOf(i)
		v.name(field, name)
		if line, twice := lines[name]; twice && name != "" {
			v.problem(field, fmt.Sprintf("is there twice (first on line %d)", line), "give each its own name")
		} else if f, ok := v.fields[field]; ok {
			lines[name] = f.node.Line
		}
	}
}

func (v *validator) address(path, address string) {
	if !v.given(path) {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil || !isPort(port) {
		v.problem(path, "is not an address", addressMend)
	}
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func (v *validator) recipients() {
	var all []age.Recipient
	for i, text := range v.config.Encryption.Recipients {
		recipients, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			v.problem(at("encryption.recipients", i), "is not a public age key", "write the text that begins with age1, as 'age-keygen -y' prints it")
			continue
		}
		all = append(all, recipients...)
	}
	if len(all) == 0 {
		return
	}
	if _, err := age.Encrypt(io.Discard, all...); err != nil {
		v.problem("encryption.recipients", "cannot be used together", "use keys of one kind: all age1pq1…, or none")
	}
}

// only reports fields that have a meaning for another kind alone.
func (v *validator) only(path, kind string, names ...string) {
	for _, name := range names {
		if v.given(join(path, name)) {
			v.problem(join(path, name), "has no meaning here", "remove it; it is for "+kind)
		}
	}
}

// staging checks that what can be opened can be restored somewhere, and makes the
// folder absolute.
func (v *validator) staging() {
	c := v.config
	if c.Staging.Folder != "" {
		c.Staging.Folder = c.absolute(c.Staging.Folder)
	} else if v.given("encryption.identities") {
		v.problem("staging.folder", "is missing", "write a private folder for restored files; whoever can open sets restores them to prove them")
	}
	if p := c.Staging.Postgres; p != nil && p.SameServer == "" && p.URL != "" {
		for _, r := range v.references {
			if strings.HasPrefix(r.path, "services[") && strings.Contains(r.path, ".sources[") && r.ref == string(p.URL) {
				source := parent(r.path)
				v.problem("staging.postgres.url", "is also the "+r.path[len(source)+1:]+" of "+source, "name another server, or write sameServer: accepted")
				return
			}
		}
	}
}
