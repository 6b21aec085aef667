package slackapp_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// scopes are what each call of slack-go needs, by
// https://docs.slack.dev/reference/methods.
var scopes = map[string][]string{
	"AuthTest":               nil,
	"PostMessage":            {"chat:write"},
	"PostEphemeral":          {"chat:write"},
	"UpdateMessage":          {"chat:write"},
	"GetConversationHistory": {"channels:history", "groups:history"},
	"GetConversationReplies": {"channels:history", "groups:history"},
	"OpenView":               nil,
	"UpdateView":             nil,
	"PublishView":            nil,
}

func TestManifestGrantsWhatIsCalledAndNoMore(t *testing.T) {
	data, err := os.ReadFile("../../deploy/slack-app-manifest.yaml")
	require.NoError(t, err)
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	var m slack.Manifest
	require.NoError(t, decoder.Decode(&m))

	need := map[string]bool{"commands": true} // for the slash command
	for _, call := range calls(t) {
		list, known := scopes[call]
		require.True(t, known, "%s is called: say in this test which scopes it needs", call)
		for _, scope := range list {
			need[scope] = true
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(need)), m.OAuthConfig.Scopes.Bot)
	require.Empty(t, m.OAuthConfig.Scopes.User)

	require.True(t, m.Settings.SocketModeEnabled)
	require.True(t, m.Settings.Interactivity.IsEnabled)
	require.Equal(t, []string{"app_home_opened"}, m.Settings.EventSubscriptions.BotEvents)
	require.True(t, m.Features.AppHome.HomeTabEnabled)
	require.Len(t, m.Features.SlashCommands, 1)
	require.Equal(t, "/lifeboat", m.Features.SlashCommands[0].Command)
	require.Equal(t, "Lifeboat", m.Features.BotUser.DisplayName, "the errors say: /invite @Lifeboat")
}

// calls lists the methods of slack-go's client that the package calls.
func calls(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	call := regexp.MustCompile(`\ba\.api\.(\w+)\(`)
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range call.FindAllStringSubmatch(string(source), -1) {
			found[strings.TrimSuffix(match[1], "Context")] = true
		}
	}
	require.NotEmpty(t, found)
	return slices.Sorted(maps.Keys(found))
}
