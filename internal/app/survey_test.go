package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/seal"
)

// house is an installation of one service with two destinations.
type house struct {
	t       *testing.T
	dir     string
	key     recovery.SigningKey
	service string // lines of the config below the service
	rest    string // and at its top
	age     string // public
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), service: "    live: { baseURL: 'http://127.0.0.1:1', ready: /ready }\n"}
	var err error
	h.key, err = recovery.NewSigningKey(make([]byte, 32))
	require.NoError(t, err)
	secret, public, err := seal.GenerateIdentity()
	require.NoError(t, err)
	h.age = public
	h.write("signing.key", h.key.Reveal())
	h.write("age.key", fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), public, secret))
	for _, name := range []string{"main", "second", "staging"} {
		require.NoError(t, os.Mkdir(filepath.Join(h.dir, name), 0o700))
	}
	return h
}

func (h *house) write(name, text string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600))
}

func (h *house) config() (*config.Config, error) {
	text := fmt.Sprintf(`version: 1
timeZone: Europe/Berlin
worker: { listen: "127.0.0.1:1" }
encryption: { recipients: [%s], identities: file:age.key }
signing: { key: file:signing.key, trusted: [%s] }
destinations:
  - { name: main, url: "file://%s/main", price: 0.02 }
  - { name: second, url: "file://%s/second" }
staging: { folder: staging }
%sservices:
  - name: where2eat
    owner: rebecca
    dir: .
    objectives: { availability: 99.5%%, rto: 1h, rpo: 24h }
    sources:
      - { name: notes, kind: sqlite, path: notes.db, every: 24h at 03:00 }
%s`, h.age, h.key.Public(), h.dir, h.dir, h.rest, h.service)
	return config.Parse(filepath.Join(h.dir, "lifeboat.yaml"), []byte(text))
}

func (h *house) survey(c client.Client) *app.Survey {
	return &app.Survey{Config: h.config, Temporal: c, Since: func(string) time.Time { return now.Add(-time.Hour) }}
}

var now = time.Date(2026, 11, 22, 6, 30, 0, 0, time.UTC)

// keep puts a set that was begun before now into destinations, proven to a level.
func (h *house) keep(before time.Duration, level recovery.Level, kind recovery.ProofKind, destinations ...string) recovery.SetID {
	h.t.Helper()
	cfg, err := h.config()
	require.NoError(h.t, err)
	begun := now.Add(-before)
	id := recovery.NewSetID(begun, "ab12cd")
	m := &recovery.Manifest{
		Format: recovery.ManifestFormat, Service: "where2eat", Set: id, Created: begun,
		Artefacts: []recovery.Artefact{{Source: "notes", Kind: recovery.KindSQLite, Set: id, Attempt: 1, Snapshot: begun, Dump: recovery.Object{Role: recovery.RoleDump, Name: "notes.1.db.zst.age", Size: 1000}}},
	}
	manifest, err := recovery.EncodeManifest(m, h.key)
	require.NoError(h.t, err)
	proof := &recovery.Proof{
		Format: recovery.ProofFormat, Service: "where2eat", Set: id, Kind: kind, Tried: level, Level: level, Verdict: recovery.Proven,
		Sentence: "it holds", Started: begun.Add(time.Minute), Ended: begun.Add(2 * time.Minute),
	}
	proven, err := recovery.EncodeProof(proof, h.key)
	require.NoError(h.t, err)
	for _, dest := range cfg.DestinationSpecs() {
		for _, name := range destinations {
			if name != dest.Name {
				continue
			}
			v, err := app.OpenVault(h.t.Context(), cfg, dest)
			require.NoError(h.t, err)
			require.NoError(h.t, v.Put(h.t.Context(), recovery.SetPrefix("where2eat", id)+"notes.1.db.zst.age", make([]byte, 1000)))
			require.NoError(h.t, v.CommitSet(h.t.Context(), "where2eat", id, manifest, []byte("guide")))
			require.NoError(h.t, v.PutOnce(h.t.Context(), recovery.ProofKey("where2eat", id, proof.Started, kind), proven))
			require.NoError(h.t, v.Close())
		}
	}
	return id
}

