package slacksim

import (
	"encoding/json"
	"unicode/utf8"
)

// View is a modal or an App Home, as the app gave it and with what Slack adds.
type View struct {
	ID              string          `json:"id"`
	TeamID          string          `json:"team_id"`
	AppID           string          `json:"app_id"`
	BotID           string          `json:"bot_id"`
	Type            string          `json:"type"` // modal or home
	Title           *Text           `json:"title,omitempty"`
	Submit          *Text           `json:"submit,omitempty"`
	Close           *Text           `json:"close,omitempty"`
	Blocks          json.RawMessage `json:"blocks"`
	PrivateMetadata string          `json:"private_metadata"`
	CallbackID      string          `json:"callback_id"`
	ExternalID      string          `json:"external_id"`
	Hash            string          `json:"hash"` // changes with every update
	RootViewID      string          `json:"root_view_id"`
	PreviousViewID  string          `json:"previous_view_id,omitempty"`
	ClearOnClose    bool            `json:"clear_on_close"`
	NotifyOnClose   bool            `json:"notify_on_close"`
	State           State           `json:"state"`
}

// Text is a text object.
type Text struct {
	Type string `json:"type"` // plain_text or mrkdwn
	Text string `json:"text"`
}

// State is what stands in the inputs of a view: by block_id, then by action_id.
type State struct {
	Values map[string]map[string]any `json:"values"`
}

const (
	maxViewBlocks = 100
	maxModals     = 3 // in a stack
	maxView       = 250_000
)

// readView checks a view of a kind and fills in the ids that its blocks lack. The
// answer is nil if all is well.
func (s *Server) readView(text, kind string) (*View, object) {
	var fields object
	if json.Unmarshal([]byte(text), &fields) != nil {
		return nil, failed("invalid_arguments", "[ERROR] invalid view [json-pointer:/view]")
	}
	if utf8.RuneCountInString(text) > maxView {
		return nil, failed("view_too_large")
	}
	var c checker
	c.view("/view", fields, kind)
	if len(c.problems) > 0 {
		return nil, failed("invalid_arguments", c.problems...)
	}
	v := &View{}
	blocks, _ := fields["blocks"].([]any)
	delete(fields, "blocks")
	if json.Unmarshal(encode(fields), v) != nil {
		return nil, failed("invalid_arguments", "[ERROR] invalid view [json-pointer:/view]")
	}
	v.ID, v.TeamID, v.AppID, v.BotID = s.id("V"), teamID, appID, botID
	v.Hash, v.RootViewID, v.PreviousViewID = s.id("hash."), v.ID, ""
	v.Blocks = s.withIDs(blocks)
	v.State = initialState(v.Blocks)
	return v, nil
}

func (c *checker) view(at string, v object, kind string) {
	if v["type"] != kind {
		c.problem(at+"/type", "must be %s", kind)
	}
	if kind == "modal" {
		c.text(at, v, "title", 24, plain)
		c.optionalText(at, v, "submit", 24, plain)
		c.optionalText(at, v, "close", 24, plain)
	}
	c.optional(at, v, "private_metadata", 3000)
	c.optional(at, v, "callback_id", 255)
	c.optional(at, v, "external_id", 255)
	blocks, ok := v["blocks"].([]any)
	if !ok {
		c.problem(at, "missing required field: blocks")
		return
	}
	c.blocks(at+"/blocks", blocks, maxViewBlocks)
	for _, block := range objects(v["blocks"]) {
		if _, submit := v["submit"].(object); kind == "modal" && block["type"] == "input" && !submit {
			c.problem(at, "missing required field: submit")
			return
		}
	}
}

// takes gives a view the content of another one.
func (v *View) takes(other *View) {
	id, root, previous := v.ID, v.RootViewID, v.PreviousViewID
	*v = *other
	v.ID, v.RootViewID, v.PreviousViewID = id, root, previous
}

// externalIDTaken says whether another view that is open has the same external_id.
func (s *Server) externalIDTaken(v *View) bool {
	if v.ExternalID == "" {
		return false
	}
	return s.anyView(func(other *View) bool { return other.ID != v.ID && other.ExternalID == v.ExternalID }) != nil
}

// anyView finds a view that is open anywhere.
func (s *Server) anyView(match func(*View) bool) *View {
	for _, v := range s.homes {
		if match(v) {
			return v
		}
	}
	for _, stack := range s.modals {
		for _, v := range stack {
			if match(v) {
				return v
			}
		}
	}
	return nil
}
