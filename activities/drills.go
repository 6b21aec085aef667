package activities

import (
	"context"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Drills chooses what is restored, and writes the reports of drills. It needs no
// private key.
type Drills struct {
	Stores Stores
}

// ChooseSetInput names the service, and a set if one is wanted.
type ChooseSetInput struct {
	Service     string                   `json:"service"`
	Set         recovery.SetID           `json:"set,omitempty"`
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
}

// ChosenSet is a set that may be restored, and how long that will take.
type ChosenSet struct {
	Set      recovery.SetSummary `json:"set"`
	Expected recovery.Duration   `json:"expected"` // median of the last restores, 0 if there was none
	Of       int                 `json:"of"`       // how many restores that is from
}

// lookBack is how many sets are looked at to choose one and to expect how long it
// will take.
const lookBack = 50

// ChooseSet finds the wanted set, or the newest that was read back.
func (d *Drills) ChooseSet(ctx context.Context, in ChooseSetInput) (*ChosenSet, error) {
	ctx, w := begin(ctx, "choosing a set")
	var out *ChosenSet
	err := useStore(ctx, d.Stores, in.Destination, in.Encryption, func(s Store) error {
		sets, err := s.Summaries(ctx, in.Service, in.Set, lookBack)
		if err != nil {
			return err
		}
		chosen, err := recovery.ChooseSet(in.Service, sets, in.Set)
		if err != nil {
			return err
		}
		out = &ChosenSet{Set: *chosen}
		out.Expected, out.Of = recovery.ExpectRestore(sets)
		return nil
	})
	return out, w.finish(ctx, err)
}

// WriteDrillInput holds the report of a drill.
type WriteDrillInput struct {
	Destination recovery.DestinationSpec `json:"destination"`
	Encryption  recovery.EncryptionSpec  `json:"encryption"`
	Drill       recovery.Drill           `json:"drill"`
}

// WriteDrill writes the report of a drill for people, and returns its key.
func (d *Drills) WriteDrill(ctx context.Context, in WriteDrillInput) (string, error) {
	ctx, w := begin(ctx, "writing the report")
	key := recovery.DrillKey(in.Drill.Report.Service, in.Drill.Started)
	err := useStore(ctx, d.Stores, in.Destination, in.Encryption, func(s Store) error {
		return s.Write(ctx, key, []byte(in.Drill.Markdown()))
	})
	return key, w.finish(ctx, err)
}
