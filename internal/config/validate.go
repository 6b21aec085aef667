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

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (v *validator) destinations() {
	list := v.config.Destinations
	v.unique("destinations", len(list), func(i int) string { return list[i].Name })
	if len(list) > 1 {
		v.problem("destinations", "copies to a second destination are not supported yet", "keep one")
	}
	for i := range list {
		v.destination(at("destinations", i), &list[i])
	}
}

func (v *validator) destination(path string, d *Destination) {
	if !v.given(path + ".url") {
		return
	}
	u, err := url.Parse(d.URL)
	switch {
	case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		v.problem(path+".url", "is not a plain URL", "write s3://bucket/prefix or file:///folder, without user and query")
	case u.Scheme == "s3" && !bucketForm.MatchString(u.Host):
		v.problem(path+".url", "names no bucket", "write s3://bucket/prefix; a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")
	case u.Scheme == "s3":
		v.s3(path, d)
	case u.Scheme == "file" && (u.Host != "" || !filepath.IsAbs(u.Path)):
		v.problem(path+".url", "names no absolute folder", "write file:///folder, with three slashes")
	case u.Scheme == "file":
		v.only(path, "s3", "endpoint", "region", "pathStyle", "accessKey", "secretKey")
	default:
		v.problem(path+".url", "is no kind of destination that is known", "write s3://bucket/prefix or file:///folder")
	}
}

func (v *validator) s3(path string, d *Destination) {
	for _, key := range []string{"accessKey", "secretKey"} {
		if !v.given(path + "." + key) {
			v.problem(path+"."+key, "is missing", "write env:NAME or file:PATH; s3 destinations need it")
		}
	}
	if d.Endpoint == "" && d.Region == "" {
		v.problem(path+".region", "is missing", "write the bucket's AWS region, or an endpoint if it is not at AWS")
	}
	if d.Endpoint == "" {
		return
	}
	u, err := url.Parse(d.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		v.problem(path+".endpoint", "is not the address of a server", "write http://host:port or https://host")
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
