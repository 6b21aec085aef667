package slackapp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The buttons and menus that start playbooks.
const (
	actionBackup   = "start-backup"
	actionDrill    = "start-drill"
	actionRollback = "start-rollback"
	actionCheck    = "checklist"
	actionRestore  = "start-restore"
	actionService  = "choose-service" // the first step of a restore
)

// The inputs of the forms: each the id of its block and of its action.
const (
	inputService = "service"
	inputSet     = "set"
	inputTarget  = "target"
	inputSources = "sources"
)

const (
	targetReplace = "replace"
	targetBeside  = "beside"
)

// startKey names what a command or form asks for, the same however often Slack
// delivers it.
func startKey(id string, s *Start) string {
	hash := sha256.New()
	for _, part := range append([]string{id, s.Playbook, s.Service, string(s.Set), fmt.Sprint(s.Beside), s.To}, s.Sources...) {
		_, _ = fmt.Fprintf(hash, "%d:%s\n", len(part), part)
	}
	return "slack-" + hex.EncodeToString(hash.Sum(nil))[:16]
}

// start starts a playbook, and says what became of it. id names the command or
// form.
func (a *App) start(ctx context.Context, id string, s Start) (markup, error) {
	s.Key = startKey(id, &s)
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	started, err := a.desk.Start(ctx, s)
	if err != nil {
		return "", err
	}
	text := markup(playbookWords[s.Playbook]) + " of " + escape(s.Service, 100)
	if s.To != "" {
		text += " to " + escape(s.To, 100)
	}
	if started.Again {
		text += " was started already."
	} else {
		text += " is started."
	}
	if follow := link(started.URL, "Follow it in Temporal"); follow != "" {
		text += " " + follow + "."
	}
	return text, nil
}

var playbookWords = map[string]string{
	playbookBackup: "The backup", playbookDrill: "The drill", playbookRestore: "The restore", playbookRollback: "The rollback",
}

// playbookOf says which playbook is started by a verb of the slash command, and by the
// form of the same name.
var playbookOf = map[string]string{formBackup: playbookBackup, formDrill: playbookDrill, formRollback: playbookRollback}

func notStarted(err error) markup { return "This was not started: " + escape(err.Error(), 1000) }

// startNow starts a playbook without a form, and answers.
func (a *App) startNow(ctx context.Context, who asker, id string, s Start, ack acknowledge) {
	text, err := a.start(ctx, id, s)
	if err != nil {
		a.answer(ctx, who, notStarted(err))
		ack(nil)
		return
	}
	ack(nil)
	a.answer(ctx, who, text)
}

// startClick is a click on a button that starts a playbook.
func (a *App) startClick(ctx context.Context, c click) {
	playbook := map[string]string{actionBackup: playbookBackup, actionDrill: playbookDrill, actionRollback: playbookRollback}[c.action.ActionID]
	a.startNow(ctx, c.who, c.trigger, Start{Playbook: playbook, Service: c.action.Value, By: c.name}, c.ack)
}

// openStart opens the form that asks which service to back up, to drill, or to roll
// back.
func (a *App) openStart(ctx context.Context, who asker, trigger, callback string, ack acknowledge) {
	title := map[string]string{formBackup: "Back up", formDrill: "Drill", formRollback: "Roll back"}[callback]
	p := private{Who: who}
	view := a.open(ctx, who, trigger, message(title, "Looking at the services…", p))
	ack(nil)
	if view == "" {
		return
	}
	options, err := a.serviceOptions(ctx, callback)
	if err != nil {
		a.update(ctx, view, message(title, cannotList(err), p))
		return
	}
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Choose a service", maxHeader), inputService, options...)
	if len(options) == 1 {
		menu.WithInitialOption(options[0])
	}
	a.update(ctx, view, form(callback, title, title, p, slack.NewInputBlock(inputService, plainText("Service", maxHeader), nil, menu)))
}

func cannotList(err error) markup { return "This cannot be shown now: " + escape(err.Error(), 600) }

// serviceOptions lists the services for which a form can be used.
func (a *App) serviceOptions(ctx context.Context, callback string) ([]*slack.OptionBlockObject, error) {
	services, err := a.services(ctx)
	if err != nil {
		return nil, err
	}
	if len(services) == 0 {
		return nil, errors.New("there is no service in the config")
	}
	if callback == formRollback {
		services = slices.DeleteFunc(slices.Clone(services), func(s ServiceSummary) bool { return !s.CanRollBack })
	}
	if len(services) == 0 {
		return nil, errors.New("no service can be rolled back: that needs deploy, and who approves a rollback, in the config")
	}
	options := make([]*slack.OptionBlockObject, 0, len(services))
	for _, s := range services[:min(len(services), maxOptions)] {
		options = append(options, slack.NewOptionBlockObject(s.Service, plainText(s.Service, maxOption), nil))
	}
	return options, nil
}

func (a *App) services(ctx context.Context) ([]ServiceSummary, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return a.desk.Services(ctx)
}

func (a *App) submitStart(ctx context.Context, s submission, playbook string) {
	service := s.values[inputService].SelectedOption.Value
	if service == "" {
		s.ack(wrong(inputService, "Choose a service."))
		return
	}
	a.submit(ctx, s, Start{Playbook: playbook, Service: service}, inputService)
}

