// Package vault keeps recovery sets and their proofs at a destination: an S3
// bucket or a folder. The destination alone is enough to know what there is.
//
// An object, once written, is never changed: every write but Put fails if the
// object exists. What was not committed leaves nothing behind, and what a killed
// worker left is swept by the next run.
//
// Where the configuration asks for a lock, every object gets it, whatever it is:
// artefacts, manifests, proofs, decisions, tombstones and reports. A storage class
// is for what Create writes, the sealed artefacts; documents must be readable at
// once, and stay in the server's own class.
//
// Reading and listing go through gocloud.dev/blob. Writing is our own, because
// gocloud's way to give an upload up differs from store to store, its file store
// neither syncs nor excludes other writers, and its S3 store holds more in memory.
package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
	"unicode"

	"gocloud.dev/blob"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// ErrExists is wrapped by the error of a write to a key that holds other bytes.
var ErrExists = errors.New("the object exists already")

// Credentials are the keys of an S3 account. A folder needs none.
type Credentials struct {
	AccessKey string
	SecretKey string
}

// String keeps the keys out of logs and errors.
func (Credentials) String() string { return "credentials(hidden)" }

// GoString does so for %#v.
func (Credentials) GoString() string { return "credentials(hidden)" }

// Vault is one destination. It is safe for concurrent use.
//
// Errors name the destination. A wrong key, a missing right, bucket or folder is
// a Permanent fault with its mend; a store that does not answer is Unavailable.
type Vault struct {
	name  string
	store store
	// graves holds tombstones that were believed once, by key: they never change.
	graves sync.Map
}

// store is what the two kinds of destination do in different ways. Keys are
// relative to the destination's prefix and have been checked.
type store interface {
	// bucket returns gocloud's view of the destination, for reading and listing.
	bucket() (*blob.Bucket, error)
	// check tries the least that shows that the destination can be used.
	check(ctx context.Context) error
	// create begins an object that commit makes visible, unless it exists.
	create(ctx context.Context, key string, sizeHint int64) (upload, error)
	// put writes a small object at once: over an existing one, or, if once is
	// set, never over one. An existing one that it may not replace is errTaken.
	put(ctx context.Context, key string, data []byte, once bool) error
	// remove deletes an object with all its versions. That it is gone already is no
	// error.
	remove(ctx context.Context, key string) error
	// below names the folders and the objects directly below prefix that sort
	// after the name given, in order.
	below(ctx context.Context, prefix, after string) (folders, objects []string, err error)
	// unfinished lists the uploads below prefix that were begun and not ended.
	unfinished(ctx context.Context, prefix string) ([]unfinished, error)
	// stale lists the uploads that were begun before a time and not ended, those of
	// others among them.
	stale(ctx context.Context, before time.Time) ([]unfinished, error)
	pruner
	// inspect tries what this destination's credentials can do.
	inspect(ctx context.Context) (*Inspection, error)
	// explain turns an error of the store into a cause without noise, its kind
	// and the mend.
	explain(err error) error
	close() error
}

// upload is an object being written. After either commit or abort has been
// called, nothing else is.
type upload interface {
	write(p []byte) error
	commit() error // cleans up if it fails
	abort() error
}

// unfinished is an upload that was begun and not ended.
type unfinished struct {
	key   string
	abort func(context.Context) error
}

// Open returns the vault that a spec describes. It does not contact it: Check does.
func Open(_ context.Context, spec recovery.DestinationSpec, cred Credentials) (*Vault, error) {
	s, err := openStore(spec, cred)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("open destination %s: %w", spec.Name, err), "correct it in the configuration")
	}
	return &Vault{name: spec.Name, store: s}, nil
}

func openStore(spec recovery.DestinationSpec, cred Credentials) (store, error) {
	u, err := url.Parse(spec.URL)
	if err != nil || u.User != nil {
		return nil, errors.New("read url: it must be s3://bucket/prefix or file:///folder, without a password")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("read url %q: it must end with the prefix or folder", spec.URL)
	}
	switch u.Scheme {
	case "s3":
		return openS3(u.Host, strings.Trim(u.Path, "/"), spec, cred)
	case "file":
		if u.Host != "" || !path.IsAbs(u.Path) {
			return nil, fmt.Errorf("read url %q: write file:///folder, with three slashes", spec.URL)
		}
		if spec.Lock != nil || spec.ServerSide != nil || spec.Class != "" || len(spec.Classes) > 0 {
			return nil, errors.New("read lock, serverSide, class and classes: a folder has none of them")
		}
		return &fileStore{dir: path.Clean(u.Path)}, nil
	}
	return nil, fmt.Errorf("read url %q: it must be s3://bucket/prefix or file:///folder", spec.URL)
}

// Name returns the destination's name in the configuration.
func (v *Vault) Name() string { return v.name }

// Close releases connections.
func (v *Vault) Close() error { return v.store.close() }

// Check says whether the destination answers and can be used.
func (v *Vault) Check(ctx context.Context) error {
	return v.fail(v.store.check(ctx), "check")
}

// fail says what was being done where, and what the error means.
func (v *Vault) fail(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	var fault *recovery.Fault
	switch {
	case errors.Is(err, recovery.ErrNotFound), errors.Is(err, ErrExists), errors.As(err, &fault):
	default:
		err = v.store.explain(err)
	}
	// The fault stays outermost, so that its hint ends the sentence.
	if errors.As(err, &fault) {
		return recovery.NewFault(fault.Kind, fmt.Errorf("%s at destination %s: %w", doing, v.name, fault.Err), fault.Hint)
	}
	return fmt.Errorf("%s at destination %s: %w", doing, v.name, err)
}

// maxKey bounds keys so that no store has to cut them.
const maxKey = 600

// checkKey refuses keys that could lead out of the destination or that the
// stores would write in different ways.
func checkKey(key string) error {
	bad := key == "." || !fs.ValidPath(key) || len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool {
		return unicode.IsControl(r) || r == '\\' || r == unicode.ReplacementChar
	})
	if bad || strings.HasSuffix(key, tempSuffix) {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("read key %q: it must be a plain path below the destination", key), "")
	}
	return nil
}
