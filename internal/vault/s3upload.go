package vault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// How an object is cut into parts. S3 takes 10,000 parts, all but the last of
// the same size for the servers that insist on it; 9,000 leave room for a hint
// that was a little low.
const (
	minPart      = 8 << 20
	maxPart      = 5 << 30
	maxParts     = 9000
	heldParts    = 3 // one is filled while two are sent
	firstBuffer  = 64 << 10
	uploadMarker = "lifeboat-upload" // metadata that tells whose object it is
)

// s3Upload sends an object: in one request if it fits into a part, otherwise as
// a multipart upload.
type s3Upload struct {
	store  *s3Store
	key    *string
	marker map[string]string
	ctx    context.Context // the caller's; ends with cancel
	cancel context.CancelCauseFunc
	last   context.Context // of requests; ends a little later, see create

	partSize int
	free     chan []byte // buffers not in use; nil for one not yet made
	buf      []byte      // being filled
	size     int64

	id     *string // of the multipart upload, nil before it is begun
	number int32   // of the last part sent
	sends  errgroup.Group
	mu     sync.Mutex
	parts  []types.CompletedPart
}

func (s *s3Store) create(ctx context.Context, key string, sizeHint int64) (upload, error) {
	u := &s3Upload{
		store: s, key: s.key(key), marker: map[string]string{uploadMarker: rand.Text()},
		partSize: partSize(sizeHint), free: make(chan []byte, heldParts),
	}
	u.buf = make([]byte, 0, min(max(sizeHint, firstBuffer), int64(u.partSize)))
	u.ctx, u.cancel = context.WithCancelCause(ctx)
	// A request that is cut off may still be carried out, and a part that arrives
	// after its upload was removed brings it back. So those under way may end.
	var cut context.CancelFunc
	u.last, cut = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(u.ctx, func() { time.AfterFunc(graceTimeout, cut) })
	for range heldParts - 1 {
		u.free <- nil
	}
	return u, nil
}

// partSize fits sizeHint into the parts that S3 takes; whole mebibytes.
func partSize(sizeHint int64) int {
	mebibytes := (sizeHint/maxParts + 1<<20 - 1) >> 20
	return int(min(max(mebibytes<<20, minPart), maxPart))
}

func (u *s3Upload) write(p []byte) error {
	for len(p) > 0 {
		if err := context.Cause(u.ctx); err != nil {
			return err
		}
		if len(u.buf) == u.partSize {
			if err := u.send(); err != nil {
				return err
			}
		}
		n := min(len(p), u.partSize-len(u.buf))
		u.buf = append(u.buf, p[:n]...)
		u.size += int64(n)
		p = p[n:]
	}
	return nil
}

// send hands the filled buffer to a sender and takes a free one.
func (u *s3Upload) send() error {
	if err := u.begin(); err != nil {
		return err
	}
	u.number++
	part, number := u.buf, u.number
	u.buf = nil
	u.sends.Go(func() error {
		defer func() { u.free <- part[:0] }()
		return u.sendPart(part, number)
	})
	select {
	case u.buf = <-u.free:
	case <-u.ctx.Done():
		return context.Cause(u.ctx)
	}
	if u.buf == nil {
		u.buf = make([]byte, 0, u.partSize)
	}
	return nil
}

// begin starts the multipart upload.
func (u *s3Upload) begin() error {
	if u.id != nil {
		return nil
	}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &u.store.name, Key: u.key, Metadata: u.marker, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	}
	u.store.terms.multipart(in)
	out, err := u.store.client.CreateMultipartUpload(u.last, in)
	if err != nil {
		return err
	}
	u.id = out.UploadId
	return nil
}

func (u *s3Upload) sendPart(part []byte, number int32) error {
	out, err := u.store.client.UploadPart(u.last, &s3.UploadPartInput{
		Bucket: &u.store.name, Key: u.key, UploadId: u.id, PartNumber: &number,
		Body: bytes.NewReader(part), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		u.cancel(err) // so that the next write hears of it
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts = append(u.parts, types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	return nil
}

func (u *s3Upload) commit() error {
	if err := u.sendRest(); err != nil {
		return errors.Join(err, u.abort())
	}
	err := u.publish()
	// The answer may have been lost after the object was made, so what is there
	// decides: an object with the marker is this one.
	stored := u.verify()
	switch {
	case err == nil:
	case isUnlockable(err): // some servers store it nevertheless, without the lock
		return errors.Join(err, u.abort())
	case errors.Is(stored, ErrExists): // a locked object may be refused before the condition is looked at
		return errors.Join(stored, u.abort())
	case stored != nil:
		return errors.Join(err, u.abort())
	}
	u.cancel(nil)
	return stored
}

// sendRest sends the last part of several and waits for those under way.
func (u *s3Upload) sendRest() error {
	if u.id != nil {
		u.number++
		u.sends.Go(func() error { return u.sendPart(u.buf, u.number) })
	}
	err := u.sends.Wait()
	return cmp.Or(context.Cause(u.ctx), err)
}

// publish makes the object visible, unless there is one.
func (u *s3Upload) publish() error {
	if u.id == nil {
		in := &s3.PutObjectInput{Bucket: &u.store.name, Key: u.key, Metadata: u.marker, IfNoneMatch: aws.String("*"), Body: bytes.NewReader(u.buf)}
		u.store.terms.put(in)
		in.StorageClass = u.store.terms.class
		_, err := u.store.client.PutObject(u.last, in)
		return existing(err)
	}
	slices.SortFunc(u.parts, func(a, b types.CompletedPart) int { return cmp.Compare(*a.PartNumber, *b.PartNumber) })
	_, err := u.store.client.CompleteMultipartUpload(u.last, &s3.CompleteMultipartUploadInput{
		Bucket: &u.store.name, Key: u.key, UploadId: u.id, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	}, func(o *s3.Options) { o.HTTPClient = u.store.join })
	return existing(err)
}

func existing(err error) error {
	if isTaken(err) {
		return ErrExists
	}
	return err
}

// verify checks that the object under the key is this upload's, and whole.
func (u *s3Upload) verify() error {
	head, err := u.store.client.HeadObject(u.last, &s3.HeadObjectInput{Bucket: &u.store.name, Key: u.key})
	if err != nil {
		return fmt.Errorf("look at what was stored: %w", err)
	}
	if head.Metadata[uploadMarker] != u.marker[uploadMarker] {
		return ErrExists
	}
	if size := aws.ToInt64(head.ContentLength); size != u.size {
		return recovery.NewFault(recovery.Damaged, fmt.Errorf("%d bytes were stored of %d", size, u.size), "")
	}
	return nil
}

// abort ends the sending first and then removes the parts, although the caller
// gave up.
func (u *s3Upload) abort() error {
	u.cancel(nil)
	_ = u.sends.Wait() // the reason is known, or nobody asks for it
	if u.id == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), cleanupTimeout)
	defer cancel()
	_, err := u.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.store.name, Key: u.key, UploadId: u.id})
	if isNoSuchUpload(err) {
		return nil
	}
	return err
}
