package workflows_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// fakeStore is a destination of the world. Each has its own sets and proofs; what
// lies in the folders of the sets is made up as it is read.
type fakeStore struct {
	world *world
	dest  recovery.DestinationSpec
}

// OpenStore fails while the destination does not answer.
func (w *world) OpenStore(_ context.Context, dest recovery.DestinationSpec, _ recovery.EncryptionSpec) (activities.Store, error) {
	if err := w.answers(dest.Name); err != nil {
		return nil, err
	}
	return &fakeStore{world: w, dest: dest}, nil
}

// at says where something was done, unless it was at the preferred destination.
func (s *fakeStore) at() string {
	if s.dest.Name == "main" {
		return ""
	}
	return " at " + s.dest.Name
}

func (s *fakeStore) Check(context.Context) error { return s.world.answers(s.dest.Name) }

func (s *fakeStore) Seal(_ context.Context, _ string, _ int64, fill func(io.Writer) error) (recovery.Object, error) {
	var b strings.Builder
	var to io.Writer = &b
	if refuse := s.world.writes[s.dest.Name]; refuse != nil {
		to = refusing(refuse)
	}
	if err := fill(to); err != nil {
		return recovery.Object{}, err
	}
	return recovery.Object{PlainSize: int64(b.Len()), Size: int64(b.Len()), SHA256: "00"}, s.world.answers(s.dest.Name)
}

// refusing is where nothing can be written while it says why.
type refusing func() error

func (r refusing) Write(p []byte) (int, error) {
	if err := r(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *fakeStore) Unseal(_ context.Context, key string, _ recovery.Object, use func(io.Reader) error) error {
	if err := s.world.unsealErr[s.dest.Name]; err != nil {
		return err
	}
	source, _, _ := strings.Cut(key[strings.LastIndex(key, "/")+1:], ".")
	if strings.Contains(key, "fingerprint") {
		content, err := fingerprintOf(source).Encode()
		if err != nil {
			return err
		}
		return use(strings.NewReader(string(content)))
	}
	return use(strings.NewReader("dump of " + source))
}

func (s *fakeStore) ReadBack(_ context.Context, key string, _ recovery.Object, _ func(int64)) error {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if err := next(s.world.badReads, s.dest.Name); err != nil {
		return err
	}
	return s.world.readBackErr[key[strings.LastIndex(key, "/")+1:]]
}

func (s *fakeStore) Peek(ctx context.Context, key string, use func(io.Reader) error) error {
	return s.Unseal(ctx, key, recovery.Object{}, use)
}

func (s *fakeStore) Digest(ctx context.Context, key string, o recovery.Object, p func(int64)) error {
	return s.ReadBack(ctx, key, o, p)
}

func (s *fakeStore) Commit(_ context.Context, m *recovery.Manifest) error {
	s.world.happens("commit" + s.at())
	if err := s.world.answers(s.dest.Name); err != nil {
		return err
	}
	if len(s.world.commitErr) > 0 {
		err := s.world.commitErr[0]
		s.world.commitErr = s.world.commitErr[1:]
		return err
	}
	s.world.committed = m
	s.world.keep(s.dest.Name, m)
	s.world.did("commit %s%s", cmp.Or(m.Purpose, "backup"), s.at())
	return nil
}

func (s *fakeStore) Manifest(_ context.Context, _ string, set recovery.SetID) (*recovery.Manifest, error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if err := s.world.unreadable[s.dest.Name]; err != nil {
		return nil, err
	}
	m, there := s.world.sets(s.dest.Name)[set]
	if !there && s.world.manifestErr == nil {
		return nil, fmt.Errorf("read manifest at %s: %w", s.dest.Name, recovery.ErrNotFound)
	}
	return m, s.world.manifestErr
}

func (s *fakeStore) Summaries(_ context.Context, _ string, wanted recovery.SetID, limit int) ([]recovery.SetSummary, error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	var summaries []recovery.SetSummary
	sets := s.world.sets(s.dest.Name)
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(sets))) {
		if len(summaries) == limit && id != wanted {
			continue
		}
		var proofs []recovery.Proof
		for _, p := range s.world.proofs {
			if p.Set == id && p.Copy == s.dest.Name {
				proofs = append(proofs, p)
			}
		}
		summaries = append(summaries, recovery.Summarize(id, sets[id], proofs, nil))
	}
	return summaries, nil
}

func (s *fakeStore) LastTried(context.Context, string) (last time.Time, err error) {
	for _, p := range s.world.proofsAt(s.dest.Name) {
		if p.Tried >= recovery.LevelRestored && p.Started.After(last) {
			last = p.Started
		}
	}
	return last, nil
}

