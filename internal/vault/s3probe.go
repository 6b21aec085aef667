package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// probeLock is how long a probe object is locked at a destination that locks: long
// enough for clocks that differ a little.
const probeLock = 2 * time.Minute

var (
	probeBytes = []byte("Lifeboat tries here what its access key may do. This object can be removed.\n")
	otherBytes = []byte("This must not replace what was here.\n")
)

// probe is what was done to the probe objects, and what came of it.
type probe struct {
	written    []version // to be removed in the end
	first      version   // the one that must survive
	anonymous  string    // what anybody can do, empty for nothing
	tried      bool
	conditions error // of writing it a second time, only if absent
	overwrite  error // refusals; nil: it was done
	remove     error
	erase      error // of its version
}

func (p *probe) versioned() bool { return p.first.id != "" && p.first.id != "null" }

// destroyed says whether the first version of the probe is gone for good.
func (p *probe) destroyed() bool {
	if p.versioned() {
		return p.erase == nil
	}
	return p.overwrite == nil || p.remove == nil
}

// doubtful says whether an attempt failed in a way that is no refusal: it may work
// another time.
func (p *probe) doubtful() bool {
	return isDoubtful(p.overwrite) || isDoubtful(p.remove) || isDoubtful(p.erase)
}

func isDoubtful(err error) bool { return err != nil && !isDenied(err) && !isProtected(err) }

// isProtected knows the words with which servers refuse to touch what is locked.
func isProtected(err error) bool {
	text := strings.ToLower(answer(err))
	return strings.Contains(text, "worm") || strings.Contains(text, "locked") || strings.Contains(text, "object lock")
}

// safe says whether these credentials could do nothing to what was written.
func (p *probe) safe() bool { return p.tried && !p.destroyed() && !p.doubtful() }

// write puts the probe object, locked for a moment if the destination locks.
func (i *inspector) write(ctx context.Context, data []byte, once bool) (version, error) {
	in := &s3.PutObjectInput{Bucket: &i.name, Key: i.key(i.object), Body: bytes.NewReader(data)}
	brief := i.terms
	brief.lockFor = probeLock
	if !i.canLock() && i.lockErr == nil {
		brief.lock = "" // the finding about the lock says so
	}
	brief.put(in)
	if once {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := i.client.PutObject(ctx, in)
	if err != nil {
		return version{}, err
	}
	v := version{key: i.object, id: aws.ToString(out.VersionId)}
	i.probe.written = append(i.probe.written, v)
	return v, nil
}

// tryRights tries what a backup needs.
func (i *inspector) tryRights(ctx context.Context) (err error) {
	i.probe.first, err = i.write(ctx, probeBytes, true)
	if failed := fatal(err); failed != nil {
		return failed
	}
	needs := "PutObject"
	if i.terms.lock != "" {
		needs += " and PutObjectRetention"
	}
	i.right("put", err, needs)
	if err != nil {
		return nil
	}
	for _, try := range []struct {
		about, needs string
		do           func(context.Context) error
	}{
		{"get", "GetObject", i.get},
		{"list", "ListBucket", i.list},
		{"multipart", "PutObject", i.sendParts},
		{"unfinished uploads", "ListBucketMultipartUploads and AbortMultipartUpload", i.abandon},
	} {
		err := try.do(ctx)
		if failed := fatal(err); failed != nil && !errors.Is(err, errProbe) {
			return failed
		}
		i.right(try.about, err, try.needs)
	}
	return i.askAnonymously(ctx)
}

func (i *inspector) right(about string, err error, needs string) {
	if err == nil {
		i.found.add(about, Good, "works", "")
		return
	}
	mend := "let the access key " + needs + " in bucket " + i.name
	if fault, ok := errors.AsType[*recovery.Fault](i.explain(err)); ok && !isDenied(err) {
		mend = fault.Hint
	}
	i.found.add(about, Bad, "does not work: "+answer(err), mend)
}

// errProbe says that a request was answered, but not rightly.
var errProbe = errors.New("the server does not give what was stored")

func (i *inspector) get(ctx context.Context) error {
	out, err := i.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &i.name, Key: i.key(i.object)})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, int64(len(probeBytes))+1))
	if err == nil && !bytes.Equal(data, probeBytes) {
		err = errProbe
	}
	return err
}

func (i *inspector) list(ctx context.Context) error {
	objects, err := i.objects(ctx, i.object)
	if err == nil && !slices.ContainsFunc(objects, func(o version) bool { return o.key == i.object }) {
		err = errProbe
	}
	return err
}

