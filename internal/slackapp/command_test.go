package slackapp_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/internal/slacksim"
)

const hour = recovery.Duration(time.Hour)

var (
	newestSet = slackapp.SetSummary{
		Set: "20261122T100000Z-00000a", Created: noon.Add(-2 * time.Hour), Age: 2 * hour, Size: 1_200_000,
		Level: recovery.LevelReadBack, Verdict: recovery.Proven, Sources: []string{"app", "files"},
	}
	provenSet = slackapp.SetSummary{
		Set: "20261121T100000Z-00000b", Created: noon.Add(-26 * time.Hour), Age: 26 * hour, Size: 1_100_000,
		Level: recovery.LevelProven, Verdict: recovery.Proven, Sources: []string{"app"},
	}
)

// summaries are two services: one is well, of the other nothing is good.
func summaries() []slackapp.ServiceSummary {
	return []slackapp.ServiceSummary{
		{
			Service: "where2eat", Owner: "Rebecca", Proven: &provenSet, ReadBack: &newestSet, RPO: 24 * hour,
			ReadBackAge: 2 * hour, ProvenAge: 26 * hour, RPOMet: true,
			LastDrill: &slackapp.DrillSummary{
				At: noon, Verdict: recovery.Proven, RTO: recovery.NewMeasure(hour/2, 3*time.Minute), Sentence: "all well",
			},
		},
		{Service: "shop", RPO: hour, LastDrill: &slackapp.DrillSummary{At: noon, Verdict: recovery.Disproven, Sentence: "rows differ in <orders>"}},
	}
}

func (s *stage) slash(t *testing.T, user, text string) {
	t.Helper()
	_, err := s.sim.Slash(user, "/lifeboat", text)
	require.NoError(t, err)
}

func TestHelp(t *testing.T) {
	s := listening(t)
	seen := 0
	for typed, first := range map[string]string{
		"": "`/lifeboat status", "help": "`/lifeboat status", "HELP me": "`/lifeboat status",
		"fly <!here>": "There is no `/lifeboat fly &lt;!here&gt;`.", "drill where2eat now": "There is no `/lifeboat drill where2eat now`.",
		"pending all":               "There is no `/lifeboat pending all`.",
		"rollback where2eat v1 now": "There is no `/lifeboat rollback where2eat v1 now`.",
	} {
		s.slash(t, rebecca, typed)
		text := s.answer(t, rebecca, seen).Text
		require.Contains(t, text, first, typed)
		require.Contains(t, text, "`/lifeboat restore [SERVICE]`", typed)
		require.Contains(t, text, "`/lifeboat rollback [SERVICE [TAG]]`", typed)
		seen++
	}
	require.Empty(t, s.desk.Starts())
}

func TestStrangerMayOnlyAskForHelp(t *testing.T) {
	s := listening(t)
	s.slash(t, mallory, "help")
	require.Contains(t, s.answer(t, mallory, 0).Text, "`/lifeboat status")
	for i, typed := range []string{"status", "pending", "backup where2eat", "drill where2eat", "restore where2eat", "rollback where2eat", "nonsense"} {
		s.slash(t, mallory, typed)
		require.Contains(t, s.answer(t, mallory, i+1).Text, "only help answers you", typed)
	}
	require.Empty(t, s.desk.Starts())
	_, open := s.sim.Modal(mallory)
	require.False(t, open)
}

