package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

// startSlacksim runs the command with arguments, and returns what it writes to stdout. It must
// end well at the end of the test, by a cancelled context as Ctrl-C cancels it.
func startSlacksim(t *testing.T, args ...string) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stdout, writer := io.Pipe()
	ended := make(chan int)
	go func() {
		code := (&cli{stdout: writer, stderr: t.Output()}).run(ctx, append([]string{"slacksim", "--listen", "127.0.0.1:0"}, args...))
		_ = writer.Close()
		ended <- code
	}()
	t.Cleanup(func() {
		cancel()
		_ = stdout.Close() // so that it waits for no reader
		require.Zero(t, <-ended)
	})
	return bufio.NewReader(stdout)
}

func TestSlacksimPrintsTheSettingsOfAWorker(t *testing.T) {
	stdout := startSlacksim(t)
	line := func() string {
		text, err := stdout.ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(text)
	}
	_, page, found := strings.Cut(line(), "until Ctrl-C: ")
	require.True(t, found)
	_, apiURL, found := strings.Cut(line(), "apiURL: ")
	require.True(t, found)
	settings := map[string]string{}
	for range 2 {
		setting, found := strings.CutPrefix(line(), "export ")
		require.True(t, found)
		name, value, _ := strings.Cut(setting, "=")
		settings[name] = value
	}
	client := slack.New(settings["SLACK_BOT_TOKEN"], slack.OptionAPIURL(strings.TrimSuffix(apiURL, " }")), slack.OptionAppLevelToken(settings["SLACK_APP_TOKEN"]))
	_, err := client.AuthTest()
	require.NoError(t, err)
	_, _, err = client.StartSocketModeContext(t.Context())
	require.NoError(t, err)
	response, err := http.Get(page)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestSlacksimPrintsJSON(t *testing.T) {
	var settings map[string]string
	require.NoError(t, json.NewDecoder(startSlacksim(t, "--json")).Decode(&settings))
	_, err := slack.New(settings["botToken"], slack.OptionAPIURL(settings["apiURL"])).AuthTest()
	require.NoError(t, err)
}