func (i *inspector) beginParts(ctx context.Context, key string) (*string, error) {
	out, err := i.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &i.name, Key: i.key(key), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return nil, err
	}
	return out.UploadId, nil
}

// sendParts makes an object of one part.
func (i *inspector) sendParts(ctx context.Context) error {
	key := i.object + "-parts"
	upload, err := i.beginParts(ctx, key)
	if err != nil {
		return err
	}
	part, err := i.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &i.name, Key: i.key(key), UploadId: upload, PartNumber: aws.Int32(1),
		Body: bytes.NewReader(probeBytes), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return err
	}
	out, err := i.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &i.name, Key: i.key(key), UploadId: upload, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}},
	})
	if err != nil {
		return err
	}
	i.probe.written = append(i.probe.written, version{key: key, id: aws.ToString(out.VersionId)})
	return nil
}

// abandon begins an upload, finds it, and removes it, as a sweep does.
func (i *inspector) abandon(ctx context.Context) error {
	key := i.object + "-unfinished"
	if _, err := i.beginParts(ctx, key); err != nil {
		return err
	}
	uploads, err := i.unfinished(ctx, key)
	if err == nil && len(uploads) == 0 {
		err = errProbe
	}
	if err == nil {
		err = uploads[0].abort(ctx)
	}
	if err != nil {
		i.found.Left = append(i.found.Left, i.prefix+key+" (unfinished upload)")
	}
	return err
}

// askAnonymously reads and lists as anybody on the Internet would.
func (i *inspector) askAnonymously(ctx context.Context) error {
	options := i.client.Options()
	options.Credentials, options.APIOptions = nil, nil // some servers take no unsigned hash without a signature
	anybody := s3.New(options)
	var can []string
	out, err := anybody.GetObject(ctx, &s3.GetObjectInput{Bucket: &i.name, Key: i.key(i.object)})
	if err == nil {
		can = append(can, "read objects")
		_ = out.Body.Close() // nobody wants the bytes
	} else if noAnswer(err) {
		return err
	}
	_, err = anybody.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &i.name, Prefix: i.key(checkFolder), MaxKeys: aws.Int32(1)})
	if err == nil {
		can = append(can, "list them")
	} else if noAnswer(err) {
		return err
	}
	i.probe.anonymous = strings.Join(can, " and ")
	return nil
}

func noAnswer(err error) bool {
	var api smithy.APIError
	return !errors.As(err, &api)
}

// tryDestroying tries what a backup must not be able to do, the mildest first.
func (i *inspector) tryDestroying(ctx context.Context) error {
	p := &i.probe
	if len(p.written) == 0 {
		for _, about := range []string{"conditional write", "overwrite", "delete"} {
			i.found.add(about, NotKnown, "was not tried: nothing could be written", "")
		}
		return nil
	}
	_, p.conditions = i.write(ctx, otherBytes, true)
	_, p.overwrite = i.write(ctx, otherBytes, false)
	p.remove = i.attack(ctx, version{key: i.object})
	if p.versioned() {
		p.erase = i.attack(ctx, p.first)
	}
	p.tried = true
	for _, err := range []error{p.conditions, p.overwrite, p.remove, p.erase} {
		if failed := fatal(err); failed != nil {
			return failed
		}
	}
	i.judgeDestroying()
	return nil
}

// attack removes a probe object, or a version of it, by every right there is.
func (i *inspector) attack(ctx context.Context, v version) error {
	in := &s3.DeleteObjectInput{Bucket: &i.name, Key: i.key(v.key), VersionId: v.idOrNil()}
	if i.canLock() {
		in.BypassGovernanceRetention = aws.Bool(true)
	}
	out, err := i.client.DeleteObject(ctx, in)
	if err == nil && v.id == "" && aws.ToBool(out.DeleteMarker) {
		i.probe.written = append(i.probe.written, version{key: v.key, id: aws.ToString(out.VersionId), marker: true})
	}
	return err
}

// tidy removes what can be removed of the probe objects and names the rest.
func (i *inspector) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	for _, v := range slices.Backward(i.probe.written) {
		if err := i.attack(ctx, v); err != nil && !hasCode(err, "NoSuchKey", "NoSuchVersion") && !slices.Contains(i.found.Left, i.prefix+v.key) {
			i.found.Left = append(i.found.Left, i.prefix+v.key)
		}
	}
}
