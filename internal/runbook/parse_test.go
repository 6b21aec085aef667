package runbook_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/runbook"
)

// read returns a page of testdata.
func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return text
}

// where2eat is a service that the page app-is-slow can be filled in for.
func where2eat() runbook.Service {
	return runbook.Service{
		Name: "where2eat", Sources: []string{"app", "notes"},
		Variables: map[string]string{"health": "http://127.0.0.1:8090", "restart": "systemctl restart where2eat", "suffix": `"rc" {health}`},
	}
}

func slow(t testing.TB) *runbook.Page {
	t.Helper()
	page, problems := runbook.Parse("pages/app-is-slow.md", read(t, "app-is-slow.md"))
	require.Empty(t, problems)
	return page
}

func TestParse(t *testing.T) {
	page := slow(t)
	require.Equal(t, "app-is-slow", page.Name)
	require.Equal(t, "pages/app-is-slow.md", page.File)
	require.Equal(t, "The app is slow", page.Title)
	require.Equal(t, []string{"where2eat"}, page.Services)
	require.Equal(t, []string{"SlowApp", "Latency is high"}, page.Alerts)
	require.Equal(t, runbook.SeverityQuiet, page.Severity)
	require.Equal(t, "For everyone, even at night: see the guide (https://where2eat.example/guide), or https://where2eat.example.", page.Text)
	require.Len(t, page.Digest, 64)

	var headings []string
	for _, section := range page.Sections {
		headings = append(headings, section.Heading)
	}
	require.Equal(t, runbook.Headings(), headings)
	require.Equal(t, `- Pages take longer than 5 s; `+"`curl {health}`"+` as well.
  - At noon this is usual.
- Users write to us.

What it is not

> The app is down: that is another page.

    GET /ready -> 200 {"ready":true}`, page.Sections[0].Text)
}

func TestParseSteps(t *testing.T) {
	steps := plain(t, slow(t).Steps())
	require.Equal(t, []runbook.Step{
		{
			Number: 1, Name: "answers", Text: "Ask whether it answers in time.", Kind: runbook.KindHTTP, Body: "{health}/fast?all=1",
			Timeout: recovery.Duration(10 * time.Second), Line: 29, Status: 204, Contains: []string{"up", "{service}"},
		},
		{
			Number: 2, Name: "waiting", Text: "Count who is waiting.", Kind: runbook.KindSQL, Body: "select count(*) from pg_locks\nwhere not granted",
			When: []runbook.Condition{{Step: "answers", Ending: runbook.EndingFailed}}, Timeout: recovery.Duration(2 * time.Minute), Line: 35, Source: "app", Expect: "0",
		},
		{
			Number: 3, Name: "load", Text: "Look at the load.\n\nA number above 4 is much.", Kind: runbook.KindManual, Line: 42,
			When: []runbook.Condition{{Step: "answers", Ending: runbook.EndingFailed}, {Step: "waiting", Ending: runbook.EndingOK}},
		},
		{
			Number: 4, Name: "restart", Text: "Start it again. Users are logged out.", Kind: runbook.KindShell,
			Body: `echo "$LIFEBOAT_ALERT_SUMMARY" '{"a":1}' ${HOME} {} { true; }` + "\n{restart} && awk '{ print $1 }'",
			When: []runbook.Condition{{Step: "load", Ending: runbook.EndingDidNotHelp}}, Timeout: recovery.Duration(5 * time.Minute), Line: 49,
			Approve: []string{"oncall", "kim"}, Repeatable: true,
		},
		{
			Number: 5, Name: "step-5", Text: "Empty the cache.", Kind: runbook.KindShell, Body: "rm -rf /var/cache/{service}", Timeout: recovery.Duration(2 * time.Minute), Line: 56, Safe: true,
		},
		{
			Number: 6, Name: "back", Text: "Go back to the release before.", Kind: runbook.KindPlaybook, Body: `Rollback {"to":"v1 {suffix}"}`,
			When: []runbook.Condition{{Step: "restart", Ending: runbook.EndingFailed}}, Line: 62, Playbook: "Rollback", Input: `{"to":"v1 {suffix}"}`,
		},
		{
			Number: 7, Name: "step-7", Text: "Restore beside, and take rows out of it.", Kind: runbook.KindPlaybook, Body: `Restore {"service":"{service}","beside":true,"sources":["app"]}`,
			Line: 70, Playbook: "Restore", Input: `{"service":"{service}","beside":true,"sources":["app"]}`,
		},
		{
			Number: 8, Name: "over", Text: "Say that it is over.", Kind: runbook.KindSay, Body: "{service} is quick again since {now}: {what}.\n\nIt was slow from {since} on ({status}).", Line: 78, To: runbook.ToBoth,
		},
		{Number: 9, Name: "step-9", Text: "Write down:\n- what it was\n- what helped", Kind: runbook.KindManual, Line: 86},
	}, steps)
}

