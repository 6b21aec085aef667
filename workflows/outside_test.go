package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/card"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// outside is what drills and restores act on: production, the commands of the
// service, the board that people look at, and the doors they decide by.
type outside struct {
	key       []byte
	keyErr    error
	decisions []approval.Book // as recorded
	decideErr error
	used      map[string]bool // requests that another run has used
	documents map[string]string
	held      []bool // whether production is being changed, one for each look

	places     places
	refusals   []string
	inspectErr error
	swapErr    map[string][]error // by the name that takes the place
	swapLost   map[string]error   // the swap is done, but its step fails
	commandErr map[string][]error // by command
	well       []recovery.SmokeProof
	wellErr    error

	board    board
	boardErr func() error

	running  [][]string // what reads the sets, one for each look
	readers  []string   // the types of runs that were looked for
	digestTo recovery.DigestSpec
	digest   recovery.Digest
	mailed   []string
	mailKeys []string
	mailErr  map[string][]error // by address, one for each try
	pingErr  error
}

func newOutside() outside {
	return outside{
		key: []byte("0123456789abcdef0123456789abcdef"), used: map[string]bool{}, documents: map[string]string{},
		places: places{at: map[string]string{"app": "1", "/srv/notes.db": "2"}, made: 2}, swapErr: map[string][]error{}, commandErr: map[string][]error{},
		boardErr: func() error { return nil }, mailErr: map[string][]error{},
	}
}

func (w *world) ApprovalKey(context.Context, string) ([]byte, error) { return w.key, w.keyErr }

func (w *world) Holds(context.Context, string) (bool, error) {
	if len(w.held) == 0 {
		return false, nil
	}
	held := w.held[0]
	w.held = w.held[1:]
	return held, nil
}

func (w *world) Running(_ context.Context, _ string, types []string) ([]string, error) {
	w.readers = types
	if len(w.running) == 0 {
		return nil, nil
	}
	running := w.running[0]
	w.running = w.running[1:]
	return running, nil
}

type fakeSurvey struct{ world *world }

func (s *fakeSurvey) Digest(context.Context, time.Time) (*recovery.Digest, error) {
	return &s.world.digest, nil
}

func (w *world) Mail(_ context.Context, key, to, subject, text string) error {
	w.mailKeys = append(w.mailKeys, key)
	if err := next(w.mailErr, to); err != nil {
		return err
	}
	w.mailed = append(w.mailed, to+": "+subject+": "+strings.SplitN(text, "\n", 2)[0])
	return nil
}

func (w *world) Ping(_ context.Context, ref, signal, text string) error {
	w.did("%s", strings.TrimSpace("ping "+ref+" "+signal+" "+text))
	return w.pingErr
}

// places are the databases and files of production's servers, by name, each with
// its identity.
type places struct {
	at   map[string]string
	made int
}

func (p *places) add(name string) {
	p.made++
	p.at[name] = fmt.Sprint(p.made)
}

func (p *places) remove(name string) bool {
	_, there := p.at[name]
	delete(p.at, name)
	return there
}

func (p *places) move(from, to string) {
	p.at[to] = p.at[from]
	delete(p.at, from)
}

const copyPrefix = "copy-" // of what may be dropped by anybody's sweep

func besideName(ref activities.CopyRef) string {
	return fmt.Sprintf("%s%s.%d", copyPrefix, ref.Artefact.Source, ref.Attempt)
}

func (w *world) OpenLive(_ context.Context, plan *recovery.Plan, source string) (activities.Live, error) {
	for _, s := range plan.Sources {
		if s.Name == source {
			name := s.Name
			if s.Kind == recovery.KindSQLite {
				name = s.Path
			}
			return &fakeLive{world: w, source: source, kind: s.Kind, name: name}, nil
		}
	}
	return nil, errors.New("there is no source " + source)
}

func (w *world) OfferKey(context.Context, *recovery.Plan, activities.CopyRef) (*recovery.EncryptionSpec, error) {
	return &recovery.EncryptionSpec{Recipients: []string{"age1host"}, Identities: "file:handover.key"}, nil
}

// fakeLive is a production source that is as strict as the real ones.
type fakeLive struct {
	world              *world
	source, kind, name string
}

func (l *fakeLive) Inspect(context.Context) (*recovery.LiveState, error) {
	identity, there := l.world.places.at[l.name]
	return &recovery.LiveState{
		Source: l.source, Kind: l.kind, Exists: there, Name: l.name, Identity: identity, Where: "database " + l.name + " on db1", Size: 1000,
		Refusals: l.world.refusals,
	}, l.world.inspectErr
}

