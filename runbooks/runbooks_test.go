package runbooks_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/runbook"
	"github.com/lifeboat-run/lifeboat/runbooks"
)

// The situations for which there is a page.
var situations = []string{
	"app-is-down", "broken-deploy", "certificate-or-secret-expired", "data-deleted-or-corrupted", "database-unreachable", "disk-full", "provider-outage",
}

// pages reads the pages, in which nothing is wrong by itself.
func pages(t *testing.T) []app.Runbook {
	t.Helper()
	books, err := app.Runbooks("")
	require.NoError(t, err)
	for _, book := range books {
		require.Empty(t, book.Problems)
	}
	return books
}

func TestPages(t *testing.T) {
	var names []string
	for _, book := range pages(t) {
		p := book.Page
		names = append(names, p.Name)
		t.Run(p.Name, func(t *testing.T) {
			require.Equal(t, "built-in/"+p.Name+".md", p.File)
			require.NotEmpty(t, p.Alerts, "an alert opens it")
			require.Empty(t, p.Services, "it is for all services")
			first, last := p.Sections[1], p.Sections[4]
			require.NotEmpty(t, first.Steps)
			require.GreaterOrEqual(t, len(last.Steps), 3, "confirm, tell, write down")
			require.True(t, slices.ContainsFunc(last.Steps, func(s runbook.Step) bool { return s.Kind == runbook.KindSay }), "people are told that it is over")
			require.Contains(t, last.Steps[len(last.Steps)-1].Text, "Write down")
			require.Contains(t, strings.ToLower(p.String()), "call", "it says when to call somebody")
		})
	}
	require.Equal(t, situations, names)
}

// A page that sends people to another one names one that is there.
func TestPagesNameEachOther(t *testing.T) {
	for _, book := range pages(t) {
		for _, s := range book.Page.Steps() {
			for _, word := range strings.FieldsFunc(s.Text, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') }) {
				if strings.Count(word, "-") >= 1 && strings.Contains(s.Text, "page "+word) {
					require.Contains(t, situations, word, "%s, step %d", book.Page.Name, s.Number)
				}
			}
		}
	}
}

// The pages fit a config that has what they ask for, and lack nothing in it.
func TestPagesFitAConfig(t *testing.T) {
	cfg, err := config.Load("testdata/lifeboat.yaml")
	require.NoError(t, err)
	books := pages(t)
	require.NoError(t, app.CheckRunbooks(cfg, books))
	asked := map[string]bool{}
	service, err := app.RunbookService(cfg, "where2eat")
	require.NoError(t, err)
	for _, book := range books {
		require.Empty(t, book.Problems)
		filled := book.Page.For(service).String()
		for name := range service.Variables {
			asked[name] = asked[name] || strings.Contains(book.Page.String(), "{"+name+"}")
			require.NotContains(t, filled, "{"+name+"}")
		}
		require.NotContains(t, filled, "{service}")
	}
	for name, used := range asked {
		require.True(t, used, "no page asks for {%s}", name)
	}
}

// A config without variables, people, and deploys cannot use any page, and learns what
// to write.
func TestPagesDoNotFitASmallConfig(t *testing.T) {
	text, err := os.ReadFile("testdata/lifeboat.yaml")
	require.NoError(t, err)
	small, _, found := strings.Cut(string(text), "    # what the pages ask for\n")
	require.True(t, found)
	cfg, err := config.Parse(filepath.Join("testdata", "lifeboat.yaml"), []byte(strings.Replace(small, "oncall", "nightshift", 1)))
	require.NoError(t, err)
	books := pages(t)
	require.NoError(t, app.CheckRunbooks(cfg, books))
	all := ""
	for _, book := range books {
		require.NotEmpty(t, book.Problems, book.Page.Name)
		for _, problem := range book.Problems {
			all += problem.String() + "\n"
		}
	}
	require.Contains(t, all, `built-in/app-is-down.md:41: step 4 is approved by "oncall", who is neither a person nor a group; write a group oncall into the config, or name one of rebecca, nightshift`)
	require.Contains(t, all, "{restart} is no variable of where2eat; write variables: { restart: … }")
	require.Contains(t, all, "Rollback cannot run for where2eat; write deploy for where2eat into the config (docs/rollback.md)")
	require.Contains(t, all, "Restore cannot run for where2eat; write approvals.policies.restore into the config (docs/restore.md)")
}

func TestEveryFileIsAPage(t *testing.T) {
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	embedded, err := runbooks.Pages.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, embedded, len(files))
	require.Len(t, files, len(situations))
}

// What the guide shows is a good page, for the config that it shows.
func TestTheGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/runbooks.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "````markdown\n")
	require.True(t, found)
	shown, _, found := strings.Cut(rest, "````\n")
	require.True(t, found)
	page, problems := runbook.Parse("app-is-slow.md", []byte(shown))
	require.Empty(t, problems)

	cfg, err := config.Load("testdata/lifeboat.yaml")
	require.NoError(t, err)
	service, err := app.RunbookService(cfg, "where2eat")
	require.NoError(t, err)
	require.Empty(t, page.Check(runbook.Known{Services: []runbook.Service{service}, Approvers: []string{"oncall"}}))
	for name := range service.Variables {
		require.Contains(t, string(text), "`"+name+"`", "the guide says what the pages ask for")
	}
}