func (s *fakeStore) Tombstones(context.Context, string) ([]recovery.SetID, error) {
	return s.world.pruned[s.dest.Name], nil
}

func (s *fakeStore) SignedManifest(ctx context.Context, service string, set recovery.SetID) (*recovery.Manifest, []byte, error) {
	m, err := s.Manifest(ctx, service, set)
	return m, []byte("signed " + set), err
}

func (s *fakeStore) Artefacts(context.Context, string) ([]recovery.Artefact, error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if err := s.world.planSetErr[s.dest.Name]; err != nil {
		return nil, err
	}
	var newest []recovery.Artefact
	sets := s.world.sets(s.dest.Name)
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(sets))) {
		for _, a := range sets[id].Artefacts {
			if !slices.ContainsFunc(newest, func(b recovery.Artefact) bool { return a.Source == b.Source }) {
				newest = append(newest, a)
			}
		}
	}
	return newest, nil
}

func (s *fakeStore) Adopt(_ context.Context, m *recovery.Manifest, _ []byte) error {
	s.world.keep(s.dest.Name, m)
	s.world.did("adopt%s", s.at())
	return nil
}

func (s *fakeStore) Send(_ context.Context, key string, _ recovery.Object, w io.Writer, _ func(int64)) error {
	if err := s.world.sendErr[s.dest.Name]; err != nil {
		return err
	}
	_, err := io.WriteString(w, "sealed "+key)
	return err
}

func (s *fakeStore) Receive(_ context.Context, _ string, _ recovery.Object, _ func(int64), fill func(io.Writer) error) error {
	if err := fill(io.Discard); err != nil {
		return err
	}
	return s.world.receiveErr[s.dest.Name]
}

func (s *fakeStore) Holdings(context.Context, string) ([]recovery.Holding, error) {
	return s.world.holdings[s.dest.Name], nil
}

func (s *fakeStore) Prune(_ context.Context, t *recovery.Tombstone) (*recovery.PrunedSet, error) {
	s.world.did("prune %s%s%s: %s", t.Set, s.at(), s.as(), strings.Join(t.Why, "; "))
	if bound, ok := s.world.bound[t.Set]; ok {
		return &bound, nil
	}
	return &recovery.PrunedSet{Removed: 3, Freed: t.Size}, nil
}

// as says by which key something was done, unless by none.
func (s *fakeStore) as() string {
	if s.dest.AccessKey == "" {
		return ""
	}
	return " as " + s.dest.AccessKey
}

func (s *fakeStore) Reclass(_ context.Context, _ string, set recovery.SetID, class string) (int, error) {
	s.world.did("move %s to %s%s", set, class, s.as())
	return 2, nil
}

func (s *fakeStore) Thaw(_ context.Context, m *recovery.Manifest, fetch bool) (*recovery.Thawing, error) {
	if len(s.world.cold) == 0 {
		return &recovery.Thawing{Ready: true}, nil
	}
	state := s.world.cold[0]
	if !fetch {
		return &state, nil
	}
	if err := s.world.thawErr[s.dest.Name]; err != nil {
		return nil, err
	}
	s.world.cold = s.world.cold[1:]
	s.world.did("thaw: ready %t", state.Ready)
	return &state, nil
}

func (s *fakeStore) AbortStale(context.Context, recovery.Duration) (int, error) {
	s.world.did("abort stale uploads%s%s", s.at(), s.as())
	return 0, nil
}

func (s *fakeStore) Decide(_ context.Context, b *approval.Book) (bool, error) {
	s.world.did("decide %s: %s", b.Request.Step, b.Outcome)
	s.world.decisions = append(s.world.decisions, *b)
	if s.world.decideErr != nil {
		return false, s.world.decideErr
	}
	return !s.world.used[b.Request.ID], nil
}

func (s *fakeStore) Write(_ context.Context, key string, content []byte) error {
	s.world.documents[key] = string(content)
	return nil
}

func (s *fakeStore) Prove(_ context.Context, p *recovery.Proof) error {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.proofs = append(s.world.proofs, *p)
	return nil
}

func (s *fakeStore) SweepSets(context.Context, string, recovery.SetID) (int, []string, error) {
	s.world.swept = append(s.world.swept, "older sets"+s.at())
	return 0, nil, nil
}

func (s *fakeStore) SweepSet(context.Context, string, recovery.SetID) (int, []string, error) {
	s.world.swept = append(s.world.swept, "this set"+s.at())
	return 0, nil, nil
}

func (s *fakeStore) Close() error { return nil }
