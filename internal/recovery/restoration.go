package recovery

import "time"

// Restoration says how a production restore ended, or stands.
type Restoration struct {
	Service  string   `json:"service"`
	Set      SetID    `json:"set"`
	Sources  []string `json:"sources"`
	State    State    `json:"state"`
	Sentence string   `json:"sentence"`
	// Safety is the set that was made of production before it was replaced; empty if
	// none could be made.
	Safety SetID    `json:"safety,omitempty"`
	Down   Duration `json:"down"` // how long nothing answered while data was swapped
	// Took is the time from the approval to a service that was well, or to giving up.
	Took    Duration    `json:"took"`
	Rows    int64       `json:"rows"`
	BadCopy bool        `json:"badCopy,omitempty"` // it failed because the copy of the set could not be read
	Swaps   []Swap      `json:"swaps,omitempty"`   // what was moved, and what is set aside where
	Beside  []string    `json:"beside,omitempty"`  // where restored data stands beside production
	Tried   *SmokeProof `json:"tried,omitempty"`   // the service on the restored data, before the swap
	Live    *SmokeProof `json:"live,omitempty"`    // the running service, after it
	UndoTil time.Time   `json:"undoUntil,omitzero"`
	// Removed is the set that holds what was set aside, once that was removed.
	Removed SetID    `json:"removed,omitempty"`
	RTO     *Measure `json:"rto,omitempty"`
	RPO     *Measure `json:"rpo,omitempty"`
}

// State is what a restore left production in. The zero value says nothing.
type State string

// The states.
const (
	StateUntouched State = "untouched" // production is as it was
	StateRestored  State = "restored"  // production is the restored data
	StateBeside    State = "beside"    // the restored data stands beside production
	StateUndone    State = "undone"    // restored, and put back since
	StateStale     State = "stale"     // production was not what the plan said: nothing was done
	StateUnclear   State = "unclear"   // a person must look
)

// Back is the swap that undoes s. ok is false if nothing was replaced, so that there
// is nothing to put back.
func (s Swap) Back() (back Swap, ok bool) {
	return Swap{Source: s.Source, Kind: s.Kind, Live: s.Live, Out: s.In, In: s.Out, New: s.Aside, Aside: s.Retired, Retired: s.Aside}, s.Out != ""
}
