package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// VerifySetInput starts VerifySet.
type VerifySetInput struct {
	Service string         `json:"service"`
	Set     recovery.SetID `json:"set"`
	Target  recovery.Level `json:"target"`
	// Copy is the destination that it is read from; empty: the preferred one.
	Copy string `json:"copy,omitempty"`
	// Kind is what the proof is called; empty: by what was tried.
	Kind recovery.ProofKind `json:"kind,omitempty"`
}

// VerifySet climbs with one copy of a set as far as asked: digest, read back,
// restored and compared, tried out. Its id verify/<set>/<copy> is the lock. What
// it found is appended to the verification log, also when it is bad news. It ends
// as BackupAndVerify does.
func VerifySet(ctx workflow.Context, in VerifySetInput) (*recovery.Report, error) {
	v := &verifySet{in: in}
	if err := v.setup(ctx); err != nil {
		return nil, err
	}
	report, err := v.run(ctx)
	return conclude(ctx, v.teller, report, err)
}

type verifySet struct {
	*teller
	in       VerifySetInput
	plan     recovery.Plan
	manifest *recovery.Manifest
	proof    recovery.Proof
	copies   []activities.CopyRef // on staging, to be dropped
}

func (v *verifySet) setup(ctx workflow.Context) (err error) {
	if v.teller, err = newTeller(ctx, TypeVerifySet, v.in.Service); err != nil {
		return err
	}
	v.status.Set = v.in.Set
	return nil
}

func (v *verifySet) run(ctx workflow.Context) (*recovery.Report, error) {
	if err := loadPlan(ctx, v.teller, v.in.Service, &v.plan); err != nil {
		return nil, err
	}
	if v.in.Copy != "" {
		at, err := v.plan.At(v.in.Copy)
		if err != nil {
			return nil, err
		}
		v.plan = *at
	}
	v.begin(ctx)
	if err := v.loadSet(ctx); err != nil {
		return nil, err
	}
	if v.manifest == nil { // unreadable: disproven without more ado
		return v.end(ctx, &recovery.Manifest{Service: v.in.Service, Set: v.in.Set})
	}
	if err := thaw(ctx, v.teller, &v.plan, v.manifest); err != nil {
		return nil, err
	}
	if err := v.fetch(ctx); err != nil {
		return nil, err
	}
	if v.in.Target >= recovery.LevelRestored && v.standing() == recovery.Proven {
		err := v.tryOut(ctx)
		v.clean(ctx)
		if err != nil {
			return nil, err
		}
	}
	v.proof.Ended = workflow.Now(ctx).UTC()
	v.measure()
	v.proof.Conclude(v.manifest)
	return v.end(ctx, v.manifest)
}

func (v *verifySet) begin(ctx workflow.Context) {
	info := workflow.GetInfo(ctx).WorkflowExecution
	v.proof = recovery.Proof{
		Format: recovery.ProofFormat, Service: v.in.Service, Set: v.in.Set, Copy: v.plan.Destination.Name,
		Kind: proofKind(v.in), Tried: v.in.Target, Started: workflow.Now(ctx).UTC(),
		Run: recovery.RunRef{WorkflowID: info.ID, RunID: info.RunID}, Config: v.plan.Config,
	}
}

func proofKind(in VerifySetInput) recovery.ProofKind {
	switch {
	case in.Kind != "":
		return in.Kind
	case in.Target >= recovery.LevelRestored:
		return recovery.ProofRestore
	case in.Target == recovery.LevelReadBack:
		return recovery.ProofReadBack
	}
	return recovery.ProofDigest
}

// loadSet reads the manifest. One that cannot be trusted is a finding.
func (v *verifySet) loadSet(ctx workflow.Context) error {
	v.now(ctx, "reading the manifest")
	var m recovery.Manifest
	err := loadManifest(ctx, v.teller, v.plan, v.in.Set, &m)
	switch {
	case err == nil:
		v.manifest = &m
		return nil
	case errorType(err) == activities.ErrorDamaged:
		v.proof.Verdict, v.proof.Ended = recovery.Disproven, workflow.Now(ctx).UTC()
		v.proof.Sentence = fmt.Sprintf("recovery set %s of %s is DISPROVEN: %s", v.in.Set, v.in.Service, reason(err))
		return nil
	}
	return err
}

