package runbook_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/runbook"
)

// known is a config that the page app-is-slow fits.
func known() runbook.Known {
	return runbook.Known{Services: []runbook.Service{where2eat(), {Name: "where2sleep"}}, Approvers: []string{"kim", "rebecca", "oncall"}}
}

func TestCheck(t *testing.T) {
	require.Empty(t, slow(t).Check(known()), "the other service is none of its business")
}

func TestCheckProblems(t *testing.T) {
	services := func(change func(*runbook.Service)) func(*runbook.Known) {
		return func(k *runbook.Known) { change(&k.Services[0]) }
	}
	for name, test := range map[string]struct {
		old, new string // of the page
		config   func(*runbook.Known)
		want     []string
	}{
		"unknown service": {"[where2eat]", "[where2eat, where2go]", nil, []string{
			`slow.md:3: service "where2go" is not in the config; known there: where2eat, where2sleep`,
		}},
		"no such person": {`["oncall","kim"]`, `["oncall","ann"]`, nil, []string{
			`slow.md:51: step 4 is approved by "ann", who is neither a person nor a group; write a group ann into the config, or name one of kim, rebecca, oncall`,
		}},
		"no people": {"", "", func(k *runbook.Known) { k.Approvers = nil }, []string{
			`slow.md:51: step 4 is approved by "oncall", who is neither a person nor a group; write people, or groups, into the config`,
			`slow.md:51: step 4 is approved by "kim", who is neither a person nor a group; write people, or groups, into the config`,
		}},
		"no such source": {`"source":"app"`, `"source":"main"`, nil, []string{
			`slow.md:37: where2eat has no source "main"; its sources are app, notes; without source, the first of them is asked`,
		}},
		"missing variable": {"", "", services(func(s *runbook.Service) { delete(s.Variables, "restart") }), []string{
			`slow.md:53: {restart} is no variable of where2eat; write variables: { restart: … } for where2eat into the config (it has health, suffix); or write { restart } if these are the shell's own braces`,
		}},
		"missing variable, named first in a text": {"", "", services(func(s *runbook.Service) { s.Variables = nil }), []string{
			`slow.md:11: {health} is no variable of where2eat; write variables: { health: … } for where2eat into the config`,
			`slow.md:53: {restart} is no variable of where2eat; write variables: { restart: … } for where2eat into the config; or write { restart } if these are the shell's own braces`,
			`slow.md:65: {suffix} is no variable of where2eat; write variables: { suffix: … } for where2eat into the config`,
		}},
		"braces of a program": {"awk '{ print $1 }'", "awk '{print}'", nil, []string{
			`slow.md:53: {print} is no variable of where2eat; write variables: { print: … } for where2eat into the config (it has health, restart, suffix); or write { print } if these are the shell's own braces`,
		}},
		"missing variable of one of two services": {"services: [where2eat]\n", "", func(k *runbook.Known) {
			k.Services[1] = where2eat()
			k.Services[1].Name = "where2sleep"
			delete(k.Services[1].Variables, "suffix")
		}, []string{
			`slow.md:64: {suffix} is no variable of where2sleep; write variables: { suffix: … } for where2sleep into the config (it has health, restart)`,
		}},
		"variable in what an answer holds": {`["up","{service}"]`, `"{title}"`, nil, []string{
			`slow.md:31: {title} is no variable of where2eat; write variables: { title: … } for where2eat into the config (it has health, restart, suffix)`,
		}},
		"variable that is no address": {"", "", services(func(s *runbook.Service) { s.Variables["health"] = "systemctl status where2eat" }), []string{
			`slow.md:32: for where2eat, step 1 asks "systemctl status where2eat/fast?all=1", which is no address of a page; let the variable hold http://… or https://…, without user and password`,
		}},
		"playbook that cannot run": {"", "", services(func(s *runbook.Service) {
			s.Unable = map[string]string{"Rollback": "write deploy for where2eat into the config", "Verify": "never mind"}
		}), []string{
			`slow.md:65: Rollback cannot run for where2eat; write deploy for where2eat into the config; or say in services which ones the page is for`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			text := string(read(t, "app-is-slow.md"))
			require.Contains(t, text, test.old)
			page, problems := runbook.Parse("slow.md", []byte(strings.Replace(text, test.old, test.new, 1)))
			require.Empty(t, problems)
			config := known()
			if test.config != nil {
				test.config(&config)
			}
			require.Equal(t, test.want, lines(page.Check(config)))
		})
	}
}

func TestCheckAlerts(t *testing.T) {
	page := func(file, front string) *runbook.Page {
		page, problems := runbook.Parse(file, []byte(strings.Replace(small("1. Wait."), "title: Small\n", "title: Small\n"+front+"\n", 1)))
		require.Empty(t, problems)
		return page
	}
	all := page("all.md", "alerts: [Down, Slow]")
	require.Empty(t, runbook.CheckAlerts([]*runbook.Page{all, page("none.md", ""), page("other.md", "alerts: [Full]")}))

	one, two := page("one.md", "services: [one]\nalerts: [Full]"), page("two.md", "services: [two]\nalerts: [Full]")
	require.Empty(t, runbook.CheckAlerts([]*runbook.Page{one, two}), "each of its own service")
	require.Equal(t, []string{
		`both.md:4: alert "Full" opens one as well; remove it from one of the two`,
		`both.md:4: alert "Slow" opens all as well; remove it from one of the two`,
	}, lines(runbook.CheckAlerts([]*runbook.Page{one, all, two, page("both.md", "services: [one, three]\nalerts: [Full, Slow]")})))
}