func (l *fakeLive) Beside(ref activities.CopyRef) (string, error) { return besideName(ref), nil }
func (l *fakeLive) Aside(stamp string) string                     { return l.name + ".before-" + stamp }

func (l *fakeLive) Identity(_ context.Context, name string) (string, error) {
	identity, there := l.world.places.at[name]
	if !there {
		return "", recovery.NewFault(recovery.Permanent, fmt.Errorf("look for %s: %w", name, recovery.ErrNotFound), "")
	}
	return identity, nil
}

func (l *fakeLive) Swap(_ context.Context, s recovery.Swap, stopped bool) (*recovery.Swapped, error) {
	p := &l.world.places
	refuse := func(why string) error {
		return recovery.NewFault(recovery.Permanent, errors.New(why+"; nothing was changed"), "")
	}
	there, in := p.at[s.Live], p.at[s.New]
	switch _, taken := p.at[s.Aside]; {
	case s.Live != l.name, s.In == "", s.In == s.Out, s.Aside == s.New, s.Aside == s.Live, s.New == s.Live:
		return nil, refuse(fmt.Sprintf("the job %+v makes no sense", s))
	case strings.HasPrefix(s.Aside, copyPrefix):
		return nil, refuse("what is set aside must not be called like a copy that may be dropped")
	case there == s.In:
		l.world.did("swap %s: done already", s.Source)
		return &recovery.Swapped{Again: true}, next(l.world.swapErr, s.New)
	case there != s.Out, in != s.In, taken:
		return nil, refuse("what is there is not what the plan shows")
	}
	if err := next(l.world.swapErr, s.New); err != nil {
		return nil, err
	}
	if s.Out != "" {
		p.move(s.Live, s.Aside)
	}
	p.move(s.New, s.Live)
	l.world.did("swap %s: %s is %s now, stopped %t", s.Source, s.New, s.Live, stopped)
	return &recovery.Swapped{Down: recovery.Duration(20 * time.Millisecond)}, l.world.swapLost[s.New]
}

func (l *fakeLive) Keep(_ context.Context, ref activities.CopyRef) (name, where string, err error) {
	name = l.name + ".at-" + string(ref.Artefact.Set)
	l.world.places.move(besideName(ref), name)
	l.world.did("keep %s", l.source)
	return name, "database " + name, nil
}

func (l *fakeLive) SweepBeside(context.Context, recovery.RunRef) error { return nil }

func (l *fakeLive) Drop(_ context.Context, name, identity string) error {
	there, ok := l.world.places.at[name]
	switch {
	case name == l.name, ok && there != identity:
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("drop %s: it is %s, not %s", name, there, identity), "")
	case ok:
		l.world.places.remove(name)
		l.world.did("drop %s", name)
	}
	return nil
}

func (w *world) RunCommand(_ context.Context, _ *recovery.Plan, command string) error {
	w.did("command %s", command)
	return next(w.commandErr, command)
}

func (w *world) SwitchDatabase(_ context.Context, _ *recovery.Plan, source, database string) error {
	w.did("switch %s to %s", source, database)
	return next(w.swapErr, database)
}

func (w *world) CheckLive(context.Context, *recovery.Plan) (*recovery.SmokeProof, error) {
	if err := w.deployed.blind; err != nil {
		return nil, err
	}
	w.did("check the running service")
	if len(w.well) == 0 {
		return w.health(), w.wellErr
	}
	proof := w.well[0]
	w.well = w.well[1:]
	return &proof, w.wellErr
}

// board is what people see: each state of the card, and the notes.
type board struct {
	cards []card.Card
	again []bool
	notes []card.Note
	tries int
}

func (w *world) PostCard(_ context.Context, ref card.Ref, c card.Card, again bool) (card.Ref, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.board.tries++
	if err := w.boardErr(); err != nil {
		return card.Ref{}, err
	}
	w.board.cards, w.board.again = append(w.board.cards, c), append(w.board.again, again)
	if (ref == card.Ref{}) {
		ref = card.Ref{Channel: "C1", Message: "m1"}
	}
	return ref, nil
}

func (w *world) PostNote(_ context.Context, ref card.Ref, n card.Note, _ bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.board.tries++
	if err := w.boardErr(); err != nil {
		return err
	}
	if ref.Message != "m1" {
		return errors.New("there is no such card")
	}
	w.board.notes = append(w.board.notes, n)
	return nil
}

// last is the newest state of the card.
func (b *board) last() card.Card { return b.cards[len(b.cards)-1] }
