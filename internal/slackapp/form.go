package slackapp

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/slack-go/slack"
	"go.uber.org/zap"
)

// The forms: what comes back as callback_id when one is submitted.
const (
	formReject   = "reject"
	formConfirm  = "confirm"
	formChoose   = "choose"
	formBackup   = "backup"
	formDrill    = "drill"
	formRollback = "rollback"
	formRestore  = "restore"
	formMessage  = "message" // nothing to submit
)

// private is what a form carries from its opening to its submission.
type private struct {
	Who     asker      `json:"who"`
	Ref     *reference `json:"ref,omitempty"`
	Service string     `json:"service,omitempty"`
}

// readPrivate reads what a form carries: nothing, if that cannot be read.
func readPrivate(text string) private {
	var p private
	if json.Unmarshal([]byte(text), &p) != nil {
		return private{}
	}
	return p
}

// form makes a modal. Without a label nothing can be submitted.
func form(callback, title, submit string, p private, blocks ...slack.Block) slack.ModalViewRequest {
	carried, err := compact(p)
	if err != nil || len(carried) > maxMetadata {
		carried = ""
	}
	if len(blocks) > maxViewBlocks {
		blocks = append(blocks[:maxViewBlocks-1:maxViewBlocks-1], small("…and more"))
	}
	view := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: carried,
		Title: plainText(title, maxModalTitle), Close: plainText("Close", maxModalTitle),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
	if submit != "" {
		view.Submit = plainText(submit, maxModalTitle)
		view.Close = plainText("Cancel", maxModalTitle)
	}
	return view
}

// message is a modal that only says something.
func message(title string, text markup, p private) slack.ModalViewRequest {
	return form(formMessage, title, "", p, section(text))
}

// open opens a form, and returns its id. It returns "" if Slack did not open it,
// which it says to whoever asked.
func (a *App) open(ctx context.Context, who asker, trigger string, view slack.ModalViewRequest) string {
	opened, err := a.api.OpenViewContext(ctx, trigger, view) // once: the trigger does not wait
	switch {
	case err == nil:
		return opened.ID
	case saysSlack(err, "exchanged_trigger_id"): // delivered again: the form is open
		return ""
	}
	err = classify(err, "open the form", mendBot)
	a.log.Warn("no form in slack", zap.Error(err))
	a.answer(ctx, who, "Slack did not open the form: "+escape(err.Error(), 600)+"\nPlease try again.")
	return ""
}

// update replaces what an open form shows.
func (a *App) update(ctx context.Context, id string, view slack.ModalViewRequest) {
	err := a.call(ctx, "show the form", func() error {
		_, err := a.api.UpdateViewContext(ctx, view, "", "", id)
		return err
	})
	if err != nil { // it may have been closed
		a.log.Info("a form in slack was not updated", zap.Error(err))
	}
}

// submission is a form that somebody the config knows submitted.
type submission struct {
	who    asker
	name   string
	form   private
	view   string
	values map[string]slack.BlockAction // by input
	ack    acknowledge
}

func (a *App) submission(ctx context.Context, ic *slack.InteractionCallback, s submission) {
	s.view, s.values = ic.View.ID, inputs(ic.View.State)
	decides := []string{formReject, formConfirm, formChoose}
	if slices.Contains(decides, ic.View.CallbackID) && s.form.Ref == nil {
		s.ack(nil)
		a.answer(ctx, s.who, "This form cannot be read any more, and changed nothing. Please open it again.")
		return
	}
	switch ic.View.CallbackID {
	case formReject:
		a.submitReason(ctx, s)
	case formConfirm:
		a.submitConfirmation(ctx, s)
	case formChoose:
		a.submitChoice(ctx, s)
	case formBackup, formDrill, formRollback:
		a.submitStart(ctx, s, playbookOf[ic.View.CallbackID])
	case formRestore:
		a.submitRestore(ctx, s)
	default:
		s.ack(nil)
	}
}

// inputs lists what was entered: an input's block and action have the same id.
func inputs(state *slack.ViewState) map[string]slack.BlockAction {
	values := map[string]slack.BlockAction{}
	if state == nil {
		return values
	}
	for id, actions := range state.Values {
		values[id] = actions[id]
	}
	return values
}

// wrong keeps a form open and says at a field what is wrong.
func wrong(field, text string) *slack.ViewSubmissionResponse {
	return slack.NewErrorsViewSubmissionResponse(map[string]string{field: clip(text, maxError)})
}
