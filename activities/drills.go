package activities

import (
	"context"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Drills writes the reports of drills. It needs no private key.
type Drills struct {
	Stores Stores
}

// WriteDrillInput holds the report of a drill.
type WriteDrillInput struct {
	Destinations []recovery.DestinationSpec `json:"destinations"`
	Encryption   recovery.EncryptionSpec    `json:"encryption"`
	Drill        recovery.Drill             `json:"drill"`
}

// WriteDrill writes the report of a drill for people to the first destination that
// takes it, and returns its key.
func (d *Drills) WriteDrill(ctx context.Context, in WriteDrillInput) (string, error) {
	ctx, w := begin(ctx, "writing the report")
	key := recovery.DrillKey(in.Drill.Report.Service, in.Drill.Started)
	var first error
	for _, dest := range in.Destinations {
		err := useStore(ctx, d.Stores, dest, in.Encryption, func(s Store) error {
			return s.Write(ctx, key, []byte(in.Drill.Markdown()))
		})
		if err == nil {
			return key, w.finish(ctx, nil)
		}
		first = firstOf(first, err)
	}
	return "", w.finish(ctx, first)
}
