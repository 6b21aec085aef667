package slacksim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Faults are the troubles that can be switched on. The zero value is none.
type Faults struct {
	RateLimit       int           `json:"rateLimit"`       // so many of the next calls to the Web API are answered 429
	RetryAfter      int           `json:"retryAfter"`      // seconds that those answers ask for; 1 if 0
	LoseAnswers     int           `json:"loseAnswers"`     // so many of the next calls take effect, but the connection breaks before the answer
	Method          string        `json:"method"`          // the only method that RateLimit and LoseAnswers are for; all if empty
	Redeliver       bool          `json:"redeliver"`       // everything is sent to the app twice, although it acknowledged
	TriggerLifetime time.Duration `json:"triggerLifetime"` // how long a trigger_id can be used; Slack's 3 s if 0
	Outage          bool          `json:"outage"`          // every call is answered 503, connections are dropped and refused
}

const triggerLifetime = 3 * time.Second

// Set switches faults on and off.
func (s *Server) Set(f Faults) {
	s.mu.Lock()
	s.faults = f
	s.notify()
	s.mu.Unlock()
	if f.Outage {
		s.DropSockets()
	}
}

// Faults tells what is switched on now, with what is left of the counts.
func (s *Server) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// Call is a call to the Web API that got as far as a method: not one that was
// answered 429 or 503.
type Call struct {
	Method string            `json:"method"`
	At     time.Time         `json:"at"`
	Args   map[string]string `json:"args"`            // without the token; what is no text, as JSON
	Error  string            `json:"error,omitempty"` // the error it was answered with; empty if it went well
}

// Calls lists the calls so far, oldest first.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// refuse answers a call by a fault. The caller holds mu.
func (s *Server) refuse(w http.ResponseWriter, method string) bool {
	f := &s.faults
	switch {
	case f.Outage:
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
	case f.RateLimit > 0 && (f.Method == "" || f.Method == method):
		f.RateLimit--
		s.notify()
		w.Header().Set("Retry-After", strconv.Itoa(max(1, f.RetryAfter)))
		w.WriteHeader(http.StatusTooManyRequests)
		_ = json.NewEncoder(w).Encode(failed("ratelimited"))
	default:
		return false
	}
	return true
}

// losesAnswer says whether the answer to a call is lost. The caller holds mu.
func (s *Server) losesAnswer(method string) bool {
	f := &s.faults
	if f.LoseAnswers == 0 || f.Method != "" && f.Method != method {
		return false
	}
	f.LoseAnswers--
	return true
}
