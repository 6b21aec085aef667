package workflows_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

type fakeSource struct {
	world *world
	spec  recovery.SourceSpec
}

func (s *fakeSource) Estimate(context.Context) (int64, error) { return 1000, nil }

func (s *fakeSource) Dump(_ context.Context, job recovery.DumpJob, w io.Writer, progress func(int64)) (*recovery.Dump, error) {
	s.world.dumped[s.spec.Name]++
	s.world.did("dump %s", cmp.Or(s.spec.Database, s.spec.Path, s.spec.Name))
	if err := next(s.world.dumpErrs, s.spec.Name); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, "dump of "+s.spec.Name); err != nil {
		return nil, err
	}
	progress(1000)
	return &recovery.Dump{
		Snapshot: job.Set.Time(), PlainSize: 1000, Tool: "tool 1", ServerVersion: "15.18", Fingerprint: fingerprintOf(s.spec.Name),
	}, nil
}

func fingerprintOf(source string) *recovery.Fingerprint {
	return &recovery.Fingerprint{
		Mode:        recovery.FingerprintContent,
		Data:        []recovery.DataSum{{Kind: "table", Schema: "public", Name: source, Rows: 7, Sum: "aa"}},
		Definitions: []recovery.DefinitionSum{{Kind: "TABLE", Schema: "public", Name: source, Text: "t1"}},
	}
}

func next(errs map[string][]error, name string) error {
	if len(errs[name]) == 0 {
		return nil
	}
	err := errs[name][0]
	errs[name] = errs[name][1:]
	return err
}

type fakeStore struct{ world *world }

func (s *fakeStore) Seal(_ context.Context, _ string, _ int64, fill func(io.Writer) error) (recovery.Object, error) {
	var b strings.Builder
	err := fill(&b)
	return recovery.Object{PlainSize: int64(b.Len()), Size: int64(b.Len()), SHA256: "00"}, err
}

func (s *fakeStore) Unseal(_ context.Context, key string, _ recovery.Object, use func(io.Reader) error) error {
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
	return s.world.readBackErr[key[strings.LastIndex(key, "/")+1:]]
}

func (s *fakeStore) Peek(ctx context.Context, key string, use func(io.Reader) error) error {
	return s.Unseal(ctx, key, recovery.Object{}, use)
}

func (s *fakeStore) Digest(ctx context.Context, key string, o recovery.Object, p func(int64)) error {
	return s.ReadBack(ctx, key, o, p)
}

func (s *fakeStore) Commit(_ context.Context, m *recovery.Manifest) error {
	if len(s.world.commitErr) > 0 {
		err := s.world.commitErr[0]
		s.world.commitErr = s.world.commitErr[1:]
		return err
	}
	s.world.committed = m
	s.world.manifests[m.Set] = m
	s.world.did("commit %s", cmp.Or(m.Purpose, "backup"))
	return nil
}

func (s *fakeStore) Newest(context.Context, string) (recovery.SetID, error) {
	if s.world.committed == nil {
		return "", errors.Join(errors.New("no set of where2eat"), recovery.ErrNotFound)
	}
	return s.world.committed.Set, nil
}

func (s *fakeStore) Manifest(_ context.Context, _ string, set recovery.SetID) (*recovery.Manifest, error) {
	return s.world.manifests[set], s.world.manifestErr
}

func (s *fakeStore) Summaries(_ context.Context, _ string, wanted recovery.SetID, limit int) ([]recovery.SetSummary, error) {
	var sets []recovery.SetSummary
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(s.world.manifests))) {
		if len(sets) == limit && id != wanted {
			continue
		}
		var proofs []recovery.Proof
		for _, p := range s.world.proofs {
			if p.Set == id {
				proofs = append(proofs, p)
			}
		}
		sets = append(sets, recovery.Summarize(id, s.world.manifests[id], proofs, nil))
	}
	return sets, nil
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
	s.world.proofs = append(s.world.proofs, *p)
	return nil
}

func (s *fakeStore) SweepSets(context.Context, string, recovery.SetID) (int, []string, error) {
	s.world.swept = append(s.world.swept, "older sets")
	return 0, nil, nil
}

func (s *fakeStore) SweepSet(context.Context, string, recovery.SetID) (int, []string, error) {
	s.world.swept = append(s.world.swept, "this set")
	return 0, nil, nil
}

func (s *fakeStore) Close() error { return nil }

type fakeCopy struct {
	world *world
	ref   activities.CopyRef
}

func (c *fakeCopy) Preflight(context.Context) error { return c.world.prepareErr }

func (c *fakeCopy) Restore(_ context.Context, _ []byte, dump io.Reader, _ func(int64)) (*recovery.Restored, error) {
	if len(c.world.restoreErr) > 0 {
		err := c.world.restoreErr[0]
		c.world.restoreErr = c.world.restoreErr[1:]
		if err != nil {
			return nil, err
		}
	}
	if c.ref.Beside {
		c.world.did("restore %s beside", c.ref.Artefact.Source)
		c.world.places.add(besideName(c.ref))
	}
	n, err := io.Copy(io.Discard, dump)
	return &recovery.Restored{PlainSize: n, Complaints: c.world.complaints}, err
}

func (c *fakeCopy) Fingerprint(context.Context) (*recovery.Fingerprint, error) {
	f := fingerprintOf(c.ref.Artefact.Source)
	if c.world.got != nil {
		c.world.got(c.ref.Artefact.Source, f)
	}
	return f, nil
}

func (c *fakeCopy) Definitions(context.Context, io.Reader) (*recovery.Fingerprint, error) {
	return c.world.reworded, nil
}

func (c *fakeCopy) ServerVersion(context.Context) (string, error) { return c.world.version, nil }
func (c *fakeCopy) Query(context.Context, string) (string, error) { return "", nil }
func (c *fakeCopy) Address() string                               { return "nowhere" }
func (c *fakeCopy) Drop(context.Context) error {
	if !c.ref.Beside {
		c.world.dropped = append(c.world.dropped, c.ref.Artefact.Source)
		return nil
	}
	if c.world.places.remove(besideName(c.ref)) {
		c.world.did("drop the copy of %s", c.ref.Artefact.Source)
	}
	return nil
}
