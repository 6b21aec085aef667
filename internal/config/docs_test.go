package config_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/config"
)

// guide is the config around the examples of a guide, which stand for TOP or SERVICE.
const guide = `version: 1
encryption:
  recipients: [age1svq8pdkjd30vttpgaz2wd9plvqpj5fngzhjrrugkx6acrrp8ageszuz378]
signing:
  key: file:keys/signing.key
  trusted: [lifeboat-public-key-pXrtZs8g9XbV2_-FKuUcCllbxGQZ5GCNzX9W6CZz0Is]
people: { rebecca: { cli: rebecca }, sam: { cli: sam } }
groups: { oncall: [rebecca, sam] }
destinations: [{ name: main, url: file:///var/backups/lifeboat }]
TOP
services:
  - name: shop
    owner: rebecca
    dir: /srv/shop
    objectives: { availability: 99.5%, rto: 1h, rpo: 24h }
    sources: [{ name: notes, kind: sqlite, path: notes.db }]
    live: { baseURL: "http://127.0.0.1:8090", ready: /ready }
SERVICE
`

// blocks returns the code blocks of a guide that are in a language.
func blocks(t *testing.T, name, language string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		found = append(found, m[1])
	}
	return found
}

// What the guide to rollbacks shows can be copied: each block about deploy is what a
// service says, each other one stands at the top of the config.
func TestTheGuideToRollbacks(t *testing.T) {
	examples := blocks(t, "../../docs/rollback.md", "yaml")
	require.GreaterOrEqual(t, len(examples), 8)
	for _, example := range examples {
		name, _, _ := strings.Cut(example, "\n")
		t.Run(name, func(t *testing.T) {
			top, service := example, ""
			if strings.HasPrefix(example, "deploy:") {
				top, service = "", "    "+strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n    ")
			}
			cfg, err := config.Parse("lifeboat.yaml", []byte(strings.NewReplacer("TOP", top, "SERVICE", service).Replace(guide)))
			require.NoError(t, err, example)
			plan, err := cfg.Plan("shop")
			require.NoError(t, err)
			require.Equal(t, service != "", plan.Deploy != nil)
		})
	}
}

func TestScriptsOfTheGuideToRollbacks(t *testing.T) {
	scripts := blocks(t, "../../docs/rollback.md", "sh")
	require.GreaterOrEqual(t, len(scripts), 4)
	for _, script := range scripts {
		cmd := exec.Command("sh", "-n")
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", out, script)
	}
}
