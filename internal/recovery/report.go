package recovery

import (
	"fmt"
	"strings"
)

// Report says how a run of backup or verification ended: what the CLI prints and
// the Temporal UI shows.
type Report struct {
	Service   string           `json:"service"`
	Set       SetID            `json:"set"`
	Target    Level            `json:"target"` // the level that was asked for
	Level     Level            `json:"level"`  // the level that was reached
	Verdict   Verdict          `json:"verdict"`
	Sentence  string           `json:"sentence"`
	Copy      string           `json:"copy"`
	Artefacts []ArtefactReport `json:"artefacts"`
	Failures  []SourceFailure  `json:"failures,omitempty"`
	// FingerprintEqual is true if every artefact that has a fingerprint was
	// restored and found equal, and nil if none was compared.
	FingerprintEqual *bool       `json:"fingerprintEqual"`
	Smoke            *SmokeProof `json:"smoke"`
	RPO              *Measure    `json:"rpo"`
	RTO              *Measure    `json:"rto"`
	Config           ConfigRef   `json:"config"`
}

// ArtefactReport joins what the manifest and the proof say of one artefact.
type ArtefactReport struct {
	ArtefactProof
	Kind        string `json:"kind"`
	Object      string `json:"object"`
	PlainSize   int64  `json:"plainSize"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Reached says whether the run did what it was asked to.
func (r *Report) Reached() bool { return r.Verdict == Proven && r.Level >= r.Target }

// NothingDue is the report of a backup that had nothing to do.
func NothingDue(service string) *Report {
	return &Report{Service: service, Verdict: Proven, Sentence: "nothing of " + service + " is due: every source was backed up since its cadence last fell due"}
}

// NewReport joins a manifest and the proof of one try.
func NewReport(m *Manifest, p *Proof, target Level) *Report {
	r := &Report{
		Service: m.Service, Set: m.Set, Target: target, Level: p.Level, Verdict: p.Verdict, Sentence: p.Sentence,
		Copy: p.Copy, Failures: m.Failures, Smoke: p.Smoke, RPO: p.RPO, RTO: p.RTO, Config: p.Config,
	}
	for _, proof := range p.Artefacts {
		a, _ := m.Artefact(proof.Source)
		r.Artefacts = append(r.Artefacts, ArtefactReport{
			ArtefactProof: proof, Kind: a.Kind, Object: a.Key(m.Service, a.Dump),
			PlainSize: a.Dump.PlainSize, Size: a.Dump.Size, SHA256: a.Dump.SHA256, Fingerprint: a.Fingerprint,
		})
		if proof.FingerprintEqual != nil {
			equal := *proof.FingerprintEqual && (r.FingerprintEqual == nil || *r.FingerprintEqual)
			r.FingerprintEqual = &equal
		}
	}
	return r
}

// Conclude sets level, verdict and sentence of a proof from what was found about
// its artefacts and by the smoke test. The first thing that is wrong is named.
func (p *Proof) Conclude(m *Manifest) {
	p.Level, p.Verdict = LevelProven, Proven
	trouble := ""
	note := func(v Verdict, level Level, sentence string) {
		if p.Verdict.Worse(v) != p.Verdict || trouble == "" && v != Proven {
			trouble = sentence
		}
		p.Verdict = p.Verdict.Worse(v)
		p.Level = min(p.Level, level)
	}
	for _, a := range p.Artefacts {
		note(a.Verdict, a.Level, a.Sentence)
	}
	if len(m.Failures) > 0 {
		f := m.Failures[0]
		note(Disproven, LevelReadBack, fmt.Sprintf("%s was not backed up: %s", f.Source, f.Error))
	}
	p.Level = min(p.Level, LevelRestored)
	if p.Smoke != nil {
		note(p.Smoke.Verdict, LevelRestored, p.Smoke.Sentence)
		if p.Smoke.Verdict == Proven && p.Verdict == Proven {
			p.Level = LevelProven
			for i := range p.Artefacts {
				p.Artefacts[i].Level = LevelProven
			}
		}
	}
	p.Level = min(p.Level, p.Tried)
	p.Sentence = p.sentence(m, trouble)
}

func (p *Proof) sentence(m *Manifest, trouble string) string {
	head := fmt.Sprintf("recovery set %s of %s", p.Set, p.Service)
	switch p.Verdict {
	case Disproven:
		return fmt.Sprintf("%s is DISPROVEN: %s", head, trouble)
	case Inconclusive:
		return fmt.Sprintf("%s: INCONCLUSIVE, %s so far: %s", head, levelWords[p.Level], trouble)
	case Proven:
	}
	word := strings.ToUpper(levelWords[p.Level])
	parts := []string{fmt.Sprintf("%s is %s: %s, %s sealed", head, word, count(len(m.Artefacts), "source"), Bytes(m.Size()))}
	if p.Level >= LevelRestored {
		var rows int64
		for _, a := range p.Artefacts {
			rows += a.Rows
		}
		parts = append(parts, p.equality(rows))
	}
	if p.Level == LevelProven {
		parts = append(parts, "the service started on it and passed "+count(len(p.Smoke.Steps), "check"))
	}
	if p.RPO != nil {
		parts = append(parts, p.RPO.words("data age", "RPO"))
	}
	if p.RTO != nil {
		parts = append(parts, p.RTO.words("restore time", "RTO"))
	}
	return strings.Join(parts, "; ")
}

// equality says what the comparison covers.
func (p *Proof) equality(rows int64) string {
	var uncompared []string
	for _, a := range p.Artefacts {
		if a.FingerprintEqual == nil {
			uncompared = append(uncompared, a.Source)
		}
	}
	switch {
	case len(uncompared) == len(p.Artefacts):
		return "restored, NOT compared with the source (fingerprint: off)"
	case len(uncompared) > 0:
		return fmt.Sprintf("restored and equal in %d rows, but %s NOT compared (fingerprint: off)", rows, strings.Join(uncompared, ", "))
	}
	return fmt.Sprintf("restored and equal in %d rows", rows)
}

var levelWords = []string{"not there", "stored", "read back", "restored", "proven"}

func (m Measure) words(what, objective string) string {
	if m.Met {
		return fmt.Sprintf("%s %s (%s %s met)", what, m.Actual, objective, m.Objective)
	}
	return fmt.Sprintf("%s %s (%s %s MISSED by %s)", what, m.Actual, objective, m.Objective, -m.Margin())
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Bytes writes a size for a person: 1.2 MB.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), -1
	for value >= 999.95 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTPE"[unit])
}