// submit starts what a form asks for. If that fails, the form stays open.
func (a *App) submit(ctx context.Context, s submission, start Start, field string) {
	start.By = s.name
	text, err := a.start(ctx, s.view, start)
	if err != nil {
		s.ack(wrong(field, "This was not started: "+err.Error()))
		return
	}
	s.ack(nil)
	a.answer(ctx, s.who, text)
}

// openRestore opens the form of a restore: the service first, unless it is known,
// then the set.
func (a *App) openRestore(ctx context.Context, who asker, trigger, service string, ack acknowledge) {
	p := private{Who: who, Service: service}
	view := a.open(ctx, who, trigger, message("Restore", "Looking at the services…", p))
	ack(nil)
	switch {
	case view == "":
	case service != "":
		a.chooseSet(ctx, view, p)
	default:
		a.chooseService(ctx, view, p)
	}
}

// chooseService is the first step: choosing leads on.
func (a *App) chooseService(ctx context.Context, view string, p private) {
	options, err := a.serviceOptions(ctx, formRestore)
	if err != nil {
		a.update(ctx, view, message("Restore", cannotList(err), p))
		return
	}
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Choose a service", maxHeader), actionService, options...)
	a.update(ctx, view, form(formMessage, "Restore", "", p,
		section("Which service?"), slack.NewActionBlock(inputService, menu)))
}

// chooseSet is the second step.
func (a *App) chooseSet(ctx context.Context, view string, p private) {
	a.update(ctx, view, message("Restore", "Looking at the recovery sets of "+escape(p.Service, 100)+"…", p))
	bounded, cancel := context.WithTimeout(ctx, queryTimeout)
	sets, err := a.desk.Sets(bounded, p.Service)
	cancel()
	switch {
	case err != nil:
		a.update(ctx, view, message("Restore", cannotList(err), p))
	case len(sets) == 0:
		a.update(ctx, view, message("Restore", escape(p.Service, 100)+" has no recovery set that was read back: there is nothing to restore.", p))
	default:
		a.update(ctx, view, form(formRestore, "Restore", "Go on", p, restoreInputs(p.Service, sets)...))
	}
}

func restoreInputs(service string, sets []SetSummary) []slack.Block {
	sets = sets[:min(len(sets), maxOptions)]
	options := make([]*slack.OptionBlockObject, len(sets))
	var sources []string
	for i := range sets {
		options[i] = slack.NewOptionBlockObject(string(sets[i].Set), plainText(setLine(&sets[i]), maxOption), nil)
		sources = append(sources, sets[i].Sources...)
	}
	target := slack.NewRadioButtonsBlockElement(inputTarget,
		slack.NewOptionBlockObject(targetReplace, plainText("Replace production", maxOption),
			plainText("after a safety backup, and once people approved it", maxOption)),
		slack.NewOptionBlockObject(targetBeside, plainText("Restore beside and leave it", maxOption),
			plainText("production stays as it is", maxOption)))
	blocks := []slack.Block{
		section("*" + escape(service, 100) + "*\nNothing is replaced before it was restored beside, tested, and approved."),
		slack.NewInputBlock(inputSet, plainText("Recovery set", maxHeader), nil,
			slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Choose a set", maxHeader), inputSet, options...)),
		slack.NewInputBlock(inputTarget, plainText("Where to", maxHeader), nil, target),
	}
	slices.Sort(sources)
	if sources = slices.Compact(sources); len(sources) > 1 && len(sources) <= 10 {
		blocks = append(blocks, sourcesInput(sources))
	}
	return blocks
}

func sourcesInput(sources []string) slack.Block {
	boxes := make([]*slack.OptionBlockObject, len(sources))
	for i, name := range sources {
		boxes[i] = slack.NewOptionBlockObject(name, plainText(name, maxOption), nil)
	}
	return slack.NewInputBlock(inputSources, plainText("Only these sources", maxHeader), plainText("None chosen: all of them.", maxHeader),
		slack.NewCheckboxGroupsBlockElement(inputSources, boxes...)).WithOptional(true)
}

// setLine describes a set in one line: times are UTC, because menus know no time zones.
func setLine(s *SetSummary) string {
	parts := []string{utc(s.Created), short(s.Age) + " old", recovery.Bytes(s.Size), levelWords(s)}
	return strings.Join(parts, " · ")
}

func levelWords(s *SetSummary) string {
	words := map[recovery.Level]string{
		recovery.LevelStored: "only stored", recovery.LevelReadBack: "read back",
		recovery.LevelRestored: "restored", recovery.LevelProven: "proven",
	}[s.Level]
	switch {
	case s.Verdict == recovery.Disproven:
		return "DISPROVEN"
	case words == "":
		return "nothing known"
	}
	return words
}

func (a *App) submitRestore(ctx context.Context, s submission) {
	set, target := s.values[inputSet].SelectedOption.Value, s.values[inputTarget].SelectedOption.Value
	switch {
	case set == "":
		s.ack(wrong(inputSet, "Choose a set."))
		return
	case target != targetReplace && target != targetBeside:
		s.ack(wrong(inputTarget, "Choose one of the two."))
		return
	}
	start := Start{Playbook: playbookRestore, Service: s.form.Service, Set: recovery.SetID(set), Beside: target == targetBeside}
	for _, box := range s.values[inputSources].SelectedOptions {
		start.Sources = append(start.Sources, box.Value)
	}
	a.submit(ctx, s, start, inputSet)
}