func TestStatus(t *testing.T) {
	s := listening(t)
	s.desk.services = summaries()
	s.slash(t, rebecca, "status")
	text := s.answer(t, rebecca, 0).Text
	for _, want := range []string{
		"*where2eat* · Rebecca\nNewest backup that was read back: <!date^1795341600^{date_short_pretty} {time}|2026-11-22 10:00 UTC>, 2 h old: RPO of 24h met\n",
		"Newest proven backup: <!date^1795255200^{date_short_pretty} {time}|2026-11-21 10:00 UTC>, 26 h old, 1.1 MB\n",
		"Last drill: <!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>: it worked in 3m, RTO of 30m met",
		"*shop*\nNo backup was read back: RPO of 1h *MISSED*\nNo backup is proven yet\n",
		"*it FAILED*\nrows differ in &lt;orders&gt;",
	} {
		require.Contains(t, text, want)
	}

	s.slash(t, rebecca, "status shop")
	text = s.answer(t, rebecca, 1).Text
	require.Contains(t, text, "*shop*")
	require.NotContains(t, text, "where2eat")
	s.slash(t, rebecca, "status nothing")
	require.Equal(t, "There is no service nothing in the config.", s.answer(t, rebecca, 2).Text)
}

func TestStatusInTrouble(t *testing.T) {
	s := listening(t)
	s.desk.services = []slackapp.ServiceSummary{{Service: "shop", RPO: hour, Trouble: "the bucket does not answer"}}
	s.slash(t, rebecca, "status")
	text := s.answer(t, rebecca, 0).Text
	require.Contains(t, text, "read back: not known")
	require.Contains(t, text, "⚠️ the bucket does not answer")
	require.NotContains(t, text, "MISSED")

	s.desk.trouble = errors.New("the config is broken")
	s.slash(t, rebecca, "status")
	require.Equal(t, "This cannot be shown now: the config is broken", s.answer(t, rebecca, 1).Text)
}

func TestPending(t *testing.T) {
	s := listening(t)
	s.slash(t, rebecca, "pending")
	require.Equal(t, "Nothing waits for a decision.", s.answer(t, rebecca, 0).Text)

	s.desk.books = []approval.Book{request("where2eat")} // sam asked for it
	s.slash(t, sam, "pending")
	answer := s.answer(t, sam, 0)
	require.Contains(t, answer.Text, "1 request waits for a decision, 0 of them for you.\n• Replace the database of where2eat: Asked by <@U0SAM>")
	require.Empty(t, answer.Blocks)

	s.slash(t, rebecca, "pending")
	answer = s.answer(t, rebecca, 1)
	require.Len(t, buttons(t, answer.Blocks), 3)
	require.NoError(t, s.sim.Click(rebecca, answer.TS, "approve"))
	require.Equal(t, "where2eat/restore/1", s.desk.Decisions()[0].Request)
	require.Contains(t, s.answer(t, rebecca, 2).Text, "Your decision was taken")
}

func TestManyPendingRequestsFit(t *testing.T) {
	s := listening(t)
	for range 40 {
		book := request("where2eat")
		book.Request.ID += string(rune('a' + len(s.desk.books)))
		for range 30 {
			book.Request.Facts = append(book.Request.Facts, approval.Fact{Label: "table & more", Value: "120 rows now → <118> then"})
		}
		s.desk.books = append(s.desk.books, book)
	}
	s.slash(t, rebecca, "pending")
	answer := s.answer(t, rebecca, 0)
	require.Contains(t, answer.Text, "40 requests wait for a decision, 40 of them for you.")
	require.Contains(t, texts(t, answer.Blocks), "more")
	require.NotEmpty(t, buttons(t, answer.Blocks))
}

func TestPlaybooksStartAtOnceWhereNothingIsAsked(t *testing.T) {
	for typed, want := range map[string]struct{ playbook, to, says string }{
		"backup where2eat":      {"BackupAndVerify", "", "The backup of where2eat is started. <http://127.0.0.1:8233/run/slack-"},
		"drill where2eat":       {"RestoreDrill", "", "The drill of where2eat is started. <http://127.0.0.1:8233/run/slack-"},
		"rollback where2eat":    {"Rollback", "", "The rollback of where2eat is started. <http://127.0.0.1:8233/run/slack-"},
		"RollBack where2eat v1": {"Rollback", "v1", "The rollback of where2eat to v1 is started. <http://127.0.0.1:8233/run/slack-"},
	} {
		t.Run(typed, func(t *testing.T) {
			s := listening(t)
			s.slash(t, rebecca, typed)
			require.Contains(t, s.answer(t, rebecca, 0).Text, want.says)
			starts := s.desk.Starts()
			require.Len(t, starts, 1)
			require.NotEmpty(t, starts[0].Key)
			starts[0].Key = ""
			require.Equal(t, slackapp.Start{Playbook: want.playbook, Service: "where2eat", To: want.to, By: "rebecca"}, starts[0])
		})
	}
}

