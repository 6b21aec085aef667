package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// SubmitResult says what came of submitting a modal.
type SubmitResult struct {
	Action string            `json:"action"`           // close, clear, update, push or errors
	Errors map[string]string `json:"errors,omitempty"` // by block_id; for errors
}

// Modal returns the modal that a person sees, the topmost one.
func (s *Server) Modal(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.top(user); v != nil {
		return *v, true
	}
	return View{}, false
}

func (s *Server) top(user string) *View {
	stack := s.modals[user]
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

// ModalClick uses a button of the modal that a person sees.
func (s *Server) ModalClick(user, actionID string) error {
	return s.useModal(user, target{Action: actionID}, nil)
}

// ModalChoose chooses the option with a value of a menu that stands outside an input block of
// the modal that a person sees.
func (s *Server) ModalChoose(user, actionID, value string) error {
	return s.useModal(user, target{Action: actionID, Value: value}, nil)
}

func (s *Server) useModal(user string, t target, entered map[string]string) error {
	s.mu.Lock()
	payload, err := s.modalAction(user, t, entered)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = s.deliver("interactive", payload)
	return err
}

func (s *Server) modalAction(user string, t target, entered map[string]string) (object, error) {
	v := s.top(user)
	if v != nil {
		state, _, err := fill(v.Blocks, entered)
		if err != nil {
			return nil, err
		}
		v.State = state
	}
	return s.viewAction(user, v, t)
}

// SubmitModal enters values in the modal that a person sees and submits it. The
// values go by action_id, or by block_id/action_id where an action_id is not unique: a
// text, the value of an option, or the values of several with commas between. What is
// left out keeps its initial value. Input that Slack does not let through, because it
// is missing, too short or too long, does not reach the app.
func (s *Server) SubmitModal(user string, values map[string]string) (SubmitResult, error) {
	s.mu.Lock()
	v, payload, problems, err := s.submission(user, values)
	s.mu.Unlock()
	if err != nil || len(problems) > 0 {
		return SubmitResult{Action: "errors", Errors: problems}, err
	}
	answer, err := s.deliver("interactive", payload)
	if err != nil {
		return SubmitResult{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	return s.submitted(user, v, answer)
}

// submission describes that a modal was submitted. The caller holds mu.
func (s *Server) submission(user string, values map[string]string) (*View, object, map[string]string, error) {
	u, ok := s.user(user)
	if !ok {
		return nil, nil, nil, noUser(user)
	}
	v := s.top(user)
	if v == nil {
		return nil, nil, nil, fmt.Errorf("%s sees no modal", u.Name)
	}
	if v.Submit == nil {
		return nil, nil, nil, errors.New("the modal has no button to submit it")
	}
	state, problems, err := fill(v.Blocks, values)
	if err != nil || len(problems) > 0 {
		return nil, nil, problems, err
	}
	v.State = state
	payload := s.interaction(u, "view_submission")
	payload["view"] = *v
	payload["response_urls"] = []object{}
	return v, payload, nil, nil
}

// submitted does with a modal what the app answered.
func (s *Server) submitted(user string, v *View, answer json.RawMessage) (SubmitResult, error) {
	var response struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(answer) > 0 && json.Unmarshal(answer, &response) != nil {
		return SubmitResult{}, errors.New("the app answered to a submission with what is no JSON object")
	}
	result := SubmitResult{Action: response.Action}
	switch response.Action {
	case "":
		result.Action = "close"
		s.pop(user, v)
	case "clear":
		delete(s.modals, user)
	case "errors":
		result.Errors = response.Errors
		return result, checkErrors(v.Blocks, response.Errors)
	case "update", "push":
		next, refusal := s.readView(string(response.View), "modal")
		switch {
		case refusal != nil:
			return SubmitResult{}, fmt.Errorf("the view that the app answered with is refused: %v", refusal)
		case response.Action == "update":
			v.takes(next)
		case len(s.modals[user]) == 0 || len(s.modals[user]) >= maxModals:
			return SubmitResult{}, fmt.Errorf("no view can be pushed on %d others", len(s.modals[user]))
		default:
			s.push(user, next)
		}
	default:
		return SubmitResult{}, fmt.Errorf("the app answered to a submission with the unknown action %q", response.Action)
	}
	return result, nil
}

// checkErrors refuses errors at blocks that are no inputs: Slack does not show them.
func checkErrors(blocks json.RawMessage, problems map[string]string) error {
	inputs := map[string]bool{}
	for _, block := range readList(blocks) {
		id, _ := block["block_id"].(string)
		inputs[id] = block["type"] == "input"
	}
	for _, id := range slices.Sorted(maps.Keys(problems)) {
		if !inputs[id] {
			return fmt.Errorf("the app reported an error at %q, which is no input block of the modal", id)
		}
	}
	if len(problems) == 0 {
		return errors.New("the app reported errors, but none in particular")
	}
	return nil
}

// pop takes a modal away, if it is still there.
func (s *Server) pop(user string, v *View) {
	s.modals[user] = slices.DeleteFunc(s.modals[user], func(other *View) bool { return other == v })
}

// CloseModal closes the modal that a person sees without submitting it. The app is
// told if it asked for that.
func (s *Server) CloseModal(user string) error {
	u, ok := s.user(user)
	if !ok {
		return noUser(user)
	}
	s.mu.Lock()
	v := s.top(user)
	if v == nil {
		s.mu.Unlock()
		return fmt.Errorf("%s sees no modal", u.Name)
	}
	s.pop(user, v)
	if v.ClearOnClose {
		delete(s.modals, user)
	}
	payload := s.interaction(u, "view_closed")
	payload["view"], payload["is_cleared"] = *v, v.ClearOnClose
	tell := v.NotifyOnClose
	s.notify()
	s.mu.Unlock()
	if !tell {
		return nil
	}
	_, err := s.deliver("interactive", payload)
	return err
}
