package workflows_test

import (
	"cmp"
	"context"
	"io"

	"github.com/lifeboat-run/lifeboat/activities"
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
	s.world.happens("dump " + s.spec.Name)
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
