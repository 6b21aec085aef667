package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// askNext asks what to do after a remedy that did not help, or of which nobody knows
// whether it ran. Refusing it all puts back what was there before.
func (r *rollback) askNext(ctx workflow.Context) (over bool, err error) {
	last := *r.result.Last()
	r.shout(ctx, r.result.Sentence, r.people()...)
	if r.known.Current, _, err = currentRelease(ctx, r.teller, r.plan); err != nil {
		return true, err
	}
	r.options = r.nextOptions(last)
	back := r.backOption()
	r.weigh(ctx)
	r.refuses = back.Label
	r.facts(ctx, r.describeTrouble(ctx, last, back)...)
	request, err := r.request("next")
	if err != nil {
		return true, err
	}
	request.What, request.Approve, request.Reject = fmt.Sprintf("Roll back %s: what next?", r.in.Service), "Choose…", back.Label
	r.now(ctx, "waiting for a decision on what to do next")
	book, err := r.ask(ctx, request)
	if err != nil {
		return true, err
	}
	chosen := back
	switch book.Outcome {
	case approval.Approved:
		if chosen, err = r.chosen(book); err != nil {
			return true, err
		}
	case approval.Rejected:
	default:
		r.result.Sentence += "; nobody decided in time what to do next"
		return true, nil
	}
	if chosen.leave {
		r.result.Sentence += "; left as it is by " + deciders(book)
		return true, nil
	}
	if r.result.State == release.Unknown { // the command may do its work meanwhile
		r.known.Current = release.Tag{}
	}
	return false, r.applyAll(ctx, chosen, book)
}

// applyAll carries an option out, and what it undoes besides.
func (r *rollback) applyAll(ctx workflow.Context, o option, book *approval.Book) error {
	err := r.apply(ctx, o, book)
	for _, also := range o.also {
		if err != nil || r.result.State != release.Undone {
			break
		}
		before := r.result.Sentence
		r.known.Current = release.Tag{} // as what was done just now has left it
		err = r.apply(ctx, option{remedy: also, back: true}, book)
		r.result.Sentence = before + "; " + r.result.Sentence
	}
	return err
}

// nextOptions lists what may help after a remedy that did not.
func (r *rollback) nextOptions(last release.Change) []option {
	var options []option
	if r.result.State == release.Unknown {
		options = append(options, option{remedy: last.Remedy, to: last.To, ran: true, back: r.isBack(last), Choice: approval.Choice{Key: "ran", Label: "It ran", Detail: "run nothing; see whether the service is well"}})
	}
	options = append(options, option{remedy: last.Remedy, to: last.To, back: r.isBack(last), Choice: approval.Choice{
		Key: "again", Label: "Once more", Detail: strings.TrimSpace("run deploy." + string(last.Remedy) + " again " + last.To.Tag),
	}})
	if older, ok := r.older(); ok {
		options = append(options, deployOption(older))
	}
	for _, o := range r.remedies() {
		if r.in.To == "" && !r.tried(o.remedy) {
			options = append(options, o)
		}
	}
	return append(options, option{leave: true, Choice: approval.Choice{Key: "leave", Label: "Leave it as it is", Detail: "and end this rollback"}})
}

// older is the next older good release than the oldest that was tried.
func (r *rollback) older() (release.Release, bool) {
	for _, c := range slices.Backward(r.result.Changes) {
		if c.Remedy == release.Deploy && c.To.Tag != r.result.From.Tag && c.State != release.Stale {
			return release.OlderGood(r.known.Releases, c.To.Tag)
		}
	}
	return release.LastGood(r.known.Releases)
}

func (r *rollback) tried(remedy release.Remedy) bool {
	return slices.ContainsFunc(r.result.Changes, func(c release.Change) bool { return c.Remedy == remedy && c.State != release.Stale })
}

// backOption puts back what was there before the first remedy.
func (r *rollback) backOption() option {
	from, undos := r.result.From, r.undos()
	switch deployed := r.tried(release.Deploy); {
	case deployed && from.Tag != "":
		return option{remedy: release.Deploy, to: from, back: true, also: undos, Choice: approval.Choice{Label: undoLabel("Put back "+from.Tag, undos)}}
	case !deployed && len(undos) > 0:
		return option{remedy: undos[0], back: true, also: undos[1:], Choice: approval.Choice{Label: undoLabel("", undos)}}
	}
	return option{leave: true, Choice: approval.Choice{Label: "Leave it as it is"}}
}