func TestRedeliveredCommandHasTheSameKey(t *testing.T) {
	s := listening(t)
	s.sim.Set(slacksim.Faults{Redeliver: true})
	s.slash(t, rebecca, "drill where2eat")
	require.Eventually(t, func() bool { return len(s.desk.Starts()) == 2 }, patience, tick)
	s.sim.Set(slacksim.Faults{})
	s.slash(t, rebecca, "drill where2eat")
	starts := s.desk.Starts()
	require.Len(t, starts, 3)
	require.Equal(t, starts[0].Key, starts[1].Key)
	require.NotEqual(t, starts[0].Key, starts[2].Key, "typed again, it is another drill")
}

func TestStartIsAnsweredWhateverComesOfIt(t *testing.T) {
	s := listening(t)
	s.desk.started = func(slackapp.Start) (slackapp.Started, error) { return slackapp.Started{Again: true}, nil }
	s.slash(t, rebecca, "backup where2eat")
	require.Equal(t, "The backup of where2eat was started already.", s.answer(t, rebecca, 0).Text)
	s.desk.started = func(slackapp.Start) (slackapp.Started, error) {
		return slackapp.Started{}, errors.New("there is no service <where2eat>")
	}
	s.slash(t, rebecca, "backup where2eat")
	require.Equal(t, "This was not started: there is no service &lt;where2eat&gt;", s.answer(t, rebecca, 1).Text)
}

func TestServiceIsAskedForInAForm(t *testing.T) {
	for verb, playbook := range map[string]string{"backup": "BackupAndVerify", "drill": "RestoreDrill", "rollback": "Rollback"} {
		t.Run(verb, func(t *testing.T) {
			s := listening(t)
			s.desk.services = summaries()
			s.desk.services[1].CanRollBack = true
			s.slash(t, rebecca, verb)
			view := s.modal(t, rebecca, holds("Choose a service"))
			if verb == "rollback" {
				require.NotContains(t, string(view.Blocks), "where2eat", "it cannot be rolled back")
			}
			result, err := s.sim.SubmitModal(rebecca, map[string]string{"service": "shop"})
			require.NoError(t, err)
			require.Equal(t, "close", result.Action)
			start := s.desk.Starts()[0]
			require.Equal(t, playbook, start.Playbook)
			require.Equal(t, "shop", start.Service)
			require.Contains(t, s.answer(t, rebecca, 0).Text, "of shop is started")
		})
	}
}

func TestRollbackOfOneReleaseIsNotThatOfAnother(t *testing.T) {
	s := listening(t)
	s.sim.Set(slacksim.Faults{Redeliver: true})
	s.slash(t, rebecca, "rollback where2eat v1")
	require.Eventually(t, func() bool { return len(s.desk.Starts()) == 2 }, patience, tick)
	starts := s.desk.Starts()
	require.Equal(t, starts[0], starts[1], "delivered again, it is the same")
	s.sim.Set(slacksim.Faults{})
	s.slash(t, rebecca, "rollback where2eat v2")
	require.NotEqual(t, starts[0].Key, s.desk.Starts()[2].Key)
}

func TestNoServiceCanBeRolledBack(t *testing.T) {
	s := listening(t)
	s.desk.services = summaries()
	s.slash(t, rebecca, "rollback")
	s.modal(t, rebecca, holds("This cannot be shown now: no service can be rolled back: that needs deploy, and who approves a rollback, in the config"))
	require.Empty(t, s.desk.Starts())
}

