package slacksim

import (
	"crypto/rand"
	"fmt"
	"time"
)

// trigger lets an app open a modal for the person who did something, once and soon.
type trigger struct {
	user   string
	issued time.Time
	used   bool
}

// newTrigger returns the id of a trigger for something that a person did. The
// caller holds mu.
func (s *Server) newTrigger(user string) string {
	s.serial++
	id := fmt.Sprintf("%d.%d.%x", s.serial, time.Now().UnixNano(), rand.Text()[:10])
	s.triggers[id] = &trigger{user: user, issued: time.Now()}
	return id
}

// useTrigger returns the person that a trigger is for, or an error in Slack's
// words. The caller holds mu.
func (s *Server) useTrigger(id string) (user, refusal string) {
	t, ok := s.triggers[id]
	lifetime := s.faults.TriggerLifetime
	if lifetime == 0 {
		lifetime = triggerLifetime
	}
	switch {
	case !ok:
		return "", "invalid_trigger_id"
	case t.used:
		return "", "exchanged_trigger_id"
	case time.Since(t.issued) > lifetime:
		return "", "expired_trigger_id"
	}
	t.used = true
	return t.user, ""
}