// undos undo the quick remedies that are in effect, the last one first.
func (r *rollback) undos() []release.Remedy {
	var undos []release.Remedy
	for _, c := range r.result.Changes {
		if !inEffect(c) {
			continue
		}
		undos = slices.DeleteFunc(undos, func(undo release.Remedy) bool { return undo == c.Remedy || undo == c.Remedy.Undo() })
		if undo := c.Remedy.Undo(); len(undo.Args(r.plan.Deploy)) > 0 {
			undos = slices.Insert(undos, 0, undo)
		}
	}
	return undos
}

// undoLabel says what is put back: "Put back v4, and turn the flag on again".
func undoLabel(first string, undos []release.Remedy) string {
	words := map[release.Remedy]string{release.FlagOn: "Turn the flag on again", release.SwitchBack: "Switch back"}
	for _, undo := range undos {
		if first == "" {
			first = words[undo]
		} else {
			first += ", and " + uncapital(words[undo])
		}
	}
	return first
}

func uncapital(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// isBack says whether a change put back what was there before.
func (r *rollback) isBack(c release.Change) bool {
	back := r.backOption()
	return back.back && back.remedy == c.Remedy && back.to == c.To
}

// describeTrouble says what people need to decide what to do next.
func (r *rollback) describeTrouble(ctx workflow.Context, last release.Change, back option) []approval.Fact {
	now := cmp.Or(r.known.Current.Tag, "not known")
	facts := []approval.Fact{{Label: "What happened", Value: r.result.Sentence}, {Label: "Deployed now", Value: now}}
	if last.Output != "" {
		facts = append(facts, approval.Fact{Label: "The command's last words", Value: tail(last.Output)})
	}
	if r.result.State != release.Unhealthy { // otherwise that was just looked at
		health, why := checkHealth(ctx, r.teller, r.plan)
		well := map[recovery.Verdict]string{
			recovery.Proven: "the service passes its checks", recovery.Disproven: "the service is not well: " + why, recovery.Inconclusive: "nobody could look: " + why,
		}[health]
		facts = append(facts, approval.Fact{Label: "How it is", Value: well})
	}
	return append(facts, approval.Fact{Label: "If you refuse", Value: uncapital(back.Label)})
}

// tail is the last line of what a command wrote.
func tail(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return lines[len(lines)-1]
}

// offerUndo waits for a person who wants a quick remedy undone. Trouble here changes
// nothing about the rollback: it is told.
func (r *rollback) offerUndo(ctx workflow.Context) {
	if r.result.UndoTil.IsZero() {
		return
	}
	undos := r.undos()
	label := undoLabel("", undos)
	r.options = []option{{remedy: undos[0], back: true, also: undos[1:], Choice: approval.Choice{Key: "undo", Label: label}}}
	var err error
	if r.known.Current, _, err = currentRelease(ctx, r.teller, r.plan); err != nil {
		return
	}
	r.refuses = ""
	request, err := r.request("undo")
	if err == nil {
		request.RequestedBy = lifeboat
		request.What, request.Approve, request.Reject = "Undo it: "+label, label, "Keep it so"
		request.Facts = []approval.Fact{{Label: "Done", Value: r.result.Sentence}}
		request.Policy.Expires = r.plan.UndoFor
		r.now(ctx, "the service is well; it can be undone until "+day(r.result.UndoTil))
		err = r.undo(ctx, request)
	}
	if err != nil && !temporal.IsCanceledError(err) {
		r.result.Sentence += "; it could not be undone: " + reason(err)
	}
}

func (r *rollback) undo(ctx workflow.Context, request approval.Request) error {
	book, err := r.offer(ctx, request)
	if err != nil || book.Outcome != approval.Approved {
		return err
	}
	before := r.result.Sentence
	if err := r.applyAll(ctx, r.options[0], book); err != nil {
		return err
	}
	switch r.result.State {
	case release.Undone:
	case release.Stale: // the remedy stays as it is
		r.result.Sentence, r.result.State = before+"; not undone: "+r.result.Sentence, release.Healthy
	default:
		r.result.Sentence, r.result.State = before+"; "+r.result.Sentence, release.Unknown
	}
	return nil
}
