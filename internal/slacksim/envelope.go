package slacksim

import (
	"encoding/json"
	"fmt"
	"time"
)

// maxAttempts is how often an envelope that is not acknowledged is sent in all.
const maxAttempts = 4

// envelope is something that was sent to the app and waits for an acknowledgement.
type envelope struct {
	kind    string
	payload object
	attempt int
	reason  string          // why it is sent again
	acked   chan struct{}   // closed by the first acknowledgement
	answer  json.RawMessage // the payload of that acknowledgement
	settled chan struct{}   // closed when it will not be sent again
}

// deliver sends the app something and waits until it acknowledged, with what it
// answered. An envelope that is not acknowledged in time, or whose connection is
// lost, is sent again, on another connection if there is one; deliver does not wait for
// that beyond the time to acknowledge.
func (s *Server) deliver(kind string, payload object) (json.RawMessage, error) {
	s.mu.Lock()
	e := &envelope{kind: kind, payload: payload, acked: make(chan struct{}), settled: make(chan struct{})}
	sent := len(s.sockets) > 0 && s.spawn(func() { s.pursue(e) })
	s.mu.Unlock()
	if !sent {
		return nil, ErrNotConnected
	}

	select {
	case <-e.settled:
	case <-time.After(s.ackTimeout):
	}
	select {
	case <-e.acked:
		return e.answer, nil
	default:
		return nil, fmt.Errorf("the app did not acknowledge within %s", s.ackTimeout)
	}
}

// pursue sends an envelope until it is acknowledged, and once more if that is
// switched on.
func (s *Server) pursue(e *envelope) {
	defer close(e.settled)
	for e.attempt = range maxAttempts {
		if e.reason = s.try(e); e.reason == "" {
			break
		}
	}
	if e.reason == "" && s.Faults().Redeliver {
		s.try(&envelope{kind: e.kind, payload: e.payload, attempt: 1, reason: "timeout", acked: make(chan struct{})})
	}
}

// try sends an envelope once and waits. It returns why that led to nothing, or
// nothing if it was acknowledged or the server is closed.
func (s *Server) try(e *envelope) string {
	id, c := s.address(e)
	if c == nil {
		return ""
	}
	message := object{
		"type": e.kind, "envelope_id": id, "payload": e.payload,
		"accepts_response_payload": e.kind != "events_api", "retry_attempt": e.attempt, "retry_reason": e.reason,
	}
	if c.send(message) != nil {
		_ = c.conn.Close()
		<-c.closed
		return "connection_failed"
	}
	timer := time.NewTimer(s.ackTimeout)
	defer timer.Stop()
	select {
	case <-e.acked:
	case <-s.ctx.Done():
	case <-c.closed:
		select {
		case <-e.acked: // just before
		default:
			return "connection_failed"
		}
	case <-timer.C:
		return "timeout"
	}
	return ""
}

// address picks a connection for an envelope, waiting for one if there is none, and
// gives it an id. It returns no connection when the server is closed.
func (s *Server) address(e *envelope) (string, *socket) {
	for {
		s.mu.Lock()
		changed, c := s.changed, s.nextSocket()
		if c != nil {
			id := s.id("E")
			s.sentOut[id] = e
			s.mu.Unlock()
			return id, c
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-s.ctx.Done():
			return "", nil
		}
	}
}

// acknowledge takes an acknowledgement. One that comes late or twice changes
// nothing.
func (s *Server) acknowledge(id string, answer json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.sentOut[id]
	if !ok {
		return
	}
	delete(s.sentOut, id)
	select {
	case <-e.acked:
	default:
		e.answer = answer
		close(e.acked)
	}
	s.notify()
}
