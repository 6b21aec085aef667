package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"gocloud.dev/gcerrors"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// maxDocument bounds what Get reads into memory, in bytes.
const maxDocument = 16 << 20

// Upload is an object being written. Nothing is visible under its key until
// Commit. Either Commit or Abort must be called; whichever comes first takes
// effect, so Abort can be deferred. It is not safe for concurrent use.
type Upload struct {
	vault *Vault
	key   string
	to    upload
	err   error // of a write that failed
	ended bool
}

// Create begins an object. sizeHint says how many bytes may come, about; it is 0
// if that is not known. Up to three parts of max(8 MiB, sizeHint/9000) are held
// in memory. A ctx that ends fails the upload.
func (v *Vault) Create(ctx context.Context, key string, sizeHint int64) (*Upload, error) {
	if err := checkKey(key); err != nil {
		return nil, v.fail(err, "create object")
	}
	to, err := v.store.create(ctx, key, sizeHint)
	if err != nil {
		return nil, v.fail(err, "create %s", key)
	}
	return &Upload{vault: v, key: key, to: to}, nil
}

// errEnded is what an Upload says after Commit or Abort.
var errEnded = errors.New("the upload has ended")

// Write adds bytes to the object.
func (u *Upload) Write(p []byte) (int, error) {
	if u.ended {
		return 0, u.vault.fail(errEnded, "write %s", u.key)
	}
	if u.err == nil {
		u.err = u.to.write(p)
	}
	if u.err != nil {
		return 0, u.vault.fail(u.err, "write %s", u.key)
	}
	return len(p), nil
}

// Commit makes the object visible, whole and safely stored; it never replaces
// one (ErrExists). If it fails, it leaves as little as Abort.
func (u *Upload) Commit() error {
	if u.ended {
		return u.vault.fail(errEnded, "commit %s", u.key)
	}
	if u.err != nil { // a part is missing
		return errors.Join(u.vault.fail(u.err, "commit %s", u.key), u.Abort())
	}
	return u.vault.fail(u.end().commit(), "commit %s", u.key)
}

// Abort gives the object up and removes what was stored of it. After Commit it
// does nothing.
func (u *Upload) Abort() error {
	if u.ended {
		return nil
	}
	return u.vault.fail(u.end().abort(), "give up %s", u.key)
}

// end lets go of the buffers, which are large.
func (u *Upload) end() upload {
	to := u.to
	u.to, u.ended = nil, true
	return to
}

// Open reads an object from its beginning and says how many bytes it has. The
// caller checks what it reads: the store's own checksums are not looked at, so
// that damage is not mistaken for a broken connection.
func (v *Vault) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	if err := checkKey(key); err != nil {
		return nil, 0, v.fail(err, "read object")
	}
	bucket, err := v.store.bucket()
	if err != nil {
		return nil, 0, v.fail(err, "read %s", key)
	}
	r, err := bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, 0, v.fail(notFound(err), "read %s", key)
	}
	return &object{r, r, v, key}, r.Size(), nil
}

// notFound tells a missing object from a missing bucket.
func notFound(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound && !isMissingBucket(err) {
		return recovery.ErrNotFound
	}
	return err
}

// object names itself in the errors of reading.
type object struct {
	io.Reader
	io.Closer
	vault *Vault
	key   string
}

func (o *object) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, o.vault.fail(err, "read %s", o.key)
}

// Get reads a document of at most 16 MiB.
func (v *Vault) Get(ctx context.Context, key string) (data []byte, err error) {
	r, size, err := v.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if size > maxDocument {
		return nil, v.fail(recovery.NewFault(recovery.Damaged, fmt.Errorf("it has %d bytes, a document has at most %d", size, maxDocument), ""), "read %s", key)
	}
	return io.ReadAll(io.LimitReader(r, maxDocument))
}

// Put writes a document, over an existing one if there is one. One that is locked
// stays: if it holds other bytes, the error is ErrExists.
func (v *Vault) Put(ctx context.Context, key string, data []byte) error {
	return v.put(ctx, key, data, false)
}

// PutOnce writes a document if there is none under the key; of several writers
// one wins. To find the very same bytes there is a success, others are ErrExists.
func (v *Vault) PutOnce(ctx context.Context, key string, data []byte) error {
	return v.put(ctx, key, data, true)
}

// errTaken says that put found an object under the key.
var errTaken = errors.New("the key is taken")

func (v *Vault) put(ctx context.Context, key string, data []byte, once bool) error {
	if err := checkKey(key); err != nil {
		return v.fail(err, "write object")
	}
	err := v.store.put(ctx, key, data, once)
	if !errors.Is(err, errTaken) {
		return v.fail(err, "write %s", key)
	}
	found, err := v.Get(ctx, key)
	if errors.Is(err, recovery.ErrNotFound) {
		return v.fail(errors.New("another writer was busy with it"), "write %s", key)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(found, data) {
		return v.fail(ErrExists, "write %s", key)
	}
	return nil
}