// digest is what the buckets alone say.
func (h *house) digest() *recovery.Digest {
	h.t.Helper()
	d, err := h.survey(nil).Digest(h.t.Context(), now)
	require.NoError(h.t, err)
	require.Len(h.t, d.Services, 1)
	return d
}

func TestSurveyOfBuckets(t *testing.T) {
	h := newHouse(t)
	newest := h.keep(4*time.Hour+30*time.Minute, recovery.LevelReadBack, recovery.ProofReadBack, "main")
	h.keep(28*time.Hour+30*time.Minute, recovery.LevelProven, recovery.ProofRestore, "main", "second")
	require.NoError(t, os.MkdirAll(filepath.Join(h.dir, "second/drills/keys"), 0o700))
	h.write("second/drills/keys/2026-10-23T063000Z.md", "it opened")
	d := h.digest()
	require.Equal(t, []recovery.DestinationDigest{{Name: "main"}, {Name: "second", Behind: 1, Oldest: newest.Time()}}, d.Destinations)
	s := d.Services[0]
	require.Equal(t, newest, s.ReadBackSet)
	require.True(t, s.ReadBack.Met)
	require.Equal(t, recovery.Duration(28*time.Hour+30*time.Minute), *s.ProvenAge)
	require.Equal(t, 1, s.Sources[0].Expected)
	require.Zero(t, s.Sources[0].Missed)
	require.Equal(t, time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC), s.NextDrill)
	require.Equal(t, []string{"See why Temporal does not say which runs failed: it was not asked"}, d.Problems)
	require.Equal(t, time.Date(2026, 10, 23, 6, 30, 0, 0, time.UTC), *d.KeyDrill)
}

// Copies that lie there but do not hold are told, and the checklist says no.
func TestSurveyOfCopiesThatDoNotHold(t *testing.T) {
	h := newHouse(t)
	h.keep(28*time.Hour+30*time.Minute, recovery.LevelProven, recovery.ProofRestore, "main", "second")
	bad := h.keep(4*time.Hour+30*time.Minute, recovery.LevelProven, recovery.ProofRestore, "main", "second")
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "second", filepath.FromSlash(recovery.ManifestKey("where2eat", bad))), []byte("{}"), 0o600))
	unread := h.keep(5*time.Hour, recovery.LevelReadBack, recovery.ProofReadBack, "main", "second")
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "second", filepath.FromSlash(recovery.ProofsPrefix("where2eat", unread)))))
	d := h.digest()
	require.Equal(t, []recovery.DestinationDigest{{Name: "main"}, {Name: "second", Bad: 1, Unread: 1}}, d.Destinations)
	require.Equal(t, bad, d.Services[0].Copies[1].NewestBad)
	require.Equal(t, unread, d.Services[0].Copies[1].NewestUnread)
	require.False(t, d.Services[0].Well())
	items, err := h.survey(nil).Checklist(t.Context(), "where2eat", now)
	require.NoError(t, err)
	i := slices.IndexFunc(items, func(i recovery.Item) bool { return i.Key == "copies" })
	require.Equal(t, recovery.No, items[i].Answer, items[i].Evidence)
}

