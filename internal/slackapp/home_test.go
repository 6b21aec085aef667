package slackapp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
)

// home opens a user's App Home and waits until it shows something.
func (s *stage) home(t *testing.T, user, want string) string {
	t.Helper()
	require.NoError(t, s.sim.OpenHome(user))
	return s.homeShows(t, user, want)
}

func (s *stage) homeShows(t *testing.T, user, want string) string {
	t.Helper()
	shown := ""
	s.wait(t, "an App Home with "+want, func() bool {
		blocks := s.sim.Home(user)
		if blocks == nil {
			return false
		}
		shown = texts(t, blocks)
		return strings.Contains(shown, want)
	})
	return shown
}

func TestHomeShowsServicesAndWhatWaits(t *testing.T) {
	s := listening(t)
	s.desk.services, s.desk.books = summaries(), []approval.Book{request("where2eat")}
	shown := s.home(t, rebecca, "*shop*")
	for _, want := range []string{
		"Waits for you", "*Replace the database of where2eat*", "*where2eat* · Rebecca", "RPO of 24h met", "RPO of 1h *MISSED*",
		"Newest proven backup", "it worked in 3m, RTO of 30m met",
	} {
		require.Contains(t, shown, want)
	}
	found := buttons(t, s.sim.Home(rebecca))
	for _, action := range []string{"approve", "reject", "details", "start-backup", "start-drill", "start-restore"} {
		require.Contains(t, found, action)
	}

	shown = s.home(t, sam, "*shop*") // sam asked for it, and may not approve it
	require.Contains(t, shown, "Nothing.")
	require.NotContains(t, buttons(t, s.sim.Home(sam)), "approve")
}

func TestHomeOfAStranger(t *testing.T) {
	s := listening(t)
	s.desk.services = summaries()
	shown := s.home(t, mallory, "You are not in the config's people")
	require.NotContains(t, shown, "where2eat")
	require.Empty(t, buttons(t, s.sim.Home(mallory)))
}

func TestHomeInTroubleIsNotBlank(t *testing.T) {
	s := listening(t)
	s.desk.trouble = errors.New("temporal & the bucket do not answer")
	shown := s.home(t, rebecca, "Services")
	require.Equal(t, 2, strings.Count(shown, "This cannot be shown now: temporal &amp; the bucket do not answer"))
}

func TestManyServicesFitAHome(t *testing.T) {
	s := listening(t)
	for i := range 60 {
		summary := summaries()[0]
		summary.Service = fmt.Sprintf("service-%d", i)
		s.desk.services = append(s.desk.services, summary)
		s.desk.books = append(s.desk.books, request(summary.Service))
	}
	shown := s.home(t, rebecca, "*service-29*")
	require.Contains(t, shown, "…and 30 more: /lifeboat status")
	require.Contains(t, shown, "…and 55 more")
}

func TestHomeButtons(t *testing.T) {
	s := listening(t)
	s.desk.services, s.desk.books = summaries(), []approval.Book{request("where2eat")}
	s.desk.sets = []slackapp.SetSummary{newestSet}
	s.home(t, rebecca, "*shop*")

	require.NoError(t, s.sim.ClickHome(rebecca, "start-backup", "shop"))
	s.homeShows(t, rebecca, "The backup of shop is started.")
	require.NoError(t, s.sim.ClickHome(rebecca, "start-drill", "where2eat"))
	s.homeShows(t, rebecca, "The drill of where2eat is started.")
	starts := s.desk.Starts()
	require.Len(t, starts, 2)
	require.Equal(t, "BackupAndVerify", starts[0].Playbook)
	require.Equal(t, "shop", starts[0].Service)
	require.Equal(t, "RestoreDrill", starts[1].Playbook)

	require.NoError(t, s.sim.ClickHome(rebecca, "start-restore", "where2eat"))
	s.modal(t, rebecca, holds("Replace production"))
	_, err := s.sim.SubmitModal(rebecca, map[string]string{"set": string(newestSet.Set), "target": "beside"})
	require.NoError(t, err)
	s.homeShows(t, rebecca, "The restore of where2eat is started.")

	require.NoError(t, s.sim.ClickHome(rebecca, "approve", ""))
	s.homeShows(t, rebecca, "Your decision was taken: approved by rebecca")
	require.NoError(t, s.sim.ClickHome(rebecca, "reject", ""))
	s.modal(t, rebecca, holds("Reason"))
	_, err = s.sim.SubmitModal(rebecca, map[string]string{"reason": "not now"})
	require.NoError(t, err)
	require.Equal(t, "not now", s.desk.Decisions()[1].Reason)
	require.Empty(t, s.sim.Ephemerals(rebecca))
	require.Empty(t, s.sim.Messages())
}

func TestHomeRollsBackWhatCanBe(t *testing.T) {
	s := listening(t)
	s.desk.services = summaries()
	s.desk.services[0].CanRollBack, s.desk.services[0].Release = true, "v1.2 (good)"
	require.Contains(t, s.home(t, rebecca, "*shop*"), "Runs v1.2 (good)\n")
	require.Contains(t, string(s.sim.Home(rebecca)), `"start-rollback"`)
	require.Equal(t, "where2eat", buttons(t, s.sim.Home(rebecca))["start-rollback"]["value"], "not shop")

	require.NoError(t, s.sim.ClickHome(rebecca, "start-rollback", "where2eat"))
	s.homeShows(t, rebecca, "The rollback of where2eat is started.")
	require.Len(t, s.desk.Starts(), 1)
	require.Equal(t, "Rollback", s.desk.Starts()[0].Playbook)
	require.Equal(t, "where2eat", s.desk.Starts()[0].Service)
	require.Error(t, s.sim.ClickHome(rebecca, "start-rollback", "shop"))
}

func TestHomeSaysWhatToDo(t *testing.T) {
	s := listening(t)
	summary := summaries()[0]
	summary.NextDrill = time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	for i := range 7 {
		summary.Todo = append(summary.Todo, fmt.Sprintf("Mend <%d>", i))
	}
	s.desk.services = []slackapp.ServiceSummary{summary}
	shown := s.home(t, rebecca, "Next drill")
	require.Contains(t, shown, "2027-01-15 08:00 UTC")
	require.Contains(t, shown, "To do: Mend &lt;4&gt;")
	require.NotContains(t, shown, "Mend &lt;5&gt;")
	require.Contains(t, shown, "…and 2 more: `starter check where2eat`")
}

func TestHomeShowsTheChecklist(t *testing.T) {
	s := listening(t)
	s.desk.services = summaries()
	s.desk.checklist = []recovery.Item{
		{Key: "proven", Question: "Is a backup proven?", Answer: recovery.Yes, Evidence: "it is 2 hours old"},
		{Key: "drill", Question: "Was a restore rehearsed?", Answer: recovery.No, Evidence: "no drill is known", Next: "starter drill shop"},
		{Key: "rollback", Question: "Was a rollback tried?", Evidence: "nobody <looked>"},
	}
	s.home(t, rebecca, "*shop*")
	require.NoError(t, s.sim.ClickHome(rebecca, "checklist", "shop"))
	shown := texts(t, s.modal(t, rebecca, holds("Was a rollback tried?")).Blocks)
	require.Contains(t, shown, "✅ Is a backup proven?\nit is 2 hours old")
	require.Contains(t, shown, "❌ Was a restore rehearsed?\nno drill is known\n→ starter drill shop")
	require.Contains(t, shown, "❔ Was a rollback tried?\nnobody &lt;looked&gt;")
}
