package slacksim

func (s *Server) viewsOpen(args arguments) object {
	v, refusal := s.readView(args["view"], "modal")
	if refusal != nil {
		return refusal
	}
	if s.externalIDTaken(v) {
		return failed("duplicate_external_id")
	}
	user, problem := s.useTrigger(args["trigger_id"])
	if problem != "" {
		return failed(problem)
	}
	s.modals[user] = []*View{v}
	return object{"ok": true, "view": v}
}

func (s *Server) viewsPush(args arguments) object {
	v, refusal := s.readView(args["view"], "modal")
	if refusal != nil {
		return refusal
	}
	if s.externalIDTaken(v) {
		return failed("duplicate_external_id")
	}
	user, problem := s.useTrigger(args["trigger_id"])
	switch {
	case problem != "":
		return failed(problem)
	case len(s.modals[user]) == 0:
		return failed("not_found")
	case len(s.modals[user]) >= maxModals:
		return failed("push_limit_reached")
	}
	s.push(user, v)
	return object{"ok": true, "view": v}
}

// push puts a modal on top of a person's others.
func (s *Server) push(user string, v *View) {
	stack := s.modals[user]
	v.RootViewID, v.PreviousViewID = stack[0].ID, stack[len(stack)-1].ID
	s.modals[user] = append(stack, v)
}

func (s *Server) viewsUpdate(args arguments) object {
	id, external := args["view_id"], args["external_id"]
	v := s.anyView(func(v *View) bool {
		return v.Type == "modal" && (v.ID == id || external != "" && v.ExternalID == external)
	})
	if v == nil {
		return failed("not_found")
	}
	if hash := args["hash"]; hash != "" && hash != v.Hash {
		return failed("hash_conflict")
	}
	next, refusal := s.readView(args["view"], "modal")
	if refusal != nil {
		return refusal
	}
	v.takes(next)
	return object{"ok": true, "view": v}
}

func (s *Server) viewsPublish(args arguments) object {
	user := args["user_id"]
	if _, ok := s.user(user); !ok {
		return failed("user_not_found")
	}
	next, refusal := s.readView(args["view"], "home")
	if refusal != nil {
		return refusal
	}
	v := s.homes[user]
	switch hash := args["hash"]; {
	case hash != "" && (v == nil || hash != v.Hash):
		return failed("hash_conflict")
	case v == nil:
		s.homes[user] = next
	default:
		v.takes(next)
	}
	return object{"ok": true, "view": s.homes[user]}
}