// Services are read at the same time: a manifest that is a pipe is opened once
// somebody writes to it, and here nobody writes before all of them are waited for.
func TestSurveyReadsServicesAtOnce(t *testing.T) {
	h := newHouse(t)
	const more = "  - { name: %s, owner: sam, dir: ., objectives: { availability: 99.5%%, rto: 1h, rpo: 24h }, sources: [{ name: notes, kind: sqlite, path: %[1]s.db }] }\n"
	h.service += fmt.Sprintf(more, "letters") + fmt.Sprintf(more, "diary")
	var opened sync.WaitGroup
	all := make(chan struct{})
	for _, service := range []string{"where2eat", "letters", "diary"} {
		manifest := filepath.Join(h.dir, "main", filepath.FromSlash(recovery.ManifestKey(service, "20261122T020000Z-ab12cd")))
		require.NoError(t, os.MkdirAll(filepath.Dir(manifest), 0o700))
		require.NoError(t, syscall.Mkfifo(manifest, 0o600))
		opened.Add(1)
		go func() {
			pipe, err := os.OpenFile(manifest, os.O_WRONLY, 0)
			opened.Done()
			if err == nil {
				<-all
				_ = pipe.Close()
			}
		}()
	}
	go func() {
		opened.Wait()
		close(all)
	}()
	d, err := h.survey(nil).Digest(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, "main", d.Destinations[0].Name)
	require.Empty(t, d.Destinations[0].Error)
	require.Len(t, d.Services, 3)
	for i, service := range []string{"where2eat", "letters", "diary"} {
		require.Equal(t, service, d.Services[i].Service)
		require.Equal(t, 1, d.Services[i].Copies[0].Bad, "an empty manifest")
	}
}

func TestSurveyOfABucketThatIsDown(t *testing.T) {
	h := newHouse(t)
	h.keep(4*time.Hour+30*time.Minute, recovery.LevelProven, recovery.ProofRestore, "main", "second")
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "main")))
	d := h.digest()
	require.Contains(t, d.Destinations[0].Error, "main")
	require.Equal(t, now.Add(-time.Hour), d.Destinations[0].Since)
	require.Empty(t, d.Destinations[1].Error)
	require.Empty(t, d.Services[0].Trouble)
	require.True(t, d.Services[0].ReadBack.Met)
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "second")))
	d = h.digest()
	require.NotEmpty(t, d.Destinations[1].Error)
	require.Equal(t, d.Destinations[0].Error, d.Services[0].Trouble)
}

func TestSurveyLooksBeyondTheNewestSets(t *testing.T) {
	h := newHouse(t)
	h.keep(40*24*time.Hour, recovery.LevelProven, recovery.ProofDrill, "main")
	proven := h.keep(20*24*time.Hour, recovery.LevelProven, recovery.ProofRestore, "main")
	for i := range 101 {
		h.keep(time.Duration(i+1)*time.Hour, recovery.LevelReadBack, recovery.ProofReadBack, "main", "second")
	}
	d := h.digest()
	s := d.Services[0]
	require.Equal(t, proven, s.ProvenSet)
	require.NotNil(t, s.LastDrill)
	require.Equal(t, now.Add(-40*24*time.Hour+2*time.Minute), s.LastDrill.At)
	require.Zero(t, d.Destinations[0].Behind)
	require.Zero(t, d.Destinations[1].Behind, "older sets are not compared")
}

func TestChecklistFromEvidence(t *testing.T) {
	h := newHouse(t)
	h.keep(4*time.Hour+30*time.Minute, recovery.LevelProven, recovery.ProofRestore, "main", "second")
	answers := func() map[string]recovery.Item {
		items, err := h.survey(nil).Checklist(t.Context(), "where2eat", now)
		require.NoError(t, err)
		byKey := map[string]recovery.Item{}
		for _, i := range items {
			byKey[i.Key] = i
		}
		return byKey
	}
	is := answers()
	for key, want := range map[string]recovery.Answer{
		"health": recovery.No, "journey": recovery.NotKnown, "metrics": recovery.NotKnown, "readBack": recovery.Yes, "proven": recovery.Yes,
		"copies": recovery.Yes, "drill": recovery.No, "drillsPlanned": recovery.NotKnown, "schedules": recovery.NotKnown, "keyDrill": recovery.No,
		"keys": recovery.Yes, "retention": recovery.No, "deadMansSwitch": recovery.No, "destinations": recovery.Yes, "runbooks": recovery.NotKnown,
	} {
		require.Equal(t, want, is[key].Answer, "%s: %s", key, is[key].Evidence)
	}
	require.Equal(t, "Temporal does not answer", is["schedules"].Evidence)
	require.Equal(t, "no ping is set for worker, backup", is["deadMansSwitch"].Evidence)

	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer service.Close()
	h.service = "    live: { baseURL: '" + service.URL + "', ready: /ready, journey: [{ name: look, path: /menu }] }\n    retention: { daily: 30 }\n    pings: { backup: file:ping }\n"
	h.write("ping", "https://hc-ping.com/secret-id")
	is = answers()
	require.Equal(t, recovery.Yes, is["health"].Answer, is["health"].Evidence)
	require.Equal(t, "it passed 1 of 1 steps", is["journey"].Evidence)
	require.Equal(t, recovery.Yes, is["retention"].Answer)
	require.Equal(t, "no ping is set for worker", is["deadMansSwitch"].Evidence)
	text, err := json.Marshal(is)
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret-id")

	h.service = "    live: { baseURL: '" + service.URL + "', ready: /ready, journey: [{ name: look, path: /broken }] }\n"
	require.Equal(t, recovery.No, answers()["journey"].Answer)
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "second")))
	is = answers()
	require.Equal(t, recovery.NotKnown, is["copies"].Answer, is["copies"].Evidence)
	require.Equal(t, recovery.NotKnown, is["keyDrill"].Answer, is["keyDrill"].Evidence)
}