// plain returns values as they are after they were in a workflow's history.
func plain[T any](t *testing.T, value T) T {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	var out T
	require.NoError(t, json.Unmarshal(text, &out))
	return out
}

// A page is the same however an editor ends its lines, and begins its file.
func TestParseLineEnds(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(string(read(t, "app-is-slow.md")), "\n", "\r\n")
	page, problems := runbook.Parse("pages/app-is-slow.md", []byte(text))
	require.Empty(t, problems)
	want := slow(t)
	require.NotEqual(t, want.Digest, page.Digest)
	page.Digest = want.Digest
	require.Equal(t, want, page)
}

func TestFor(t *testing.T) {
	page := slow(t)
	before := plain(t, page)
	filled := page.For(where2eat())
	require.Equal(t, before, plain(t, page), "the page itself stays")
	require.Equal(t, page.Digest, filled.Digest)
	require.Contains(t, filled.Sections[0].Text, "`curl http://127.0.0.1:8090` as well")

	steps := filled.Steps()
	require.Equal(t, "http://127.0.0.1:8090/fast?all=1", steps[0].Body)
	require.Equal(t, []string{"up", "where2eat"}, steps[0].Contains)
	require.Equal(t, "app", steps[1].Source)
	require.Equal(t, `echo "$LIFEBOAT_ALERT_SUMMARY" '{"a":1}' ${HOME} {} { true; }`+"\nsystemctl restart where2eat && awk '{ print $1 }'", steps[3].Body)
	require.Equal(t, "rm -rf /var/cache/where2eat", steps[4].Body)
	require.Equal(t, `{"service":"where2eat","beside":true,"sources":["app"]}`, steps[6].Input)
	require.Equal(t, "Restore "+steps[6].Input, steps[6].Body)
	require.Equal(t, "where2eat is quick again since {now}: {what}.\n\nIt was slow from {since} on ({status}).", steps[7].Body)
	require.Equal(t, "where2eat is quick again since 21:07: {now} and {health}.\n\nIt was slow from 20:58 on (well).",
		steps[7].Said(runbook.Facts{Since: "20:58", Now: "21:07", What: "{now} and {health}", Status: "well"}), "a fact is not filled in again")
}

// What a variable holds stays a text of the playbook's input, whatever is in it.
func TestForPlaybook(t *testing.T) {
	step := slow(t).For(where2eat()).Steps()[5]
	var input map[string]string
	require.NoError(t, json.Unmarshal([]byte(step.Input), &input))
	require.Equal(t, map[string]string{"service": "where2eat", "to": `v1 "rc" {health}`}, input)
	require.Equal(t, "Rollback "+step.Input, step.Body)
}

// A query asks the first source if the page names none.
func TestForSource(t *testing.T) {
	text := strings.Replace(string(read(t, "app-is-slow.md")), `"source":"app",`, "", 1)
	page, problems := runbook.Parse("slow.md", []byte(text))
	require.Empty(t, problems)
	require.Empty(t, page.Steps()[1].Source)
	require.Equal(t, "app", page.For(where2eat()).Steps()[1].Source)
}

// A variable cannot stand for what is filled in by itself.
func TestForReserved(t *testing.T) {
	service := where2eat()
	service.Variables["service"], service.Variables["now"] = "another", "never"
	steps := slow(t).For(service).Steps()
	require.Equal(t, "rm -rf /var/cache/where2eat", steps[4].Body)
	require.Contains(t, steps[7].Body, "since {now}")
}

func TestHolds(t *testing.T) {
	load := slow(t).Steps()[2]
	for name, test := range map[string]struct {
		endings map[string]runbook.Ending
		want    bool
	}{
		"all":     {map[string]runbook.Ending{"answers": runbook.EndingFailed, "waiting": runbook.EndingOK}, true},
		"one":     {map[string]runbook.Ending{"answers": runbook.EndingFailed, "waiting": runbook.EndingFailed}, false},
		"skipped": {map[string]runbook.Ending{"answers": runbook.EndingSkipped, "waiting": runbook.EndingOK}, false},
		"not yet": {map[string]runbook.Ending{"answers": runbook.EndingFailed}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, load.Holds(test.endings)) })
	}
	first := slow(t).Steps()[0]
	require.True(t, first.Holds(nil), "it waits for nothing")
}

func TestString(t *testing.T) {
	for golden, page := range map[string]*runbook.Page{"app-is-slow.txt": slow(t), "app-is-slow-where2eat.txt": slow(t).For(where2eat())} {
		t.Run(golden, func(t *testing.T) {
			require.Equal(t, string(read(t, golden)), page.String())
		})
	}
}
