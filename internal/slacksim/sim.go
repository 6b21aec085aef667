package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// routeSim is what the page's script calls, and tests in other processes may: people's
// actions and faults, as JSON.
func (s *Server) routeSim(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/state", func(w http.ResponseWriter, r *http.Request) { reply(w, s.state(r.FormValue("user")), nil) })
	mux.HandleFunc("GET /sim/calls", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Calls(), nil) })
	mux.HandleFunc("GET /sim/events", s.serveEvents)
	for path, act := range map[string]func(*Server, simRequest) (any, error){
		"click":        func(s *Server, q simRequest) (any, error) { return nil, s.useMessage(q.User, q.TS, q.target) },
		"home/open":    func(s *Server, q simRequest) (any, error) { return nil, s.OpenHome(q.User) },
		"home/click":   func(s *Server, q simRequest) (any, error) { return nil, s.useHome(q.User, q.target) },
		"modal/click":  func(s *Server, q simRequest) (any, error) { return nil, s.useModal(q.User, q.target, q.Values) },
		"modal/close":  func(s *Server, q simRequest) (any, error) { return nil, s.CloseModal(q.User) },
		"modal/submit": func(s *Server, q simRequest) (any, error) { return s.SubmitModal(q.User, q.Values) },
		"slash":        func(s *Server, q simRequest) (any, error) { return s.Slash(q.User, q.Command, q.Text) },
		"say":          func(s *Server, q simRequest) (any, error) { return s.Say(q.User, q.Text) },
		"faults":       func(s *Server, q simRequest) (any, error) { s.Set(q.Faults); return nil, nil },
		"disconnect":   func(s *Server, _ simRequest) (any, error) { s.Disconnect(); return nil, nil },
		"drop":         func(s *Server, _ simRequest) (any, error) { s.DropSockets(); return nil, nil },
	} {
		mux.HandleFunc("POST /sim/"+path, s.serveAct(act))
	}
}

// simRequest is what an action is told; each uses what it needs.
type simRequest struct {
	target
	User    string            `json:"user"`
	TS      string            `json:"ts"`
	Command string            `json:"command"`
	Text    string            `json:"text"`
	Values  map[string]string `json:"values"`
	Faults  Faults            `json:"faults"`
}

// serveAct answers an action. A web page of somebody else is refused: it cannot send
// JSON without asking first, and its origin is another.
func (s *Server) serveAct(act func(*Server, simRequest) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
			http.Error(w, "the request comes from another page", http.StatusForbidden)
			return
		}
		if r.Header.Get("Content-Type") != "application/json" {
			http.Error(w, "the request must be application/json", http.StatusUnsupportedMediaType)
			return
		}
		var request simRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&request); err != nil {
			http.Error(w, "the request is no JSON that is understood", http.StatusBadRequest)
			return
		}
		result, err := act(s, request)
		reply(w, result, err)
	}
}

func reply(w http.ResponseWriter, result any, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		result = object{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(result)
}

// snapshot is all that the page shows to a person.
type snapshot struct {
	User        string    `json:"user"` // who sees this
	Users       []User    `json:"users"`
	Channel     string    `json:"channel"` // its name
	ChannelID   string    `json:"channelId"`
	Messages    []Message `json:"messages"` // of the channel and of the conversation with the app, with those in threads
	Ephemerals  []Message `json:"ephemerals"`
	Home        *View     `json:"home"`
	Modal       *View     `json:"modal"`
	Connections int       `json:"connections"`
	Faults      Faults    `json:"faults"`
}

// state tells what a person sees; the first one, if there is no such person.
func (s *Server) state(user string) snapshot {
	if _, ok := s.user(user); !ok {
		user = s.Users()[0].ID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := snapshot{
		User: user, Users: s.Users(), Channel: channelName, ChannelID: channelID, Messages: []Message{}, Ephemerals: values(s.ephemerals[user]),
		Connections: len(s.sockets), Faults: s.faults,
	}
	for _, m := range s.messages {
		if m.Channel == channelID || m.Channel == directChannel(user) {
			state.Messages = append(state.Messages, *m)
		}
	}
	if v := s.homes[user]; v != nil {
		home := *v
		state.Home = &home
	}
	if v := s.top(user); v != nil {
		modal := *v
		state.Modal = &modal
	}
	return state
}

// serveEvents sends the page what a person sees, now and after every change, as
// server-sent events.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		state, err := json.Marshal(s.state(r.FormValue("user")))
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", state); err != nil || stream.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}