func TestStock(t *testing.T) {
	h := newHouse(t)
	h.service += "    retention: { daily: 1 }\n"
	h.keep(50*time.Hour, recovery.LevelReadBack, recovery.ProofReadBack, "main")
	h.keep(4*time.Hour, recovery.LevelProven, recovery.ProofRestore, "main", "second")
	cfg, err := h.config()
	require.NoError(t, err)
	plan, err := cfg.Plan("where2eat")
	require.NoError(t, err)
	var stocks []recovery.Stock
	for _, dest := range plan.Destinations {
		stock, err := app.StockAt(context.Background(), cfg, plan, dest, now)
		require.NoError(t, err)
		stocks = append(stocks, stock)
	}
	cost := recovery.MonthlyCost(stocks)
	require.Len(t, cost.Lines, 3)
	require.Equal(t, recovery.TierDaily, cost.Lines[0].Tier)
	require.True(t, cost.Lines[1].Leaving)
	require.Greater(t, cost.Lines[0].Bytes, int64(1000), "its manifest and guide weigh as well")
	require.NotNil(t, cost.Lines[0].PerMonth)
	require.Equal(t, "second", cost.Lines[2].Destination)
	require.Nil(t, cost.Lines[2].PerMonth)
	require.Equal(t, cost.Lines[2].Bytes, cost.Unpriced)
}

func TestTheDeskSaysHowServicesStand(t *testing.T) {
	h := newHouse(t)
	newest := h.keep(4*time.Hour, recovery.LevelProven, recovery.ProofRestore, "second") // not at the preferred one
	desk := &app.Desk{Config: h.config}
	services, err := desk.Services(t.Context())
	require.NoError(t, err)
	require.Len(t, services, 1)
	s := services[0]
	require.Empty(t, s.Trouble)
	require.Equal(t, newest, s.ReadBack.Set)
	require.Equal(t, newest, s.Proven.Set)
	require.False(t, s.NextDrill.IsZero())
	require.Contains(t, s.Todo, "Does somebody else notice when Lifeboat is silent? No: no ping is set for worker, backup. Next: set worker.ping and the service's pings in the config: docs/dead-mans-switch.md")
	sets, err := desk.Sets(t.Context(), "where2eat")
	require.NoError(t, err)
	require.Len(t, sets, 1)

	for _, name := range []string{"main", "second"} {
		require.NoError(t, os.RemoveAll(filepath.Join(h.dir, name)))
	}
	services, err = desk.Services(t.Context())
	require.NoError(t, err)
	require.Contains(t, services[0].Trouble, "main")
	require.Empty(t, services[0].Todo)
	_, err = desk.Sets(t.Context(), "where2eat")
	require.ErrorContains(t, err, "main")
}
