package recovery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// ProofKind names what a proof tried; it is part of the proof's key.
type ProofKind string

// The kinds of proof.
const (
	ProofDigest   ProofKind = "digest"   // sealed bytes fetched and checksummed, without the key
	ProofReadBack ProofKind = "readback" // opened as well
	ProofRestore  ProofKind = "restore"  // restored, compared, and tried out
	ProofDrill    ProofKind = "drill"    // the same, as a rehearsal that people watched
)

// ProofFormat is the version of the proofs this code writes.
const ProofFormat = 1

// Proof records one try to verify one copy of a set.
type Proof struct {
	Format    int             `json:"format"`
	Service   string          `json:"service"`
	Set       SetID           `json:"set"`
	Copy      string          `json:"copy"` // the destination it was read from
	Kind      ProofKind       `json:"kind"`
	Tried     Level           `json:"tried"`
	Level     Level           `json:"level"` // reached by this try
	Verdict   Verdict         `json:"verdict"`
	Sentence  string          `json:"sentence"` // for a person
	Started   time.Time       `json:"started"`
	Ended     time.Time       `json:"ended"`
	Run       RunRef          `json:"run"`
	Config    ConfigRef       `json:"config"`
	Artefacts []ArtefactProof `json:"artefacts"`
	Smoke     *SmokeProof     `json:"smoke,omitempty"`
	RPO       *Measure        `json:"rpo,omitempty"` // age of the data at the end of the try, of the source that is nearest to missing its RPO
	RTO       *Measure        `json:"rto,omitempty"` // from the start of the restore to the journey's end
}

// ArtefactProof is what a try found about one artefact.
type ArtefactProof struct {
	Source           string       `json:"source"`
	Level            Level        `json:"level"`
	Verdict          Verdict      `json:"verdict"`
	Sentence         string       `json:"sentence,omitempty"`
	FingerprintEqual *bool        `json:"fingerprintEqual,omitempty"` // nil: not compared
	Differences      []Difference `json:"differences,omitempty"`      // at most MaxDifferences
	MoreDifferences  int          `json:"moreDifferences,omitempty"`
	Rows             int64        `json:"rows,omitempty"`
	ReadBackTook     Duration     `json:"readBackTook,omitempty"`
	RestoreTook      Duration     `json:"restoreTook,omitempty"`
}

// MaxDifferences bounds the differences that are named.
const MaxDifferences = 20

// SmokeProof is what starting the service on the restored data showed.
type SmokeProof struct {
	Verdict  Verdict     `json:"verdict"`
	Sentence string      `json:"sentence,omitempty"`
	Steps    []SmokeStep `json:"steps"`
	Took     Duration    `json:"took"`
}

// SmokeStep is one request or query of the smoke test.
type SmokeStep struct {
	Name  string   `json:"name"`
	OK    bool     `json:"ok"`
	Error string   `json:"error,omitempty"`
	Took  Duration `json:"took"`
}

// EncodeProof writes the signed file of a proof.
func EncodeProof(p *Proof, key SigningKey) ([]byte, error) { return sign(documentProof, p, key) }

// DecodeProof reads and checks a signed proof.
func DecodeProof(data []byte, trusted []PublicKey) (*Proof, error) {
	payload, err := verify(documentProof, data, trusted)
	if err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read proof: %w", err), "")
	}
	var p Proof
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read proof: %w", err), "")
	}
	if p.Format != ProofFormat {
		return nil, NewFault(Damaged, fmt.Errorf("read proof: format %d is not %d", p.Format, ProofFormat), "")
	}
	return &p, nil
}

// Standing is what all proofs of a set say together.
type Standing struct {
	Level    Level     `json:"level"`
	Verdict  Verdict   `json:"verdict"`
	Sentence string    `json:"sentence"`
	ProvenAt time.Time `json:"provenAt,omitzero"` // newest proof that reached LevelProven
}

// Stand folds the verification log. An inconclusive try changes nothing; a
// disproof stands until a later try of at least the same level succeeds.
func Stand(m *Manifest, proofs []Proof) Standing {
	s := Standing{Level: LevelStored, Sentence: "stored, not yet read back"}
	if len(m.Failures) > 0 {
		s.Sentence = fmt.Sprintf("incomplete: %s was not backed up", m.Failures[0].Source)
	}
	ordered := slices.SortedStableFunc(slices.Values(proofs), func(a, b Proof) int { return cmp.Compare(a.Started.UnixNano(), b.Started.UnixNano()) })
	var disproof *Proof
	for i, p := range ordered {
		switch p.Verdict {
		case Disproven:
			if disproof == nil || p.Tried >= disproof.Tried {
				disproof = &ordered[i]
			}
			s = Standing{Level: p.Level, Verdict: Disproven, Sentence: p.Sentence, ProvenAt: s.ProvenAt}
		case Proven:
			if disproof != nil && p.Level < disproof.Tried {
				continue
			}
			disproof = nil
			if p.Level >= s.Level || s.Verdict == Disproven {
				s.Level, s.Sentence = p.Level, p.Sentence
			}
			s.Verdict = Proven
			if p.Level == LevelProven {
				s.ProvenAt = p.Ended
			}
		case Inconclusive:
		}
	}
	return s
}
