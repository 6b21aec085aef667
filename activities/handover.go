package activities

import (
	"context"
	"errors"
	"io"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// HandOverInput names an artefact, and the key of the host that is to have it.
type HandOverInput struct {
	Plan recovery.Plan           `json:"plan"`
	Copy CopyRef                 `json:"copy"`
	Key  recovery.EncryptionSpec `json:"key"`  // the host's
	Name string                  `json:"name"` // of the new object, in the set's folder
}

// HandOver seals an artefact's dump anew, for the host alone, and stores it beside
// the artefact: files live on hosts that do not hold the key to all backups. The
// object is named in no manifest, so that the set's next sweep removes it.
func (r *Restores) HandOver(ctx context.Context, in HandOverInput) (*recovery.Object, error) {
	ctx, w := begin(ctx, "handing "+in.Copy.Artefact.Source+" over to its host")
	object, err := r.handOver(ctx, in, w.progress)
	return object, w.finish(ctx, err)
}

func (r *Restores) handOver(ctx context.Context, in HandOverInput, progress func(int64)) (*recovery.Object, error) {
	give, err := r.Slots.take(ctx)
	if err != nil {
		return nil, err
	}
	defer give()
	a := &in.Copy.Artefact
	var object recovery.Object
	err = useStore(ctx, r.Stores, in.Plan.Destination, in.Plan.Encryption, func(from Store) error {
		return useStore(ctx, r.Stores, in.Plan.Destination, in.Key, func(to Store) error {
			key := recovery.SetPrefix(in.Plan.Service, a.Set) + in.Name
			var err error
			object, err = to.Seal(ctx, key, a.Dump.PlainSize, func(w io.Writer) error {
				return from.Unseal(ctx, a.Key(in.Plan.Service, a.Dump), a.Dump, func(plain io.Reader) error {
					_, err := io.Copy(&counted{Writer: w, progress: progress}, plain)
					return err
				})
			})
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if object.PlainSize != a.Dump.PlainSize {
		return nil, errors.New("hand over: the copy has another size")
	}
	object.Role, object.Name = recovery.RoleDump, in.Name
	return &object, nil
}

type counted struct {
	io.Writer
	n        int64
	progress func(int64)
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	c.progress(c.n)
	return n, err
}
