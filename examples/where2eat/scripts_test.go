package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// slots is a deployment to two slots.
type slots struct {
	*deployment
	address map[string]string // of each slot
}

func newSlots(t *testing.T) *slots {
	t.Helper()
	s := &slots{deployment: newDeployment(t), address: map[string]string{"blue": freeAddress(t), "green": freeAddress(t)}}
	s.env = append(s.env, "WHERE2EAT_BLUE="+s.address["blue"], "WHERE2EAT_GREEN="+s.address["green"])
	return s
}

func (s *slots) run(args ...string) (string, error) {
	s.t.Helper()
	return s.script("./bluegreen.sh", args...)
}

// requireActive wants a slot to be active, with a tag in it, and the proxy to be sent there.
func (s *slots) requireActive(slot, tag string) {
	s.t.Helper()
	output, err := s.run("--current")
	require.NoError(s.t, err, output)
	require.Equal(s.t, tag+"\n", output)
	followed, err := os.ReadFile(filepath.Join(s.home, "active", "address"))
	require.NoError(s.t, err)
	require.Equal(s.t, s.address[slot], strings.TrimSpace(string(followed)))
	answer, err := http.Get("http://" + s.address[slot] + "/health")
	require.NoError(s.t, err)
	require.NoError(s.t, answer.Body.Close())
}

func TestBlueGreen(t *testing.T) {
	s := newSlots(t)
	output, err := s.run("--current")
	require.Error(t, err)
	require.Contains(t, output, "bluegreen: nothing is active in ")
	output, err = s.run("--switch")
	require.Error(t, err)
	require.Contains(t, output, "bluegreen: nothing that is well answers on blue")
	output, err = s.run("--switch", "older")
	require.Error(t, err)
	require.Contains(t, output, "bluegreen: which slot is newer is not known before a deploy")

	for _, step := range []struct {
		args           []string
		slot, tag, say string
	}{
		{[]string{"--tag", "v1"}, "blue", "v1", "blue is active: v1"},
		{[]string{"--tag", "v2"}, "green", "v2", "green is active: v2"},
		{[]string{"--switch"}, "blue", "v1", "blue is active: v1"},
		{[]string{"--switch"}, "green", "v2", "green is active: v2"},
		{[]string{"--switch", "green"}, "green", "v2", "green is active already: v2"},
		{[]string{"--switch", "blue"}, "blue", "v1", "blue is active: v1"},
		{[]string{"--switch", "older"}, "blue", "v1", "blue is active already: v1"},
		{[]string{"--switch", "newer"}, "green", "v2", "green is active: v2"},
		{[]string{"--switch", "newer"}, "green", "v2", "green is active already: v2"},
		{[]string{"--switch", "older"}, "blue", "v1", "blue is active: v1"},
		{[]string{"--tag", "v1"}, "green", "v1", "green is active: v1"},
		{[]string{"--tag", "v2"}, "blue", "v2", "blue is active: v2"},
		{[]string{"--switch", "older"}, "green", "v1", "green is active: v1"},
		{[]string{"--switch", "newer"}, "blue", "v2", "blue is active: v2"},
		{[]string{"--tag", "v2"}, "green", "v2", "green is active: v2"},
	} {
		output, err = s.run(step.args...)
		require.NoError(t, err, output)
		require.Contains(t, output, step.say)
		s.requireActive(step.slot, step.tag)
	}

	for tag, want := range map[string]string{"v3-broken": "undefined: missing", "v9": "there is no release v9"} {
		output, err = s.run("--tag", tag)
		require.Error(t, err)
		require.Contains(t, output, want)
		s.requireActive("green", "v2")
	}
	s.stopIn(filepath.Join(s.home, "blue"))
	output, err = s.run("--switch")
	require.Error(t, err)
	require.Contains(t, output, "bluegreen: nothing that is well answers on blue ("+s.address["blue"]+"); green stays active")
	s.requireActive("green", "v2")
	output, err = s.run("--switch", "red")
	require.Error(t, err)
	require.Contains(t, output, "bluegreen: a slot is blue, green, newer or older")
	s.requireActive("green", "v2")
	output, err = s.run("--both")
	require.Error(t, err)
	require.Contains(t, output, "usage: bluegreen.sh --tag TAG | --switch [blue|green|newer|older] | --current")
}

func testFlagScript(t *testing.T, f *fixture) {
	file := filepath.Join(t.TempDir(), "flag")
	turn := func(args ...string) string {
		command := exec.CommandContext(t.Context(), "./flag.sh", args...)
		command.Env = append(os.Environ(), "WHERE2EAT_FLAG_FILE="+file)
		output, err := command.CombinedOutput()
		require.Equal(t, len(args) == 1, err == nil, "%s", output)
		return string(output)
	}
	b := f.open(t, "WHERE2EAT_FLAG_FILE", file, "WHERE2EAT_BREAK", "ranking")
	b.logIn()
	for _, step := range []struct {
		flag   string
		status int
	}{{"off", http.StatusOK}, {"on", http.StatusInternalServerError}, {"off", http.StatusOK}} {
		require.Equal(t, "the new ranking is "+step.flag+"\n", turn(step.flag))
		status, _ := b.get("/recommendations")
		require.Equal(t, step.status, status, step.flag)
	}
	require.Equal(t, "usage: flag.sh on|off\n", turn())
}

func testIntegration(t *testing.T, f *fixture) {
	integrate := func(url string) (string, error) {
		output, err := exec.CommandContext(t.Context(), "./integration.sh", url).CombinedOutput()
		return string(output), err
	}
	output, err := integrate(f.open(t).address)
	require.NoError(t, err, output)
	require.Equal(t, "ok  is ready\nok  log in\nok  fetch recommendations\nok  read the notes\n", output)
	for broken, want := range map[string]string{
		"login":  "integration: log in: /login does not answer with ",
		"errors": "integration: fetch recommendations: /recommendations does not answer with ",
	} {
		output, err = integrate(f.open(t, "WHERE2EAT_BREAK", broken).address)
		require.Error(t, err, broken)
		require.Contains(t, output, want)
	}
	output, err = integrate("http://" + freeAddress(t))
	require.Error(t, err)
	require.Contains(t, output, "integration: is ready: /ready does not answer with ")
}