// fetch reads every artefact from the copy: opened where the key is, and only
// checksummed where it is not.
func (v *verifySet) fetch(ctx workflow.Context) error {
	for _, a := range v.manifest.Artefacts {
		proof := recovery.ArtefactProof{Source: a.Source, Level: recovery.LevelStored}
		s := step{name: "read back " + a.Source, options: long(QueueRestore), activity: restores.ReadBack, giveUp: v.plan.GiveUpAfter.Std()}
		if v.in.Target < recovery.LevelReadBack {
			s = step{name: "checksum " + a.Source, options: long(QueueLifeboat), activity: verifications.CheckDigest, giveUp: v.plan.GiveUpAfter.Std()}
		}
		s.input = func(int) any {
			return activities.CheckInput{Service: v.in.Service, Artefact: a, Destination: v.plan.Destination, Encryption: v.plan.Encryption}
		}
		v.now(ctx, s.name)
		var checked activities.Checked
		if err := s.run(ctx, v.teller, &checked); err != nil {
			if temporal.IsCanceledError(err) || ctx.Err() != nil {
				return err
			}
			checked = activities.Checked{Sentence: reason(err)} // inconclusive
		}
		proof.Verdict, proof.Sentence, proof.ReadBackTook = checked.Verdict, checked.Sentence, checked.Took
		if checked.Verdict == recovery.Proven && v.in.Target >= recovery.LevelReadBack {
			proof.Level = recovery.LevelReadBack
			v.did(ctx, fmt.Sprintf("%s read back in %s, negative control passed", a.Source, checked.Took))
		}
		v.proof.Artefacts = append(v.proof.Artefacts, proof)
	}
	return nil
}

// standing is the verdict on all artefacts so far.
func (v *verifySet) standing() recovery.Verdict {
	verdict := recovery.Proven
	for _, a := range v.proof.Artefacts {
		verdict = verdict.Worse(a.Verdict)
	}
	return verdict
}

// measure compares the figures of a restore with the objectives.
func (v *verifySet) measure() {
	v.proof.RPO = v.dataAge()
	if v.proof.Smoke == nil && v.in.Target >= recovery.LevelProven {
		return // the restore did not get to its end
	}
	var took recovery.Duration
	for _, a := range v.proof.Artefacts {
		if a.Level < recovery.LevelRestored {
			return
		}
		took += a.RestoreTook
	}
	if v.proof.Smoke != nil {
		took += v.proof.Smoke.Took
	}
	v.proof.RTO = recovery.NewMeasure(v.plan.Objectives.RTO, took.Std())
}

// dataAge measures each source against its own RPO and returns the one that is
// nearest to missing it, or misses it the most.
func (v *verifySet) dataAge() *recovery.Measure {
	var worst *recovery.Measure
	for _, a := range v.manifest.Artefacts {
		objective := v.plan.Objectives.RPO
		for _, source := range v.plan.Sources {
			if source.Name == a.Source && source.RPO > 0 {
				objective = source.RPO
			}
		}
		m := recovery.NewMeasure(objective, v.proof.Ended.Sub(a.Snapshot))
		if worst == nil || m.Margin() < worst.Margin() {
			worst = m
		}
	}
	return worst
}

// end appends the proof to the verification log.
func (v *verifySet) end(ctx workflow.Context, m *recovery.Manifest) (*recovery.Report, error) {
	v.now(ctx, "writing the proof")
	err := step{
		name: "append proof", options: quick(QueueLifeboat), activity: verifications.AppendProof, giveUp: v.plan.GiveUpAfter.Std(),
		input: func(int) any {
			return activities.AppendProofInput{Destination: v.plan.Destination, Encryption: v.plan.Encryption, Proof: v.proof}
		},
	}.run(ctx, v.teller, nil)
	if err != nil {
		return nil, err
	}
	return recovery.NewReport(m, &v.proof, v.in.Target), nil
}
