package workflows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// BackupAndVerifyInput starts BackupAndVerify.
type BackupAndVerifyInput struct {
	Service string `json:"service"`
	// Level asks for less than the configuration can reach: stored, readBack,
	// restored or proven.
	Level *recovery.Level `json:"level,omitempty"`
	// Due dumps only the sources whose cadence fell due, as schedules do.
	Due bool `json:"due,omitempty"`
	// Requested says who asked, if a door vouches for it; such a run has a card.
	Requested *approval.Claim `json:"requested,omitempty"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer: an error here would
// reach the person as a decoder's message.
func (in *BackupAndVerifyInput) UnmarshalJSON(data []byte) error {
	type plain BackupAndVerifyInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// unclaimed is the input as a door vouches for it.
func (in BackupAndVerifyInput) unclaimed() BackupAndVerifyInput {
	in.Requested = nil
	return in
}

// VerifyInput starts Verify.
type VerifyInput struct {
	Service string `json:"service"`
	// Set chooses a set; empty means the newest.
	Set recovery.SetID `json:"set,omitempty"`
	// Copy chooses the destination that it is read from; empty means the first that has
	// it.
	Copy string `json:"copy,omitempty"`
	// Rotate takes the newest set of the destination whose copies were not restored for
	// the longest, as schedules do.
	Rotate bool `json:"rotate,omitempty"`
	// Level asks for less than the configuration can reach.
	Level *recovery.Level `json:"level,omitempty"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *VerifyInput) UnmarshalJSON(data []byte) error {
	type plain VerifyInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// RestoreDrillInput starts RestoreDrill.
type RestoreDrillInput struct {
	Service string `json:"service"`
	// Set chooses a set; empty means the newest that was read back.
	Set recovery.SetID `json:"set,omitempty"`
	// Copy chooses the destination that it is read from; empty means the best.
	Copy string `json:"copy,omitempty"`
	// Scheduled drills may be snoozed.
	Scheduled bool `json:"scheduled,omitempty"`
	// Requested says who asked, if a door vouches for it.
	Requested *approval.Claim `json:"requested,omitempty"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *RestoreDrillInput) UnmarshalJSON(data []byte) error {
	type plain RestoreDrillInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// unclaimed is the input as a door vouches for it.
func (in RestoreDrillInput) unclaimed() RestoreDrillInput {
	in.Requested = nil
	return in
}

// RestoreInput starts Restore.
type RestoreInput struct {
	Service string `json:"service"`
	// Set chooses a set; empty means the newest that was read back.
	Set recovery.SetID `json:"set,omitempty"`
	// Sources chooses sources; empty means all.
	Sources []string `json:"sources,omitempty"`
	// Beside restores beside production and leaves it there; nothing is replaced.
	Beside bool `json:"beside,omitempty"`
	// Requested says who asked, if a door vouches for it.
	Requested *approval.Claim `json:"requested,omitempty"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *RestoreInput) UnmarshalJSON(data []byte) error {
	type plain RestoreInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// unclaimed is the input as a door vouches for it.
func (in RestoreInput) unclaimed() RestoreInput {
	in.Requested = nil
	return in
}

// RollbackInput starts Rollback.
type RollbackInput struct {
	Service string `json:"service"`
	// To is the tag to go back to; empty means the last known good one, and that a quick
	// remedy may be chosen instead.
	To string `json:"to,omitempty"`
	// Requested says who asked, if a door vouches for it.
	Requested *approval.Claim `json:"requested,omitempty"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *RollbackInput) UnmarshalJSON(data []byte) error {
	type plain RollbackInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

// unclaimed is the input as a door vouches for it.
func (in RollbackInput) unclaimed() RollbackInput {
	in.Requested = nil
	return in
}

// ReleaseInput starts SmokeDeploy, Releases and WatchReleases.
type ReleaseInput struct {
	Service string `json:"service"`
	// Tag is the release that SmokeDeploy tries; empty means the newest.
	Tag string `json:"tag,omitempty"`

	malformed error
}

// UnmarshalJSON keeps a wrong shape for setup to answer.
func (in *ReleaseInput) UnmarshalJSON(data []byte) error {
	type plain ReleaseInput
	in.malformed = decodeInput(data, (*plain)(in))
	return nil
}

func decodeInput(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		shown := string(data)
		if len(shown) > 80 {
			shown = shown[:80] + "…"
		}
		return fmt.Errorf("read input %s: %s", shown, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func checkInput(service string, malformed error) error {
	switch {
	case malformed != nil:
		return badInput("%v: give a JSON object such as {\"service\":\"where2eat\"}", malformed)
	case service == "":
		return badInput("read input: service is missing: give a JSON object such as {\"service\":\"where2eat\"}")
	}
	return nil
}

func badInput(format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), ErrorBadInput, nil)
}