func TestStatusSaysWhichReleaseRuns(t *testing.T) {
	s := listening(t)
	s.desk.services = summaries()
	s.desk.services[0].Release = "v1.2 <good>"
	s.slash(t, rebecca, "status")
	text := s.answer(t, rebecca, 0).Text
	require.Contains(t, text, "*where2eat* · Rebecca\nRuns v1.2 &lt;good&gt;\nNewest backup")
	require.Contains(t, text, "*shop*\nNo backup")
}

func TestFormSaysWhatIsWrong(t *testing.T) {
	s := listening(t)
	s.desk.trouble = errors.New("the config is broken")
	s.slash(t, rebecca, "drill")
	s.modal(t, rebecca, holds("This cannot be shown now: the config is broken"))

	s.desk.trouble, s.desk.services = nil, summaries()[:1]
	s.desk.started = func(slackapp.Start) (slackapp.Started, error) {
		return slackapp.Started{}, errors.New("a drill of where2eat runs already")
	}
	s.slash(t, rebecca, "drill")
	s.modal(t, rebecca, holds("where2eat")) // the only service is chosen already
	result, err := s.sim.SubmitModal(rebecca, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"service": "This was not started: a drill of where2eat runs already"}, result.Errors)
}

func TestRestoreAsksForServiceSetAndTarget(t *testing.T) {
	s := listening(t)
	s.desk.services, s.desk.sets = summaries(), []slackapp.SetSummary{newestSet, provenSet}
	s.slash(t, rebecca, "restore")
	s.modal(t, rebecca, holds("Which service?"))
	require.NoError(t, s.sim.ModalChoose(rebecca, "choose-service", "where2eat"))
	view := s.modal(t, rebecca, holds("Replace production"))
	shown := texts(t, view.Blocks)
	require.Contains(t, shown, "2026-11-22 10:00 UTC · 2 h old · 1.2 MB · read back")
	require.Contains(t, shown, "2026-11-21 10:00 UTC · 26 h old · 1.1 MB · proven")
	require.Contains(t, shown, "Restore beside and leave it")

	result, err := s.sim.SubmitModal(rebecca, map[string]string{"set": string(provenSet.Set)})
	require.NoError(t, err)
	require.Contains(t, result.Errors, "target", "nothing is chosen for anybody")
	result, err = s.sim.SubmitModal(rebecca, map[string]string{"set": string(provenSet.Set), "target": "replace"})
	require.NoError(t, err)
	require.Equal(t, "close", result.Action)
	start := s.desk.Starts()[0]
	require.NotEmpty(t, start.Key)
	start.Key = ""
	require.Equal(t, slackapp.Start{Playbook: "Restore", Service: "where2eat", Set: provenSet.Set, By: "rebecca"}, start)
	require.Contains(t, s.answer(t, rebecca, 0).Text, "The restore of where2eat is started.")
}

func TestRestoreBesideOfOneSource(t *testing.T) {
	s := listening(t)
	s.desk.sets = []slackapp.SetSummary{newestSet}
	s.slash(t, rebecca, "restore where2eat")
	s.modal(t, rebecca, holds("Only these sources"))
	_, err := s.sim.SubmitModal(rebecca, map[string]string{"set": string(newestSet.Set), "target": "beside", "sources": "files"})
	require.NoError(t, err)
	start := s.desk.Starts()[0]
	require.True(t, start.Beside)
	require.Equal(t, []string{"files"}, start.Sources)
	require.Equal(t, newestSet.Set, start.Set)
}

func TestRestoreWithoutSets(t *testing.T) {
	s := listening(t)
	s.slash(t, rebecca, "restore where2eat")
	s.modal(t, rebecca, holds("there is nothing to restore"))
	s.desk.trouble = errors.New("the bucket does not answer")
	s.slash(t, rebecca, "restore where2eat")
	s.modal(t, rebecca, holds("the bucket does not answer"))
}
