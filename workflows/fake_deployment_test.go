package workflows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// deployment is what runs in production, and what commands do to it.
type deployment struct {
	tag      string            // of the release that is deployed
	remedied string            // what a quick remedy has made of it, such as " without the flag"
	sick     map[string]string // why what runs is not well, by tag and remedy
	telling  bool              // it tells which release it is only while it is well
	mute     error             // what asking for it fails with
	blind    error             // why nobody can look how it is

	tags       []release.Tag
	tagsErr    error
	between    release.Comparison
	compareErr error
	compared   []string

	ends      map[string][]ending // how commands end, by name, one for each run; then well
	ended     map[string]recovery.CommandOutcome
	claims    map[string]string // nonces by key
	records   []release.Record
	recordErr error
}

func newDeployment() deployment {
	return deployment{sick: map[string]string{}, ends: map[string][]ending{}, ended: map[string]recovery.CommandOutcome{}, claims: map[string]string{}}
}

// ending is how a command ends, if it starts at all.
type ending struct {
	err     error // it does not start
	lost    string
	failure string
	idle    bool // it does not do what it is for
}

// took is how long every command takes, as it tells itself.
const took = 40 * time.Second

func (w *world) Current(context.Context, *recovery.Plan) (*release.Tag, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.deployed.mute; err != nil {
		return nil, err
	}
	if w.deployed.telling && w.deployed.illness() != "" {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("connection refused"), "")
	}
	return &release.Tag{Tag: w.deployed.tag, Commit: commitOf(w.deployed.tag)}, nil
}

func (w *world) Tags(context.Context, *recovery.Plan) ([]release.Tag, error) {
	return w.deployed.tags, w.deployed.tagsErr
}

func (w *world) Compare(_ context.Context, _ *recovery.Plan, from, to release.Tag) (*release.Comparison, error) {
	w.deployed.compared = append(w.deployed.compared, from.Tag+" "+to.Tag)
	return &w.deployed.between, w.deployed.compareErr
}

// RunOnce is as strict as the real one: what was run under a key is not run again.
func (w *world) RunOnce(ctx context.Context, _ *recovery.Plan, c recovery.CommandSpec, key string, claim func(context.Context, string) (bool, error)) (*recovery.CommandOutcome, error) {
	if known, ok := w.deployed.ended[key]; ok {
		return &known, nil
	}
	mine, err := claim(ctx, "nonce of this host")
	if err != nil {
		return nil, err
	}
	if !mine {
		return &recovery.CommandOutcome{Why: "another host has started it"}, nil
	}
	w.mu.Lock()
	outcome, err := w.deployed.run(c, w.clock())
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	w.did("run %s as %s", strings.Join(c.Args, " "), key)
	w.deployed.ended[key] = *outcome
	return outcome, nil
}

// run runs a command as it is to end.
func (d *deployment) run(c recovery.CommandSpec, now time.Time) (*recovery.CommandOutcome, error) {
	var end ending
	if ends := d.ends[c.Name]; len(ends) > 0 {
		end, d.ends[c.Name] = ends[0], ends[1:]
	}
	if end.err != nil {
		return nil, end.err
	}
	if !end.idle && end.failure == "" {
		d.change(c)
	}
	if end.lost != "" {
		return &recovery.CommandOutcome{Why: end.lost, Started: now}, nil
	}
	return &recovery.CommandOutcome{Known: true, Failure: end.failure, Output: "step 1\nstep 2\n", Started: now, Finished: now.Add(took)}, nil
}

// change is what a command does to production.
func (d *deployment) change(c recovery.CommandSpec) {
	switch c.Name {
	case "deploy.deploy":
		d.tag = c.Args[len(c.Args)-1]
	case "deploy.flagOff":
		d.remedied = " without the flag"
	case "deploy.switch":
		d.remedied = " switched"
	case "deploy.flagOn", "deploy.switchBack":
		d.remedied = ""
	}
}

func (d *deployment) illness() string { return d.sick[d.tag+d.remedied] }

// health is that of what runs.
func (w *world) health() *recovery.SmokeProof {
	w.mu.Lock()
	defer w.mu.Unlock()
	if why := w.deployed.illness(); why != "" {
		return &recovery.SmokeProof{Verdict: recovery.Disproven, Sentence: why}
	}
	return &recovery.SmokeProof{Verdict: recovery.Proven, Steps: []recovery.SmokeStep{{Name: "home", OK: true}}}
}

func (s *fakeStore) Claim(_ context.Context, c *recovery.Claim) (bool, error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	claims := s.world.deployed.claims
	if claims[c.Key] == "" {
		claims[c.Key] = c.Nonce
	}
	return claims[c.Key] == c.Nonce, nil
}

func (s *fakeStore) Record(_ context.Context, r *release.Record) error {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	d := &s.world.deployed
	if d.recordErr != nil {
		return d.recordErr
	}
	if !slices.ContainsFunc(d.records, func(known release.Record) bool { return known.Key() == r.Key() }) {
		d.records = append(d.records, *r)
	}
	return nil
}

func (s *fakeStore) Records(_ context.Context, service string, limit int) ([]release.Record, error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	var records []release.Record
	for _, r := range s.world.deployed.records {
		if r.Service == service {
			records = append(records, r)
		}
	}
	return records[max(len(records)-limit, 0):], s.world.deployed.recordErr
}

func commitOf(tag string) string { return "c0ffee" + tag }
