package app

import (
	"net/url"
	"slices"
	"strings"
)

// minSecret is the least length of a secret, or of a line of one, that is masked:
// shorter ones are found in every text.
const minSecret = 4

// mask takes secrets out of texts that people read. Its zero value knows none.
type mask struct {
	secrets []string
}

// add masks a secret from now on: as it is, as a part of a URL, each of its lines,
// and the password of one that is a URL.
func (m *mask) add(secret string) {
	for _, text := range append([]string{secret}, strings.Split(secret, "\n")...) {
		if text = strings.TrimSpace(text); len(text) >= minSecret {
			m.secrets = append(m.secrets, text, url.QueryEscape(text), url.PathEscape(text))
		}
	}
	if u, err := url.Parse(secret); err == nil && u.User != nil {
		if password, _ := u.User.Password(); password != "" {
			m.secrets = append(m.secrets, password, url.QueryEscape(password), url.PathEscape(password))
		}
	}
}

// hide returns the text with *** for each secret.
func (m *mask) hide(text string) string {
	longest := slices.SortedFunc(slices.Values(m.secrets), func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(longest))
	for _, secret := range longest { // where one begins with another, all of it goes
		pairs = append(pairs, secret, "***")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
